//! Whether those that a port was claimed for listen there: looked at until they do.

use std::time::{Duration, Instant};

use super::told::who;
use crate::model::{Listener, Port, Process, Protocol};
use crate::platform::{self, limits};

/// The first time between two looks, and the longest.
const STEPS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// For how long it is looked for at all.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Who listens on another port for so long does not come to the one that was claimed.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The command listens on the port of this lease, by its number.
    Ours(usize),
    /// Somebody else does: who.
    Theirs(usize, String),
    /// It listens on this port, and not on that of the lease.
    Elsewhere(usize, Port),
}

#[derive(Clone, Debug)]
struct Watched {
    port: Port,
    protocol: Protocol,
    settled: bool,
}

/// Looks at the ports of a command.
#[derive(Debug)]
pub struct Verify {
    root: u32,
    watched: Vec<Watched>,
    step: Duration,
    next: Option<Instant>,
    began: Option<Instant>,
    all_at: Option<Instant>,
    until: Duration,
}

impl Verify {
    /// Looks at these ports for what runs below this process, once it has begun.
    pub fn new(
        root: u32,
        ports: impl Iterator<Item = (Port, Protocol)>,
        until: Duration,
    ) -> Verify {
        let watched = ports.map(|(port, protocol)| Watched {
            port,
            protocol,
            settled: false,
        });
        Verify {
            root,
            watched: watched.collect(),
            step: STEPS.0,
            next: None,
            began: None,
            all_at: None,
            until,
        }
    }

    /// Begins to look, unless it has.
    pub fn begin(&mut self, now: Instant) {
        if self.began.is_none() {
            self.began = Some(now);
            self.all_at = Some(now + ELSEWHERE);
            self.next = Some(now + self.step);
        }
    }

    /// The command is started again: looks from the beginning.
    pub fn again(&mut self) {
        self.began = None;
        self.next = None;
        self.step = STEPS.0;
        self.watched.iter_mut().for_each(|w| w.settled = false);
    }

    /// Another port was claimed in the place of that of a lease, and the command listens there.
    pub fn replaced(&mut self, lease: usize, port: Port) {
        if let Some(watched) = self.watched.get_mut(lease) {
            watched.port = port;
            watched.settled = true;
        }
    }

    /// When to look next.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Whether all of them listen.
    pub fn is_settled(&self) -> bool {
        self.watched.iter().all(|watched| watched.settled)
    }

    /// Whether the time is over.
    pub fn is_over(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now >= began + self.until)
    }

    /// Looks, if it is time to.
    pub fn look(&mut self, now: Instant) -> Vec<Found> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let open: Vec<Port> = self.open().map(|(_, watched)| watched.port).collect();
        let mut found = Vec::new();
        if !open.is_empty() {
            found = self.found(&platform::look(&open).listeners);
        }
        for found in &found {
            if let Found::Ours(lease) = found
                && let Some(watched) = self.watched.get_mut(*lease)
            {
                watched.settled = true;
            }
        }
        if self.all_at.is_some_and(|at| now >= at) && !self.is_settled() {
            self.all_at = Some(now + ELSEWHERE);
            found.extend(self.elsewhere(&platform::look(&[]).listeners));
        }
        self.step = (self.step * 2).min(STEPS.1);
        let goes_on = !self.is_settled() && !self.is_over(now);
        self.next = goes_on.then(|| now + self.step);
        found
    }

    fn open(&self) -> impl Iterator<Item = (usize, &Watched)> {
        let all = self.watched.iter().enumerate();
        all.filter(|(_, watched)| !watched.settled)
    }

    fn found(&self, listeners: &[Listener]) -> Vec<Found> {
        let mut found = Vec::new();
        for (lease, watched) in self.open() {
            let there = |l: &&Listener| l.port == watched.port && l.protocol == watched.protocol;
            let there: Vec<&Listener> = listeners.iter().filter(there).collect();
            let is_ours = |one: &&Listener| self.is_below(one) || self.is_hidden(one);
            if there.iter().any(is_ours) {
                found.push(Found::Ours(lease));
            } else if let Some(other) = there.iter().find(|listener| listener.owner.is_some()) {
                found.push(Found::Theirs(lease, who(other)));
            }
        }
        found
    }

    /// A port where the command listens that it was not told.
    fn elsewhere(&self, listeners: &[Listener]) -> Option<Found> {
        let (lease, open) = self.open().next()?;
        let told = |port| self.watched.iter().any(|watched| watched.port == port);
        let mut others = listeners.iter().filter(|listener| {
            listener.protocol == open.protocol && !told(listener.port) && self.is_below(listener)
        });
        let other = others.next()?;
        // Of several, nobody can say which one is meant.
        others
            .all(|another| another.port == other.port)
            .then_some(Found::Elsewhere(lease, other.port))
    }

    fn is_below(&self, listener: &Listener) -> bool {
        let below = |process: &Process| {
            process.key.pid == self.root
                || process.parents.iter().any(|parent| parent.pid == self.root)
        };
        let mut processes = listener.owner.iter().chain(&listener.workers);
        processes.any(|process| below(process))
    }

    /// Whether it is another user's whose processes may not be read, and something below runs as that
    /// user: through sudo and the like.
    fn is_hidden(&self, listener: &Listener) -> bool {
        let root = || platform::claimant(self.root).map(|root| root.key);
        listener.owner.is_none()
            && listener.uid != limits::user_id()
            && root().is_some_and(|root| platform::runs_as(root, listener.uid))
    }
}
