//! Port numbers and ranges of them, valid by construction.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A TCP or UDP port number, 1 to 65535. Port 0 means "choose one" to the kernel and is never a
/// port that somebody listens on, so it cannot be represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Port(NonZeroU16);

impl Port {
    /// The lowest port.
    pub const MIN: Port = Port(NonZeroU16::MIN);
    /// The highest port.
    pub const MAX: Port = Port(NonZeroU16::MAX);

    /// The port with this number; `None` for 0.
    pub const fn new(number: u16) -> Option<Port> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Port(number)),
            None => None,
        }
    }

    /// The number, 1 to 65535.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// Why a text or a number is not a port or a range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Port 0.
    #[error("0 is not a port: use 1 to 65535")]
    Zero,
    /// A number above 65535 or below 0.
    #[error("{0} is not a port: use 1 to 65535")]
    OutOfRange(String),
    /// Not a number at all.
    #[error("'{0}' is not a port: use a number from 1 to 65535")]
    NotANumber(String),
    /// A range whose first port is above its last.
    #[error("the range {0}-{1} ends before it starts: write it as {1}-{0}")]
    Backwards(Port, Port),
}

impl TryFrom<u16> for Port {
    type Error = PortError;
    fn try_from(number: u16) -> Result<Port, PortError> {
        Port::new(number).ok_or(PortError::Zero)
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> u16 {
        port.get()
    }
}

impl FromStr for Port {
    type Err = PortError;
    fn from_str(text: &str) -> Result<Port, PortError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PortError::NotANumber(
                super::text::escape(text).into_owned(),
            ));
        }
        match text.parse::<u16>() {
            Ok(number) => Port::try_from(number),
            Err(_) => Err(PortError::OutOfRange(text.to_owned())),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An inclusive range of ports; a single port is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: Port,
    last: Port,
}

impl PortRange {
    /// The ports from `first` to `last`, both included.
    pub fn new(first: Port, last: Port) -> Result<PortRange, PortError> {
        if first > last {
            return Err(PortError::Backwards(first, last));
        }
        Ok(PortRange { first, last })
    }

    /// The lowest port in it.
    pub fn first(self) -> Port {
        self.first
    }

    /// The highest port in it.
    pub fn last(self) -> Port {
        self.last
    }

    /// Whether `port` lies in the range.
    pub fn contains(self, port: Port) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// Its ports, upwards.
    pub fn iter(self) -> impl Iterator<Item = Port> {
        (self.first.get()..=self.last.get()).filter_map(Port::new)
    }

    /// The port, when the range is exactly one.
    pub fn single(self) -> Option<Port> {
        (self.first == self.last).then_some(self.first)
    }
}

impl FromStr for PortRange {
    type Err = PortError;
    /// Reads `3000` or `3000-3999`.
    fn from_str(text: &str) -> Result<PortRange, PortError> {
        match text.split_once('-') {
            Some((first, last)) if !first.is_empty() => {
                PortRange::new(first.parse()?, last.parse()?)
            }
            _ => {
                let port = text.parse()?;
                Ok(PortRange {
                    first: port,
                    last: port,
                })
            }
        }
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PortRange, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(port) => port.fmt(f),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ports() {
        let cases: [(&str, Result<u16, PortError>); 8] = [
            ("1", Ok(1)),
            ("65535", Ok(65535)),
            ("0", Err(PortError::Zero)),
            ("65536", Err(PortError::OutOfRange("65536".into()))),
            ("-1", Err(PortError::OutOfRange("-1".into()))),
            ("abc", Err(PortError::NotANumber("abc".into()))),
            ("", Err(PortError::NotANumber(String::new()))),
            ("+80", Err(PortError::NotANumber("+80".into()))),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Port>().map(Port::get), expected, "{text:?}");
        }
    }

    #[test]
    fn reads_ranges() {
        let range: PortRange = "3000-3002".parse().unwrap();
        let inside = |n| range.contains(Port::new(n).unwrap());
        assert!(inside(3000) && inside(3002) && !inside(2999) && !inside(3003));
        assert_eq!(range.to_string(), "3000-3002");
        assert_eq!("80".parse::<PortRange>().unwrap().single(), Port::new(80));
        assert!(matches!(
            "9-8".parse::<PortRange>(),
            Err(PortError::Backwards(..))
        ));
        assert_eq!("1-0".parse::<PortRange>(), Err(PortError::Zero));
        assert!(matches!(
            "1-".parse::<PortRange>(),
            Err(PortError::NotANumber(_))
        ));
    }
}
