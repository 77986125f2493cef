//! Where a list stands: which row is selected, and which is the first one that is shown.

use crate::tui::tables::{RowId, Table};

/// Where a list stands. What is selected is a thing, not a place: it stays selected where it moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// What is selected.
    pub selected: Option<RowId>,
    /// Where that is.
    pub index: usize,
    /// The first row that is shown.
    pub offset: usize,
}

impl List {
    /// Finds what is selected among the rows, of which so many are shown. Where it is gone, what is
    /// in its place is selected.
    pub fn settle(&mut self, table: &Table, height: usize) {
        let found = table
            .rows
            .iter()
            .position(|row| row.id.is_some() && row.id == self.selected);
        let index = found.unwrap_or(self.index);
        self.select(table, index, true);
        self.show(table, height);
    }

    /// Goes so many rows on.
    pub fn go(&mut self, table: &Table, by: isize, height: usize) {
        let last = table.rows.len().saturating_sub(1);
        let index = self.index.saturating_add_signed(by).min(last);
        self.select(table, index, by > 0);
        self.show(table, height);
    }

    /// Selects a row, or the nearest one that can be: first the one way, then the other.
    pub fn select(&mut self, table: &Table, index: usize, down: bool) {
        let index = index.min(table.rows.len().saturating_sub(1));
        let can = |index: &usize| table.rows.get(*index).is_some_and(|row| row.id.is_some());
        let below = (index..table.rows.len()).find(can);
        let above = (0..=index).rev().find(can);
        let index = if down {
            below.or(above)
        } else {
            above.or(below)
        };
        self.index = index.unwrap_or(0);
        self.selected = index
            .and_then(|index| table.rows.get(index))
            .and_then(|row| row.id.clone());
    }

    /// Moves what is shown, so that what is selected is.
    fn show(&mut self, table: &Table, height: usize) {
        let height = height.max(1);
        let most = table.rows.len().saturating_sub(height);
        // A heading above the first row is shown with it.
        let first = match self.index.checked_sub(1) {
            Some(above) if table.rows.get(above).is_some_and(|row| row.id.is_none()) => above,
            _ => self.index,
        };
        self.offset = self
            .offset
            .min(first)
            .max((self.index + 1).saturating_sub(height))
            .min(most);
    }

    /// Moves what is shown by so many rows, and what is selected only as far as it must.
    pub fn scroll(&mut self, table: &Table, by: isize, height: usize) {
        let most = table.rows.len().saturating_sub(height.max(1));
        self.offset = self.offset.saturating_add_signed(by).min(most);
        let last = self.offset + height.saturating_sub(1);
        let index = self.index.clamp(self.offset, last.max(self.offset));
        if index != self.index {
            self.select(table, index, by > 0);
        }
    }
}
