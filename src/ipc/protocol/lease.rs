//! Requests and replies about reservations: who may have which port, and for how long.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ErrorCode, ErrorReply, PORTS_LIMIT};
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::leftover::Leftover;
use crate::model::log::Entry;
use crate::model::reservation::{End, LEASE_LIMIT, METADATA_LIMIT, check_name};
use crate::model::{Port, PortRange, ProcessKey, Protocol, Timestamp};

/// The most entries of the log in one reply.
pub const LOG_LIMIT: usize = 10_000;
/// The most ports that are suggested at once.
pub const SUGGEST_LIMIT: usize = 256;

pub(super) fn tcp() -> Protocol {
    Protocol::Tcp
}

pub(super) fn is_tcp(protocol: &Protocol) -> bool {
    *protocol == Protocol::Tcp
}

pub(super) fn no(flag: &bool) -> bool {
    !flag
}

/// A claim of a port: a lease for a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The port.
    pub port: Port,
    /// The protocol; `tcp` when absent.
    #[serde(default = "tcp", skip_serializing_if = "is_tcp")]
    pub protocol: Protocol,
    /// The project that it is for; that of the process's folder when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The service that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How long it lasts without a heartbeat, in seconds; `default_lease_duration` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// The process that it belongs to: the caller's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// It belongs to no process, and lives by its lease alone.
    #[serde(default, skip_serializing_if = "no")]
    pub detached: bool,
    /// The token of an earlier claim that this one renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Anything the client wants to have kept with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// The app binds the port, so that nobody else can.
    #[serde(default, skip_serializing_if = "no")]
    pub hold: bool,
    /// Another port will do, where this one is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// How another port is chosen, where the one that was asked for is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// The ports that the service had before come first, even before the one that is asked for.
    #[serde(default, skip_serializing_if = "no")]
    pub remembered: bool,
    /// Ports that were found to be in use, which the app cannot see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub avoid: Vec<Port>,
}

/// How really a claimed port is held: told by who holds it, or asked of the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldChange {
    /// The port.
    pub port: Port,
    /// The protocol; `tcp` when absent.
    #[serde(default = "tcp", skip_serializing_if = "is_tcp")]
    pub protocol: Protocol,
    /// The token of the claim, where the caller is not its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What is to be.
    pub state: HoldState,
}

/// What becomes of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldState {
    /// The client has bound the port; the app lets go of it.
    Client,
    /// The client has let go of it; the app takes it again, where it is to hold it.
    Dropped,
    /// The app opens its hold, so that the owner of the claim can bind the port.
    Open,
    /// The app closes it again.
    Shut,
}

impl Claim {
    /// A claim with the defaults.
    pub fn of(port: Port) -> Claim {
        Claim {
            port,
            protocol: Protocol::Tcp,
            project: None,
            service: None,
            ttl_s: None,
            pid: None,
            detached: false,
            token: None,
            metadata: None,
            hold: false,
            fallback: None,
        }
    }
}

/// Ports to be set aside for a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// The ports: all of them, or none.
    pub ports: Vec<Port>,
    /// The protocol; `tcp` when absent.
    #[serde(default = "tcp", skip_serializing_if = "is_tcp")]
    pub protocol: Protocol,
    /// The project that they are for.
    pub project: String,
    /// The service that they are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How long it lasts, in seconds; without end when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// Anything the client wants to have kept with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// The app binds them, so that nobody else can.
    #[serde(default, skip_serializing_if = "no")]
    pub hold: bool,
}

/// Reservations and claims to be given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// All that was drawn from pools for this job, instead of ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Only of this protocol; of both when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The token of the claim, where the caller is not its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The user says so: whoever has it, and what was reserved too.
    #[serde(default, skip_serializing_if = "no")]
    pub as_user: bool,
    /// Only what was made at this time, as `created_at` of the reservation tells it: not what came
    /// in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The port.
    pub port: Port,
    /// The protocol; `tcp` when absent.
    #[serde(default = "tcp", skip_serializing_if = "is_tcp")]
    pub protocol: Protocol,
    /// The token of the claim, where the caller is not its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The user says so.
    #[serde(default, skip_serializing_if = "no")]
    pub as_user: bool,
}

/// A port for a service of a project: the one that it has, or else a free one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocate {
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
    /// This port and no other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
}

/// Ports of a project to be given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Free {
    /// The project.
    pub project: String,
    /// Only this service of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The user says so: what others have claimed, too.
    #[serde(default, skip_serializing_if = "no")]
    pub as_user: bool,
}

/// Ports that are free now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggest {
    /// How many.
    #[serde(default = "one")]
    pub count: usize,
    /// Where to look; the preferred ports and `port_range` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<PortRange>,
    /// They have to follow each other.
    #[serde(default, skip_serializing_if = "no")]
    pub block: bool,
}

pub(super) fn one() -> usize {
    1
}

/// Which reservations are asked for; all when nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Only of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only of this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
}

/// Removes what is over, or tells what is left over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// Change nothing; tell what would be.
    #[serde(default, skip_serializing_if = "no")]
    pub dry_run: bool,
    /// Tell of servers that are left over, too. They are never ended by this.
    #[serde(default, skip_serializing_if = "no")]
    pub leftovers: bool,
}

/// Which entries of the log are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Only of this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// Only from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The newest so many; 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The settings, and a change of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Set it to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Take it back to its default.
    #[serde(default, skip_serializing_if = "no")]
    pub unset: bool,
}

/// A conflict that the user does not want to hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignore {
    /// The port.
    pub port: Port,
    /// The protocol; `tcp` when absent.
    #[serde(default = "tcp", skip_serializing_if = "is_tcp")]
    pub protocol: Protocol,
    /// The process that may listen there: `PID@START`.
    pub key: ProcessKey,
}

/// A claim or an allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseReply {
    /// The port.
    pub port: Port,
    /// When it runs out without a heartbeat; null when it does not.
    pub expires_at: Option<Timestamp>,
    /// What may be shown instead of being its process; null when it is no claim.
    pub token: Option<String>,
    /// Whether it was there before, and was renewed.
    pub renewed: bool,
    /// Where another port was given than the one that was asked for: who has that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
    /// All of it.
    pub reservation: ReservationView,
}

/// Reservations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationsReply {
    /// They, by port. Of what was released or freed: as it was before.
    pub reservations: Vec<ReservationView>,
}

/// Ports that are free now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestReply {
    /// They.
    pub ports: Vec<Port>,
}

/// A reservation that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// As it was.
    pub reservation: ReservationView,
    /// Why it is over.
    pub why: End,
    /// Whether it stays, as reserved.
    pub kept: bool,
}

/// A server that outlived what it was started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftoverView {
    /// Why it is called that.
    pub why: Leftover,
    /// The server.
    pub listener: ListenerView,
}

/// What was cleaned up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupReply {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What is over, and was removed.
    pub ended: Vec<Ended>,
    /// What is left over, where that was asked for.
    pub leftovers: Vec<LeftoverView>,
}

/// Entries of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReply {
    /// They, oldest first.
    pub entries: Vec<Entry>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// What it is.
    pub value: String,
    /// What it is when it is not set.
    pub default: String,
    /// Whether it was set.
    pub set: bool,
    /// What it decides.
    pub meaning: String,
}

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReply {
    /// They, by key.
    pub settings: Vec<Setting>,
}

/// That a conflict is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoreReply {
    /// Always true.
    pub ignored: bool,
}

pub(super) type Checked = Result<(), ErrorReply>;

pub(super) fn bad(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::BadRequest, message)
}

pub(super) fn names<'a>(names: impl IntoIterator<Item = Option<&'a String>>) -> Checked {
    names
        .into_iter()
        .flatten()
        .try_for_each(|name| check_name(name).map_err(|error| bad(error.to_string())))
}

pub(super) fn ttl(ttl_s: Option<u64>) -> Checked {
    match ttl_s {
        Some(0) => Err(bad("a lease of 0 s is none: use at least 1 s")),
        Some(seconds) if seconds > LEASE_LIMIT.as_secs() => Err(bad(format!(
            "a lease of {seconds} s is too long: use at most {} s (30 days), or reserve the port without end",
            LEASE_LIMIT.as_secs()
        ))),
        _ => Ok(()),
    }
}

fn metadata(value: Option<&Value>) -> Checked {
    let length = value.map_or(0, |value| value.to_string().len());
    if length > METADATA_LIMIT {
        return Err(bad(format!(
            "metadata of {length} bytes is too long: use at most {METADATA_LIMIT}"
        )));
    }
    Ok(())
}

fn ports(ports: &[Port]) -> Checked {
    match ports.len() {
        0 => Err(bad("no port is named: name at least one")),
        n if n > PORTS_LIMIT => Err(bad(format!(
            "{n} ports are too many: name at most {PORTS_LIMIT}"
        ))),
        _ => Ok(()),
    }
}

impl Claim {
    /// Checks its bounds; `service` says whether one has to be named.
    pub(super) fn check(&self, service: bool) -> Checked {
        names([self.project.as_ref(), self.service.as_ref()])?;
        if service && self.service.is_none() {
            return Err(bad("no service is named: say which one the port is for"));
        }
        if self.detached && self.pid.is_some() {
            return Err(bad(
                "a claim belongs to a pid, or is detached, but not both",
            ));
        }
        if let Some(fallback) = &self.fallback
            && fallback.avoid.len() > PORTS_LIMIT
        {
            return Err(bad(format!(
                "{} ports to be avoided are too many: name at most {PORTS_LIMIT}",
                fallback.avoid.len()
            )));
        }
        ttl(self.ttl_s)?;
        metadata(self.metadata.as_ref())
    }
}

impl Reserve {
    pub(super) fn check(&self) -> Checked {
        ports(&self.ports)?;
        names([Some(&self.project), self.service.as_ref()])?;
        ttl(self.ttl_s)?;
        metadata(self.metadata.as_ref())
    }
}

impl Release {
    pub(super) fn check(&self) -> Checked {
        match &self.job_id {
            Some(_) if !self.ports.is_empty() => Err(bad(
                "ports are released, or all that a job has drawn, but not both",
            )),
            Some(job_id) => names([Some(job_id)]),
            None => ports(&self.ports),
        }
    }
}

impl Allocate {
    pub(super) fn check(&self) -> Checked {
        names([Some(&self.project), Some(&self.service)])
    }
}

impl Free {
    pub(super) fn check(&self) -> Checked {
        names([Some(&self.project), self.service.as_ref()])
    }
}

impl Suggest {
    pub(super) fn check(&self) -> Checked {
        match self.count {
            0 => Err(bad("0 ports are none: ask for at least one")),
            n if n > SUGGEST_LIMIT => Err(bad(format!(
                "{n} ports are too many: ask for at most {SUGGEST_LIMIT}"
            ))),
            _ => Ok(()),
        }
    }
}

impl Log {
    pub(super) fn check(&self) -> Checked {
        match self.limit {
            Some(n) if n > LOG_LIMIT => Err(bad(format!(
                "{n} entries are too many: ask for at most {LOG_LIMIT}"
            ))),
            _ => Ok(()),
        }
    }
}

impl Config {
    pub(super) fn check(&self) -> Checked {
        if self.key.is_none() && (self.value.is_some() || self.unset) {
            return Err(bad("no key is named: say which setting is meant"));
        }
        if self.value.is_some() && self.unset {
            return Err(bad("a setting is set, or unset, but not both"));
        }
        Ok(())
    }
}
