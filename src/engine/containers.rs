//! Which containers the listeners are for: what the engines said last, and when to ask them again.
//!
//! They are asked when a port that may be a container's appears or changes, and not otherwise. The
//! asking is done elsewhere ([`Engine::asks_engines`], [`Engine::engines_said`]); nothing here waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Engine;
use crate::model::container::{self, Seen};
use crate::model::{Gap, GapKind, Listener, Port, ProcessKey, Protocol, Snapshot, SocketId};

/// When to ask once more where a port has no container although it may be one's: an engine binds the
/// port before it says so.
const AGAIN: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
];

/// After which time an answer is called slow.
const SLOW: Duration = Duration::from_millis(500);

/// A listener that may be a container's: another one of these is another question.
type Question = (Port, Protocol, Option<ProcessKey>, Vec<SocketId>);

/// What is known of containers.
#[derive(Default)]
pub struct Containers {
    seen: Seen,
    /// What was asked last, sorted.
    asked: Vec<Question>,
    /// What `seen` is the answer to, sorted.
    answered: Vec<Question>,
    /// Since when an answer is awaited.
    awaited: Option<Instant>,
    /// Whether the last answer was long in coming.
    slow: bool,
    /// Whether the engines are to be asked.
    asks: bool,
    /// How often was asked without a change.
    attempts: usize,
    again: Option<Instant>,
}

impl Containers {
    /// Sets what is known of the listeners of a new snapshot, and notes what is to be asked.
    fn look(&mut self, snapshot: &mut Snapshot, uid: u32) {
        let now = questions(snapshot, uid);
        // What was not there when the engines were asked may be another container's now.
        let known = |listener: &Listener| {
            container::is_in_question(listener, uid)
                && self.answered.binary_search(&question(listener)).is_ok()
        };
        let mut all = std::mem::take(&mut snapshot.listeners);
        container::attach(&mut all, &self.seen, uid);
        for listener in all.iter_mut().filter(|listener| !known(listener)) {
            listener.container = None;
        }
        snapshot.listeners = all;
        if now != self.asked {
            // Who goes raises no question.
            let new = now.iter().any(|one| self.asked.binary_search(one).is_err());
            self.asked = now;
            if new {
                self.asks = true;
                self.attempts = 0;
            }
        }
        if self.asked.is_empty() {
            (self.asks, self.again) = (false, None);
        }
    }
}

fn question(listener: &Listener) -> Question {
    (
        listener.port,
        listener.protocol,
        listener.owner_key(),
        listener.sockets.clone(),
    )
}

fn questions(snapshot: &Snapshot, uid: u32) -> Vec<Question> {
    let asked = snapshot
        .listeners
        .iter()
        .filter(|listener| container::is_in_question(listener, uid));
    let mut all: Vec<Question> = asked.map(question).collect();
    all.sort_unstable();
    all
}

impl Engine {
    /// Sets the containers of a snapshot that is about to be taken in.
    pub(super) fn look_at_containers(&mut self, snapshot: &mut Snapshot) {
        self.containers.look(snapshot, self.viewer.uid);
    }

    /// Whether the engines are to be asked now; then [`Engine::engines_said`] has to follow.
    pub fn asks_engines(&mut self) -> bool {
        let containers = &mut self.containers;
        if containers.again.is_some_and(|at| at <= Instant::now()) {
            containers.again = None;
            containers.asks = true;
        }
        let now = containers.asks && containers.awaited.is_none();
        if now {
            containers.asks = false;
            containers.awaited = Some(Instant::now());
            containers.answered.clone_from(&containers.asked);
        }
        now
    }

    /// Whether an answer of the engines has to be awaited before listeners are told: `always`, or
    /// unless it is known to be long in coming.
    pub fn awaits_engines(&self, always: bool) -> bool {
        self.containers.awaited.is_some() && (always || !self.containers.slow)
    }

    /// Has the engines asked anew about these ports, where they may be containers'.
    pub fn ask_engines_again(&mut self, ports: &[Port]) {
        let mut asked = self.containers.asked.iter();
        self.containers.asks |= asked.any(|(port, ..)| ports.contains(port));
    }

    /// When the engines have to be asked again, should nothing happen.
    pub(super) fn asks_in(&self) -> Option<Duration> {
        let at = self.containers.again?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// Takes in what the engines said.
    pub fn engines_said(&mut self, seen: Seen) {
        let uid = self.viewer.uid;
        let awaited = self.containers.awaited.take();
        self.containers.slow = awaited.is_some_and(|since| since.elapsed() > SLOW);
        self.containers.seen = seen;
        let mut snapshot = Snapshot::clone(&self.snapshot);
        self.containers.look(&mut snapshot, uid);
        let lacks = |listener: &Listener| {
            listener.container.is_none() && container::may_be_published(listener, uid)
        };
        let containers = &mut self.containers;
        let answers = !containers.seen.running.is_empty()
            || containers.seen.places.len() > containers.seen.troubles.len();
        // Where no engine runs, none will say more.
        if answers && snapshot.listeners.iter().any(lacks) {
            let wait = AGAIN.get(containers.attempts);
            containers.again = wait.map(|wait| Instant::now() + *wait);
            containers.attempts += 1;
        }
        if snapshot.listeners != self.snapshot.listeners {
            self.snapshot = Arc::new(snapshot);
            self.resnapped = true;
        }
    }

    /// What engines could not say of listeners for which `wanted` holds, and what would help.
    pub(super) fn engine_gaps(&self, wanted: impl Fn(&Listener) -> bool) -> Vec<Gap> {
        let lacks = |listener: &Listener| {
            let known = listener.container.as_deref();
            known.is_none_or(|container| container.image.is_none())
                && container::is_in_question(listener, self.viewer.uid)
        };
        let mut listeners = self.snapshot.listeners.iter();
        if !listeners.any(|listener| wanted(listener) && lacks(listener)) {
            return Vec::new();
        }
        let troubles = self.containers.seen.troubles.iter();
        troubles
            .map(|trouble| Gap {
                kind: GapKind::EngineUnreadable,
                detail: format!(
                    "if it is a container's, its engine could not be asked at {}: {}",
                    trouble.place, trouble.why
                ),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::model::container::tests::{listener, seen, web};

    fn snapshot(listeners: Vec<Listener>) -> Snapshot {
        Snapshot {
            scanned_at: Timestamp::of_millis(0),
            gaps: Vec::new(),
            listeners,
            elsewhere: Vec::new(),
        }
    }

    fn of_root(socket: u64) -> Listener {
        let mut one = listener(None, 0);
        one.sockets = vec![SocketId(socket)];
        one
    }

    /// Looks, and gives whether that is a question, and the container that is shown.
    fn look(known: &mut Containers, listeners: &[Listener]) -> (bool, Option<String>) {
        let mut now = snapshot(listeners.to_vec());
        known.look(&mut now, 1000);
        let asks = std::mem::take(&mut known.asks);
        let first = now.listeners.first();
        let container = first.and_then(|listener| listener.container.as_deref());
        (asks, container.map(|found| found.name.clone()))
    }

    #[test]
    fn what_is_new_is_a_question_and_has_no_answer_yet() {
        let mut known = Containers::default();
        let node = listener(
            Some(crate::model::attribute::tests::process(5, "node", &[1])),
            1000,
        );
        assert_eq!(look(&mut known, std::slice::from_ref(&node)), (false, None));
        assert_eq!(look(&mut known, &[of_root(1), node]), (true, None));
        known.answered.clone_from(&known.asked);
        known.seen = seen(&[web()]);
        let web = || Some("shop-web-1".to_owned());
        assert_eq!(look(&mut known, &[of_root(1)]), (false, web()));
        assert_eq!(
            look(&mut known, &[]),
            (false, None),
            "who goes is no question"
        );
        assert_eq!(
            look(&mut known, &[of_root(2)]),
            (true, None),
            "it may be another container's"
        );
    }
}
