//! What the menu is made of, kept as it was while the menu is open.
//!
//! A menu that is rebuilt under the pointer makes the user kill the wrong process. So while it may
//! be open, it shows the state of when it was opened, where nothing moves or vanishes or appears;
//! what is not so any more is only marked as gone.

use std::sync::Arc;
use std::time::SystemTime;

use super::menu::Meant;
use crate::engine::State;
use crate::ipc::view::{ConflictView, ReservationView};
use crate::model::kill::Party;
use crate::model::leftover::Leftover;
use crate::model::settings::Settings;
use crate::model::{Conflict, Listener, Port, ProcessKey, Protocol, Snapshot, Timestamp};

/// What is shown, and what is so by now.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    shown: &'a State,
    newest: &'a State,
}

/// A listener.
pub struct Row<'a> {
    /// The listener.
    pub listener: &'a Listener,
    /// Whether it is shadowed by another listener.
    pub shadowed: bool,
    /// Whether it listens where somebody else should.
    pub intrudes: bool,
    /// Why it looks left over.
    pub leftover: Option<Leftover>,
    /// The reservation of its port.
    pub reservation: Option<Reserved<'a>>,
    /// Whether its port could be reserved now, as far as that is known.
    pub unreserved: bool,
    /// Whether it has closed.
    pub gone: bool,
}

/// A reservation.
pub struct Reserved<'a> {
    /// The reservation.
    pub view: &'a ReservationView,
    /// Whether it is there no more, or is another one now.
    pub gone: bool,
}

/// A conflict.
pub struct Clash<'a> {
    /// The conflict.
    pub view: &'a ConflictView,
    /// The processes in it, as far as they can be seen.
    pub suspects: Vec<Suspect<'a>>,
    /// Whether it is settled.
    pub gone: bool,
}

/// A process in a conflict.
pub struct Suspect<'a> {
    /// The process.
    pub party: &'a Party,
    /// What it listens with.
    pub listener: Option<&'a Listener>,
    /// Whether it is out of the conflict.
    pub gone: bool,
}

impl<'a> Contents<'a> {
    /// The contents of a menu that may have been open since `shown`.
    pub fn new(shown: &'a State, newest: &'a State) -> Contents<'a> {
        Contents { shown, newest }
    }

    /// The contents of a menu that is closed.
    pub fn of(state: &'a State) -> Contents<'a> {
        Contents::new(state, state)
    }

    /// The listeners, by port.
    pub fn rows(self) -> impl Iterator<Item = Row<'a>> {
        let listeners = self.shown.snapshot.listeners.iter();
        let flags = self.shown.shadowed.iter();
        listeners
            .zip(flags)
            .map(move |(listener, &shadowed)| self.row(listener, shadowed))
    }

    fn row(self, listener: &'a Listener, shadowed: bool) -> Row<'a> {
        let (port, protocol, key) = (listener.port, listener.protocol, listener.owner_key());
        Row {
            listener,
            shadowed,
            intrudes: self.shown.conflicts.iter().any(|one| {
                (one.kind, one.port, one.protocol) == (Conflict::Intruder, port, protocol)
                    && one.listener.as_ref().map(|party| party.key) == key
                    && one.uid == listener.uid
            }),
            leftover: key.and_then(|key| self.shown.leftovers.get(&key).copied()),
            reservation: reservation(self.shown, port, protocol).map(|view| self.reserved(view)),
            unreserved: reservation(self.newest, port, protocol).is_none(),
            gone: !self.is_closed() && !at(self.newest, port).any(|other| is_same(listener, other)),
        }
    }

    /// What is reserved, by port: the first of it.
    pub fn reservations(self) -> impl Iterator<Item = Reserved<'a>> {
        let all = self.shown.reservations.iter();
        all.map(move |view| self.reserved(view))
    }

    fn reserved(self, view: &'a ReservationView) -> Reserved<'a> {
        let now = reservation(self.newest, view.port, view.protocol);
        Reserved {
            view,
            gone: !self.is_closed() && !now.is_some_and(|now| Meant::of(view).is(now)),
        }
    }

    /// How much is reserved.
    pub fn count_reserved(self) -> usize {
        self.shown.reserved
    }

    /// What is in conflict, by port.
    pub fn clashes(self) -> impl Iterator<Item = Clash<'a>> {
        let all = self.shown.conflicts.iter();
        all.map(move |view| self.clash(view))
    }

    fn clash(self, view: &'a ConflictView) -> Clash<'a> {
        let all = self.newest.conflicts.iter();
        let still: Vec<&ConflictView> = all.filter(|now| is_still(view, now)).collect();
        let suspect = |party: &'a Party| Suspect {
            party,
            listener: at(self.shown, view.port).find(|listener| {
                listener.protocol == view.protocol && listener.owner_key() == Some(party.key)
            }),
            gone: !still.iter().any(|now| has(now, party.key)),
        };
        Clash {
            view,
            suspects: parties(view).map(suspect).collect(),
            gone: still.is_empty(),
        }
    }

    /// The settings as they are, as nothing moves when they change.
    pub fn settings(self) -> &'a Settings {
        &self.newest.settings
    }

    /// Whether the menu shows what is so.
    fn is_closed(self) -> bool {
        std::ptr::eq(self.shown, self.newest)
    }
}

/// A state without anything in it.
pub fn nothing() -> State {
    State::of(Arc::new(Snapshot {
        scanned_at: Timestamp(SystemTime::UNIX_EPOCH),
        gaps: Vec::new(),
        listeners: Vec::new(),
        elsewhere: Vec::new(),
    }))
}

/// The listeners at a port: those of a snapshot are sorted by port.
fn at(state: &State, port: Port) -> impl Iterator<Item = &Listener> {
    let all = &state.snapshot.listeners;
    let start = all.partition_point(|listener| listener.port < port);
    all[start..]
        .iter()
        .take_while(move |listener| listener.port == port)
}

fn is_same(a: &Listener, b: &Listener) -> bool {
    (a.port, a.protocol, a.uid, a.owner_key()) == (b.port, b.protocol, b.uid, b.owner_key())
}

/// The reservation of a port, which are sorted by port and protocol.
fn reservation(state: &State, port: Port, protocol: Protocol) -> Option<&ReservationView> {
    let all = &state.reservations;
    let found = all.binary_search_by_key(&(port, protocol), |one| (one.port, one.protocol));
    found.ok().map(|index| &all[index])
}

fn parties(conflict: &ConflictView) -> impl Iterator<Item = &Party> {
    conflict.listener.iter().chain(&conflict.others)
}

fn has(conflict: &ConflictView, key: ProcessKey) -> bool {
    parties(conflict).any(|party| party.key == key)
}

/// Whether a conflict goes on in another one: of an intruder, with the same process and the same
/// reservation; of a shared port, with any of the processes.
fn is_still(before: &ConflictView, now: &ConflictView) -> bool {
    let place = |one: &ConflictView| (one.kind, one.port, one.protocol);
    let meant = |one: &ConflictView| one.reservation.as_ref().map(Meant::of);
    let key = |one: &ConflictView| one.listener.as_ref().map(|party| party.key);
    place(before) == place(now)
        && match before.kind {
            Conflict::Intruder => {
                (key(before), before.uid) == (key(now), now.uid) && meant(before) == meant(now)
            }
            Conflict::Shadowed => {
                before.listener.is_none() || parties(before).any(|party| has(now, party.key))
            }
        }
}
