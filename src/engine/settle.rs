//! What follows when something has changed: reservations are brought in line with who lives and who
//! listens, and whoever shows something is told.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::conflicts::intruder;
use super::ledger::{Use, clock};
use super::{Effects, Engine};
use crate::ipc::protocol::Event;
use crate::ipc::view::ReservationView;
use crate::model::log::{Asker, Entry, Happened};
use crate::model::news::News;
use crate::model::reservation::{End, ReservationKey, Status};
use crate::model::text::escape;
use crate::model::{Listener, ProcessKey, Reservation, Timestamp, leftover};
use crate::platform;
use crate::registry::judge::{self, Belongs, Scene};
use crate::registry::reconcile::reconcile;
use crate::registry::{Clock, RegistryError, Touched};

/// The processes that reservations belong to.
#[derive(Default)]
pub(super) struct Owners {
    /// How many reservations each has.
    counts: HashMap<ProcessKey, usize>,
    /// Those of them that have ended.
    ended: HashSet<ProcessKey>,
    /// Whether there are others than the last time they were asked for.
    changed: bool,
}

impl Owners {
    fn add(&mut self, reservation: Option<&Reservation>, boot: &str) {
        if let Some(owner) = reservation
            .and_then(|row| row.owner.as_ref())
            .filter(|owner| owner.boot == boot)
        {
            let count = self.counts.entry(owner.key).or_default();
            *count += 1;
            self.changed |= *count == 1;
        }
    }

    fn remove(&mut self, reservation: Option<&Reservation>, boot: &str) {
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
    fn look(&mut self) {
        let ended = self
            .counts
            .keys()
            .filter(|key| !platform::is_alive(**key))
            .copied();
        self.ended = ended.collect();
    }
}

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
        match self.due.filter(|_| self.looked) {
            Some(due) => due
                .0
                .duration_since(clock().now.0)
                .unwrap_or_default()
                .min(cleanup),
            None => cleanup,
        }
    }

    /// Lets time pass: leases run out, and from time to time everything is looked at again.
    pub fn pass(&mut self) {
        let now = clock().now;
        if self.due.is_some_and(|due| due <= now) {
            self.unsettled = true;
        }
        if self.cleanup_at <= Instant::now() {
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
    fn take_touched(&mut self, clock: &Clock) -> bool {
        let Some(registry) = self.ledger.registry_mut() else {
            return false;
        };
        match registry.take_touched() {
            Touched::Some(touched) if touched.is_empty() => false,
            Touched::Some(touched) => {
                for (key, before, after) in touched {
                    self.owners.add(after.as_ref(), clock.boot);
                    self.owners.remove(before.as_ref(), clock.boot);
                    self.touch(key, after.as_ref(), clock);
                    if before != after {
                        self.events.push(event(key, after.as_ref()));
                    }
                }
                true
            }
            Touched::All => {
                let rows = registry.rows().clone();
                let before = std::mem::take(&mut self.known);
                let gone = before.keys().filter(|key| !rows.contains_key(key));
                self.events.extend(gone.map(|key| event(*key, None)));
                self.owners = Owners {
                    changed: true,
                    ..Owners::default()
                };
                self.due = None;
                for (key, row) in &rows {
                    self.owners.add(Some(row), clock.boot);
                    self.touch(*key, Some(row), clock);
                    if before.get(key) != Some(row) {
                        self.events.push(event(*key, Some(row)));
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
    fn due_of(&self, row: &Reservation) -> Option<Timestamp> {
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
            boot: clock.boot,
            now: clock.now,
            heard_since: self.heard_since,
            stale_threshold: self.stale_threshold(),
        }
    }

    /// Judges all reservations, and writes what follows.
    fn reconcile(&mut self, clock: &Clock) {
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
                change.note(
                    &Entry::new(clock.now, Happened::Cleanup, &by_itself)
                        .of(before)
                        .detail(end.reason()),
                )?;
                cleaned.push(cleaned_news(
                    before,
                    *end,
                    judge::at(&snapshot, before).next().is_none(),
                ));
            }
            if cleaning {
                change.prune_log(clock.now)?;
            }
            Ok::<_, RegistryError>(cleaned)
        });
        match written {
            Ok(cleaned) => {
                if !cleaned.is_empty() {
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

    /// Looks at the servers that may be left over.
    pub(super) fn look_for_leftovers(&mut self, now: Timestamp) {
        let age = match self.ledger.seen() {
            Some(registry) => registry.settings().seconds("leftover_age"),
            None => crate::model::settings::Settings::default().seconds("leftover_age"),
        };
        let before = std::mem::take(&mut self.leftovers);
        let old = self
            .snapshot
            .listeners
            .iter()
            .filter(|l| leftover::may_be_left(l, &self.viewer, now, age));
        self.leftovers = old
            .filter_map(|listener| {
                let key = listener.owner_key()?;
                Some((
                    key,
                    leftover::judge(listener, platform::leftover_signs(key)?)?,
                ))
            })
            .collect();
        self.resnapped |= before != self.leftovers;
    }

    /// Why a listener looks left over.
    pub(super) fn leftover(&self, listener: &Listener) -> Option<leftover::Leftover> {
        self.leftovers.get(&listener.owner_key()?).copied()
    }

    /// Whether this engine is that of the app.
    pub(super) fn is_app(&self) -> bool {
        self.ledger.used_by() == Use::App
    }
}

/// How soon what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the log is looked through for what is too old.
const PRUNE: Duration = Duration::from_secs(60 * 60);

fn event(key: ReservationKey, row: Option<&Reservation>) -> Event {
    match row {
        Some(row) => Event::Reserved {
            reservation: Box::new(ReservationView::of(row)),
        },
        None => Event::Released {
            port: key.0,
            protocol: key.1,
        },
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
