//! Reservations: a port that is meant for a service, and the lease of who claimed it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Port, ProcessKey, Protocol, Timestamp};

/// The longest lease. What is to last longer is reserved without expiry.
pub const LEASE_LIMIT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most bytes of a project's or a service's name.
pub const NAME_LIMIT: usize = 128;
/// The most bytes of the metadata of a reservation.
pub const METADATA_LIMIT: usize = 4096;
/// What the metadata of a claim says of the container that it is for: its name, or nothing.
pub const CONTAINER: &str = "container";
/// The most reservations that there can be.
pub const RESERVATIONS_LIMIT: usize = 16_384;

/// Where a reservation is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Set aside; no process has it yet.
    Reserved,
    /// Leased to a client that does not listen.
    Claimed,
    /// Whom it is for listens.
    Active,
    /// Its owner died, or its lease ran out, and nobody whom it is for listens.
    Stale,
}

impl Status {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Reserved => "reserved",
            Status::Claimed => "claimed",
            Status::Active => "active",
            Status::Stale => "stale",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How real a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// Written down in the registry; nothing keeps others from binding the port.
    Advisory,
    /// The port is bound, so that nobody else can bind it.
    Held,
    /// Those whom it is for listen, which was verified.
    HandedOver,
}

impl Hold {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Hold::Advisory => "advisory",
            Hold::Held => "held",
            Hold::HandedOver => "handed-over",
        }
    }
}

/// Who has bound a port that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldBy {
    /// The app.
    App,
    /// Who claimed it, such as `freeport run`.
    Client,
}

impl HeldBy {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            HeldBy::App => "app",
            HeldBy::Client => "client",
        }
    }
}

/// Where a port was drawn from, and for which job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// The name of the pool.
    pub pool: String,
    /// What the job calls itself.
    pub job_id: String,
}

/// Why a claim is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its owner has ended.
    OwnerEnded,
    /// Its lease ran out.
    Expired,
    /// Its owner stopped sending heartbeats.
    Silent,
}

impl End {
    /// What that means, for a person.
    pub fn reason(self) -> &'static str {
        match self {
            End::OwnerEnded => "its owner has ended",
            End::Expired => "its lease ran out",
            End::Silent => "its heartbeats stopped",
        }
    }
}

/// The process that a claim belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseOwner {
    /// Its identity.
    pub key: ProcessKey,
    /// The boot of the system in which that identity means something.
    pub boot: String,
    /// Its name when it claimed.
    pub name: String,
}

/// How long a claim lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// For how long a heartbeat renews it.
    pub ttl: Duration,
    /// When it runs out.
    pub expires_at: Timestamp,
}

impl Lease {
    /// A lease from `now` on.
    pub fn from(now: Timestamp, ttl: Duration) -> Lease {
        Lease {
            ttl,
            expires_at: now.after(ttl),
        }
    }
}

/// What a reservation is of: a port is reserved once for each protocol.
pub type ReservationKey = (Port, Protocol);

/// A port that is meant for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The port.
    pub port: Port,
    /// The protocol.
    pub protocol: Protocol,
    /// The project that it is for.
    pub project: Option<String>,
    /// The service that it is for: `web`, `api`.
    pub service: Option<String>,
    /// The user that made it.
    pub uid: u32,
    /// The process that claimed it. A claim from the command line has none, unless it was named.
    pub owner: Option<LeaseOwner>,
    /// How long it lasts; without expiry when absent.
    pub lease: Option<Lease>,
    /// Whether it stays, as reserved, when a claim of it ends: it was reserved without expiry.
    pub kept: bool,
    /// Where it is in its life.
    pub status: Status,
    /// How real it is.
    pub hold: Hold,
    /// Who has bound it, when it is more than advisory.
    pub held_by: Option<HeldBy>,
    /// Whether the app holds it whenever no client does.
    pub keep_held: bool,
    /// The service that it was reserved for, whichever one claims it meanwhile.
    pub reserved_service: Option<String>,
    /// The pool and the job that it was drawn from and for.
    pub drawn: Option<Drawn>,
    /// What the client said of it: JSON, kept as text.
    pub metadata: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner gave the last sign of life, if it ever did.
    pub last_heartbeat: Option<Timestamp>,
    /// What a client may show instead of being the owner.
    pub token: Option<String>,
}

impl Reservation {
    /// What it is of.
    pub fn key(&self) -> ReservationKey {
        (self.port, self.protocol)
    }

    /// Whether its process is this one, in this boot.
    pub fn is_owned_by(&self, key: ProcessKey, boot: &str) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|owner| owner.key == key && owner.boot == boot)
    }

    /// What it is for, as people say it: `shop web`, `shop`, `web`, or nothing.
    pub fn purpose(&self) -> Option<String> {
        let words: Vec<&str> = [&self.project, &self.service]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// What is left of it when a claim of it ends: nothing, unless it was reserved without expiry.
    pub fn unclaimed(&self) -> Option<Reservation> {
        self.kept.then(|| Reservation {
            owner: None,
            lease: None,
            status: Status::Reserved,
            service: self.reserved_service.clone(),
            last_heartbeat: None,
            token: None,
            drawn: None,
            ..self.unheld()
        })
    }

    /// Whether it is for a container: its port is bound by a process of the container's engine.
    pub fn is_for_container(&self) -> bool {
        let read = |text: &String| serde_json::from_str::<serde_json::Value>(text).ok();
        let metadata = self.metadata.as_ref().and_then(read);
        metadata.is_some_and(|metadata| metadata.get(CONTAINER).is_some())
    }

    /// The reservation with nobody having the port bound.
    pub fn unheld(&self) -> Reservation {
        Reservation {
            hold: Hold::Advisory,
            held_by: None,
            ..self.clone()
        }
    }

    /// How real it is with this status: what is held counts as handed over while it is used.
    pub fn hold_with(&self, status: Status) -> Hold {
        match (self.held_by, status) {
            (None, _) => Hold::Advisory,
            (Some(_), Status::Active) => Hold::HandedOver,
            (Some(_), _) => Hold::Held,
        }
    }
}

/// Why a text cannot be the name of a project or a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing in it.
    #[error("a name cannot be empty")]
    Empty,
    /// It is longer than [`NAME_LIMIT`].
    #[error("a name of {0} bytes is too long: use at most {NAME_LIMIT}")]
    TooLong(usize),
    /// It holds a control character, or spaces around it.
    #[error("'{0}' cannot be a name: leave out control characters, and spaces at its ends")]
    Unprintable(String),
}

/// Whether a text can be the name of a project or a service.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let shown = || super::text::escape(name).into_owned();
    match name {
        "" => Err(NameError::Empty),
        name if name.len() > NAME_LIMIT => Err(NameError::TooLong(name.len())),
        name if name.trim() != name || shown() != name => Err(NameError::Unprintable(shown())),
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;

    /// A reservation without expiry for a project.
    pub(crate) fn reserved(port: u16, project: &str) -> Reservation {
        Reservation {
            port: Port::new(port).unwrap(),
            protocol: Protocol::Tcp,
            project: Some(project.into()),
            service: None,
            uid: 1000,
            owner: None,
            lease: None,
            kept: true,
            status: Status::Reserved,
            hold: Hold::Advisory,
            held_by: None,
            keep_held: false,
            reserved_service: None,
            drawn: None,
            metadata: None,
            created_at: Timestamp(SystemTime::UNIX_EPOCH),
            last_heartbeat: None,
            token: None,
        }
    }

    #[test]
    fn names() {
        for good in [
            "web",
            "größe",
            "a b",
            "@scope/pkg",
            "'; DROP TABLE ports; --",
        ] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", " web", "web\n", "a\0b", "a\u{202e}b", &"x".repeat(129)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_claim_leaves_what_was_reserved() {
        let mut claimed = reserved(3000, "shop");
        claimed.status = Status::Claimed;
        claimed.token = Some("t".into());
        assert_eq!(claimed.unclaimed(), Some(reserved(3000, "shop")));
        claimed.kept = false;
        assert_eq!(claimed.unclaimed(), None);
        claimed.service = Some("web".into());
        assert_eq!(claimed.purpose().as_deref(), Some("shop web"));
    }
}
