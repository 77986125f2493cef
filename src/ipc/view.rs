//! Listeners as clients see them: the JSON of `freeport list` and `freeport why`.

pub mod filter;
pub mod story;
pub mod words;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::kill::Party;
use crate::model::leftover::Leftover;
use crate::model::reservation::{HeldBy, Hold, Status};
use crate::model::service::Kind;
use crate::model::visibility::Traits;
use crate::model::{
    Ancestor, Conflict, Container, Listener, Port, Process, ProcessKey, Protocol, Reservation,
    Timestamp, conflict,
};

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerView {
    /// The port.
    pub port: Port,
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The addresses that it is bound to: `127.0.0.1`, `0.0.0.0`, `::1`, `::`.
    pub addresses: Vec<String>,
    /// Whether an IPv6 wildcard among them takes IPv4 connections too.
    pub dual_stack: bool,
    /// The user that it belongs to.
    pub uid: u32,
    /// The name of that user.
    pub user: Option<String>,
    /// The process that has it; null when that cannot be seen.
    pub owner: Option<OwnerView>,
    /// The container that it is for, where there is one and its engine has told.
    #[serde(default)]
    pub container: Option<Container>,
    /// The pids of other processes that share it.
    pub workers: Vec<u32>,
    /// The reservation of the port.
    pub reservation: Option<ReservationView>,
    /// How it is in conflict: with a reservation, or with another listener.
    pub conflict: Option<Conflict>,
    /// How the port is held for it.
    pub hold: Option<Hold>,
    /// Why it looks left over.
    pub leftover: Option<Leftover>,
}

/// A reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationView {
    /// The port.
    pub port: Port,
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The project that it is for.
    pub project: Option<String>,
    /// The service that it is for.
    pub service: Option<String>,
    /// `reserved`, `claimed`, `active` or `stale`.
    pub status: Status,
    /// How real it is: `advisory`, `held` or `handed-over`.
    pub hold: Hold,
    /// Who has bound the port, when it is more than advisory: `app` or `client`.
    #[serde(default)]
    pub held_by: Option<HeldBy>,
    /// Since when, where that is known.
    #[serde(default)]
    pub held_since: Option<Timestamp>,
    /// Why the app does not hold it although it is to.
    #[serde(default)]
    pub not_held: Option<String>,
    /// The process that claimed it.
    pub pid: Option<u32>,
    /// The identity of that process, `PID@START`.
    pub key: Option<ProcessKey>,
    /// The name of that process.
    pub name: Option<String>,
    /// The user that made it.
    pub uid: u32,
    /// Whether it stays, as reserved, when a claim of it ends.
    pub kept: bool,
    /// Whether the app holds it whenever no client does.
    #[serde(default)]
    pub keep_held: bool,
    /// The pool that it was drawn from.
    #[serde(default)]
    pub pool: Option<String>,
    /// The job that it was drawn for.
    #[serde(default)]
    pub job_id: Option<String>,
    /// What the client said of it.
    pub metadata: Option<serde_json::Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it runs out without a heartbeat.
    pub expires_at: Option<Timestamp>,
    /// When its owner gave the last sign of life.
    pub last_heartbeat: Option<Timestamp>,
}

impl ReservationView {
    /// What is told of a reservation.
    pub fn of(reservation: &Reservation) -> ReservationView {
        let owner = reservation.owner.as_ref();
        ReservationView {
            port: reservation.port,
            protocol: reservation.protocol,
            project: reservation.project.clone(),
            service: reservation.service.clone(),
            status: reservation.status,
            hold: reservation.hold,
            held_by: reservation.held_by,
            held_since: None,
            not_held: None,
            pid: owner.map(|owner| owner.key.pid),
            key: owner.map(|owner| owner.key),
            name: owner.map(|owner| owner.name.clone()),
            uid: reservation.uid,
            kept: reservation.kept,
            keep_held: reservation.keep_held,
            pool: reservation.drawn.as_ref().map(|drawn| drawn.pool.clone()),
            job_id: reservation.drawn.as_ref().map(|drawn| drawn.job_id.clone()),
            metadata: reservation
                .metadata
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok()),
            created_at: reservation.created_at,
            expires_at: reservation.lease.map(|lease| lease.expires_at),
            last_heartbeat: reservation.last_heartbeat,
        }
    }
}

/// Somebody on a port where somebody else should be, or where others are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictView {
    /// What kind of conflict it is.
    pub kind: Conflict,
    /// The port.
    pub port: Port,
    /// The protocol.
    pub protocol: Protocol,
    /// Who listens; null when that cannot be seen.
    pub listener: Option<Party>,
    /// The project that the listener works for.
    pub project: Option<String>,
    /// The user that the listener belongs to.
    pub uid: u32,
    /// That user, by name or number.
    pub user: String,
    /// What is reserved, where that is what it is in conflict with.
    pub reservation: Option<ReservationView>,
    /// Who else listens, where that is what it is in conflict with.
    pub others: Vec<Party>,
}

/// A process that has a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerView {
    /// Its pid.
    pub pid: u32,
    /// Its identity, `PID@START`, which no other process ever has.
    pub key: ProcessKey,
    /// The name of its program.
    pub name: String,
    /// What it serves.
    pub service: String,
    /// What kind of thing that is.
    pub kind: Kind,
    /// Its command line, capped.
    pub command: String,
    /// The file that it executes.
    pub exe: Option<String>,
    /// Its working folder.
    pub cwd: Option<String>,
    /// The name of the project that the folder belongs to.
    pub project: Option<String>,
    /// The folder of the project.
    pub project_root: Option<String>,
    /// The git branch that is checked out there.
    pub branch: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// What only a request with details tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// What is known of a process beyond the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The user id that it acts as, which may differ from the socket's.
    pub uid: u32,
    /// Its controlling terminal.
    pub terminal: Option<String>,
    /// The systemd service that it is.
    pub unit: Option<String>,
    /// Whether its working folder has been deleted.
    pub cwd_deleted: bool,
    /// Whether its project is in a linked git worktree.
    pub worktree: bool,
    /// Its parents, nearest first, up to init.
    pub parents: Vec<Ancestor>,
}

impl ListenerView {
    /// The user that it belongs to, by name or number.
    pub fn user_name(&self) -> String {
        self.user
            .clone()
            .unwrap_or_else(|| format!("uid {}", self.uid))
    }

    /// The container whose port it is.
    pub fn published(&self) -> Option<&Container> {
        self.container
            .as_ref()
            .filter(|container| container.port.is_some())
    }

    /// What decides where it is shown.
    pub fn traits(&self) -> Traits {
        Traits {
            uid: self.uid,
            port: self.port,
            protocol: self.protocol,
            everywhere: self
                .addresses
                .iter()
                .all(|address| address == "0.0.0.0" || address == "::"),
            owner: self
                .owner
                .as_ref()
                .map(|owner| (owner.kind, owner.project.is_some())),
            published: self.published().is_some(),
        }
    }

    /// The views of `listeners` for which `keep` holds, with how they are in conflict with any.
    pub fn all(
        listeners: &[Listener],
        details: bool,
        keep: impl Fn(&Listener) -> bool,
    ) -> Vec<ListenerView> {
        let shadowed = conflict::shadowed(listeners);
        listeners
            .iter()
            .zip(shadowed)
            .filter(|(l, _)| keep(l))
            .map(|(l, shadowed)| ListenerView::of(l, shadowed, details))
            .collect()
    }

    /// The view of one listener, and whether it is shadowed by another one.
    pub fn of(listener: &Listener, shadowed: bool, details: bool) -> ListenerView {
        ListenerView {
            port: listener.port,
            protocol: listener.protocol,
            addresses: listener.addresses.iter().map(ToString::to_string).collect(),
            dual_stack: listener.addresses.iter().any(|address| address.dual_stack),
            uid: listener.uid,
            user: listener.user.as_deref().map(str::to_owned),
            owner: listener
                .owner
                .as_ref()
                .map(|owner| OwnerView::of(owner, details)),
            container: listener.container.as_deref().cloned(),
            workers: listener
                .workers
                .iter()
                .map(|worker| worker.key.pid)
                .collect(),
            reservation: None,
            conflict: shadowed.then_some(Conflict::Shadowed),
            hold: None,
            leftover: None,
        }
    }
}

impl OwnerView {
    fn of(process: &Process, details: bool) -> OwnerView {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let project = process.project.as_deref();
        OwnerView {
            pid: process.key.pid,
            key: process.key,
            name: process.name.clone(),
            service: process.service.clone(),
            kind: process.kind,
            command: process.command.clone(),
            exe: process.exe.as_deref().map(text),
            cwd: process.cwd.as_deref().map(text),
            project: project.map(|project| project.name.clone()),
            project_root: project.map(|project| text(&project.root)),
            branch: project.and_then(|project| project.branch.clone()),
            started_at: process.started_at,
            details: details.then(|| Details {
                uid: process.uid,
                terminal: process.terminal.clone(),
                unit: process.unit.clone(),
                cwd_deleted: process.cwd_deleted,
                worktree: project.is_some_and(|project| project.worktree),
                parents: process.parents.to_vec(),
            }),
        }
    }
}
