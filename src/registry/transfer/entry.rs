//! A reservation as a file has it: with what may be left out still open.

use serde::Deserialize;

use super::field::{Date, Metadata, Name, PortField, Text, Ttl};
use crate::model::reservation::{
    Drawn, HeldBy, Hold, Lease, LeaseOwner, ReservationKey, Status, check_name,
};
use crate::model::{Port, ProcessKey, Protocol, Reservation, Timestamp};

/// A reservation in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: ReservationKey,
    pub(super) project: Option<String>,
    pub(super) service: Option<String>,
    pub(super) metadata: Option<String>,
    /// That of who imports it, when absent.
    pub(super) uid: Option<u32>,
    /// The time of the import, when absent.
    pub(super) created_at: Option<Timestamp>,
    pub(super) lease: Option<Lease>,
    pub(super) kept: bool,
    pub(super) last_heartbeat: Option<Timestamp>,
    pub(super) status: Status,
    pub(super) hold: Hold,
    pub(super) held_by: Option<HeldBy>,
    pub(super) keep_held: bool,
    pub(super) reserved_service: Option<String>,
    pub(super) drawn: Option<Drawn>,
    pub(super) token: Option<String>,
    pub(super) owner: Option<LeaseOwner>,
    /// Whether it is of the form that people write: `web = 3000`.
    pub(super) is_plain: bool,
}

/// Whether a reservation without this lease and this token stays when nothing is said of that.
pub(super) fn is_kept(has_lease: bool, has_token: bool) -> bool {
    !has_lease && !has_token
}

/// The service that it was reserved for, where nothing is said of that.
pub(super) fn usual_reserved_service(kept: bool, service: Option<&String>) -> Option<String> {
    service.filter(|_| kept).cloned()
}

/// The status of a reservation where nothing is said of it.
pub(super) fn usual_status(has_token: bool) -> Status {
    if has_token {
        Status::Claimed
    } else {
        Status::Reserved
    }
}

impl Entry {
    /// A service of a project, on a port.
    pub(super) fn plain(project: String, service: String, port: Port) -> Entry {
        Entry {
            key: (port, Protocol::Tcp),
            project: Some(project),
            reserved_service: Some(service.clone()),
            service: Some(service),
            metadata: None,
            uid: None,
            created_at: None,
            lease: None,
            kept: true,
            last_heartbeat: None,
            status: Status::Reserved,
            hold: Hold::Advisory,
            held_by: None,
            keep_held: false,
            drawn: None,
            token: None,
            owner: None,
            is_plain: true,
        }
    }

    /// The reservation, made by this user at this time where the file does not say otherwise.
    pub(super) fn row(&self, uid: u32, now: Timestamp) -> Reservation {
        Reservation {
            port: self.key.0,
            protocol: self.key.1,
            project: self.project.clone(),
            service: self.service.clone(),
            uid: self.uid.unwrap_or(uid),
            owner: self.owner.clone(),
            lease: self.lease,
            kept: self.kept,
            status: self.status,
            hold: self.hold,
            held_by: self.held_by,
            keep_held: self.keep_held,
            reserved_service: self.reserved_service.clone(),
            drawn: self.drawn.clone(),
            metadata: self.metadata.clone(),
            created_at: self.created_at.unwrap_or(now),
            last_heartbeat: self.last_heartbeat,
            token: self.token.clone(),
        }
    }

    /// What is left of it in this boot of the system: the processes of another one have ended.
    pub(super) fn in_boot(self, boot: &str) -> Option<Entry> {
        match &self.owner {
            Some(owner) if owner.boot != boot => self.kept.then_some(Entry {
                lease: None,
                last_heartbeat: None,
                status: Status::Reserved,
                hold: Hold::Advisory,
                held_by: None,
                service: self.reserved_service.clone(),
                drawn: None,
                token: None,
                owner: None,
                ..self
            }),
            _ => Some(self),
        }
    }
}

/// A table `[[reservation]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    port: PortField,
    protocol: Option<Protocol>,
    project: Option<Name>,
    service: Option<Name>,
    metadata: Option<Metadata>,
    created_at: Option<Date>,
    kept: Option<bool>,
    ttl: Option<Ttl>,
    expires_at: Option<Date>,
    last_heartbeat: Option<Date>,
    status: Option<Status>,
    hold: Option<Hold>,
    held_by: Option<HeldBy>,
    keep_held: Option<bool>,
    reserved_service: Option<String>,
    pool: Option<Name>,
    job_id: Option<Text>,
    uid: Option<u32>,
    token: Option<Text>,
    owner: Option<Owner>,
}

/// The process of a claim.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    process: ProcessKey,
    name: Text,
    boot: Text,
}

impl TryFrom<Table> for Entry {
    type Error = &'static str;
    fn try_from(table: Table) -> Result<Entry, &'static str> {
        let lease = match (table.ttl, table.expires_at) {
            (Some(Ttl(ttl)), Some(Date(expires_at))) => Some(Lease { ttl, expires_at }),
            (None, None) => None,
            _ => return Err("ttl and expires_at go together: write both, or neither"),
        };
        let has_token = table.token.is_some();
        if table.owner.is_some() && !has_token {
            return Err("an owner goes with a token: write both, or neither");
        }
        let kept = table
            .kept
            .unwrap_or_else(|| is_kept(lease.is_some(), has_token));
        let service = table.service.map(|Name(name)| name);
        let reserved_service = match table.reserved_service {
            Some(none) if none.is_empty() => None,
            Some(name) if check_name(&name).is_err() => {
                return Err("reserved_service is no name of a service");
            }
            None => usual_reserved_service(kept, service.as_ref()),
            named => named,
        };
        let drawn = match (table.pool, table.job_id) {
            (Some(Name(pool)), Some(Text(job_id))) => Some(Drawn { pool, job_id }),
            (None, None) => None,
            _ => return Err("pool and job_id go together: write both, or neither"),
        };
        Ok(Entry {
            key: (table.port.0, table.protocol.unwrap_or(Protocol::Tcp)),
            project: table.project.map(|Name(name)| name),
            service,
            metadata: table.metadata.map(|Metadata(text)| text),
            uid: table.uid,
            created_at: table.created_at.map(|Date(time)| time),
            lease,
            kept,
            last_heartbeat: table.last_heartbeat.map(|Date(time)| time),
            status: table.status.unwrap_or_else(|| usual_status(has_token)),
            hold: table.hold.unwrap_or(Hold::Advisory),
            held_by: table.held_by,
            keep_held: table.keep_held.unwrap_or(false),
            reserved_service,
            drawn,
            token: table.token.map(|Text(text)| text),
            owner: table.owner.map(|owner| LeaseOwner {
                key: owner.process,
                boot: owner.boot.0,
                name: owner.name.0,
            }),
            is_plain: false,
        })
    }
}
