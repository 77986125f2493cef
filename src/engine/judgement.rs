//! Judging all reservations at once: what has changed is written, and what is over is removed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Engine;
use super::conflicts::intruder;
use super::ledger::clock;
use crate::model::log::{Asker, Entry, Happened};
use crate::model::news::News;
use crate::model::pool::PORTSERVER;
use crate::model::reservation::{End, ReservationKey, Status};
use crate::model::text::escape;
use crate::model::{ProcessKey, Reservation};
use crate::platform;
use crate::registry::judge::{self, Scene};
use crate::registry::reconcile::reconcile;
use crate::registry::{Clock, RegistryError};

/// How soon what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the log is looked through for what is too old.
const PRUNE: Duration = Duration::from_secs(60 * 60);

impl Engine {
    /// Judges all reservations, and writes what follows.
    pub(super) fn reconcile(&mut self, clock: &Clock) {
        let Some(registry) = self.ledger.seen() else {
            return;
        };
        let ended = &self.owners.ended;
        let lives = |key: ProcessKey| !ended.contains(&key);
        let scene = Scene {
            lives: &lives,
            ..self.scene(clock)
        };
        let rows = registry.rows();
        let verdict = reconcile(rows, &scene);
        let cleaning = self.cleaning;
        // A process that has ended has no say any more; what has run out can still be renewed.
        let over: Vec<(Reservation, End)> = verdict
            .ended
            .iter()
            .filter(|(key, end)| {
                *end == End::OwnerEnded
                    || cleaning && rows.get(key).is_some_and(|row| row.status == Status::Stale)
            })
            .filter_map(|(key, end)| Some((rows.get(key)?.clone(), *end)))
            .collect();
        let silent: HashSet<ReservationKey> = verdict
            .ended
            .iter()
            .filter(|(_, end)| *end == End::Silent)
            .map(|(key, _)| *key)
            .collect();
        let changed: Vec<(Reservation, Reservation)> = verdict
            .changed
            .iter()
            .filter(|row| !over.iter().any(|(gone, _)| gone.key() == row.key()))
            .filter_map(|row| Some((rows.get(&row.key())?.clone(), row.clone())))
            .collect();
        let intruders: Vec<_> = verdict
            .intruders
            .iter()
            .map(|found| intruder(found.reservation, found.listener))
            .collect();
        self.conflicts.set_all(intruders.into_iter());
        // What is due and stays all the same is judged again when something changes.
        let due = rows.values().filter_map(|row| self.due_of(row));
        self.due = due.filter(|due| *due > clock.now).min();
        let nothing = over.is_empty() && changed.is_empty();
        if nothing && !cleaning {
            return;
        }
        if nothing && self.pruned.elapsed() < PRUNE && !self.pruned_never {
            return;
        }
        if !self.ledger.is_worth_trying() {
            // Not at every look: each time, another program may be waited for.
            self.due = Some(clock.now.after(AGAIN));
            return;
        }
        let by_itself = Asker {
            uid: self.viewer.uid,
            pid: None,
            name: None,
        };
        let snapshot = std::sync::Arc::clone(&self.snapshot);
        let Some(registry) = self.ledger.registry_mut() else {
            return;
        };
        let written = registry.change(clock, |change| {
            for (before, after) in &changed {
                if change.get(before.key()) == Some(before) {
                    change.put(after.clone())?;
                    if silent.contains(&after.key()) {
                        change.note(
                            &Entry::new(clock.now, Happened::HeartbeatLost, &by_itself).of(after),
                        )?;
                    }
                }
            }
            let mut cleaned = Vec::new();
            for (before, end) in &over {
                if change.get(before.key()) != Some(before) {
                    continue;
                }
                match before.unclaimed() {
                    Some(kept) => change.put(kept)?,
                    None => change.remove(before.key())?,
                }
                let drawn = before.drawn.as_ref();
                if drawn.is_none_or(|drawn| drawn.pool != PORTSERVER) {
                    change.note(
                        &Entry::new(clock.now, Happened::Cleanup, &by_itself)
                            .of(before)
                            .detail(end.reason()),
                    )?;
                }
                // That a job is over is no news.
                if drawn.is_none() {
                    cleaned.push(cleaned_news(
                        before,
                        *end,
                        judge::at(&snapshot, before).next().is_none(),
                    ));
                }
            }
            if cleaning {
                change.prune_log(clock.now)?;
            }
            Ok::<_, RegistryError>(cleaned)
        });
        match written {
            Ok(cleaned) => {
                if !over.is_empty() {
                    self.last_cleanup = Some(clock.now);
                }
                if cleaning {
                    (self.pruned, self.pruned_never) = (Instant::now(), false);
                }
                self.news.extend(cleaned);
            }
            Err(error) => {
                self.ledger.fails(&error);
                self.due = Some(clock.now.after(AGAIN));
            }
        }
    }

    /// Judges all reservations for a command, which writes nothing.
    pub(super) fn observe(&mut self) {
        let clock = clock();
        if !matches!(self.ledger.for_reading(&clock), Ok(Some(_))) {
            return;
        }
        let Some(registry) = self.ledger.seen() else {
            return;
        };
        let scene = Scene {
            lives: &platform::is_alive,
            ..self.scene(&clock)
        };
        let verdict = reconcile(registry.rows(), &scene);
        let intruders: Vec<_> = verdict
            .intruders
            .iter()
            .map(|found| intruder(found.reservation, found.listener))
            .collect();
        let observed = verdict
            .changed
            .into_iter()
            .map(|row| (row.key(), row))
            .collect();
        self.conflicts.set_all(intruders.into_iter());
        self.observed = observed;
    }
}

fn cleaned_news(row: &Reservation, why: End, free: bool) -> News {
    let owner = row.owner.as_ref();
    News::Cleaned {
        port: row.port,
        protocol: row.protocol,
        purpose: row.purpose().map(|purpose| escape(&purpose).into_owned()),
        owner: owner.map(|owner| format!("{} (pid {})", escape(&owner.name), owner.key.pid)),
        why,
        kept: row.kept,
        free,
    }
}
