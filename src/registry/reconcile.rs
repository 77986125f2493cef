//! Bringing reservations and listeners together: which reservations change, which are over, and who
//! listens where a port is reserved for somebody else. Pure.

use std::collections::BTreeMap;

use super::judge::{self, Belongs, Scene};
use crate::model::reservation::{End, ReservationKey, Status};
use crate::model::{Listener, Reservation};

/// A listener on a port that is reserved for somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intruder<'a> {
    /// What is reserved.
    pub reservation: &'a Reservation,
    /// Who listens.
    pub listener: &'a Listener,
}

/// What follows from a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The reservations that change, as they are then.
    pub changed: Vec<Reservation>,
    /// The reservations that are over, and why.
    pub ended: Vec<(ReservationKey, End)>,
    /// Who listens where somebody else should.
    pub intruders: Vec<Intruder<'a>>,
}

/// Judges all reservations.
pub fn reconcile<'a>(
    rows: &'a BTreeMap<ReservationKey, Reservation>,
    scene: &Scene<'a>,
) -> Verdict<'a> {
    let mut verdict = Verdict::default();
    for reservation in rows.values() {
        let next = judge::next(reservation, scene);
        let status = next.as_ref().map_or(reservation.status, |next| next.status);
        if status == Status::Stale {
            if let Some(end) = judge::end(reservation, scene) {
                verdict.ended.push((reservation.key(), end));
            }
            // What is over keeps nobody out; what it leaves is judged when it is cleaned up.
        } else {
            let at = judge::at(scene.snapshot, reservation);
            let strangers =
                at.filter(|listener| judge::belongs(reservation, listener, scene) == Belongs::No);
            verdict.intruders.extend(strangers.map(|listener| Intruder {
                reservation,
                listener,
            }));
        }
        verdict.changed.extend(next);
    }
    verdict
}
