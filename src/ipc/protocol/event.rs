//! What a subscriber is told: everything once, and then what changes.

use serde::{Deserialize, Serialize};

use crate::ipc::view::{ConflictView, ListenerView, ReservationView};
use crate::model::{Gap, Port, Protocol, Timestamp};

/// The reply to SUBSCRIBE: everything, as it is. Events follow, a line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReply {
    /// When the system was looked at.
    pub scanned_at: Timestamp,
    /// What could not be seen, and why.
    pub gaps: Vec<Gap>,
    /// Who listens, by port.
    pub listeners: Vec<ListenerView>,
    /// What is reserved, by port.
    pub reservations: Vec<ReservationView>,
    /// What is in conflict, by port.
    pub conflicts: Vec<ConflictView>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody listens who did not before.
    Opened {
        /// Who.
        listener: Box<ListenerView>,
    },
    /// Somebody does not listen any more.
    Closed {
        /// Who.
        listener: Box<ListenerView>,
    },
    /// Another process listens at an address of the same port.
    OwnerChanged {
        /// Who listened before.
        from: Box<ListenerView>,
        /// Who listens now.
        to: Box<ListenerView>,
    },
    /// A reservation is new, or has changed.
    Reserved {
        /// As it is now.
        reservation: Box<ReservationView>,
    },
    /// A reservation is gone.
    Released {
        /// Its port.
        port: Port,
        /// Its protocol.
        protocol: Protocol,
    },
    /// There is a conflict that was not there before, or another one than before.
    Conflict {
        /// What it is.
        conflict: Box<ConflictView>,
    },
    /// A conflict is over.
    ConflictEnded {
        /// What it was.
        conflict: Box<ConflictView>,
    },
    /// An event that this client is too old to know.
    #[serde(other)]
    Unknown,
}
