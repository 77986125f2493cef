//! What the user has been told of, so that it is not told again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::texts::Kind;
use crate::model::{Port, ProcessKey, Protocol};

/// For how long something has to be gone before it is told again.
const QUIET: Duration = Duration::from_secs(10 * 60);
/// How much is remembered; beyond it, what was not heard of for the longest time is forgotten.
const LIMIT: usize = 1024;

/// Whom news is of, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// A process.
    Process(ProcessKey),
    /// Somebody of whom only this is known.
    Named(String),
}

/// A conflict and a party of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Case {
    /// What kind of news it is.
    pub(super) kind: Kind,
    /// Where it is; `None` when it is not about a port.
    pub(super) place: Option<(Port, Protocol)>,
    /// The party.
    pub(super) who: Who,
}

#[derive(Clone, Debug)]
struct Told {
    /// What else was said: for whom the port is reserved.
    detail: String,
    /// When it was last heard of.
    heard: Instant,
    /// Whether it has ended.
    over: bool,
}

/// What was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(HashMap<Case, Told>);

impl Memory {
    /// Whether the user knows of this already, and need not hear of it.
    pub(super) fn knows(&self, case: &Case, detail: &str, now: Instant) -> bool {
        self.0.get(case).is_some_and(|told| {
            let recent = now.saturating_duration_since(told.heard) < QUIET;
            told.detail == detail && (recent || !told.over)
        })
    }

    /// Notes that something that is known goes on, or came back.
    pub(super) fn heard(&mut self, case: &Case, now: Instant) {
        if let Some(told) = self.0.get_mut(case) {
            told.heard = now;
            told.over = case.kind.is_moment();
        }
    }

    /// Notes that something was told.
    pub(super) fn told(&mut self, case: Case, detail: String, now: Instant) {
        let told = Told {
            detail,
            heard: now,
            over: case.kind.is_moment(),
        };
        self.0.insert(case, told);
        if self.0.len() > LIMIT {
            let oldest = self.0.iter().min_by_key(|(_, told)| told.heard);
            if let Some(case) = oldest.map(|(case, _)| case.clone()) {
                self.0.remove(&case);
            }
        }
    }

    /// Notes that nobody is in conflict at a place any more.
    pub(super) fn settled(&mut self, place: (Port, Protocol), now: Instant) {
        for (case, told) in &mut self.0 {
            if case.place == Some(place) && !told.over {
                told.over = true;
                told.heard = now;
            }
        }
    }

    /// How much is remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(port: u16, kind: Kind) -> Case {
        Case {
            kind,
            place: Some((Port::new(port).unwrap(), Protocol::Tcp)),
            who: Who::Named("x".into()),
        }
    }

    #[test]
    fn what_lasts_is_known_and_what_is_over_for_ten_minutes_is_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut memory = Memory::default();
        let one = case(3000, Kind::Intruder);
        assert!(!memory.knows(&one, "shop", at(0)));
        memory.told(one.clone(), "shop".into(), at(0));
        assert!(memory.knows(&one, "shop", at(100_000)), "it never ended");
        assert!(!memory.knows(&one, "blog", at(1)), "it changed");
        memory.settled((Port::new(3001).unwrap(), Protocol::Tcp), at(1));
        assert!(memory.knows(&one, "shop", at(100_000)), "another port");
        memory.settled(one.place.unwrap(), at(60));
        memory.settled(one.place.unwrap(), at(600));
        assert!(memory.knows(&one, "shop", at(659)));
        assert!(!memory.knows(&one, "shop", at(660)));
        memory.heard(&one, at(650));
        assert!(memory.knows(&one, "shop", at(100_000)), "it is back");
    }

    #[test]
    fn a_moment_is_over_at_once() {
        let start = Instant::now();
        let mut memory = Memory::default();
        let refused = case(3000, Kind::Refused);
        memory.told(refused.clone(), String::new(), start);
        assert!(memory.knows(&refused, "", start + QUIET / 2));
        memory.heard(&refused, start + QUIET / 2);
        assert!(memory.knows(&refused, "", start + QUIET));
        assert!(!memory.knows(&refused, "", start + QUIET / 2 + QUIET));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let start = Instant::now();
        let mut memory = Memory::default();
        for port in 1..=2000u16 {
            let at = start + Duration::from_millis(port.into());
            memory.told(case(port, Kind::Intruder), String::new(), at);
            // The first one is heard of again and again.
            memory.heard(&case(1, Kind::Intruder), at);
        }
        assert_eq!(memory.len(), LIMIT);
        assert!(memory.knows(&case(1, Kind::Intruder), "", start));
        assert!(!memory.knows(&case(2, Kind::Intruder), "", start));
        assert!(memory.knows(&case(2000, Kind::Intruder), "", start));
    }
}
