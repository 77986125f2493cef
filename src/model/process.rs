//! Processes: their identity, which survives the recycling of pids, and the facts shown of them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::container::EngineKind;
use super::service::Kind;
use super::{Project, Timestamp};

/// The identity of a process: its pid and when it started. A pid alone is reused by the kernel; a
/// pid with its start time is not.
///
/// Written as `PID@START`, with START in the unit of the operating system (on Linux clock ticks
/// since boot, `/proc/PID/stat` field 22; on macOS microseconds since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// The process id, never 0.
    pub pid: u32,
    /// The start time, in the unit of the operating system.
    pub start: u64,
}

impl fmt::Display for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start)
    }
}

/// A text that is not `PID@START`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a process key: it has the form PID@START")]
pub struct ProcessKeyError(String);

impl FromStr for ProcessKey {
    type Err = ProcessKeyError;
    fn from_str(text: &str) -> Result<ProcessKey, ProcessKeyError> {
        text.split_once('@')
            .and_then(|(pid, start)| {
                Some(ProcessKey {
                    pid: pid.parse().ok().filter(|&pid| pid != 0)?,
                    start: start.parse().ok()?,
                })
            })
            .ok_or_else(|| ProcessKeyError(super::text::escape(text).into_owned()))
    }
}

impl Serialize for ProcessKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProcessKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ProcessKey, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A process above another one, as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Its process id.
    pub pid: u32,
    /// Its name, as for [`Process::name`].
    pub name: String,
    /// Its command line, capped.
    pub command: String,
}

/// What is known of a process. Read once per [`ProcessKey`]; texts come from the process itself,
/// are not trusted, and are escaped wherever a person reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its identity.
    pub key: ProcessKey,
    /// The name of its program: `node`, `python3`, `postgres`.
    pub name: String,
    /// Its command line, words joined by spaces, capped.
    pub command: String,
    /// The file that it executes, when that can be read.
    pub exe: Option<PathBuf>,
    /// Its working folder, when that can be read.
    pub cwd: Option<PathBuf>,
    /// Whether its working folder has been deleted.
    pub cwd_deleted: bool,
    /// The effective user id.
    pub uid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// Its parents, nearest first, up to init. Shared by processes with the same parent.
    pub parents: Arc<[Ancestor]>,
    /// Its controlling terminal, as `pts/3`.
    pub terminal: Option<String>,
    /// The systemd unit that it runs in, when that is a service of its own.
    pub unit: Option<String>,
    /// The container that it runs in, by its engine and id.
    pub container: Option<(EngineKind, Arc<str>)>,
    /// The project that its working folder belongs to.
    pub project: Option<Arc<Project>>,
    /// What it serves, in the words that developers use: `vite`, `django`, `postgres`.
    pub service: String,
    /// What kind of thing that is.
    pub kind: Kind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_what_it_writes() {
        let key = ProcessKey {
            pid: 4242,
            start: 8_123_456,
        };
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in ["", "1", "0@5", "@", "1@", "1@x", "-1@5", "1@2@3"] {
            assert!(bad.parse::<ProcessKey>().is_err(), "{bad:?}");
        }
    }
}
