//! What the tray shows now, and how it changes: the contents, the view, and whether the menu is
//! open.

use std::time::{Duration, Instant};

use super::contents::{Contents, nothing};
use super::menu::{self, Action, Item, View};
use super::shape;
use crate::engine::State;
use crate::model::kill::{KillResult, Outcome};
use crate::model::{ProcessKey, Timestamp};

/// How long the menu is taken to be open after it was about to be shown: panels do not say when it
/// closes. Longer than anybody thinks before a click, as rows move under the pointer after it.
pub const FREEZE: Duration = Duration::from_secs(60);

/// The model of the tray.
pub struct Board {
    view: View,
    newest: State,
    /// What was so when the menu was opened, and when that was.
    opened: Option<(State, Instant)>,
    items: Vec<Item>,
    headline: String,
    epoch: u64,
}

impl Board {
    /// A board without contents.
    pub fn new(view: View) -> Board {
        let mut board = Board {
            view,
            newest: nothing(),
            opened: None,
            items: Vec::new(),
            headline: String::new(),
            epoch: 0,
        };
        board.draw();
        board
    }

    /// The entries of the menu.
    pub fn menu(&self) -> &[Item] {
        &self.items
    }

    /// Changes whenever an entry of the menu does something else than the one that was in its place
    /// before: clicks on what was shown before must not count any more then.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The counts as they are, whatever the menu may be kept at.
    pub fn headline(&self) -> &str {
        &self.headline
    }

    /// Whether anything is in conflict.
    pub fn has_conflict(&self) -> bool {
        !self.newest.conflicts.is_empty()
    }

    /// The menu is about to be shown: it catches up once more, as it was closed until now, and then
    /// its entries stay where they are for a while.
    pub fn opened(&mut self, at: Instant) {
        self.opened = Some((self.newest.clone(), at));
        self.draw();
    }

    /// The menu has closed, because something in it was clicked.
    pub fn closed(&mut self) {
        self.opened = None;
        self.draw();
    }

    /// Takes in a new state.
    pub fn set_state(&mut self, state: State, at: Instant, now: Timestamp) {
        let alive = |key: &ProcessKey| {
            let mut listeners = state.snapshot.listeners.iter();
            listeners.any(|listener| listener.owner_key() == Some(*key))
        };
        self.view.stubborn.retain(alive);
        self.newest = state;
        self.pass(at, now);
    }

    /// Lets time pass: ages grow, and a menu that was open long ago is taken to be closed.
    pub fn pass(&mut self, at: Instant, now: Timestamp) {
        self.view.now = now;
        let long_ago = |opened| at.saturating_duration_since(opened) >= FREEZE;
        if self.opened.as_ref().is_some_and(|(_, at)| long_ago(*at)) {
            self.opened = None;
        }
        self.draw();
    }

    /// Notes what came of a kill, so that force can be offered.
    pub fn killed(&mut self, outcome: &Outcome) {
        if let (KillResult::StillHeld, Some(owner)) = (outcome.result, &outcome.owner) {
            self.view.stubborn.insert(owner.key);
            self.draw();
        }
    }

    /// Notes whether Freeport starts at login.
    pub fn set_launch_at_login(&mut self, on: Option<bool>) {
        self.view.launch_at_login = on;
        self.draw();
    }

    /// Notes what a setting is by now.
    pub fn set(&mut self, key: &str, value: &str) {
        if let Err(error) = self.newest.settings.set(key, value) {
            log::debug!("a setting that is none: {error}");
        }
        self.draw();
    }

    /// Does what concerns only the view; true when `action` did.
    pub fn take(&mut self, action: &Action) -> bool {
        if let Action::ShowSystem(on) = action {
            self.view.show_system = *on;
            self.draw();
            return true;
        }
        false
    }

    fn draw(&mut self) {
        let shown = self.opened.as_ref().map(|(state, _)| state);
        let contents = Contents::new(shown.unwrap_or(&self.newest), &self.newest);
        let items = menu::menu(contents, &self.view);
        if !shape::is_same(&self.items, &items) {
            self.epoch += 1;
        }
        self.items = items;
        self.headline = menu::headline(Contents::of(&self.newest), &self.view);
    }
}

#[cfg(test)]
mod tests;
