//! The rows of the menu, kept in place while it is open.
//!
//! A menu that is rebuilt under the pointer makes the user kill the wrong process. So while it may
//! be open, rows neither move nor vanish nor appear: what has closed is marked as gone. And
//! whenever the rows are other ones than before, the epoch changes, by which clicks that were
//! aimed at the old ones are told apart.

use crate::model::visibility::Traits;
use crate::model::{Listener, ProcessKey};

/// A listener in the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it shows.
    pub listener: Listener,
    /// Whether it is shadowed by another listener.
    pub shadowed: bool,
    /// Whether it has closed since the menu was opened.
    pub gone: bool,
}

/// What makes a row the row that it is, and decides where it stands.
type Identity = (Traits, Option<ProcessKey>);

impl Row {
    fn identity(&self) -> Identity {
        identity(&self.listener)
    }
}

fn identity(listener: &Listener) -> Identity {
    (listener.traits(), listener.owner_key())
}

/// The rows in the order shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    rows: Vec<Row>,
    epoch: u64,
}

impl Rows {
    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// How often the rows have become other ones.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Shows exactly these listeners.
    pub fn replace(&mut self, listeners: &[Listener], shadowed: &[bool]) {
        let rows = listeners
            .iter()
            .zip(shadowed)
            .map(|(listener, &shadowed)| Row {
                listener: listener.clone(),
                shadowed,
                gone: false,
            });
        let rows: Vec<Row> = rows.collect();
        if !rows
            .iter()
            .map(Row::identity)
            .eq(self.rows.iter().map(Row::identity))
        {
            self.epoch += 1;
        }
        self.rows = rows;
    }

    /// Updates the rows that are there, and marks those that are not any more. New listeners have
    /// to wait.
    pub fn update_in_place(&mut self, listeners: &[Listener], shadowed: &[bool]) {
        for row in &mut self.rows {
            match listeners
                .iter()
                .zip(shadowed)
                .find(|(listener, _)| identity(listener) == row.identity())
            {
                Some((listener, &shadowed)) => {
                    *row = Row {
                        listener: listener.clone(),
                        shadowed,
                        gone: false,
                    }
                }
                None => row.gone = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attribute::tests::{process, socket};

    fn listeners(ports: &[(u16, u32)]) -> Vec<Listener> {
        ports
            .iter()
            .map(|&(port, pid)| {
                let holder = [process(pid, "node", &[1])];
                crate::model::attribute::listeners(
                    &[socket(port, u64::from(port))],
                    |_| &holder,
                    |_| None,
                )
                .remove(0)
            })
            .collect()
    }

    fn shown(rows: &Rows) -> Vec<(u16, bool)> {
        rows.iter()
            .map(|row| (row.listener.port.get(), row.gone))
            .collect()
    }

    #[test]
    fn open_menus_keep_their_rows() {
        let mut rows = Rows::default();
        rows.replace(&listeners(&[(3000, 5), (3001, 6)]), &[false; 2]);
        let epoch = rows.epoch();
        rows.update_in_place(&listeners(&[(2999, 9), (3001, 6)]), &[false; 2]);
        assert_eq!(shown(&rows), [(3000, true), (3001, false)]);
        assert_eq!(rows.epoch(), epoch);
        rows.replace(&listeners(&[(2999, 9), (3001, 6)]), &[false; 2]);
        assert_eq!(shown(&rows), [(2999, false), (3001, false)]);
        assert_ne!(rows.epoch(), epoch);
    }

    #[test]
    fn another_process_on_the_same_port_is_another_row() {
        let mut rows = Rows::default();
        rows.replace(&listeners(&[(3000, 5)]), &[false]);
        let epoch = rows.epoch();
        rows.replace(&listeners(&[(3000, 5)]), &[true]);
        assert_eq!(rows.epoch(), epoch, "the same rows, told differently");
        rows.replace(&listeners(&[(3000, 6)]), &[false]);
        assert_ne!(rows.epoch(), epoch);
    }
}
