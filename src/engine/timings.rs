//! Durations of the recent past, for `freeport status`.

use std::time::Duration;

use crate::ipc::protocol::Timings;

/// How many durations are kept.
const KEPT: usize = 1024;

/// The last durations, in microseconds.
#[derive(Debug, Default)]
pub struct Ring {
    kept: Vec<u32>,
    count: u64,
}

impl Ring {
    /// Adds one, in the place of the oldest when there are many.
    pub fn add(&mut self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        if self.kept.len() < KEPT {
            self.kept.push(took);
        } else {
            let at = usize::try_from(self.count % KEPT as u64).unwrap_or(0);
            self.kept[at] = took;
        }
        self.count += 1;
    }

    /// The distribution of those kept.
    pub fn timings(&self) -> Timings {
        // From the highest downwards: each leaves what is below it in front, which is all that the
        // next one has to look at.
        let mut kept = self.kept.clone();
        let count = kept.len();
        let mut percentile = |of_hundred: usize| {
            let rank = (count * of_hundred).div_ceil(100).saturating_sub(1);
            if rank >= kept.len() {
                return 0;
            }
            let took = u64::from(*kept.select_nth_unstable(rank).1);
            kept.truncate(rank + 1);
            took
        };
        let p99_us = percentile(99);
        let p95_us = percentile(95);
        Timings {
            count: self.count,
            p50_us: percentile(50),
            p95_us,
            p99_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_last_ones() {
        let mut ring = Ring::default();
        assert_eq!(ring.timings(), Timings::default());
        (1..=100).for_each(|n| ring.add(Duration::from_micros(n)));
        assert_eq!(
            ring.timings(),
            Timings {
                count: 100,
                p50_us: 50,
                p95_us: 95,
                p99_us: 99
            }
        );
        (0..KEPT).for_each(|_| ring.add(Duration::from_micros(7)));
        assert_eq!(
            ring.timings(),
            Timings {
                count: 100 + KEPT as u64,
                p50_us: 7,
                p95_us: 7,
                p99_us: 7
            }
        );
    }
}
