//! Which news are shown, and when. A function of the news and the time: no clock, nothing is
//! shown here.
//!
//! Each conflict is told once for each process, and again only when it changed or was gone for ten
//! minutes. What comes within a moment is gathered, and what comes without end is told every few
//! seconds, in one notification.

use std::time::{Duration, Instant};

use super::gathered::{by_port, gathered};
use super::memory::Memory;
use super::note::Note;
use super::pace::Pace;
use super::texts::{Item, Kind};
use crate::model::news::News;
use crate::model::settings::Settings;

/// How long the first news wait for others.
const GATHER: Duration = Duration::from_millis(300);
/// How much may wait. What comes then is told of as "at least".
const LIMIT: usize = 1024;
/// How many news of the registry may wait to be told alone, which says more.
const ALONE: usize = 4;

/// What the user wants to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Somebody else on a reserved port.
    pub intruder: bool,
    /// Processes that share a port number.
    pub shadowed: bool,
    /// A program that was refused a port.
    pub refused: bool,
    /// Reservations that were cleaned up.
    pub cleanup: bool,
}

impl Wanted {
    /// What the settings say.
    pub fn of(settings: &Settings) -> Wanted {
        Wanted {
            intruder: settings.is_on("notify_intruder"),
            shadowed: settings.is_on("notify_shadowed"),
            refused: settings.is_on("notify_refused"),
            cleanup: settings.is_on("notify_cleanup"),
        }
    }

    fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Intruder | Kind::NotHeld => self.intruder,
            Kind::Shadowed => self.shadowed,
            Kind::Refused => self.refused,
            Kind::Cleaned => self.cleanup,
            Kind::Registry => true,
        }
    }
}

/// What waits to be shown, and what was shown. Bounded, whatever comes in.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    waiting: Vec<Item>,
    /// When the first of them came.
    since: Option<Instant>,
    /// Whether there was more than could wait.
    more: bool,
    memory: Memory,
    pace: Pace,
}

impl Policy {
    /// Takes news in.
    pub fn take(&mut self, news: News, wanted: &Wanted, now: Instant) {
        if let News::Settled { port, protocol } = news {
            let place = (port, protocol);
            self.memory.settled(place, now);
            self.waiting
                .retain(|item| item.kind.is_moment() || item.place != Some(place));
        } else if let Some(item) = Item::of(&news)
            && wanted.has(item.kind)
        {
            self.add(item, now);
        }
        if self.waiting.is_empty() {
            (self.since, self.more) = (None, false);
        }
    }

    fn add(&mut self, item: Item, now: Instant) {
        let before = self.waiting.iter().position(|other| item.replaces(other));
        let mut known = !item.who.is_empty();
        for case in item.cases() {
            known &= self.memory.knows(&case, &item.detail, now);
        }
        if known {
            item.cases().for_each(|case| self.memory.heard(&case, now));
            // It has become what the user knows.
            if let Some(index) = before {
                self.waiting.remove(index);
            }
            return;
        }
        match before {
            Some(index) => self.waiting[index] = item,
            None if self.waiting.len() < LIMIT => self.waiting.push(item),
            None => self.more = true,
        }
        self.since.get_or_insert(now);
    }

    /// When something is to be shown; `None` while there is nothing.
    pub fn due(&self) -> Option<Instant> {
        let gathered = self.since? + GATHER;
        Some(
            self.pace
                .ready()
                .map_or(gathered, |ready| ready.max(gathered)),
        )
    }

    /// What is to be shown now: nothing before it is due.
    pub fn flush(&mut self, now: Instant) -> Vec<Note> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        let room = self.pace.room(now);
        let (mut alone, mut others): (Vec<Item>, Vec<Item>) = self
            .waiting
            .drain(..)
            .partition(|item| item.kind == Kind::Registry);
        if alone.len() > ALONE {
            others.append(&mut alone);
        }
        self.waiting = alone.split_off(alone.len().min(room));
        let mut notes: Vec<Note> = alone.iter().map(|item| item.note.clone()).collect();
        let room = room - notes.len();
        if room > 0 {
            notes.extend(notes_of(&others, room, self.more));
            alone.append(&mut others);
            self.more = false;
        }
        self.remember(alone, now);
        self.waiting.append(&mut others);
        self.since = (!self.waiting.is_empty()).then_some(now);
        self.pace.shown(notes.len(), now);
        notes
    }

    fn remember(&mut self, told: Vec<Item>, now: Instant) {
        for item in told {
            for case in item.cases() {
                self.memory.told(case, item.detail.clone(), now);
            }
        }
    }
}

/// What tells of `items` in at most `room` notifications; of more than them when `more`.
fn notes_of(items: &[Item], room: usize, more: bool) -> Vec<Note> {
    let all: Vec<&Item> = items.iter().collect();
    let (cleaned, mut few): (Vec<&Item>, Vec<&Item>) =
        all.iter().partition(|item| item.kind == Kind::Cleaned);
    few.extend(by_port(&cleaned));
    if few.len() > room {
        few = by_port(&few);
    }
    if few.len() > room || (more && !few.is_empty()) {
        return vec![gathered(&all, more)];
    }
    few.iter().map(|item| item.note.clone()).collect()
}

#[cfg(test)]
mod tests;
