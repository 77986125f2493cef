//! Presses of the mouse, and its wheel: they do what a key does at the place that they hit.

use ratatui::crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::dialog::{Answer, Dialog};
use super::{Effect, HELP, Sort, State, Tab};
use crate::tui::view;

/// How many rows the wheel moves.
const WHEEL: isize = 3;

impl State {
    /// What follows from the mouse.
    pub(super) fn pressed(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        let at = Position::new(mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::ScrollDown => self.wheel(at, WHEEL),
            MouseEventKind::ScrollUp => self.wheel(at, -WHEEL),
            MouseEventKind::Down(MouseButton::Left) if self.dialog.is_some() => {
                return self.press_in_dialog(at).into_iter().collect();
            }
            MouseEventKind::Down(MouseButton::Left) => return self.press(at),
            _ => {}
        }
        Vec::new()
    }

    fn wheel(&mut self, at: Position, by: isize) {
        self.changed = true;
        match &mut self.dialog {
            Some(Dialog::Help(scroll)) => {
                *scroll = scroll.saturating_add_signed(by).min(HELP.len());
                return;
            }
            Some(Dialog::Confirm(confirm)) => {
                confirm.scrolled(by);
                return;
            }
            Some(Dialog::Form(_)) => return,
            None => {}
        }
        let details = view::areas(self).details;
        if details.is_some_and(|area| area.contains(at)) {
            self.scroll_details(by);
        } else {
            self.move_list(|list, table, height| list.scroll(table, by, height));
        }
    }

    fn press_in_dialog(&mut self, at: Position) -> Option<Effect> {
        let hit = view::buttons(self).and_then(|[yes, no]| {
            [(yes, true), (no, false)]
                .into_iter()
                .find_map(|(area, is_yes)| area.contains(at).then_some(is_yes))
        })?;
        self.changed = true;
        let answer = match self.dialog.as_mut()? {
            Dialog::Confirm(confirm) if hit => confirm.agree(),
            Dialog::Form(form) if hit => form.key(KeyCode::Enter.into()),
            _ => Answer::Close,
        };
        self.answered(answer)
    }

    fn press(&mut self, at: Position) -> Vec<Effect> {
        let areas = view::areas(self);
        if areas.tabs.contains(at) {
            let hit = view::tabs(self)
                .into_iter()
                .find(|(_, area)| area.contains(at));
            return match hit {
                Some((tab, _)) => self.open(tab).into_iter().collect(),
                None => Vec::new(),
            };
        }
        if areas.keys.contains(at) {
            let hit = view::keys(self)
                .into_iter()
                .find(|(_, area)| area.contains(at));
            return match hit {
                Some((hint, _)) => self.key(KeyEvent::from(hint.code)),
                None => Vec::new(),
            };
        }
        if areas.header.contains(at) && self.tab == Tab::Ports {
            let column = view::column_at(self, at.x);
            if let Some(sort) = column.and_then(sort_of) {
                self.sort_by(sort);
            }
        }
        if areas.body.contains(at) {
            let index = self.list().offset + usize::from(at.y - areas.body.y);
            let row = self.table.rows.get(index);
            let Some(id) = row.and_then(|row| row.id.clone()) else {
                return Vec::new();
            };
            // A second press on the same row opens it.
            if self.list().selected.as_ref() == Some(&id) {
                self.toggle_details();
            } else {
                self.move_list(|list, table, height| {
                    list.select(table, index, true);
                    list.go(table, 0, height);
                });
            }
        }
        Vec::new()
    }
}

/// What a press on a column of the ports sorts by.
fn sort_of(column: usize) -> Option<Sort> {
    match column {
        0 => Some(Sort::Port),
        2 => Some(Sort::Service),
        3 => Some(Sort::Project),
        4 => Some(Sort::Pid),
        5 => Some(Sort::Age),
        _ => None,
    }
}
