//! The processes that reservations belong to, and which of them have ended.

use std::collections::{HashMap, HashSet};

use crate::model::{ProcessKey, Reservation};
use crate::platform;

/// The processes that reservations belong to.
#[derive(Default)]
pub(super) struct Owners {
    /// How many reservations each has.
    pub(super) counts: HashMap<ProcessKey, usize>,
    /// Those of them that have ended.
    pub(super) ended: HashSet<ProcessKey>,
    /// Whether there are others than the last time they were asked for.
    pub(super) changed: bool,
}

impl Owners {
    /// Counts a reservation.
    pub(super) fn add(&mut self, reservation: Option<&Reservation>, boot: &str) {
        if let Some(owner) = reservation
            .and_then(|row| row.owner.as_ref())
            .filter(|owner| owner.boot == boot)
        {
            let count = self.counts.entry(owner.key).or_default();
            *count += 1;
            self.changed |= *count == 1;
        }
    }

    /// Counts a reservation no longer.
    pub(super) fn remove(&mut self, reservation: Option<&Reservation>, boot: &str) {
        let Some(owner) = reservation
            .and_then(|row| row.owner.as_ref())
            .filter(|owner| owner.boot == boot)
        else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&owner.key) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&owner.key);
                self.ended.remove(&owner.key);
                self.changed = true;
            }
        }
    }

    /// Looks at all of them: whether they run.
    pub(super) fn look(&mut self) {
        let ended = self
            .counts
            .keys()
            .filter(|key| !platform::is_alive(**key))
            .copied();
        self.ended = ended.collect();
    }
}
