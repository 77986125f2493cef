//! Leases: giving reservations and claims back, renewing them, and who may.

use super::ledger::clock;
use super::{Caller, Engine};
use crate::ipc::protocol::{
    ErrorCode, ErrorReply, Heartbeat, LeaseReply, Release, Reply, ReservationsReply,
};
use crate::ipc::view::ReservationView;
use crate::model::log::{Entry, Happened};
use crate::model::news::News;
use crate::model::reservation::ReservationKey;
use crate::model::{Port, Protocol, Reservation, Snapshot, Timestamp};
use crate::platform;
use crate::registry::judge::{self, Holder, Scene};
use crate::registry::{Change, Clock, Registry, RegistryError};

/// What is known when a request is judged: whether a process runs is asked at that moment.
pub(super) fn scene_of<'a>(
    registry: &Registry,
    snapshot: &'a Snapshot,
    heard_since: Timestamp,
    clock: &Clock,
) -> Scene<'a> {
    Scene {
        snapshot,
        lives: &platform::is_alive,
        runs_as: &platform::runs_as,
        boot: clock.boot,
        now: clock.now,
        heard_since,
        stale_threshold: registry.settings().seconds("stale_threshold"),
    }
}

/// Why something about a reservation is refused, and whether others should hear of it.
pub(super) enum Refusal {
    /// Somebody else has the port: who, for a person.
    Taken { holder: String, error: ErrorReply },
    /// Something else.
    Other(ErrorReply),
}

impl Refusal {
    /// What is answered.
    pub(super) fn error(self) -> ErrorReply {
        match self {
            Refusal::Taken { error, .. } | Refusal::Other(error) => error,
        }
    }
}

impl From<ErrorReply> for Refusal {
    fn from(error: ErrorReply) -> Refusal {
        Refusal::Other(error)
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Refusal {
        Refusal::Other(error.into())
    }
}

impl Engine {
    /// Changes the registry by a decision that depends on who lives and who listens.
    pub(super) fn judged<T, E: From<RegistryError> + From<ErrorReply>>(
        &mut self,
        clock: &Clock,
        decide: impl FnOnce(&mut Change<'_>, &Scene<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (snapshot, heard_since) = (&*self.snapshot, self.heard_since);
        let registry = self.ledger.for_writing(clock)?;
        let scene = scene_of(registry, snapshot, heard_since, clock);
        registry.change(clock, |change| decide(change, &scene))
    }

    /// Gives reservations and claims back.
    pub(super) fn release(
        &mut self,
        release: &Release,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let protocols = match release.protocol {
            Some(protocol) => vec![protocol],
            None => vec![Protocol::Tcp, Protocol::Udp],
        };
        let released = self.judged(&clock, |change, scene| {
            let mut released: Vec<Reservation> = Vec::new();
            let named = release
                .ports
                .iter()
                .flat_map(|&port| protocols.iter().map(move |&protocol| (port, protocol)));
            let is_of_job = |row: &&Reservation| {
                let drawn = row.drawn.as_ref().map(|drawn| &drawn.job_id);
                drawn.is_some() && drawn == release.job_id.as_ref()
            };
            let mut keys: Vec<ReservationKey> = match release.job_id {
                Some(_) => change
                    .all()
                    .filter(is_of_job)
                    .map(Reservation::key)
                    .filter(|(_, protocol)| protocols.contains(protocol))
                    .collect(),
                None => named.collect(),
            };
            keys.sort_unstable();
            for key in keys {
                let Some(row) = change.get(key).cloned() else {
                    continue;
                };
                if release
                    .created_at
                    .is_some_and(|made| made != row.created_at)
                {
                    return Err(replaced(&row));
                }
                // Who knows the job may end it.
                let may = release.as_user || release.job_id.is_some();
                if !(may || owns(&row, release.token.as_deref(), caller, scene)) {
                    return Err(not_yours(&row, release.token.as_deref(), "released"));
                }
                // Who claimed what was reserved gives back the claim; the user gives back all of it.
                match row.unclaimed().filter(|_| !release.as_user) {
                    Some(kept) => change.put(kept)?,
                    None => change.remove(key)?,
                }
                change.note(&Entry::new(clock.now, Happened::Release, &caller.asker()).of(&row))?;
                released.push(row);
            }
            if released.is_empty() {
                return Err(match &release.job_id {
                    Some(job_id) => no_job(job_id),
                    None => nothing(&release.ports),
                });
            }
            Ok(released)
        })?;
        Ok(Reply::Reservations(ReservationsReply {
            reservations: released.iter().map(ReservationView::of).collect(),
        }))
    }

    /// Renews a claim.
    pub(super) fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        self.judged(&clock, |change, scene| {
            let Some(row) = change.get((heartbeat.port, heartbeat.protocol)).cloned() else {
                return Err(nothing(&[heartbeat.port]));
            };
            if !(heartbeat.as_user || owns(&row, heartbeat.token.as_deref(), caller, scene)) {
                return Err(not_yours(&row, heartbeat.token.as_deref(), "renewed"));
            }
            if row.lease.is_none() {
                let message = format!(
                    "port {} is reserved without end: there is nothing to renew",
                    row.port
                );
                return Err(ErrorReply::new(ErrorCode::NotFound, message)
                    .hint("claim it first: freeport claim PORT"));
            }
            if judge::owner_ended(&row, scene) {
                let message = format!("the process that claimed port {} has ended", row.port);
                return Err(ErrorReply::new(ErrorCode::NotFound, message).hint("claim it again"));
            }
            // What the user says once, nobody has to say again and again.
            let by_owner = !heartbeat.as_user || row.last_heartbeat.is_some();
            let mut renewed = Reservation {
                last_heartbeat: by_owner.then_some(clock.now),
                ..row
            };
            renewed.renew(clock.now);
            let renewed = judge::next(&renewed, scene).unwrap_or(renewed);
            change.put(renewed.clone())?;
            Ok(lease_reply(&renewed, true))
        })
    }

    /// Turns a refusal into an error, and tells whom it concerns.
    pub(super) fn refused(
        &mut self,
        key: ReservationKey,
        refusal: Refusal,
        caller: &Caller,
        tell: bool,
        clock: &Clock,
    ) -> ErrorReply {
        let (port, protocol) = key;
        let (holder, error) = match refusal {
            Refusal::Taken { holder, error } => (holder, error),
            Refusal::Other(error) => return error,
        };
        let entry =
            Entry::new(clock.now, Happened::Conflict, &caller.asker()).at_port(port, protocol);
        let entry = entry.detail(format!("refused: {holder} has it"));
        if let Ok(registry) = self.ledger.for_writing(clock)
            && let Err(error) = registry.change(clock, |change| change.note(&entry))
        {
            log::debug!("a conflict was not logged: {error}");
        }
        if tell {
            let name = caller.name.as_deref().unwrap_or("a program");
            self.news.push(News::Refused {
                port,
                protocol,
                asker: format!("{name} (pid {})", caller.pid),
                holder,
            });
        }
        error
    }
}

pub(super) fn lease_reply(row: &Reservation, renewed: bool) -> Reply {
    Reply::Lease(Box::new(LeaseReply {
        port: row.port,
        expires_at: row.lease.map(|lease| lease.expires_at),
        token: row.token.clone(),
        renewed,
        taken: None,
        reservation: ReservationView::of(row),
    }))
}

/// Whether the caller may do with a claim what its owner may.
pub(super) fn owns(
    row: &Reservation,
    token: Option<&str>,
    caller: &Caller,
    scene: &Scene<'_>,
) -> bool {
    let holder = Holder {
        process: caller.subject.as_ref().map(|subject| subject.key),
        token,
    };
    judge::may_dispose(row, &holder, scene, |owner| {
        platform::lineage(owner.pid).contains(&caller.pid)
    })
}

pub(super) fn not_yours(row: &Reservation, token: Option<&str>, what: &str) -> ErrorReply {
    if token.is_some() {
        let message = format!("the token is not that of the claim of port {}", row.port);
        return ErrorReply::new(ErrorCode::NotPermitted, message)
            .hint("'freeport release' needs none");
    }
    let whose = match &row.owner {
        Some(owner) => format!(
            "{} (pid {})",
            crate::model::text::escape(&owner.name),
            owner.key.pid
        ),
        None => "the user".to_owned(),
    };
    let message = format!("port {} can be {what} only by {whose}", row.port);
    ErrorReply::new(ErrorCode::NotPermitted, message)
        .hint("show the token of the claim, or use 'freeport release'")
}

fn replaced(row: &Reservation) -> ErrorReply {
    let purpose = row.purpose().unwrap_or_else(|| "somebody else".to_owned());
    let message = format!("port {} is reserved for {purpose} by now", row.port);
    ErrorReply::new(ErrorCode::NotFound, message).hint("'freeport query' lists what is reserved")
}

fn no_job(job_id: &str) -> ErrorReply {
    let job_id = crate::model::text::escape(job_id);
    let message = format!("nothing is drawn for the job '{job_id}'");
    ErrorReply::new(ErrorCode::NotFound, message)
        .hint("'freeport pool list' shows the jobs and what they have")
}

pub(super) fn nothing(ports: &[Port]) -> ErrorReply {
    let named: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let message = match named.as_slice() {
        [one] => format!("port {one} is not reserved"),
        many => format!("none of the ports {} is reserved", many.join(", ")),
    };
    ErrorReply::new(ErrorCode::NotFound, message).hint("'freeport query' lists what is")
}
