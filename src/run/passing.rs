//! Which signals the command gets from here: those that it did not get by itself.
//!
//! What is typed on a terminal, and what is sent to the whole process group, reaches the command as
//! it reaches the wrapper. What is sent to the wrapper alone is passed on. The guard is in the same
//! group, so what it gets too was sent to all. Pure: the time is told.

use std::time::{Duration, Instant};

/// How long a signal that the front was sent may take to come here too. Both get it from one call of
/// the sender, which is why it is there before the front can tell of it, but for a hair.
const SAME: Duration = Duration::from_millis(20);

/// For how long more of the same is taken for the same: the kernel makes one of several signals that
/// a process has not seen yet, and may do so for one of the two only.
const REPEATED: Duration = Duration::from_millis(100);

/// Signals that came to one of the two, and may have come to the other.
#[derive(Debug, Default)]
pub struct Passing {
    front: Vec<(i32, Instant)>,
    own: Vec<(i32, u32)>,
    to_all: Vec<(i32, Instant)>,
    asked: u32,
    answered: u32,
}

impl Passing {
    /// A process sent a signal to the front.
    pub fn front(&mut self, signal: i32, now: Instant) {
        let mine = self.own.extract_if(.., |(came, _)| *came == signal).count();
        if mine > 0 {
            self.to_all.push((signal, now));
        } else if !self.came_to_all(signal, now) {
            self.front.push((signal, now));
        }
    }

    /// A process sent a signal to the guard. Whether the front is to be asked for all that it got:
    /// what it does not know of then came here alone.
    pub fn own(&mut self, signal: i32, now: Instant) -> bool {
        let told = self
            .front
            .extract_if(.., |(came, _)| *came == signal)
            .count();
        if told > 0 {
            self.to_all.push((signal, now));
            return false;
        }
        if self.came_to_all(signal, now) {
            return false;
        }
        self.asked = self.asked.wrapping_add(1);
        self.own.push((signal, self.asked));
        true
    }

    fn came_to_all(&mut self, signal: i32, now: Instant) -> bool {
        self.to_all
            .retain(|(_, at)| now.duration_since(*at) < REPEATED);
        self.to_all.iter().any(|(came, _)| *came == signal)
    }

    /// The front has told all that it got; the signals that came to the guard alone.
    pub fn told_all(&mut self) -> Vec<i32> {
        self.answered = self.answered.wrapping_add(1);
        let answered = self.answered;
        let alone = self.own.extract_if(.., |(_, asked)| *asked == answered);
        alone.map(|(signal, _)| signal).collect()
    }

    /// The signals that came to the front alone.
    pub fn due(&mut self, now: Instant) -> Vec<i32> {
        let is_due = |came: &mut (i32, Instant)| now.duration_since(came.1) >= SAME;
        let due = self.front.extract_if(.., is_due);
        due.map(|(signal, _)| signal).collect()
    }

    /// When there may be some next.
    pub fn next(&self) -> Option<Instant> {
        self.front.iter().map(|(_, at)| *at + SAME).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: i32 = 15;
    const INT: i32 = 2;

    #[test]
    fn what_came_to_the_front_alone_is_passed_on() {
        let now = Instant::now();
        let mut passing = Passing::default();
        passing.front(TERM, now);
        assert_eq!(passing.due(now), [0; 0]);
        assert_eq!(passing.next(), Some(now + SAME));
        assert_eq!(passing.due(now + SAME), [TERM]);
        assert_eq!(passing.due(now + SAME), [0; 0]);
        assert_eq!(passing.next(), None);
    }

    #[test]
    fn what_came_to_both_has_come_to_the_command() {
        let now = Instant::now();
        let mut passing = Passing::default();
        passing.front(TERM, now);
        assert!(!passing.own(TERM, now));
        assert!(passing.own(INT, now));
        passing.front(INT, now + 100 * SAME);
        assert_eq!(passing.told_all(), [0; 0]);
        assert_eq!(passing.due(now + 200 * SAME), [0; 0]);
    }

    #[test]
    fn later_ones_are_others() {
        let now = Instant::now();
        let mut passing = Passing::default();
        passing.own(TERM, now);
        passing.front(TERM, now + 2 * REPEATED);
        passing.front(TERM, now + 4 * REPEATED);
        assert_eq!(passing.due(now + 5 * REPEATED), [TERM]);
    }

    #[test]
    fn what_was_made_one_for_one_of_them_is_one() {
        let now = Instant::now();
        let mut passing = Passing::default();
        passing.front(TERM, now);
        passing.front(TERM, now);
        passing.own(TERM, now);
        passing.front(TERM, now + SAME);
        assert!(!passing.own(TERM, now + SAME));
        assert_eq!(passing.due(now + REPEATED), [0; 0]);
    }

    #[test]
    fn what_came_to_the_guard_alone_is_known_when_the_front_has_told_all() {
        let now = Instant::now();
        let mut passing = Passing::default();
        assert!(passing.own(TERM, now));
        assert!(passing.own(INT, now));
        assert_eq!(passing.told_all(), [TERM]);
        assert_eq!(passing.told_all(), [INT]);
        assert_eq!(passing.told_all(), [0; 0]);
    }
}
