//! The log: what happened to which port, and who asked for it.

use serde::{Deserialize, Serialize};

use super::{Port, Protocol, Reservation, Timestamp};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// A service was registered on a port.
    Register,
    /// A port was claimed.
    Claim,
    /// A port was reserved.
    Reserve,
    /// A port was chosen for a service.
    Allocate,
    /// A reservation or a claim was given back.
    Release,
    /// Heartbeats stopped.
    HeartbeatLost,
    /// What was left of a claim was removed.
    Cleanup,
    /// A process was ended to free a port.
    Kill,
    /// Somebody else was found on a port.
    Conflict,
    /// A setting was changed.
    Config,
    /// Reservations were imported.
    Import,
    /// The database was restored from a backup.
    Restore,
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

impl Happened {
    /// All that are known.
    pub const ALL: [Happened; 12] = [
        Happened::Register,
        Happened::Claim,
        Happened::Reserve,
        Happened::Allocate,
        Happened::Release,
        Happened::HeartbeatLost,
        Happened::Cleanup,
        Happened::Kill,
        Happened::Conflict,
        Happened::Config,
        Happened::Import,
        Happened::Restore,
    ];

    /// The word for it, in the database and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Happened::Register => "register",
            Happened::Claim => "claim",
            Happened::Reserve => "reserve",
            Happened::Allocate => "allocate",
            Happened::Release => "release",
            Happened::HeartbeatLost => "heartbeat_lost",
            Happened::Cleanup => "cleanup",
            Happened::Kill => "kill",
            Happened::Conflict => "conflict",
            Happened::Config => "config",
            Happened::Import => "import",
            Happened::Restore => "restore",
            Happened::Unknown => "unknown",
        }
    }
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The user.
    pub uid: u32,
    /// The process; `None` when Freeport did it by itself.
    pub pid: Option<u32>,
    /// The name of the process.
    pub name: Option<String>,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: Happened,
    /// To which port.
    pub port: Option<Port>,
    /// The protocol of the port.
    pub protocol: Option<Protocol>,
    /// The project that it was for.
    pub project: Option<String>,
    /// The service that it was for.
    pub service: Option<String>,
    /// The user who asked.
    pub uid: u32,
    /// The process that asked; null when Freeport did it by itself.
    pub pid: Option<u32>,
    /// The name of that process.
    pub name: Option<String>,
    /// More of it, for a person.
    pub detail: Option<String>,
}

impl Entry {
    /// Something that happened to a port.
    pub fn new(at: Timestamp, event: Happened, asker: &Asker) -> Entry {
        Entry {
            at,
            event,
            port: None,
            protocol: None,
            project: None,
            service: None,
            uid: asker.uid,
            pid: asker.pid,
            name: asker.name.clone(),
            detail: None,
        }
    }

    /// The entry, of this reservation.
    pub fn of(self, reservation: &Reservation) -> Entry {
        Entry {
            port: Some(reservation.port),
            protocol: Some(reservation.protocol),
            project: reservation.project.clone(),
            service: reservation.service.clone(),
            ..self
        }
    }

    /// The entry, of this port.
    pub fn at_port(self, port: Port, protocol: Protocol) -> Entry {
        Entry {
            port: Some(port),
            protocol: Some(protocol),
            ..self
        }
    }

    /// The entry with more of it.
    pub fn detail(self, detail: impl Into<String>) -> Entry {
        Entry {
            detail: Some(detail.into()),
            ..self
        }
    }
}

/// Which entries are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only of this port.
    pub port: Option<Port>,
    /// Only from this time on.
    pub since: Option<Timestamp>,
    /// The newest so many.
    pub limit: usize,
}
