//! The menu of an icon, as it comes over the wire.

use std::collections::HashMap;

use zbus::zvariant::{OwnedValue, Structure};

/// The label with which a row of a port starts.
pub fn row(port: u16) -> String {
    format!("{port}   ")
}

/// An entry as it is on the wire: id, properties, and entries below it.
pub type RawEntry = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// An entry of a menu.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What a click on it names.
    pub id: i32,
    /// What it says, without marks of shortcuts.
    pub label: String,
    /// Whether it can be clicked.
    pub enabled: bool,
    /// Whether it is shown.
    pub visible: bool,
    /// Whether it is on, when it is something that is on or off.
    pub checked: Option<bool>,
    /// The entries below it.
    pub entries: Vec<Entry>,
}

impl Entry {
    /// The entry with all below it.
    pub fn of((id, properties, below): RawEntry) -> Entry {
        let text = |name: &str| {
            let value = properties.get(name)?.downcast_ref::<String>();
            value.ok()
        };
        let is = |name: &str| {
            let value = properties
                .get(name)
                .map(|value| value.downcast_ref::<bool>());
            !matches!(value, Some(Ok(false)))
        };
        let state = properties
            .get("toggle-state")
            .and_then(|value| value.downcast_ref::<i32>().ok());
        Entry {
            id,
            label: match text("type").as_deref() {
                Some("separator") => "--".to_owned(),
                _ => without_marks(&text("label").unwrap_or_default()),
            },
            enabled: is("enabled"),
            visible: is("visible"),
            checked: text("toggle-type")
                .filter(|kind| !kind.is_empty())
                .map(|_| state == Some(1)),
            entries: below
                .into_iter()
                .map(|entry| Entry::of(Structure::try_from(entry).unwrap().try_into().unwrap()))
                .collect(),
        }
    }

    /// The first entry, on any level, whose label starts so.
    pub fn find(&self, start: &str) -> Option<&Entry> {
        self.entries.iter().find_map(|entry| {
            if entry.label.starts_with(start) {
                Some(entry)
            } else {
                entry.find(start)
            }
        })
    }

    /// The entry of a reservation.
    pub fn reservation(&self, port: u16) -> Option<&Entry> {
        self.find("Reservations ")?.find(&row(port))
    }

    /// The entry of a conflict.
    pub fn conflict(&self, port: u16) -> Option<&Entry> {
        self.find(&format!("⚠ {port} · "))
    }

    /// The labels that are shown below it.
    pub fn labels(&self) -> Vec<&str> {
        self.shown().map(|entry| entry.label.as_str()).collect()
    }

    /// The id of the entry that kills what was shown on a port.
    pub fn kill_id(&self, port: u16) -> i32 {
        self.find(&row(port)).unwrap().find("Kill ").unwrap().id
    }

    /// How many rows of ports are below it.
    pub fn count_rows(&self) -> usize {
        let folders = self
            .entries
            .iter()
            .filter(|entry| !entry.entries.is_empty() && !entry.label.starts_with("Reservations "));
        let rows = folders.map(|entry| {
            if entry.label.starts_with(|c: char| c.is_ascii_digit()) {
                1
            } else {
                entry.count_rows()
            }
        });
        rows.sum()
    }

    /// The entries that are shown below it.
    pub fn shown(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.visible)
    }

    /// The form of what is shown below it: a menu in which only labels differ has the same.
    pub fn shape(&self) -> String {
        format!("({})", self.shown().map(Entry::shape).collect::<String>())
    }
}

fn without_marks(label: &str) -> String {
    label
        .replace("__", "\0")
        .replace('_', "")
        .replace('\0', "_")
}
