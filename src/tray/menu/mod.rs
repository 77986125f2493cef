//! What the menu shows: a function of the contents and of how they are viewed. Here the whole of
//! it; what is told of a row, a conflict and a reservation is in a file of its own.

mod conflict;
mod item;
mod reservation;
mod row;
mod words;

use std::collections::HashSet;
use std::path::PathBuf;

use super::contents::{Contents, Row};
use crate::model::visibility::{Rank, Viewer, rank};
use crate::model::{Listener, ProcessKey, Timestamp};
use words::count;

pub use item::{Action, Item, Meant};
pub use words::purpose;

/// The most entries in one level of the menu: more do not fit on a screen.
const LEVEL: usize = 24;
/// The most conflicts on top of it.
const CONFLICTS: usize = 8;

/// What can be told by notifications, and the settings that say whether it is.
const NOTIFICATIONS: [(&str, &str); 4] = [
    ("Intruders", "notify_intruder"),
    ("Shared ports", "notify_shadowed"),
    ("Refused ports", "notify_refused"),
    ("Clean-ups", "notify_cleanup"),
];

/// How the contents are viewed.
#[derive(Clone, Debug)]
pub struct View {
    /// The time that ages are counted to.
    pub now: Timestamp,
    /// Who looks.
    pub viewer: Viewer,
    /// Whether hidden ports are shown.
    pub show_system: bool,
    /// Whether Freeport starts at login; `None` when that cannot be read.
    pub launch_at_login: Option<bool>,
    /// Processes that outlived a kill.
    pub stubborn: HashSet<ProcessKey>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
}

/// The entries of the menu.
///
/// In front of the first entry that has others below it, of which there is always one, are two that
/// have none: the tray on Linux counts on it.
pub fn menu(contents: Contents<'_>, view: &View) -> Vec<Item> {
    let groups = [
        vec![Item::Info(headline(contents, view))],
        conflicts(contents, view),
        rows(contents, view),
        rest(contents, view),
    ];
    let shown = groups.into_iter().filter(|group| !group.is_empty());
    shown
        .reduce(|mut above, group| {
            above.push(Item::Separator);
            above.extend(group);
            above
        })
        .unwrap_or_default()
}

/// What is not about who listens now.
fn rest(contents: Contents<'_>, view: &View) -> Vec<Item> {
    let mut items: Vec<Item> = reservations(contents, view).into_iter().collect();
    items.push(notifications(contents));
    items.push(Item::Check {
        label: "Show system ports".into(),
        on: view.show_system,
        action: Action::ShowSystem(!view.show_system),
    });
    if let Some(on) = view.launch_at_login {
        items.push(Item::Check {
            label: "Launch at login".into(),
            on,
            action: Action::LaunchAtLogin(!on),
        });
    }
    items.push(row::button("Quit Freeport", Action::Quit, true));
    items
}

/// The counts, for the top of the menu and the tooltip.
pub fn headline(contents: Contents<'_>, view: &View) -> String {
    let shown = contents.rows().filter(|row| {
        !row.gone && (view.show_system || rank_of(row.listener, view) != Rank::Hidden)
    });
    let mut parts = vec![match shown.count() {
        0 => "No port in use".to_owned(),
        n => format!("{} in use", count(n, "port", "ports")),
    }];
    let released = contents.reservations().filter(|one| one.gone).count();
    match contents.count_reserved().saturating_sub(released) {
        0 => {}
        n => parts.push(format!("{n} reserved")),
    }
    match conflicts_now(contents) {
        0 => {}
        n => parts.push(count(n, "conflict", "conflicts")),
    }
    parts.join(" · ")
}

/// How much is in conflict.
pub fn conflicts_now(contents: Contents<'_>) -> usize {
    contents.clashes().filter(|clash| !clash.gone).count()
}

/// What is in conflict.
fn conflicts(contents: Contents<'_>, view: &View) -> Vec<Item> {
    let all: Vec<_> = contents.clashes().collect();
    let shown = all.iter().take(CONFLICTS);
    shown
        .map(|clash| conflict::conflict(clash, view))
        .chain(more(all.len(), CONFLICTS, "list"))
        .collect()
}

/// Who listens.
fn rows(contents: Contents<'_>, view: &View) -> Vec<Item> {
    let (left, others): (Vec<Row<'_>>, Vec<Row<'_>>) =
        contents.rows().partition(|row| row.leftover.is_some());
    let of = |wanted: Rank| -> Vec<&Row<'_>> {
        let all = others.iter();
        all.filter(|row| rank_of(row.listener, view) == wanted)
            .collect()
    };
    let folders = [
        ("Other programs", of(Rank::Other), true),
        ("Left over", left.iter().collect(), true),
        ("System and other users", of(Rank::Hidden), view.show_system),
    ];
    let mut items = level(&of(Rank::Development), view);
    for (name, rows, wanted) in folders {
        if wanted && !rows.is_empty() {
            items.push(Item::Sub {
                label: format!("{name} ({})", rows.len()),
                items: level(&rows, view),
            });
        }
    }
    items
}

fn level(rows: &[&Row<'_>], view: &View) -> Vec<Item> {
    let shown = rows.iter().take(LEVEL);
    shown
        .map(|row| row::row(row, view))
        .chain(more(rows.len(), LEVEL, "list"))
        .collect()
}

/// What is reserved.
fn reservations(contents: Contents<'_>, view: &View) -> Option<Item> {
    let all = contents.count_reserved();
    let shown = contents.reservations().take(LEVEL);
    let items: Vec<Item> = shown
        .map(|reserved| reservation::reservation(&reserved, view))
        .chain(more(all, LEVEL, "query"))
        .collect();
    (!items.is_empty()).then(|| Item::Sub {
        label: format!("Reservations ({all})"),
        items,
    })
}

/// What is told by notifications.
fn notifications(contents: Contents<'_>) -> Item {
    let one = |(label, key): (&str, &'static str)| {
        let on = contents.settings().is_on(key);
        Item::Check {
            label: label.to_owned(),
            on,
            action: Action::Set { key, on: !on },
        }
    };
    Item::Sub {
        label: "Notifications".into(),
        items: NOTIFICATIONS.map(one).into(),
    }
}

/// Says where the rest of a long list is.
fn more(all: usize, shown: usize, command: &str) -> Option<Item> {
    let rest = all.checked_sub(shown).filter(|rest| *rest > 0)?;
    Some(Item::Info(format!("… and {rest} more: freeport {command}")))
}

fn rank_of(listener: &Listener, view: &View) -> Rank {
    rank(&listener.traits(), &view.viewer)
}

/// Whether a listener is the user's own.
fn is_own(listener: &Listener, view: &View) -> bool {
    listener.uid == view.viewer.uid
}

#[cfg(test)]
mod tests;
