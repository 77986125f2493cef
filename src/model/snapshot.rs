//! All listeners at one time, with what could not be seen.

use serde::{Deserialize, Serialize};

use super::{Listener, Port, Timestamp};

/// What kind of thing a scan could not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// The sockets of one protocol and family could not be listed: ports may be missing.
    SocketsUnreadable,
    /// The fast way to list sockets is refused here; the slow one was used and sees the same
    /// ports, but not whether an IPv6 wildcard takes IPv4 too.
    SlowSockets,
    /// Some listeners have no owner, because the processes that may have them cannot be read.
    OwnersUnreadable,
    /// Whole processes are hidden (`hidepid`): their listeners have no owner.
    ProcessesHidden,
    /// A container engine could not be asked: a port may be that of one of its containers.
    EngineUnreadable,
}

impl GapKind {
    /// Whether it is only owners that are missing, and no ports.
    pub fn is_about_owners(self) -> bool {
        matches!(
            self,
            GapKind::OwnersUnreadable | GapKind::ProcessesHidden | GapKind::EngineUnreadable
        )
    }
}

/// One thing that a scan could not see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What is missing.
    pub kind: GapKind,
    /// How much is missing, why, and what would help.
    pub detail: String,
}

/// All listeners at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was taken.
    pub scanned_at: Timestamp,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// The listeners, by port, protocol and address.
    pub listeners: Vec<Listener>,
    /// The other ports where anybody listens, sorted, when it was looked at single ports: who they
    /// belong to was not asked.
    pub elsewhere: Vec<Port>,
}

impl Snapshot {
    /// Whether listeners may be missing from it altogether.
    pub fn may_miss_listeners(&self) -> bool {
        self.gaps
            .iter()
            .any(|gap| gap.kind == GapKind::SocketsUnreadable)
    }
}
