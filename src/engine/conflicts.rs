//! Which conflicts there are now, and which of them are new since they were told last.

use std::collections::{BTreeMap, HashSet};

use crate::ipc::protocol::Event;
use crate::ipc::view::{ConflictView, ReservationView};
use crate::model::kill::Party;
use crate::model::news::News;
use crate::model::reservation::ReservationKey;
use crate::model::text::escape;
use crate::model::visibility::{Rank, Viewer, rank};
use crate::model::{
    Conflict, Listener, Port, ProcessKey, Protocol, Reservation, Snapshot, conflict,
};

/// A process on a port of which the user does not want to hear.
pub type Ignored = (Port, Protocol, ProcessKey);

/// What is known of conflicts.
#[derive(Default)]
pub struct Conflicts {
    /// Who listens where somebody else should, by what is reserved.
    intruders: BTreeMap<ReservationKey, Vec<ConflictView>>,
    ignored: HashSet<Ignored>,
    told: Vec<ConflictView>,
    /// Whether anything may be different from what was told.
    changed: bool,
}

/// The conflict of a listener with a reservation.
pub fn intruder(reservation: &Reservation, listener: &Listener) -> ConflictView {
    ConflictView {
        kind: Conflict::Intruder,
        port: listener.port,
        protocol: listener.protocol,
        project: listener
            .owner
            .as_ref()
            .and_then(|owner| owner.project.as_ref())
            .map(|project| project.name.clone()),
        listener: listener.owner.as_deref().map(Party::of),
        uid: listener.uid,
        user: listener.user_name(),
        reservation: Some(ReservationView::of(reservation)),
        others: Vec::new(),
    }
}

impl Conflicts {
    /// Notes all intruders anew.
    pub fn set_all(&mut self, intruders: impl Iterator<Item = ConflictView>) {
        self.intruders.clear();
        for one in intruders {
            self.intruders
                .entry((one.port, one.protocol))
                .or_default()
                .push(one);
        }
        self.changed = true;
    }

    /// Notes the intruders at one port anew.
    pub fn set(&mut self, key: ReservationKey, intruders: Vec<ConflictView>) {
        let was_none = self.intruders.remove(&key).is_none();
        if was_none && intruders.is_empty() {
            return;
        }
        if !intruders.is_empty() {
            self.intruders.insert(key, intruders);
        }
        self.changed = true;
    }

    /// Whether a listener is an intruder.
    pub fn is_intruder(&self, listener: &Listener) -> bool {
        let here = self.intruders.get(&(listener.port, listener.protocol));
        let key = listener.owner_key();
        here.is_some_and(|all| {
            all.iter().any(|one| {
                one.listener.as_ref().map(|party| party.key) == key && one.uid == listener.uid
            })
        })
    }

    /// Silences a process on a port, for as long as it lives.
    pub fn ignore(&mut self, ignored: Ignored) {
        self.ignored.insert(ignored);
        self.changed = true;
    }

    /// What is in conflict, as it was told last.
    pub fn told(&self) -> &[ConflictView] {
        &self.told
    }

    /// Notes that others listen than before.
    pub fn look_again(&mut self) {
        self.changed = true;
    }

    /// Compares what is in conflict now with what was told; `None` when nothing has changed.
    pub fn tell(
        &mut self,
        snapshot: &Snapshot,
        viewer: &Viewer,
    ) -> Option<(Vec<Event>, Vec<News>)> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let alive = |(_, _, key): &Ignored| {
            snapshot
                .listeners
                .iter()
                .any(|l| l.owner_key() == Some(*key))
        };
        if !self.ignored.is_empty() {
            self.ignored.retain(alive);
        }
        let intruders = self.intruders.values().flatten().cloned();
        let mut now: Vec<ConflictView> = intruders.chain(shadowed(snapshot, viewer)).collect();
        now.retain(|one| !self.is_ignored(one));
        now.sort_by_key(|one| (one.port, one.protocol, one.kind));
        if now == self.told {
            return None;
        }
        let before = std::mem::replace(&mut self.told, now);
        let (mut events, mut news) = (Vec::new(), Vec::new());
        for one in before
            .iter()
            .filter(|one| !self.told.iter().any(|other| is_same(one, other)))
        {
            events.push(Event::ConflictEnded {
                conflict: Box::new(one.clone()),
            });
            if !self
                .told
                .iter()
                .any(|other| (other.port, other.protocol) == (one.port, one.protocol))
            {
                news.push(News::Settled {
                    port: one.port,
                    protocol: one.protocol,
                });
            }
        }
        for one in self.told.iter().filter(|one| !before.contains(one)) {
            events.push(Event::Conflict {
                conflict: Box::new(one.clone()),
            });
            if !before.iter().any(|other| is_same(one, other)) {
                news.push(news_of(one, viewer));
            }
        }
        Some((events, news))
    }

    fn is_ignored(&self, one: &ConflictView) -> bool {
        let mut parties = one.listener.iter().chain(&one.others);
        parties.any(|party| self.ignored.contains(&(one.port, one.protocol, party.key)))
    }
}

/// Whether two are the same conflict of the same processes, whatever else of it has changed.
fn is_same(a: &ConflictView, b: &ConflictView) -> bool {
    let keys = |one: &ConflictView| -> Vec<ProcessKey> {
        one.listener
            .iter()
            .chain(&one.others)
            .map(|party| party.key)
            .collect()
    };
    let purpose = |one: &ConflictView| {
        one.reservation
            .as_ref()
            .map(|r| (r.project.clone(), r.service.clone(), r.key))
    };
    (a.kind, a.port, a.protocol, a.uid) == (b.kind, b.port, b.protocol, b.uid)
        && keys(a) == keys(b)
        && purpose(a) == purpose(b)
}

fn news_of(one: &ConflictView, viewer: &Viewer) -> News {
    match &one.reservation {
        Some(reservation) => News::Intruder {
            port: one.port,
            protocol: one.protocol,
            who: one.listener.clone(),
            user: one.user.clone(),
            other_user: one.uid != viewer.uid,
            purpose: purpose(reservation),
            made: reservation.created_at,
        },
        None => News::Shadowed {
            port: one.port,
            parties: one.listener.iter().chain(&one.others).cloned().collect(),
        },
    }
}

/// Whom a reservation is for, for a person.
fn purpose(reservation: &ReservationView) -> Option<String> {
    let claimed = reservation.name.as_ref().zip(reservation.pid);
    let words: Vec<&str> = [&reservation.project, &reservation.service]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if !words.is_empty() {
        return Some(escape(&words.join(" ")).into_owned());
    }
    claimed.map(|(name, pid)| format!("{} (pid {pid})", escape(name)))
}

/// The ports that several processes share in a way that confuses clients, where any of them is one
/// that the viewer looks at.
fn shadowed(snapshot: &Snapshot, viewer: &Viewer) -> Vec<ConflictView> {
    let flags = conflict::shadowed(&snapshot.listeners);
    let mut by_port: BTreeMap<Port, Vec<&Listener>> = BTreeMap::new();
    for (listener, _) in snapshot
        .listeners
        .iter()
        .zip(flags)
        .filter(|(_, shadowed)| *shadowed)
    {
        by_port.entry(listener.port).or_default().push(listener);
    }
    let matters = |listener: &&Listener| rank(&listener.traits(), viewer) != Rank::Hidden;
    by_port
        .into_iter()
        .filter(|(_, here)| here.iter().any(matters))
        .map(|(port, here)| {
            let mut parties: Vec<Party> = here
                .iter()
                .filter_map(|l| l.owner.as_deref())
                .map(Party::of)
                .collect();
            parties.sort_by_key(|party| party.key);
            parties.dedup_by_key(|party| party.key);
            let mut parties = parties.into_iter();
            ConflictView {
                kind: Conflict::Shadowed,
                port,
                protocol: Protocol::Tcp,
                listener: parties.next(),
                project: None,
                uid: here[0].uid,
                user: here[0].user_name(),
                reservation: None,
                others: parties.collect(),
            }
        })
        .collect()
}
