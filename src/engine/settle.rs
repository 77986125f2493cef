//! What follows when something has changed: reservations are brought in line with who lives and who
//! listens, and whoever shows something is told.

use std::time::{Duration, Instant};

use super::conflicts::intruder;
use super::ledger::{Use, clock};
use super::owners::Owners;
use super::{Effects, Engine, holds};
use crate::ipc::protocol::Event;
use crate::model::log::{Asker, Entry, Happened};
use crate::model::news::News;
use crate::model::reservation::{ReservationKey, Status};
use crate::model::{ProcessKey, Reservation, Timestamp};
use crate::platform;
use crate::registry::judge::{self, Belongs, Scene};
use crate::registry::{Clock, RegistryError, Touched};

impl Engine {
    /// Notes processes that have ended.
    pub fn ended(&mut self, dead: &[ProcessKey]) {
        for key in dead
            .iter()
            .filter(|key| self.owners.counts.contains_key(key))
        {
            self.owners.ended.insert(*key);
            self.unsettled = true;
        }
    }

    /// How long nothing has to be done by itself.
    pub fn rest(&self) -> Duration {
        let cleanup = self.cleanup_at.saturating_duration_since(Instant::now());
        let holds = self.holds.as_ref().and_then(holds::Table::rest);
        let soon = cleanup.min(holds.unwrap_or(cleanup));
        let soon = soon.min(self.asks_in().unwrap_or(soon));
        match self.due.filter(|_| self.looked) {
            Some(due) => due
                .0
                .duration_since(clock().now.0)
                .unwrap_or_default()
                .min(soon),
            None => soon,
        }
    }

    /// Lets time pass: leases run out, and from time to time everything is looked at again.
    pub fn pass(&mut self) {
        let now = clock().now;
        if self.due.is_some_and(|due| due <= now) {
            self.unsettled = true;
        }
        let cleans = self.cleanup_at <= Instant::now();
        if let Some(holds) = &mut self.holds {
            holds.pass(cleans);
        }
        if cleans {
            self.owners.look();
            self.look_for_leftovers(now);
            self.cleaning = true;
            self.unsettled = true;
        }
    }

    /// Brings everything in line, and gives what others are to be told.
    pub fn settle(&mut self) -> Effects {
        let clock = clock();
        if self.cleaning {
            // Also notices what other programs have written.
            if self.ledger.is_worth_trying() {
                let _ = self.ledger.for_writing(&clock);
            }
        }
        let mut shown = self.take_touched(&clock);
        if self.unsettled && self.looked {
            self.unsettled = false;
            self.reconcile(&clock);
            shown |= self.take_touched(&clock);
        }
        self.keep_holds(&clock);
        shown |= self.take_touched(&clock);
        if self.cleaning {
            self.cleaning = false;
            let interval = self
                .ledger
                .seen()
                .map(|registry| registry.settings().seconds("cleanup_interval"));
            self.cleanup_at = Instant::now() + interval.unwrap_or(Duration::from_secs(60));
        }
        shown |= std::mem::take(&mut self.resnapped);
        if self.looked
            && let Some((events, news)) = self.conflicts.tell(&self.snapshot, &self.viewer)
        {
            self.log_conflicts(&news, &clock);
            self.events.extend(events);
            self.news.extend(news);
            shown = true;
        }
        let watch = std::mem::take(&mut self.owners.changed)
            .then(|| self.owners.counts.keys().copied().collect());
        Effects {
            news: std::mem::take(&mut self.news),
            events: std::mem::take(&mut self.events),
            watch,
            shown,
        }
    }

    /// Takes note of the reservations that have changed; whether any has.
    pub(super) fn take_touched(&mut self, clock: &Clock) -> bool {
        let Some(registry) = self.ledger.registry_mut() else {
            return false;
        };
        match registry.take_touched() {
            Touched::Some(touched) if touched.is_empty() => false,
            Touched::Some(touched) => {
                for (key, before, after) in touched {
                    self.owners.add(after.as_ref(), clock.boot);
                    self.owners.remove(before.as_ref(), clock.boot);
                    self.touch_hold(key, before.as_ref(), after.as_ref(), clock);
                    self.touch(key, after.as_ref(), clock);
                    if before != after {
                        let event = self.event(key, after.as_ref());
                        self.events.push(event);
                    }
                }
                true
            }
            Touched::All => {
                let rows = registry.rows().clone();
                let before = std::mem::take(&mut self.known);
                let gone = before.keys().filter(|key| !rows.contains_key(key));
                for key in gone {
                    let event = self.event(*key, None);
                    self.events.push(event);
                }
                if let Some(holds) = &mut self.holds {
                    holds.touch_all();
                }
                self.owners = Owners {
                    changed: true,
                    ..Owners::default()
                };
                self.due = None;
                for (key, row) in &rows {
                    self.owners.add(Some(row), clock.boot);
                    self.touch_hold(*key, before.get(key), Some(row), clock);
                    self.touch(*key, Some(row), clock);
                    if before.get(key) != Some(row) {
                        let event = self.event(*key, Some(row));
                        self.events.push(event);
                    }
                }
                self.owners.look();
                self.unsettled = true;
                true
            }
        }
    }

    /// Judges anew what depends on one reservation.
    fn touch(&mut self, key: ReservationKey, row: Option<&Reservation>, clock: &Clock) {
        match row {
            Some(row) => {
                self.known.insert(key, row.clone());
                match self.due_of(row) {
                    Some(due) if due <= clock.now => self.unsettled = true,
                    due => self.due = [self.due, due].into_iter().flatten().min(),
                }
            }
            None => drop(self.known.remove(&key)),
        }
        let scene = self.scene(clock);
        let strangers = |row: &Reservation| -> Vec<_> {
            let here = judge::at(&self.snapshot, row);
            let strangers =
                here.filter(|listener| judge::belongs(row, listener, &scene) == Belongs::No);
            strangers.map(|listener| intruder(row, listener)).collect()
        };
        let intruders = row.filter(|row| row.status != Status::Stale).map(strangers);
        self.conflicts.set(key, intruders.unwrap_or_default());
    }

    /// When a reservation has to be looked at again, should nothing happen to it.
    pub(super) fn due_of(&self, row: &Reservation) -> Option<Timestamp> {
        if matches!(row.status, Status::Active | Status::Stale) {
            return None;
        }
        let threshold = self.stale_threshold();
        let silent = row
            .last_heartbeat
            .map(|last| last.max(self.heard_since).after(threshold));
        [row.lease.map(|lease| lease.expires_at), silent]
            .into_iter()
            .flatten()
            .min()
    }

    fn stale_threshold(&self) -> Duration {
        let registry = self.ledger.seen();
        registry.map_or(Duration::MAX, |registry| {
            registry.settings().seconds("stale_threshold")
        })
    }

    pub(super) fn scene<'s>(&'s self, clock: &Clock) -> Scene<'s> {
        Scene {
            snapshot: &self.snapshot,
            lives: &*self.lives,
            runs_as: &platform::runs_as,
            boot: clock.boot,
            now: clock.now,
            heard_since: self.heard_since,
            stale_threshold: self.stale_threshold(),
        }
    }

    fn log_conflicts(&mut self, news: &[News], clock: &Clock) {
        let by_itself = Asker {
            uid: self.viewer.uid,
            pid: None,
            name: None,
        };
        let entry = |news: &News| match news {
            News::Intruder {
                port,
                protocol,
                who,
                user,
                purpose,
                ..
            } => {
                let who = who
                    .as_ref()
                    .map_or_else(|| format!("a process of {user}"), ToString::to_string);
                let purpose = purpose.as_deref().unwrap_or("somebody else");
                let entry =
                    Entry::new(clock.now, Happened::Conflict, &by_itself).at_port(*port, *protocol);
                Some(entry.detail(format!("{who} listens where it is reserved for {purpose}")))
            }
            _ => None,
        };
        let entries: Vec<Entry> = news.iter().filter_map(entry).collect();
        if entries.is_empty() {
            return;
        }
        if let Some(registry) = self.ledger.registry_mut()
            && let Err(error) = registry.change(clock, |change| {
                entries.iter().try_for_each(|entry| change.note(entry))
            })
        {
            let error: RegistryError = error;
            log::debug!("a conflict was not logged: {error}");
        }
    }

    fn event(&self, key: ReservationKey, row: Option<&Reservation>) -> Event {
        match row {
            Some(row) => Event::Reserved {
                reservation: Box::new(self.view(row)),
            },
            None => Event::Released {
                port: key.0,
                protocol: key.1,
            },
        }
    }

    /// Whether this engine is that of the app.
    pub(super) fn is_app(&self) -> bool {
        self.ledger.used_by() == Use::App
    }
}
