//! What the tray shows now, and how it changes: the rows, the view, and whether the menu is open.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::menu::{self, Action, Item, View};
use super::rows::Rows;
use crate::engine::State;
use crate::model::kill::{KillResult, Outcome};
use crate::model::{ProcessKey, Timestamp};

/// How long the menu is taken to be open after it was about to be shown: panels do not say when it
/// closes. Longer than anybody thinks before a click, as rows move under the pointer after it.
pub const FREEZE: Duration = Duration::from_secs(60);

/// The model of the tray.
pub struct Board {
    rows: Rows,
    view: View,
    latest: Option<State>,
    opened: Option<Instant>,
}

impl Board {
    /// A board without rows.
    pub fn new(view: View) -> Board {
        Board {
            rows: Rows::default(),
            view,
            latest: None,
            opened: None,
        }
    }

    /// The entries of the menu.
    pub fn menu(&self) -> Vec<Item> {
        menu::menu(&self.rows, &self.view)
    }

    /// Changes whenever clicks on what was shown before must not count any more.
    pub fn epoch(&self) -> u64 {
        self.rows.epoch()
    }

    /// The counts as they are, wherever the rows of the menu may be kept.
    pub fn headline(&self) -> String {
        menu::headline(&self.newest(), &self.view)
    }

    /// Whether anything is in conflict.
    pub fn has_conflict(&self) -> bool {
        menu::conflicts(&self.newest(), &self.view) > 0
    }

    /// The menu is about to be shown: it catches up once more, as it was closed until now, and then
    /// its rows stay where they are for a while.
    pub fn opened(&mut self, at: Instant) {
        self.apply_latest();
        self.opened = Some(at);
    }

    /// The menu has closed, because something in it was clicked.
    pub fn closed(&mut self) {
        self.opened = None;
        self.apply_latest();
    }

    /// Takes in a new state.
    pub fn set_state(&mut self, state: State, at: Instant, now: Timestamp) {
        self.view.now = now;
        let alive = |key: &ProcessKey| {
            state
                .snapshot
                .listeners
                .iter()
                .any(|l| l.owner_key() == Some(*key))
        };
        self.view.stubborn.retain(alive);
        if self.is_frozen(at) {
            self.rows
                .update_in_place(&state.snapshot.listeners, &state.shadowed);
            self.latest = Some(state);
        } else {
            self.opened = None;
            self.latest = None;
            self.rows
                .replace(&state.snapshot.listeners, &state.shadowed);
        }
    }

    /// Lets time pass: ages grow, and a menu that was open long ago is taken to be closed.
    pub fn pass(&mut self, at: Instant, now: Timestamp) {
        self.view.now = now;
        if !self.is_frozen(at) {
            self.opened = None;
            self.apply_latest();
        }
    }

    /// Notes what came of a kill, so that force can be offered.
    pub fn killed(&mut self, outcome: &Outcome) {
        if let (KillResult::StillHeld, Some(owner)) = (outcome.result, &outcome.owner) {
            self.view.stubborn.insert(owner.key);
        }
    }

    /// Notes whether Freeport starts at login.
    pub fn set_launch_at_login(&mut self, on: Option<bool>) {
        self.view.launch_at_login = on;
    }

    /// Does what concerns only the view; true when `action` did.
    pub fn take(&mut self, action: &Action) -> bool {
        if let Action::ShowSystem(on) = action {
            self.view.show_system = *on;
            return true;
        }
        false
    }

    fn is_frozen(&self, at: Instant) -> bool {
        self.opened
            .is_some_and(|opened| at.saturating_duration_since(opened) < FREEZE)
    }

    /// The rows that the menu would have if it were closed.
    fn newest(&self) -> Cow<'_, Rows> {
        let Some(state) = &self.latest else {
            return Cow::Borrowed(&self.rows);
        };
        let mut rows = Rows::default();
        rows.replace(&state.snapshot.listeners, &state.shadowed);
        Cow::Owned(rows)
    }

    fn apply_latest(&mut self) {
        if let Some(state) = self.latest.take() {
            self.rows
                .replace(&state.snapshot.listeners, &state.shadowed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::model::attribute::tests::{process, socket};
    use crate::model::visibility::Viewer;
    use crate::model::{Port, Snapshot, attribute};

    fn state(ports: &[u16]) -> State {
        let listeners: Vec<_> = ports
            .iter()
            .map(|&port| {
                let holder = [process(u32::from(port), "node", &[1])];
                attribute::listeners(&[socket(port, u64::from(port))], |_| &holder, |_| None)
                    .remove(0)
            })
            .collect();
        let shadowed = vec![false; listeners.len()];
        State {
            snapshot: Arc::new(Snapshot {
                scanned_at: Timestamp(SystemTime::UNIX_EPOCH),
                gaps: vec![],
                listeners,
            }),
            shadowed,
        }
    }

    fn ports(board: &Board) -> Vec<(u16, bool)> {
        board
            .rows
            .iter()
            .map(|row| (row.listener.port.get(), row.gone))
            .collect()
    }

    #[test]
    fn rows_are_frozen_while_the_menu_is_open_and_catch_up_after() {
        let now = Timestamp(SystemTime::UNIX_EPOCH);
        let start = Instant::now();
        let view = View {
            now,
            viewer: Viewer {
                uid: 1000,
                ephemeral: (Port::new(32768).unwrap(), Port::new(60999).unwrap()),
            },
            show_system: false,
            launch_at_login: None,
            stubborn: HashSet::new(),
            home: None,
        };
        let mut board = Board::new(view);
        board.set_state(state(&[3000, 3001]), start, now);
        board.opened(start);
        board.set_state(state(&[2999, 3001]), start + Duration::from_secs(1), now);
        assert_eq!(ports(&board), [(3000, true), (3001, false)]);
        assert_eq!(board.newest().iter().count(), 2, "but the icon tells all");
        board.pass(start + Duration::from_secs(2), now);
        assert_eq!(ports(&board), [(3000, true), (3001, false)]);
        let before = board.epoch();
        board.pass(start + FREEZE, now);
        assert_eq!(ports(&board), [(2999, false), (3001, false)]);
        assert_ne!(board.epoch(), before);
        board.opened(start + FREEZE);
        board.set_state(state(&[3000]), start + FREEZE, now);
        assert_eq!(ports(&board), [(2999, true), (3001, true)]);
        board.opened(start + FREEZE);
        assert_eq!(ports(&board), [(3000, false)], "opened again");
        board.set_state(state(&[]), start + FREEZE, now);
        board.closed();
        assert_eq!(ports(&board), []);
    }
}
