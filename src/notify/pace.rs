//! How often something may be shown: two notifications at once after a quiet time, and then one
//! every few seconds.

use std::time::{Duration, Instant};

/// How much time a notification uses up.
const PERIOD: Duration = Duration::from_secs(5);
/// How many are allowed at once when nothing was shown for a while.
const AT_ONCE: u32 = 2;

/// A bucket of [`AT_ONCE`] notifications that gets a new one every [`PERIOD`]. So never more than
/// `2 + T / 5 s` are shown within a time T.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// When the bucket is full again; `None` when nothing was ever shown.
    full: Option<Instant>,
}

impl Pace {
    /// From when on at least one is allowed; `None` when that was always so.
    pub(super) fn ready(&self) -> Option<Instant> {
        self.full
            .and_then(|full| full.checked_sub(PERIOD * (AT_ONCE - 1)))
    }

    /// How many are allowed now.
    pub(super) fn room(&self, now: Instant) -> usize {
        let until_full = self
            .full
            .map_or(Duration::ZERO, |full| full.saturating_duration_since(now));
        (1..=AT_ONCE)
            .filter(|&n| until_full <= PERIOD * (AT_ONCE - n))
            .count()
    }

    /// Notes that so many were shown.
    pub(super) fn shown(&mut self, count: usize, now: Instant) {
        let from = self.full.map_or(now, |full| full.max(now));
        self.full = Some((0..count).fold(from, |full, _| full + PERIOD));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_and_then_one_every_five_seconds() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        assert_eq!((pace.ready(), pace.room(at(0))), (None, 2));
        pace.shown(1, at(0));
        assert_eq!(pace.room(at(0)), 1);
        pace.shown(1, at(1000));
        assert_eq!((pace.room(at(1000)), pace.ready()), (0, Some(at(5000))));
        assert_eq!((pace.room(at(4999)), pace.room(at(5000))), (0, 1));
        pace.shown(1, at(5000));
        assert_eq!((pace.room(at(9999)), pace.room(at(10_000))), (0, 1));
        assert_eq!((pace.room(at(14_999)), pace.room(at(15_000))), (1, 2));
        pace.shown(2, at(60_000));
        assert_eq!(pace.ready(), Some(at(65_000)));
    }
}
