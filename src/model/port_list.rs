//! Ports and ranges of ports in one list, as people write them: `15000-15999,20000`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Port, PortError, PortRange};

/// The most ranges in a list.
const RANGES_LIMIT: usize = 256;

/// A set of ports, as ranges: upwards, none of them touching another, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortList(Vec<PortRange>);

/// Why a text is not a list of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortListError {
    /// There is nothing in it.
    #[error("no port is named: write them as 15000-15999,20000")]
    Empty,
    /// It has too many ranges.
    #[error("{0} ranges are too many: use at most {RANGES_LIMIT}")]
    TooMany(usize),
    /// One of them is none.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl PortList {
    /// Its ports, upwards.
    pub fn iter(&self) -> impl Iterator<Item = Port> {
        self.0.iter().copied().flat_map(PortRange::iter)
    }

    /// Its ranges, upwards.
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// Whether a port is in it.
    pub fn contains(&self, port: Port) -> bool {
        self.0.iter().any(|range| range.contains(port))
    }

    /// How many ports it has.
    pub fn size(&self) -> usize {
        let size = |range: &PortRange| usize::from(range.last().get() - range.first().get()) + 1;
        self.0.iter().map(size).sum()
    }
}

impl FromStr for PortList {
    type Err = PortListError;
    /// Reads `15000-15999,20000`.
    fn from_str(text: &str) -> Result<PortList, PortListError> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        if parts.iter().all(|part| part.is_empty()) {
            return Err(PortListError::Empty);
        }
        if parts.len() > RANGES_LIMIT {
            return Err(PortListError::TooMany(parts.len()));
        }
        let mut ranges = parts
            .into_iter()
            .map(str::parse)
            .collect::<Result<Vec<PortRange>, PortError>>()?;
        ranges.sort_by_key(|range| range.first());
        let mut merged: Vec<PortRange> = Vec::new();
        for range in ranges {
            match merged.last_mut() {
                Some(before) if range.first().get() <= before.last().get().saturating_add(1) => {
                    *before = PortRange::new(before.first(), before.last().max(range.last()))?;
                }
                _ => merged.push(range),
            }
        }
        Ok(PortList(merged))
    }
}

impl fmt::Display for PortList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            range.fmt(f)?;
        }
        Ok(())
    }
}

impl Serialize for PortList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PortList, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_put_in_order() {
        let list: PortList = "20000, 15001-15999,15000,15500".parse().unwrap();
        assert_eq!(list.to_string(), "15000-15999,20000");
        assert_eq!(list.size(), 1001);
        assert_eq!(list.iter().count(), 1001);
        let has = |port| list.contains(Port::new(port).unwrap());
        assert!(has(15000) && has(20000) && !has(16000));
        let all: PortList = "1-65535,65535".parse().unwrap();
        assert_eq!(all.size(), 65535);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", ",", "0", "1-0", "5-4", "70000", "a", "1,,2", "1-2-3"] {
            assert!(text.parse::<PortList>().is_err(), "{text}");
        }
        assert!("1,".repeat(300).parse::<PortList>().is_err());
    }
}
