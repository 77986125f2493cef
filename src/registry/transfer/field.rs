//! The values in a file that are more than a text or a number: each says by itself what is wrong
//! with it, and is valid once it was read.

use std::fmt;
use std::time::Duration;

use serde::de::{Error as _, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Value;

use crate::model::reservation::{LEASE_LIMIT, METADATA_LIMIT, check_name};
use crate::model::{Port, PortRange, Timestamp};

/// The most bytes of a text that Freeport wrote itself: a token, a boot, a process's name.
const TEXT_LIMIT: usize = 1024;

/// The name of a project, a service or a pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(pub(super) String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let name = String::deserialize(deserializer)?;
        check_name(&name).map_err(D::Error::custom)?;
        Ok(Name(name))
    }
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortField(pub(super) Port);

impl<'de> Deserialize<'de> for PortField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PortField, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = PortField;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, as a number from 1 to 65535")
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<PortField, E> {
                number.to_string().parse().map(PortField).map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<PortField, E> {
                number.to_string().parse().map(PortField).map_err(E::custom)
            }
        }
        deserializer.deserialize_i64(Number)
    }
}

/// A point in time, to the millisecond: a date of TOML's, or a text in the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Datetime(date) => date.to_string(),
            Value::String(text) => text,
            _ => String::new(),
        };
        let time = humantime::parse_rfc3339(&text).map_err(|_| {
            D::Error::custom(
                "not a time of 1970 or later: write it in UTC, as 2026-05-01T09:30:00Z",
            )
        })?;
        Ok(Date(Timestamp::of_millis(Timestamp(time).millis())))
    }
}

/// How long a lease lasts: seconds, or a text as `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ttl(pub(super) Duration);

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ttl, D::Error> {
        let ttl = match Value::deserialize(deserializer)? {
            Value::Integer(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
            Value::String(text) => humantime::parse_duration(&text).ok(),
            _ => None,
        };
        let millis = ttl
            .filter(|ttl| *ttl <= LEASE_LIMIT)
            .and_then(|ttl| u64::try_from(ttl.as_millis()).ok())
            .ok_or_else(|| {
                D::Error::custom(
                    r#"not a lease: use seconds, or "90s", "5m", "1h", and at most "30d""#,
                )
            })?;
        Ok(Ttl(Duration::from_millis(millis)))
    }
}

/// JSON, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata(pub(super) String);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metadata, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > METADATA_LIMIT {
            return Err(D::Error::custom(format!(
                "metadata of {} bytes is too long: use at most {METADATA_LIMIT}",
                text.len()
            )));
        }
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(Metadata(text)),
            Err(error) => Err(D::Error::custom(format!(
                "the metadata is not JSON: {error}"
            ))),
        }
    }
}

/// A text that Freeport wrote itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > TEXT_LIMIT {
            return Err(D::Error::custom(format!(
                "a text of {} bytes is too long: use at most {TEXT_LIMIT}",
                text.len()
            )));
        }
        Ok(Text(text))
    }
}

/// Ports and ranges of them with commas between, in their normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranges(pub(super) String);

impl<'de> Deserialize<'de> for Ranges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ranges, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let ranges: Result<Vec<String>, _> = text
            .split(',')
            .map(|range| {
                range
                    .trim()
                    .parse::<PortRange>()
                    .map(|range| range.to_string())
            })
            .collect();
        ranges
            .map(|ranges| Ranges(ranges.join(",")))
            .map_err(D::Error::custom)
    }
}

/// The version of the form that a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version;

/// The version that is written and read.
pub(super) const VERSION: i64 = 1;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        match i64::deserialize(deserializer)? {
            VERSION => Ok(Version),
            other => Err(D::Error::custom(format!(
                "the file has version {other}, and this freeport reads version {VERSION}"
            ))),
        }
    }
}
