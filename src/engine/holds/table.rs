//! The ports that the app has bound, and why it has not bound others. Knows sockets, and nothing of
//! what is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::model::reservation::{HeldBy, ReservationKey};
use crate::model::{Reservation, Timestamp};
use crate::platform::{PortHold, limits};

/// How soon a port that could not be bound is tried again; twice as late each time.
const AGAIN: Duration = Duration::from_millis(100);
/// How late at most.
const LATEST: Duration = Duration::from_secs(60);
/// From when on nobody thinks any more that who has it bound is about to end.
const GRACE: Duration = Duration::from_secs(2);
/// Which part of the descriptors that the app may have can be holds: it watches processes and
/// answers connections with the others.
const PART: u64 = 8;

/// Why a port is not held although it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Why {
    /// Whom it is for listens.
    Used,
    /// Somebody else listens: who.
    Listener(String),
    /// Somebody has bound it, and does not listen.
    Bound,
    /// As many ports are held as can be.
    Limit(usize),
    /// The system refused it.
    System(io::ErrorKind, String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Used => f.write_str("it will be when whom it is for listens no more"),
            Why::Listener(who) => write!(f, "{who} listens there"),
            Why::Bound => f.write_str("somebody else has it bound"),
            Why::Limit(most) => write!(f, "{most} ports are held already"),
            Why::System(_, error) => write!(f, "the system refused it: {error}"),
        }
    }
}

/// A port that is bound.
struct Bound {
    hold: PortHold,
    /// Whether others of the same user may bind it beside.
    lent: bool,
    /// The token of the claim for which it is open.
    open: Option<String>,
}

/// A port that could not be bound.
struct Failed {
    why: Why,
    again: Later,
    /// Whether the user has heard of it.
    told: bool,
}

/// When something is tried again.
#[derive(Clone, Copy)]
struct Later {
    at: Instant,
    waited: Duration,
}

impl Later {
    fn first() -> Later {
        Later {
            at: Instant::now() + AGAIN,
            waited: AGAIN,
        }
    }

    /// The next time, when it was tried in vain.
    fn next(self) -> Later {
        let now = Instant::now();
        if now < self.at {
            return self;
        }
        let waited = (self.waited * 2).min(LATEST);
        Later {
            at: now + waited,
            waited,
        }
    }

    fn is_due(self) -> bool {
        self.at <= Instant::now()
    }
}

/// The ports that the app has bound, and those that it should have.
pub(in crate::engine) struct Table {
    bound: BTreeMap<ReservationKey, Bound>,
    failed: BTreeMap<ReservationKey, Failed>,
    since: BTreeMap<ReservationKey, Timestamp>,
    dirty: BTreeSet<ReservationKey>,
    /// What a client held until now, which may not have let go of it yet.
    returned: BTreeSet<ReservationKey>,
    limit: usize,
}

impl Table {
    /// A table with nothing in it.
    pub(in crate::engine) fn new() -> Table {
        let descriptors = limits::descriptor_limit().unwrap_or(u64::MAX) / PART;
        Table {
            bound: BTreeMap::new(),
            failed: BTreeMap::new(),
            since: BTreeMap::new(),
            dirty: BTreeSet::new(),
            returned: BTreeSet::new(),
            limit: usize::try_from(descriptors).unwrap_or(usize::MAX),
        }
    }

    /// Binds a port, where it is not bound already. It is looked at again before anybody hears of it.
    pub(in crate::engine) fn bind(&mut self, key: ReservationKey) -> Result<(), Why> {
        if self.bound.contains_key(&key) {
            return Ok(());
        }
        if self.bound.len() >= self.limit {
            return Err(Why::Limit(self.limit));
        }
        let result = PortHold::new(key.0, key.1);
        let in_use = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
        let (hold, lent) = match result {
            Err(error) if in_use(&error) && self.returned.contains(&key) => {
                (PortHold::beside(key.0, key.1), true)
            }
            result => (result, false),
        };
        let hold = hold.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Why::Bound,
            kind => Why::System(kind, error.to_string()),
        })?;
        let bound = Bound {
            hold,
            lent,
            open: None,
        };
        self.bound.insert(key, bound);
        self.failed.remove(&key);
        self.returned.remove(&key);
        self.dirty.insert(key);
        Ok(())
    }

    /// Notes that a client holds a port no more. It may still have it bound for a moment, and shares
    /// it, so that there is no gap.
    pub(in crate::engine) fn returns(&mut self, key: ReservationKey) {
        self.returned.insert(key);
    }

    /// Lets programs of the same user that know how to bind the port beside.
    pub(in crate::engine) fn lend(&mut self, key: ReservationKey) {
        if let Some(bound) = self.bound.get_mut(&key) {
            match bound.hold.lend() {
                Ok(()) => bound.lent = true,
                Err(error) => log::warn!("port {} cannot be lent: {error}", key.0),
            }
        }
    }

    /// Opens a port for the claim with this token: ordinary programs can bind it then.
    pub(in crate::engine) fn open(&mut self, key: ReservationKey, token: &str) -> io::Result<()> {
        let Some(bound) = self.bound.get_mut(&key) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        bound.hold.open()?;
        bound.open = Some(token.to_owned());
        self.dirty.insert(key);
        Ok(())
    }

    /// Shuts it again; who listens by then is not disturbed.
    pub(in crate::engine) fn shut(&mut self, key: ReservationKey) -> Result<(), Why> {
        let Some(bound) = self
            .bound
            .get_mut(&key)
            .filter(|bound| bound.open.is_some())
        else {
            return Ok(());
        };
        match bound.hold.shut() {
            Ok(()) => {
                bound.open = None;
                Ok(())
            }
            Err(error) => {
                log::debug!("port {} cannot be shut: {error}", key.0);
                self.bound.remove(&key);
                self.bind(key)
            }
        }
    }

    /// Lets a port go.
    pub(in crate::engine) fn let_go(&mut self, key: ReservationKey) {
        self.bound.remove(&key);
        self.failed.remove(&key);
        self.returned.remove(&key);
    }

    /// Notes why a port is not bound; whether that is to be told. What was told in a reply is not.
    pub(in crate::engine) fn fails(&mut self, key: ReservationKey, why: Why, told: bool) -> bool {
        self.bound.remove(&key);
        self.returned.remove(&key);
        let before = self.failed.remove(&key).filter(|before| before.why == why);
        let again = before
            .as_ref()
            .map_or_else(Later::first, |before| before.again.next());
        let was_told = told || before.is_some_and(|before| before.told);
        let is_news = !was_told && (why != Why::Bound || again.waited >= GRACE);
        let failed = Failed {
            why,
            again,
            told: was_told || is_news,
        };
        self.failed.insert(key, failed);
        is_news
    }

    /// Whether a port is bound, and not open.
    pub(in crate::engine) fn holds(&self, key: ReservationKey) -> bool {
        let bound = self.bound.get(&key);
        bound.is_some_and(|bound| bound.open.is_none())
    }

    /// Whether a port is bound, or is open.
    pub(in crate::engine) fn has(&self, key: ReservationKey) -> bool {
        self.bound.contains_key(&key)
    }

    /// The token of the claim for which a port is open.
    pub(in crate::engine) fn is_open(&self, key: ReservationKey) -> Option<&str> {
        self.bound.get(&key)?.open.as_deref()
    }

    /// Why a port is not bound.
    pub(in crate::engine) fn why(&self, key: ReservationKey) -> Option<&Why> {
        self.failed.get(&key).map(|failed| &failed.why)
    }

    /// Since when a port is held, by the app or by whoever claimed it.
    pub(in crate::engine) fn since(&self, key: ReservationKey) -> Option<Timestamp> {
        self.since.get(&key).copied()
    }

    /// How many ports are held.
    pub(in crate::engine) fn count(&self) -> usize {
        let held = self.bound.values().filter(|bound| bound.open.is_none());
        held.count()
    }

    /// The ports that should be bound, and are not.
    pub(in crate::engine) fn missing(&self) -> impl Iterator<Item = ReservationKey> {
        let used = |failed: &Failed| failed.why == Why::Used;
        let missing = self.failed.iter().filter(move |(_, failed)| !used(failed));
        missing.map(|(key, _)| *key)
    }

    /// Notes that a reservation has changed.
    pub(in crate::engine) fn touch(
        &mut self,
        key: ReservationKey,
        before: Option<&Reservation>,
        after: Option<&Reservation>,
        now: Timestamp,
    ) {
        let holder = |row: Option<&Reservation>| row.and_then(|row| row.held_by);
        match (holder(before), holder(after)) {
            (_, None) => drop(self.since.remove(&key)),
            // A client's that was there before the app is one of which that is not known.
            (_, Some(HeldBy::Client)) if before.is_none() => {}
            (before, after) if before == after && self.since.contains_key(&key) => {}
            _ => drop(self.since.insert(key, now)),
        }
        let is_kept = after.is_some_and(|row| row.keep_held && row.held_by.is_none());
        if is_kept && holder(before) == Some(HeldBy::Client) {
            self.returns(key);
        }
        if self.has(key)
            || self.failed.contains_key(&key)
            || after.is_some_and(|row| row.keep_held || row.held_by == Some(HeldBy::App))
        {
            self.dirty.insert(key);
        }
    }

    /// Notes that any reservation may have changed.
    pub(in crate::engine) fn touch_all(&mut self) {
        self.dirty.extend(self.bound.keys());
        self.dirty.extend(self.failed.keys());
    }

    /// Notes that others listen than before.
    pub(in crate::engine) fn look_again(&mut self, listens: impl Fn(ReservationKey) -> bool) {
        let shared = |bound: &Bound| bound.open.is_some() || bound.lent;
        let shared = self.bound.iter().filter(|(_, bound)| shared(bound));
        self.dirty.extend(shared.map(|(key, _)| *key));
        let changed = |(key, failed): &(&ReservationKey, &Failed)| {
            listens(**key) != matches!(failed.why, Why::Used | Why::Listener(_))
        };
        let failed = self.failed.iter().filter(changed);
        self.dirty.extend(failed.map(|(key, _)| *key));
    }

    /// Notes what is to be tried again by now; all of it when `all`.
    pub(in crate::engine) fn pass(&mut self, all: bool) {
        let due = |failed: &Failed| all || failed.is_tried() && failed.again.is_due();
        let due = self.failed.iter().filter(|(_, failed)| due(failed));
        self.dirty.extend(due.map(|(key, _)| *key));
    }

    /// For how long nothing has to be tried again.
    pub(in crate::engine) fn rest(&self) -> Option<Duration> {
        let failed = self.failed.values().filter(|failed| failed.is_tried());
        let soonest = failed.map(|failed| failed.again.at).min()?;
        Some(soonest.saturating_duration_since(Instant::now()))
    }

    /// Takes the ports that have to be looked at.
    pub(in crate::engine) fn take_dirty(&mut self) -> BTreeSet<ReservationKey> {
        std::mem::take(&mut self.dirty)
    }

    /// Has a port looked at again.
    pub(in crate::engine) fn again(&mut self, key: ReservationKey) {
        self.dirty.insert(key);
    }
}

impl Failed {
    /// Whether nobody tells when it can be bound.
    fn is_tried(&self) -> bool {
        matches!(self.why, Why::Bound | Why::System(..))
    }
}

#[cfg(test)]
mod tests;
