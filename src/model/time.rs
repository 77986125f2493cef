//! Points in time as they are exchanged (RFC 3339, UTC) and ages as people read them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub SystemTime);

impl Timestamp {
    /// How long before `now` it was; zero when the clock was set back since.
    pub fn age(self, now: Timestamp) -> Duration {
        now.0.duration_since(self.0).unwrap_or_default()
    }

    /// The last moment of the year 9999, as far as dates are written.
    const LAST_MS: i64 = 253_402_300_799_999;

    /// The time so much later, in the year 9999 at the latest.
    pub fn after(self, time: Duration) -> Timestamp {
        let later = Timestamp(self.0.checked_add(time).unwrap_or(self.0));
        if later.millis() > Timestamp::LAST_MS {
            return Timestamp::of_millis(Timestamp::LAST_MS);
        }
        later
    }

    /// The time so much earlier; the same where no clock goes that far.
    pub fn before(self, time: Duration) -> Timestamp {
        Timestamp(self.0.checked_sub(time).unwrap_or(self.0))
    }

    /// Milliseconds since 1970; 0 for what was before.
    pub fn millis(self) -> i64 {
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }

    /// So many milliseconds after 1970; never before, nor after the year 9999.
    pub fn of_millis(millis: i64) -> Timestamp {
        let millis = u64::try_from(millis.min(Timestamp::LAST_MS)).unwrap_or(0);
        Timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(self.0).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text)
            .map(Timestamp)
            .map_err(serde::de::Error::custom)
    }
}

/// An age in its largest unit: `now` below a minute, then `5m`, `3h`, `2d`.
pub fn short_age(age: Duration) -> String {
    match age.as_secs() {
        0..60 => "now".to_owned(),
        s @ 60..3_600 => format!("{}m", s / 60),
        s @ 3_600..86_400 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

/// An age in its two largest units: `42s`, `5m 3s`, `3h 20m`, `2d 4h`.
pub fn long_age(age: Duration) -> String {
    match age.as_secs() {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3_600 => format!("{}m {}s", s / 60, s % 60),
        s @ 3_600..86_400 => format!("{}h {}m", s / 3_600, s % 3_600 / 60),
        s => format!("{}d {}h", s / 86_400, s % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let cases = [
            (0, "now", "0s"),
            (59, "now", "59s"),
            (60, "1m", "1m 0s"),
            (3_599, "59m", "59m 59s"),
            (3_600, "1h", "1h 0m"),
            (200_000, "2d", "2d 7h"),
        ];
        for (seconds, short, long) in cases {
            let age = Duration::from_secs(seconds);
            assert_eq!(
                (short_age(age).as_str(), long_age(age).as_str()),
                (short, long)
            );
        }
    }

    #[test]
    fn a_clock_set_back_gives_no_negative_age() {
        let earlier = Timestamp(SystemTime::UNIX_EPOCH);
        let later = Timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(9));
        assert_eq!(later.age(earlier), Duration::ZERO);
    }
}
