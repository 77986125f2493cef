//! Reading single values of the arguments: times, names, pids, metadata.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::builder::{PossibleValue, PossibleValuesParser, RangedU64ValueParser};
use serde_json::Value;

use crate::ipc::protocol::{GRACE_LIMIT_MS, LOG_LIMIT, PORTS_LIMIT, SUGGEST_LIMIT};
use crate::model::reservation::{LEASE_LIMIT, NameError, check_name};
use crate::model::settings::KEYS;
use crate::model::text::escape;
use crate::model::{Port, Timestamp};

/// Reads a time: `500ms`, `3s`, `1h`; a bare number is in seconds.
fn time(text: &str, such_as: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_duration(text).map_err(|error| format!("{error}: write it as {such_as}"))
}

/// Reads a grace.
pub fn grace(text: &str) -> Result<Duration, String> {
    let grace = time(text, "500ms, 3s or 1m")?;
    if grace > Duration::from_millis(GRACE_LIMIT_MS) {
        return Err(format!(
            "it is too long: use at most {}",
            humantime::format_duration(Duration::from_millis(GRACE_LIMIT_MS))
        ));
    }
    Ok(grace)
}

/// Reads how long a lease lasts, in seconds.
pub fn ttl(text: &str) -> Result<u64, String> {
    let ttl = time(text, "90s, 15m or 8h")?;
    if ttl < Duration::from_secs(1) {
        return Err("it is too short: use at least 1s".to_owned());
    }
    if ttl > LEASE_LIMIT {
        return Err(
            "it is too long: use at most 30d, or 'freeport reserve' without an end".to_owned(),
        );
    }
    if ttl.subsec_nanos() > 0 {
        return Err("use whole seconds".to_owned());
    }
    Ok(ttl.as_secs())
}

/// Reads how long to wait for something.
pub fn wait(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    let wait = time(text, "30s, 10m or 1h")?;
    if wait > MOST {
        return Err("it is too long: use at most 1day".to_owned());
    }
    Ok(wait)
}

/// Reads the name of a project or a service.
pub fn name(text: &str) -> Result<String, NameError> {
    check_name(text).map(|()| text.to_owned())
}

/// Reads the id of a process.
pub fn pid(text: &str) -> Result<u32, String> {
    let pid = text.parse().ok().filter(|pid| *pid > 0);
    pid.ok_or_else(|| format!("'{}' is not a pid: use a number above 0", escape(text)))
}

/// Reads metadata.
pub fn metadata(text: &str) -> Result<Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("it is not JSON: {error}; such as '{{\"url\": \"/admin\"}}'"))
}

/// How many ports can be suggested.
pub fn suggestions() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=SUGGEST_LIMIT as u64)
}

/// How many ports can be drawn at once.
pub fn drawn() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=PORTS_LIMIT as u64)
}

/// How many entries of the log can be told.
pub fn entries() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=LOG_LIMIT as u64)
}

/// The names of the settings, with what they decide.
pub fn setting() -> PossibleValuesParser {
    PossibleValuesParser::new(
        KEYS.iter()
            .map(|key| PossibleValue::new(key.name).help(key.meaning)),
    )
}

/// What is reserved is asked for by port or by project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What is a number is a port.
    Port(Port),
    /// Everything else is a project.
    Project(String),
}

impl FromStr for Subject {
    type Err = String;
    fn from_str(text: &str) -> Result<Subject, String> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let port = text.parse().map(Subject::Port);
            return port.map_err(|error: crate::model::PortError| error.to_string());
        }
        name(text)
            .map(Subject::Project)
            .map_err(|error| error.to_string())
    }
}

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// From so long ago on.
    Ago(Duration),
    /// From this time on.
    At(Timestamp),
}

impl FromStr for Since {
    type Err = String;
    fn from_str(text: &str) -> Result<Since, String> {
        let at = |at: SystemTime| Since::At(Timestamp(at));
        humantime::parse_rfc3339_weak(text)
            .map(at)
            .or_else(|_| time(text, "30m, 2h or 2026-01-31T09:30:00Z").map(Since::Ago))
    }
}

impl Since {
    /// The time that is meant.
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Since::Ago(time) => now.before(time),
            Since::At(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graces() {
        assert_eq!(grace("3"), Ok(Duration::from_secs(3)));
        assert_eq!(grace("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(grace("0"), Ok(Duration::ZERO));
        for bad in ["", "x", "-1", "3 parsecs", "1year"] {
            assert!(grace(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn leases() {
        for (text, seconds) in [
            ("1", 1),
            ("90s", 90),
            ("1h", 3600),
            ("1h 30m", 5400),
            ("30d", 2_592_000),
        ] {
            assert_eq!(ttl(text), Ok(seconds), "{text}");
        }
        for bad in [
            "",
            "0",
            "0s",
            "999ms",
            "1500ms",
            "31d",
            "2592001",
            "-1",
            "1 fortnight",
            "99999999999999999999",
        ] {
            assert!(ttl(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pids_and_metadata() {
        assert_eq!(pid("42"), Ok(42));
        for bad in ["", "0", "-1", "+-1", "4294967296", "node"] {
            assert!(pid(bad).is_err(), "{bad}");
        }
        assert_eq!(metadata("[1]").unwrap(), serde_json::json!([1]));
        assert_eq!(metadata("\"x\"").unwrap(), "x");
        for bad in ["", "x", "{", "{} {}", "{'a': 1}"] {
            let told = metadata(bad).unwrap_err();
            assert!(told.starts_with("it is not JSON"), "{told}");
        }
    }

    #[test]
    fn numbers_are_ports_and_words_are_projects() {
        let port = |number| Subject::Port(Port::new(number).unwrap());
        assert_eq!("3000".parse(), Ok(port(3000)));
        assert_eq!("shop".parse(), Ok(Subject::Project("shop".into())));
        assert_eq!("3000x".parse(), Ok(Subject::Project("3000x".into())));
        for bad in ["0", "65536", "-1", "", " shop", "a\u{7}"] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_ago_and_times() {
        let now = Timestamp::of_millis(10_000_000);
        let from = |text: &str| text.parse::<Since>().unwrap().from(now).millis();
        assert_eq!(from("1h"), 6_400_000);
        assert_eq!(from("90"), 9_910_000);
        assert_eq!(from("1970-01-01T00:00:05Z"), 5_000);
        assert_eq!(from("1970-01-01 00:00:05"), 5_000);
        for bad in ["", "yesterday", "-1h", "1970-13-01T00:00:00Z"] {
            assert!(bad.parse::<Since>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_setting_has_a_value_and_a_meaning() {
        use clap::builder::TypedValueParser as _;
        let values: Vec<_> = setting().possible_values().unwrap().collect();
        assert_eq!(values.len(), KEYS.len());
        assert!(values.iter().all(|value| value.get_help().is_some()));
    }
}
