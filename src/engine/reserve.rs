//! Setting ports aside, and what keeps anybody from having one.

use super::holds::{Terms, take_on};
use super::lease::Refusal;
use super::ledger::clock;
use super::{Caller, Engine, taken};
use crate::ipc::protocol::{ErrorCode, ErrorReply, Reply, ReservationsReply, Reserve};
use crate::ipc::view::ReservationView;
use crate::model::log::{Entry, Happened};
use crate::model::reservation::{Hold, Lease, RESERVATIONS_LIMIT, ReservationKey, Status};
use crate::model::{Port, Reservation, Timestamp};
use crate::registry::Change;
use crate::registry::judge::{self, Belongs, Scene};

impl Engine {
    /// Sets ports aside for a project: all of them, or none.
    pub(super) fn reserve(
        &mut self,
        reserve: &Reserve,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let mut table = self.holds.take();
        let result = self.judged(&clock, |change, scene| {
            let ports: std::collections::BTreeSet<Port> = reserve.ports.iter().copied().collect();
            let mut made = Vec::new();
            for &port in &ports {
                let wanted = reserved(port, reserve, caller.uid, clock.now);
                let row = set_aside(wanted, scene, change, caller, Happened::Reserve)?;
                let terms = Terms {
                    // Who has claimed it may have bound it.
                    strictly: reserve.hold && row.token.is_none(),
                    lend: false,
                };
                let held = take_on(table.as_mut(), row.clone(), terms, scene, change)?;
                if held != row {
                    change.put(held.clone())?;
                }
                made.push(held);
            }
            Ok::<_, Refusal>(made)
        });
        self.holds = table;
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
        held_by: None,
        keep_held: reserve.hold,
        reserved_service: reserve.service.clone(),
        drawn: None,
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
            let keep_held = existing.keep_held || wanted.keep_held;
            let same = existing.project == wanted.project
                && (existing.service == wanted.service
                    || existing.service.is_none()
                    || wanted.service.is_none());
            match (over && !existing.kept, same) {
                (true, _) => wanted,
                // A claim goes on, and what is left of it is reserved then.
                (false, true) if existing.token.is_some() && !over => Reservation {
                    kept: existing.kept || wanted.kept,
                    keep_held,
                    reserved_service: if existing.kept {
                        existing.reserved_service.clone().or(wanted.service.clone())
                    } else {
                        wanted.service.clone()
                    },
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
                    keep_held,
                    held_by: existing.held_by,
                    hold: existing.hold,
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
pub(super) fn refuse_listeners(
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

pub(super) fn check_limit(change: &Change<'_>, key: ReservationKey) -> Result<(), ErrorReply> {
    if change.get(key).is_none() && change.count() >= RESERVATIONS_LIMIT {
        let message = format!("there are {RESERVATIONS_LIMIT} reservations already");
        return Err(ErrorReply::new(ErrorCode::LimitReached, message)
            .hint("release some: 'freeport query' lists them"));
    }
    Ok(())
}
