//! The ports of a line of `docker run`, claimed for its container: all of them, or none.
//!
//! A port is taken where anybody listens on it, of the same project too, and where it is reserved for
//! somebody else. It is claimed and looked at, and never bound here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{DockerRun, Publish};
use crate::ipc::protocol::{
    Claim, ErrorCode, ErrorReply, Fallback, HoldChange, HoldState, LeaseReply, Query, Reply,
    Request,
};
use crate::ipc::view::ReservationView;
use crate::model::reservation::{LEASE_LIMIT, Status, check_name};
use crate::model::{Listener, Port, Protocol};
use crate::platform;
use crate::run::asking::Asking;
use crate::run::claims::{self, Lease, Want, is_unusable};
use crate::run::options::{HoldMode, Policy};
use crate::run::told::{RunError, Voice, spot, status, who};

/// The most ports of a line that are claimed.
pub(super) const LIMIT: usize = 128;
/// What the metadata of a claim says of the container that it is for.
pub(super) const CONTAINER: &str = crate::model::reservation::CONTAINER;

/// A port of this machine.
pub(super) type Key = (Port, Protocol);

/// What is claimed, and for whom.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    /// The line.
    pub(super) line: &'a DockerRun,
    /// The project of the container.
    pub(super) project: Option<&'a str>,
    /// Its service.
    pub(super) service: Option<&'a str>,
    /// Whether no other ports will do.
    pub(super) strict: bool,
    /// What says which ones it is.
    pub(super) voice: Voice,
}

/// Ports that were claimed.
#[derive(Debug)]
pub(super) struct Claimed {
    /// They.
    pub(super) leases: Vec<Lease>,
    /// Of each that is published the first port, where it is another one than the line says.
    pub(super) moved: Vec<Option<Port>>,
}

/// The ports that a line names, those that docker chooses from aside.
pub(super) fn named(line: &DockerRun) -> BTreeSet<Key> {
    line.exact().flat_map(Publish::keys).collect()
}

/// Claims the ports of a line.
pub(super) fn claim(terms: Terms<'_>, asking: &mut Asking) -> Result<Claimed, RunError> {
    let mut claiming = Claiming {
        terms,
        asking,
        rows: Vec::new(),
        listeners: Vec::new(),
        leases: Vec::new(),
        busy: BTreeMap::new(),
        is_written: true,
    };
    match claiming.all() {
        Ok(moved) => Ok(Claimed {
            leases: claiming.leases,
            moved,
        }),
        Err(error) => {
            claims::release(claiming.leases, claiming.asking);
            Err(error)
        }
    }
}

/// The ports of a line while they are claimed.
pub(super) struct Claiming<'a> {
    pub(super) terms: Terms<'a>,
    pub(super) asking: &'a mut Asking,
    /// What was reserved before.
    pub(super) rows: Vec<ReservationView>,
    /// Who listened on the ports of the line before.
    pub(super) listeners: Vec<Listener>,
    pub(super) leases: Vec<Lease>,
    /// The ports that somebody else has: who.
    busy: BTreeMap<Key, RunError>,
    /// Whether claims are written down.
    pub(super) is_written: bool,
}

impl Claiming<'_> {
    fn all(&mut self) -> Result<Vec<Option<Port>>, RunError> {
        let published = self.terms.line.published();
        let ports: BTreeSet<Port> = published.iter().flat_map(|p| p.ports.iter()).collect();
        let ports: Vec<Port> = ports.into_iter().collect();
        if ports.is_empty() {
            return Ok(Vec::new());
        }
        self.listeners = platform::look(&ports).listeners;
        self.rows = match self.asking.ask(Request::Query(Query::default())) {
            Ok(Reply::Reservations(reply)) => reply.reservations,
            _ => Vec::new(),
        };
        self.give_back_older();
        for (number, publish) in published.iter().enumerate() {
            if !publish.is_any() {
                let mut keys = publish.keys();
                keys.try_for_each(|key| self.claim_named(key, number))?;
            }
        }
        self.let_go_of_parts();
        let mut moved: Vec<Option<Port>> = Vec::new();
        for (number, publish) in published.iter().enumerate() {
            let Some(why) = self.taken(publish) else {
                moved.push(None);
                continue;
            };
            if self.terms.strict {
                return Err(why);
            }
            // The same ports on another address stay the same.
            let mut before = published.iter().zip(&moved);
            let same = before.find(|(other, _)| publish.is_same_as(other));
            let first = match same.and_then(|(_, first)| *first) {
                Some(first) => first,
                None => self.claim_other(publish, number)?,
            };
            self.terms.voice.note(&publish.told(&why.message, first));
            moved.push(Some(first));
        }
        Ok(moved)
    }

    /// Claims a port that the line names, or takes note of who has it.
    fn claim_named(&mut self, key: Key, number: usize) -> Result<(), RunError> {
        if self.has(key) || self.busy.contains_key(&key) {
            return Ok(());
        }
        let taken = match self.listeners.iter().find(|found| is_at(found, key)) {
            Some(listener) => listens(listener),
            None if self.has_for_good(key, number) => {
                self.leases.push(self.lease(key, number, None));
                return Ok(());
            }
            None => match self.claim_one(key, number, None) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {
                    self.leases.push(self.lease(key, number, None));
                    return Ok(());
                }
                Err(error) if error.code == ErrorCode::PortTaken => error.into(),
                Err(error) => return Err(error.into()),
            },
        };
        if self.terms.strict {
            return Err(taken);
        }
        self.busy.insert(key, taken);
        Ok(())
    }

    /// Gives back what is of no use without the rest of its row.
    fn let_go_of_parts(&mut self) {
        let whole = |publish: &&Publish| publish.keys().all(|key| !self.busy.contains_key(&key));
        let used: BTreeSet<Key> = self
            .terms
            .line
            .exact()
            .filter(whole)
            .flat_map(Publish::keys)
            .collect();
        let all = std::mem::take(&mut self.leases);
        let (used, parts) = all
            .into_iter()
            .partition(|lease| used.contains(&(lease.port, lease.want.protocol)));
        self.leases = used;
        claims::release(parts, self.asking);
    }

    /// Why other ports have to be published, if they have to be.
    fn taken(&self, publish: &Publish) -> Option<RunError> {
        if !publish.is_any() {
            return publish.keys().find_map(|key| self.busy.get(&key).cloned());
        }
        let is_free = |key: Key| {
            let listens = self.listeners.iter().any(|found| is_at(found, key));
            !listens && !self.has(key) && !self.rows.iter().any(|row| self.is_others(row, key))
        };
        if publish.keys().any(is_free) {
            return None;
        }
        let message = format!(
            "all of the ports {} are taken",
            match publish.protocol {
                Protocol::Tcp => publish.ports.to_string(),
                Protocol::Udp => format!("{}/udp", publish.ports),
            }
        );
        let hint = "'freeport list' shows who listens, 'freeport query' what is reserved";
        Some(RunError::new(status::CONFLICT, message).hint(hint))
    }

    /// Whether a reservation is of this port, and for somebody else.
    fn is_others(&self, row: &ReservationView, key: Key) -> bool {
        let is_mine = row.status == Status::Reserved
            && row.project.as_deref() == self.terms.project
            && (row.service.is_none() || row.service.as_deref() == self.terms.service);
        (row.port, row.protocol) == key && row.status != Status::Stale && !is_mine
    }

    /// Whether this port was claimed for the line.
    pub(super) fn has(&self, key: Key) -> bool {
        let mut leases = self.leases.iter();
        leases.any(|lease| (lease.port, lease.want.protocol) == key)
    }

    /// What the port is for: the first one that is published, or another one of the same container.
    pub(super) fn service(&self, number: usize) -> Option<String> {
        let service = self.terms.service?;
        let publish = self.terms.line.published().get(number);
        let Some(publish) = publish.filter(|_| number > 0) else {
            return Some(service.to_owned());
        };
        let protocol = match publish.protocol {
            Protocol::Tcp => "",
            Protocol::Udp => "-udp",
        };
        let own = format!("{service}-{}{protocol}", publish.container.first());
        Some(own)
            .filter(|name| check_name(name).is_ok())
            .or_else(|| Some(service.to_owned()))
    }

    /// Claims a port: this one or, with a fallback, another one. Nothing where claims are not
    /// written down.
    pub(super) fn claim_one(
        &mut self,
        (port, protocol): Key,
        number: usize,
        fallback: Option<Fallback>,
    ) -> Result<Option<Port>, ErrorReply> {
        if !self.is_written {
            return Ok(None);
        }
        let is_detached = self.terms.line.is_detached();
        let kept = |row: &ReservationView| row.kept && (row.port, row.protocol) == (port, protocol);
        // What was said of a reservation is not overwritten.
        let is_kept = self.rows.iter().any(kept);
        // Who listens in the end is the engine's process, which only this tells from an intruder.
        let name = (!is_kept).then(|| self.terms.line.name().unwrap_or_default());
        let claim = Claim {
            protocol,
            project: self.terms.project.map(str::to_owned),
            service: self.service(number),
            // The client's lasts for as long as it runs, and the container's until it listens.
            ttl_s: (!is_detached).then_some(LEASE_LIMIT.as_secs()),
            detached: is_detached,
            metadata: name.map(|name| json!({ CONTAINER: name })),
            fallback,
            ..Claim::of(port)
        };
        let reply = match self.asking.ask(Request::Claim(claim)) {
            Ok(Reply::Lease(reply)) => *reply,
            Ok(_) => {
                return Err(ErrorReply::new(
                    ErrorCode::Failed,
                    "the app gave another answer than was asked for",
                ));
            }
            Err(error) if is_unusable(&error) => {
                self.is_written = false;
                self.terms.voice.note(&format!(
                    "ports are not written down, as the registry cannot be used: {}",
                    error.message
                ));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let lease = self.lease((reply.port, protocol), number, reply.token.clone());
        self.leases.push(lease);
        self.open(&reply, protocol);
        Ok(Some(reply.port))
    }

    /// Lets docker bind a port that the app holds.
    fn open(&mut self, reply: &LeaseReply, protocol: Protocol) {
        if reply.reservation.keep_held {
            // Where it cannot be opened, docker tells that the port is in use.
            let _ = self.asking.ask(Request::Hold(HoldChange {
                port: reply.port,
                protocol,
                token: reply.token.clone(),
                state: HoldState::Open,
            }));
        }
    }

    /// A port that the line has.
    pub(super) fn lease(&self, key: Key, number: usize, token: Option<String>) -> Lease {
        Lease {
            want: Want {
                service: self.service(number),
                port: key.0,
                protocol: key.1,
                remembered: false,
                policy: Policy::Fallback,
                hold: HoldMode::Off,
            },
            port: key.0,
            token,
            hold: None,
        }
    }
}

/// Whether somebody listens on this port.
pub(super) fn is_at(listener: &Listener, key: Key) -> bool {
    (listener.port, listener.protocol) == key
}

fn listens(listener: &Listener) -> RunError {
    let (port, protocol) = (listener.port, listener.protocol);
    let taken = format!(
        "port {} is taken by {}",
        spot(port, protocol),
        who(listener)
    );
    let kill = match listener.owner {
        Some(_) => format!("; or end it with 'freeport kill {port}'"),
        None => String::new(),
    };
    RunError::new(status::CONFLICT, taken).hint(format!(
        "without '--strict' another port is published{kill}"
    ))
}
