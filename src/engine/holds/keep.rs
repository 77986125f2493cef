//! Keeping what the app has bound in line with what is reserved and with who listens.

use std::path::Path;

use super::super::{Engine, ledger::clock};
use super::{Table, Why, bind, held};
use crate::model::log::{Asker, Entry, Happened};
use crate::model::news::News;
use crate::model::reservation::{HeldBy, ReservationKey};
use crate::model::text::escape;
use crate::model::{Listener, Process, Protocol, Reservation};
use crate::registry::judge::{self, Belongs, Scene};
use crate::registry::{Clock, RegistryError};

/// What is found at the port of a reservation.
#[derive(Clone, Copy, Default)]
struct Found {
    anybody: bool,
    meant: bool,
}

/// Whether what looks like a listener of UDP is a hold, of the app or of `freeport run`: no program
/// of Freeport serves UDP.
pub(in crate::engine) fn is_hold(listener: &Listener) -> bool {
    let is_freeport = |process: &Process| {
        let exe = process.exe.as_deref().and_then(Path::file_name);
        process.key.pid == std::process::id()
            || process.name == env!("CARGO_PKG_NAME")
            || exe.is_some_and(|name| name == env!("CARGO_PKG_NAME"))
    };
    let owner = listener.owner.as_deref();
    listener.protocol == Protocol::Udp && owner.is_some_and(is_freeport)
}

impl Engine {
    /// Notes that others listen than before.
    pub(in crate::engine) fn look_at_holds(&mut self) {
        let Some(table) = &mut self.holds else {
            return;
        };
        let all = &self.snapshot.listeners;
        table.look_again(|(port, protocol)| {
            let start = all.partition_point(|listener| listener.port < port);
            let here = all[start..].iter().take_while(|one| one.port == port);
            here.into_iter().any(|one| one.protocol == protocol)
        });
    }

    /// Notes that a reservation has changed.
    pub(in crate::engine) fn touch_hold(
        &mut self,
        key: ReservationKey,
        before: Option<&Reservation>,
        after: Option<&Reservation>,
        clock: &Clock,
    ) {
        if let Some(table) = &mut self.holds {
            table.touch(key, before, after, clock.now);
        }
    }

    /// Binds what is to be held before that is told in a reply.
    pub(in crate::engine) fn hold_now(&mut self) {
        if self.holds.is_some() {
            let clock = clock();
            self.resnapped |= self.take_touched(&clock);
            self.keep_holds(&clock);
        }
    }

    /// Binds what is to be held, and lets go of what is not; what came of it is written down.
    pub(in crate::engine) fn keep_holds(&mut self, clock: &Clock) {
        let Some(mut table) = self.holds.take() else {
            return;
        };
        let dirty = table.take_dirty();
        let changed = self.kept(&mut table, dirty, clock);
        self.holds = Some(table);
        if changed.is_empty() || !self.ledger.is_worth_trying() {
            return;
        }
        let Some(registry) = self.ledger.registry_mut() else {
            return;
        };
        let written = registry.change(clock, |change| {
            changed.iter().try_for_each(|(before, after)| {
                match change.get(before.key()) == Some(before) {
                    true => change.put(after.clone()),
                    false => Ok(()),
                }
            })
        });
        if let Err(error) = written {
            let error: RegistryError = error;
            log::debug!("how ports are held was not written: {error}");
        }
    }

    /// Looks at the ports in `dirty`. Gives the reservations that are held otherwise than they say.
    fn kept(
        &mut self,
        table: &mut Table,
        dirty: impl IntoIterator<Item = ReservationKey>,
        clock: &Clock,
    ) -> Vec<(Reservation, Reservation)> {
        let mut changed = Vec::new();
        let mut failed = Vec::new();
        let scene = self.scene(clock);
        let Some(registry) = self.ledger.seen() else {
            return changed;
        };
        for key in dirty {
            let Some(row) = registry.rows().get(&key) else {
                table.let_go(key);
                continue;
            };
            let result = keep(table, row, &scene);
            if result.is_err() && !self.looked {
                // Whether it may be bound by whom it is for is not known yet.
                table.again(key);
                continue;
            }
            if let Err(why) = result
                && table.fails(key, why.clone(), false)
            {
                failed.push((row.clone(), why));
            }
            let by = match row.held_by {
                Some(HeldBy::Client) => Some(HeldBy::Client),
                _ => table.holds(key).then_some(HeldBy::App),
            };
            if by != row.held_by {
                changed.push((row.clone(), held(row.clone(), by)));
            }
        }
        failed
            .iter()
            .for_each(|(row, why)| self.tell_not_held(row, why, clock));
        changed
    }

    /// Says once that a port is not held.
    fn tell_not_held(&mut self, row: &Reservation, why: &Why, clock: &Clock) {
        // Whoever shows it shows it anew.
        self.resnapped = true;
        if *why == Why::Used {
            log::debug!("port {} is not held: {why}", row.port);
            return;
        }
        log::warn!("port {} ({}) is not held: {why}", row.port, row.protocol);
        let by_itself = Asker {
            uid: self.viewer.uid,
            pid: None,
            name: None,
        };
        let entry = Entry::new(clock.now, Happened::Conflict, &by_itself).of(row);
        let entry = entry.detail(format!("not held: {why}"));
        if let Some(registry) = self.ledger.registry_mut() {
            let noted = registry.change(clock, |change| change.note(&entry));
            if let Err(error) = noted {
                log::debug!("that port {} is not held was not logged: {error}", row.port);
            }
        }
        // Of who listens where somebody else should, the user hears anyway.
        if !matches!(why, Why::Listener(_)) {
            self.news.push(News::NotHeld {
                port: row.port,
                protocol: row.protocol,
                purpose: row.purpose().map(|purpose| escape(&purpose).into_owned()),
                why: why.to_string(),
            });
        }
    }
}

/// Brings one port in line with its reservation.
fn keep(table: &mut Table, row: &Reservation, scene: &Scene<'_>) -> Result<(), Why> {
    let key = row.key();
    if !row.keep_held || row.held_by == Some(HeldBy::Client) {
        table.let_go(key);
        return Ok(());
    }
    if !table.has(key) {
        return bind(table, row, scene);
    }
    let found = found(row, scene);
    if row.protocol == Protocol::Udp && found.anybody {
        // What arrives is for who listens, and the two sockets would share it.
        table.let_go(key);
        return bind(table, row, scene);
    }
    let is_open_for = table.is_open(key);
    if is_open_for.is_some() && (found.meant || is_open_for != row.token.as_deref()) {
        table.shut(key)?;
    }
    Ok(())
}

fn found(row: &Reservation, scene: &Scene<'_>) -> Found {
    let mut found = Found::default();
    for listener in judge::at(scene.snapshot, row) {
        found.anybody = true;
        found.meant |= judge::belongs(row, listener, scene) == Belongs::Yes;
    }
    found
}
