//! Claims, reservations, and giving them back.

use super::ledger::clock;
use super::{Caller, Engine, taken};
use crate::ipc::protocol::{
    Claim, ErrorCode, ErrorReply, Heartbeat, LeaseReply, Release, Reply, ReservationsReply, Reserve,
};
use crate::ipc::view::ReservationView;
use crate::model::log::{Entry, Happened};
use crate::model::news::News;
use crate::model::reservation::{
    Hold, Lease, LeaseOwner, RESERVATIONS_LIMIT, ReservationKey, Status,
};
use crate::model::{Port, Protocol, Reservation, Snapshot, Timestamp};
use crate::platform;
use crate::registry::judge::{self, Belongs, Claimant, Claimed, Holder, Scene};
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

    /// Claims a port.
    pub(super) fn claim(
        &mut self,
        claim: &Claim,
        event: Happened,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let asked_itself = claim.pid.is_none() && !claim.detached;
        let result = self.try_claim(claim, event, caller, &clock);
        let key = (claim.port, claim.protocol);
        result.map_err(|refusal| self.refused(key, refusal, caller, asked_itself, &clock))
    }

    fn try_claim(
        &mut self,
        claim: &Claim,
        event: Happened,
        caller: &Caller,
        clock: &Clock,
    ) -> Result<Reply, Refusal> {
        let owner = caller.subject.as_ref().map(|subject| LeaseOwner {
            key: subject.key,
            boot: clock.boot.to_owned(),
            name: subject.name.clone(),
        });
        let of_subject = caller
            .subject
            .as_ref()
            .and_then(|subject| subject.project.clone());
        let project = claim.project.clone().or(of_subject);
        let reply = self.judged(clock, |change, scene| {
            let key = (claim.port, claim.protocol);
            let existing = change.get(key).cloned();
            let claimant = Claimant {
                owner: owner.as_ref(),
                project: project.as_deref(),
                service: claim.service.as_deref(),
                token: claim.token.as_deref(),
            };
            let judged = existing
                .as_ref()
                .map(|existing| judge::claim(existing, &claimant, scene));
            let ttl = claim.ttl_s.map(std::time::Duration::from_secs);
            let ttl = ttl.unwrap_or_else(|| change.settings().seconds("default_lease_duration"));
            let fresh = || Reservation {
                port: claim.port,
                protocol: claim.protocol,
                project: project.clone(),
                service: claim.service.clone(),
                uid: caller.uid,
                owner: owner.clone(),
                lease: Some(Lease::from(clock.now, ttl)),
                kept: false,
                status: Status::Claimed,
                hold: Hold::Advisory,
                metadata: None,
                created_at: clock.now,
                last_heartbeat: None,
                token: None,
            };
            let renewed = matches!(judged, Some(Claimed::Renewed));
            let mut row = match (existing, judged) {
                (Some(existing), Some(Claimed::Refused)) => {
                    return Err(taken::by_reservation(&existing, scene, change));
                }
                (Some(existing), Some(Claimed::Anew(end))) => {
                    if let Some(end) = end {
                        let entry =
                            Entry::new(clock.now, Happened::Cleanup, &caller.asker()).of(&existing);
                        change.note(&entry.detail(end.reason()))?;
                    }
                    fresh()
                }
                (Some(existing), Some(Claimed::Reserved | Claimed::Renewed)) => Reservation {
                    service: claim.service.clone().or_else(|| existing.service.clone()),
                    project: project.clone().or_else(|| existing.project.clone()),
                    // Renewed by its token alone, it stays its process's, if that still runs.
                    owner: owner.clone().or_else(|| {
                        let before = existing.owner.clone().filter(|_| renewed)?;
                        let lives = before.boot == scene.boot && (scene.lives)(before.key);
                        lives.then_some(before)
                    }),
                    // Who had it before has no say any more.
                    token: existing.token.clone().filter(|_| renewed),
                    lease: Some(Lease::from(clock.now, ttl)),
                    status: Status::Claimed,
                    last_heartbeat: existing
                        .last_heartbeat
                        .filter(|_| renewed)
                        .map(|_| clock.now),
                    ..existing
                },
                _ => fresh(),
            };
            if !renewed {
                refuse_listeners(&row, claim.detached, scene, change)?;
                check_limit(change, key)?;
            }
            if let Some(metadata) = &claim.metadata {
                row.metadata = Some(metadata.to_string());
            }
            if row.token.is_none() {
                row.token = Some(change.token()?);
            }
            let row = judge::next(&row, scene).unwrap_or(row);
            change.put(row.clone())?;
            change.note(&Entry::new(clock.now, event, &caller.asker()).of(&row))?;
            if let (Some(project), Some(service)) = (&row.project, &row.service) {
                change.remember(project, service, row.port, clock.now)?;
            }
            Ok::<_, Refusal>(lease_reply(&row, renewed))
        })?;
        Ok(reply)
    }

    /// Sets ports aside for a project: all of them, or none.
    pub(super) fn reserve(
        &mut self,
        reserve: &Reserve,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let result = self.judged(&clock, |change, scene| {
            let ports: std::collections::BTreeSet<Port> = reserve.ports.iter().copied().collect();
            let mut made = Vec::new();
            for &port in &ports {
                let wanted = reserved(port, reserve, caller.uid, clock.now);
                made.push(set_aside(wanted, scene, change, caller, Happened::Reserve)?);
            }
            Ok::<_, Refusal>(made)
        });
        match result {
            Ok(made) => Ok(Reply::Reservations(ReservationsReply {
                reservations: made.iter().map(ReservationView::of).collect(),
            })),
            Err(refusal) => {
                let key = (reserve.ports[0], reserve.protocol);
                Err(self.refused(key, refusal, caller, false, &clock))
            }
        }
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
            let keys = release
                .ports
                .iter()
                .flat_map(|&port| protocols.iter().map(move |&protocol| (port, protocol)));
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
                if !(release.as_user || owns(&row, release.token.as_deref(), caller, scene)) {
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
                return Err(nothing(&release.ports));
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

/// A reservation as asked for.
fn reserved(port: Port, reserve: &Reserve, uid: u32, now: Timestamp) -> Reservation {
    let ttl = reserve.ttl_s.map(std::time::Duration::from_secs);
    Reservation {
        port,
        protocol: reserve.protocol,
        project: Some(reserve.project.clone()),
        service: reserve.service.clone(),
        uid,
        owner: None,
        lease: ttl.map(|ttl| Lease::from(now, ttl)),
        kept: ttl.is_none(),
        status: Status::Reserved,
        hold: Hold::Advisory,
        metadata: reserve.metadata.as_ref().map(ToString::to_string),
        created_at: now,
        last_heartbeat: None,
        token: None,
    }
}

/// Writes a reservation, unless the port is somebody else's.
pub(super) fn set_aside(
    wanted: Reservation,
    scene: &Scene<'_>,
    change: &mut Change<'_>,
    caller: &Caller,
    event: Happened,
) -> Result<Reservation, Refusal> {
    let row = match change.get(wanted.key()).cloned() {
        None => wanted,
        Some(existing) => {
            let over = judge::end(&existing, scene).is_some();
            let same = existing.project == wanted.project
                && (existing.service == wanted.service
                    || existing.service.is_none()
                    || wanted.service.is_none());
            match (over && !existing.kept, same) {
                (true, _) => wanted,
                // A claim goes on, and what is left of it is reserved then.
                (false, true) if existing.token.is_some() && !over => Reservation {
                    kept: existing.kept || wanted.kept,
                    service: wanted.service.or_else(|| existing.service.clone()),
                    ..existing
                },
                (false, true) => Reservation {
                    service: wanted.service.clone().or_else(|| existing.service.clone()),
                    metadata: wanted
                        .metadata
                        .clone()
                        .or_else(|| existing.metadata.clone()),
                    created_at: existing.created_at,
                    ..wanted
                },
                (false, false) => return Err(taken::by_reservation(&existing, scene, change)),
            }
        }
    };
    refuse_listeners(&row, false, scene, change)?;
    check_limit(change, row.key())?;
    let row = judge::next(&row, scene).unwrap_or(row);
    change.put(row.clone())?;
    change.note(&Entry::new(scene.now, event, &caller.asker()).of(&row))?;
    if let (Some(project), Some(service)) = (&row.project, &row.service) {
        change.remember(project, service, row.port, scene.now)?;
    }
    Ok(row)
}

/// Refuses a port on which somebody else listens. `strictly`, when nobody is known to be meant:
/// then anybody who listens is somebody else.
fn refuse_listeners(
    row: &Reservation,
    strictly: bool,
    scene: &Scene<'_>,
    change: &Change<'_>,
) -> Result<(), Refusal> {
    let strictly = strictly && row.project.is_none();
    let others = judge::at(scene.snapshot, row)
        .find(|listener| strictly || judge::belongs(row, listener, scene) != Belongs::Yes);
    match others {
        Some(listener) => Err(taken::by_listener(listener, scene, change)),
        None => Ok(()),
    }
}

fn check_limit(change: &Change<'_>, key: ReservationKey) -> Result<(), ErrorReply> {
    if change.get(key).is_none() && change.count() >= RESERVATIONS_LIMIT {
        let message = format!("there are {RESERVATIONS_LIMIT} reservations already");
        return Err(ErrorReply::new(ErrorCode::LimitReached, message)
            .hint("release some: 'freeport query' lists them"));
    }
    Ok(())
}

pub(super) fn lease_reply(row: &Reservation, renewed: bool) -> Reply {
    Reply::Lease(Box::new(LeaseReply {
        port: row.port,
        expires_at: row.lease.map(|lease| lease.expires_at),
        token: row.token.clone(),
        renewed,
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

fn nothing(ports: &[Port]) -> ErrorReply {
    let named: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let message = match named.as_slice() {
        [one] => format!("port {one} is not reserved"),
        many => format!("none of the ports {} is reserved", many.join(", ")),
    };
    ErrorReply::new(ErrorCode::NotFound, message).hint("'freeport query' lists what is")
}
