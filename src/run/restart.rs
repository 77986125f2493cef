//! Whether a command that has ended is started again, and when.

use std::time::Duration;

use crate::platform::started::ChildEnd;

/// How long the first wait is.
const FIRST: Duration = Duration::from_millis(500);
/// How long a wait is at most.
const LONGEST: Duration = Duration::from_secs(30);
/// After so long a time up, the next wait is the first one again.
const STEADY: Duration = Duration::from_secs(60);

/// When a command is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Never.
    #[default]
    Never,
    /// When it ended with another status than 0, or by a signal.
    OnFailure,
    /// Whenever it ends.
    Always,
}

impl Restart {
    /// Whether a command that ended so is started again.
    pub fn wants(self, end: ChildEnd) -> bool {
        match self {
            Restart::Never => false,
            Restart::OnFailure => !end.is_success(),
            Restart::Always => true,
        }
    }
}

/// How long to wait before the next start: longer each time, until it stays up.
#[derive(Clone, Copy, Debug)]
pub struct BackOff {
    next: Duration,
}

impl Default for BackOff {
    fn default() -> BackOff {
        BackOff { next: FIRST }
    }
}

impl BackOff {
    /// The wait after a start that was up for so long.
    pub fn after(&mut self, up: Duration) -> Duration {
        if up >= STEADY {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_started_again() {
        let ends = [
            ChildEnd::Exited(0),
            ChildEnd::Exited(1),
            ChildEnd::Signalled(9),
        ];
        for (restart, wanted) in [
            (Restart::Never, [false; 3]),
            (Restart::OnFailure, [false, true, true]),
            (Restart::Always, [true; 3]),
        ] {
            assert_eq!(ends.map(|end| restart.wants(end)), wanted, "{restart:?}");
        }
    }

    #[test]
    fn waits_grow_until_it_stays_up() {
        let mut waits = BackOff::default();
        let told: Vec<u128> = (0..9)
            .map(|_| waits.after(Duration::from_secs(1)).as_millis())
            .collect();
        assert_eq!(
            told,
            [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
        );
        assert_eq!(waits.after(STEADY), FIRST);
        assert_eq!(waits.after(Duration::ZERO), 2 * FIRST);
    }
}
