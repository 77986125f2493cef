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

    /// The time so much later; the same where no clock goes that far.
    pub fn after(self, time: Duration) -> Timestamp {
        Timestamp(self.0.checked_add(time).unwrap_or(self.0))
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

    /// So many milliseconds after 1970, and never before.
    pub fn of_millis(millis: i64) -> Timestamp {
        let since = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        Timestamp(SystemTime::UNIX_EPOCH).after(since)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Dates are written from 1970 to 9999.
        let last = SystemTime::UNIX_EPOCH + Duration::from_millis(253_402_300_799_999);
        let shown = self.0.clamp(SystemTime::UNIX_EPOCH, last);
        humantime::format_rfc3339_millis(shown).fmt(f)
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
    fn no_time_is_too_far_away_to_be_written() {
        let far = Timestamp::of_millis(i64::MAX);
        assert_eq!(far.to_string(), "9999-12-31T23:59:59.999Z");
        let before = Timestamp(SystemTime::UNIX_EPOCH).before(Duration::from_secs(1));
        assert_eq!(before.to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_clock_set_back_gives_no_negative_age() {
        let earlier = Timestamp(SystemTime::UNIX_EPOCH);
        let later = Timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(9));
        assert_eq!(later.age(earlier), Duration::ZERO);
    }
}
