//! Whether a panel shows the icon, and when the user is to be told that none does: a pure value,
//! for which time passes only by what it is given.

use std::time::{Duration, Instant};

use super::absence::Absence;
use crate::ipc::protocol::TrayStatus;

/// How long the session bus may take.
const BUS_PATIENCE: Duration = Duration::from_secs(3);
/// How long after the start a panel may come before the user is told that there is none.
const PANEL_PATIENCE: Duration = Duration::from_secs(10);

/// Whether a panel shows the icon.
pub struct Presence {
    /// Why there is no icon, and since when; `None` while a panel shows it.
    absent: Option<(Absence, Instant)>,
    /// Whether the icon is on the session bus.
    on_bus: bool,
    /// Whether anything was heard of a panel.
    heard: bool,
    /// Whether the user has been told that there is no icon.
    told: bool,
}

/// What the user is told, once.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// Why there is no icon.
    pub absence: Absence,
    /// Whether there is a bus that a notification can go over.
    pub notify: bool,
}

impl Presence {
    /// The icon is on its way.
    pub fn new(now: Instant) -> Presence {
        Presence {
            absent: Some((Absence::starting(), now)),
            on_bus: false,
            heard: false,
            told: false,
        }
    }

    /// What the engine is told.
    pub fn status(&self) -> TrayStatus {
        match &self.absent {
            Some((absence, _)) => absence.status(),
            None => TrayStatus {
                shown: true,
                reason: None,
                hint: None,
            },
        }
    }

    /// The icon is on the bus. A panel has taken it unless something else was heard: ksni tells
    /// only when the panel goes, or comes later.
    pub fn spawned(&mut self) {
        self.on_bus = true;
        if !self.heard {
            self.came();
        }
    }

    /// The icon could not be made, which is to be told at once.
    pub fn failed(&mut self, absence: Absence, now: Instant) -> News {
        self.told = true;
        self.absent = Some((absence.clone(), now));
        News {
            absence,
            notify: false,
        }
    }

    /// A panel shows the icon.
    pub fn came(&mut self) {
        self.heard = true;
        self.absent = None;
    }

    /// No panel shows the icon any more.
    pub fn left(&mut self, absence: Absence, now: Instant) {
        self.heard = true;
        self.absent = Some((absence, now));
    }

    /// How long until there may be news.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let (_, since) = self.absent.as_ref().filter(|_| !self.told)?;
        let patience = if self.on_bus {
            PANEL_PATIENCE
        } else {
            BUS_PATIENCE
        };
        Some(patience.saturating_sub(now.saturating_duration_since(*since)))
    }

    /// What the user is to be told now: once, that there is no icon and what would help.
    pub fn news(&mut self, now: Instant) -> Option<News> {
        self.wait(now).filter(Duration::is_zero)?;
        let (absence, _) = self.absent.as_mut()?;
        if !self.on_bus {
            *absence = Absence::silent_bus();
        }
        self.told = true;
        Some(News {
            absence: absence.clone(),
            notify: self.on_bus,
        })
    }
}

#[cfg(test)]
mod tests {
    use ksni::OfflineReason;

    use super::*;

    #[test]
    fn an_icon_that_nothing_is_heard_of_is_shown() {
        let start = Instant::now();
        let mut presence = Presence::new(start);
        assert!(!presence.status().shown);
        presence.spawned();
        assert!(presence.status().shown);
        assert_eq!(presence.wait(start), None);
    }

    #[test]
    fn a_panel_may_be_late_and_is_missed_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let gone = || Absence::of(&OfflineReason::No);
        let mut presence = Presence::new(start);
        presence.left(gone(), start);
        presence.spawned();
        assert_eq!(presence.status(), gone().status());
        assert_eq!(presence.wait(at(4)), Some(Duration::from_secs(6)));
        assert_eq!(presence.news(at(9)), None);
        let news = presence.news(at(10)).unwrap();
        assert_eq!((news.absence, news.notify), (gone(), true));
        presence.came();
        assert!(presence.status().shown);
        presence.left(gone(), at(20));
        assert!(!presence.status().shown);
        assert_eq!(presence.wait(at(90)), None);
        assert_eq!(presence.news(at(90)), None);
    }

    #[test]
    fn a_panel_that_comes_in_time_is_not_missed() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::new(start);
        presence.left(Absence::of(&OfflineReason::No), start);
        presence.spawned();
        presence.came();
        assert_eq!(presence.news(at(60)), None);
        presence.left(Absence::of(&OfflineReason::No), at(60));
        assert_eq!(presence.news(at(69)), None, "the time counts anew");
        assert!(presence.news(at(70)).is_some());
    }

    #[test]
    fn a_bus_that_is_silent_is_told_of_without_it() {
        let start = Instant::now();
        let mut presence = Presence::new(start);
        assert_eq!(presence.wait(start), Some(BUS_PATIENCE));
        let news = presence.news(start + BUS_PATIENCE).unwrap();
        assert_eq!(news.absence, Absence::silent_bus());
        assert!(!news.notify);
        assert_eq!(presence.status(), Absence::silent_bus().status());
        presence.spawned();
        assert!(presence.status().shown, "it has answered after all");
    }

    #[test]
    fn an_icon_that_cannot_be_made_is_told_of_at_once() {
        let start = Instant::now();
        let mut presence = Presence::new(start);
        let why = Absence::of_error(&ksni::Error::Dbus(zbus::Error::InvalidReply));
        assert_eq!(presence.failed(why.clone(), start).absence, why);
        assert_eq!(presence.status(), why.status());
        assert_eq!(presence.news(start + 2 * PANEL_PATIENCE), None);
    }
}
