//! What happened that the user may want to hear of.

use super::kill::Party;
use super::reservation::End;
use super::{Port, Protocol, Timestamp};

/// Something that the user may want to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody listens on a port that is reserved for somebody else.
    Intruder {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
        /// Who listens; `None` when that cannot be seen.
        who: Option<Party>,
        /// The user that the listener belongs to, by name or number.
        user: String,
        /// Whether that is another user.
        other_user: bool,
        /// Whom the port is reserved for: `shop web`; `None` when that was not said.
        purpose: Option<String>,
        /// When the reservation was made.
        made: Timestamp,
    },
    /// Several processes share a port number in a way that confuses clients.
    Shadowed {
        /// The port.
        port: Port,
        /// Who they are, as far as that can be seen.
        parties: Vec<Party>,
    },
    /// Nobody is in conflict at this port any more.
    Settled {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
    },
    /// A program was refused a port.
    Refused {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
        /// The program that asked: `node (pid 42)`.
        asker: String,
        /// Who has it, for a person.
        holder: String,
    },
    /// A port that is to be held is not.
    NotHeld {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
        /// Whom it is reserved for: `shop web`; `None` when that was not said.
        purpose: Option<String>,
        /// Why not.
        why: String,
    },
    /// The remains of a claim were removed.
    Cleaned {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
        /// What it was claimed for.
        purpose: Option<String>,
        /// The process that had it: `node (pid 42)`.
        owner: Option<String>,
        /// Why it was over.
        why: End,
        /// Whether the port stays reserved.
        kept: bool,
        /// Whether nobody listens on it.
        free: bool,
    },
    /// Something about the registry that the user has to know.
    Registry {
        /// What happened.
        summary: String,
        /// More of it, and what to do.
        body: String,
    },
}
