//! Who listens: the rows of `freeport list`, sorted and grouped as one likes.

use std::cmp::Reverse;
use std::path::Path;

use super::{Cell, Row, RowId, Table, cell, columns, nothing_matches, optional};
use crate::ipc::view::{ListenerView, ReservationView, words};
use crate::model::text::{escape, tilde};
use crate::model::time::short_age;
use crate::model::visibility::{Rank, rank};
use crate::model::{Conflict, Port, Timestamp};
use crate::tui::state::{Sort, State, Tone};

/// A row before it is told.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Listener(&'a ListenerView),
    Held(&'a ReservationView),
}

/// The rows.
pub fn table(state: &State) -> Table {
    let Some(looked) = &state.looked else {
        return Table {
            columns: headers(state),
            empty: vec![(Tone::Dim, "looking …".to_owned())],
            ..Table::default()
        };
    };
    let (shown, hidden) = choose(state);
    let found = shown.len();
    let unseen = shown.iter().any(
        |row| matches!(row, Shown::Listener(l) if l.owner.is_none() && l.published().is_none()),
    );
    let gap = looked
        .gaps
        .iter()
        .find(|gap| unseen || !gap.kind.is_about_owners());
    let hides = match hidden {
        0 => String::new(),
        n => format!(", {n} hidden (a shows them)"),
    };
    let gap = gap.map(|gap| format!("; {}", escape(&gap.detail)));
    Table {
        columns: headers(state),
        cuttable: 1,
        rows: rows(state, shown),
        empty: empty(state, hidden),
        summary: format!(
            "{}{hides}{}",
            words::count(found, "port"),
            gap.unwrap_or_default()
        ),
    }
}

/// How many are shown without a filter.
pub fn count(state: &State) -> usize {
    let visible = |listener: &&ListenerView| !is_hidden(state, listener);
    let held = state.looked.as_ref().map_or(0, |looked| looked.held.len());
    state.listeners().iter().filter(visible).count() + held
}

fn headers(state: &State) -> Vec<super::Column> {
    let titles = [
        "PORT", "ADDRESS", "SERVICE", "PROJECT", "PID", "AGE", "COMMAND",
    ];
    let mut columns = columns(&titles, &[4, 5]);
    let (sort, reversed) = state.sort;
    let at = match sort {
        Sort::Port => 0,
        Sort::Service => 2,
        Sort::Project => 3,
        Sort::Pid => 4,
        Sort::Age => 5,
    };
    if let Some(column) = columns.get_mut(at) {
        let mark = if reversed { '▼' } else { '▲' };
        column.title = format!("{}{mark}", column.title).into();
    }
    columns
}

fn is_hidden(state: &State, listener: &ListenerView) -> bool {
    !state.all && rank(&listener.traits(), &state.viewer) == Rank::Hidden
}

/// What is asked for, and how many of it are hidden.
fn choose(state: &State) -> (Vec<Shown<'_>>, usize) {
    let mut hidden = 0;
    let mut shown = Vec::new();
    for listener in state.listeners().iter().filter(|l| state.filter.matches(l)) {
        if is_hidden(state, listener) && !state.filter.names(listener.port) {
            hidden += 1;
        } else {
            shown.push(Shown::Listener(listener));
        }
    }
    let held = state.looked.iter().flat_map(|looked| &looked.held);
    let held = held.filter(|view| state.filter.matches_reserved(view));
    shown.extend(held.map(Shown::Held));
    (shown, hidden)
}

fn empty(state: &State, hidden: usize) -> Vec<(Tone, String)> {
    let mut lines = match (state.filter.is_empty(), hidden) {
        (false, _) => nothing_matches(state),
        (true, 0) => vec![(Tone::Plain, "nothing listens here".to_owned())],
        (true, _) => vec![(Tone::Plain, "nothing of yours listens here".to_owned())],
    };
    if hidden > 0 {
        lines.push((
            Tone::Dim,
            format!("{hidden} hidden (system, other users, UDP clients): a shows them"),
        ));
    }
    lines
}

fn rows(state: &State, mut shown: Vec<Shown<'_>>) -> Vec<Row> {
    let (by, reversed) = state.sort;
    sort(&mut shown, by, state.now);
    if reversed {
        shown.reverse();
    }
    if !state.grouped {
        return shown.iter().map(|row| row.row(state.now)).collect();
    }
    // Those without a project come last.
    shown.sort_by_key(|row| {
        let project = row.project();
        (project.is_none(), project.map(str::to_lowercase), project)
    });
    let mut rows = Vec::new();
    for group in shown.chunk_by(|a, b| a.project() == b.project()) {
        rows.push(heading(group, state.home.as_deref()));
        rows.extend(group.iter().map(|row| row.row(state.now)));
    }
    rows
}

fn sort(shown: &mut [Shown<'_>], by: Sort, now: Timestamp) {
    shown.sort_by_key(|row| row.spot());
    // What is alike stays sorted by port.
    match by {
        Sort::Port => {}
        Sort::Service => shown.sort_by_cached_key(|row| {
            let service = row.service().map(str::to_lowercase);
            (service.is_none(), service)
        }),
        Sort::Project => shown.sort_by_cached_key(|row| {
            let project = row.project().map(str::to_lowercase);
            (project.is_none(), project)
        }),
        Sort::Pid => shown.sort_by_key(|row| row.pid().map_or((true, 0), |pid| (false, pid))),
        Sort::Age => {
            shown.sort_by_key(|row| Reverse(row.since().map(|since| Reverse(since.age(now)))))
        }
    }
}

fn heading(group: &[Shown<'_>], home: Option<&Path>) -> Row {
    let name = group.first().and_then(Shown::project);
    let root = group.iter().find_map(|row| match row {
        Shown::Listener(listener) => listener.owner.as_ref()?.project_root.as_deref(),
        Shown::Held(_) => None,
    });
    let root = root.map(|root| format!("  {}", tilde(Path::new(root), home)));
    let text = match name {
        Some(name) => format!("{}{}", escape(name), root.unwrap_or_default()),
        None => "no project".to_owned(),
    };
    let count = words::count(group.len(), "port");
    Row {
        id: None,
        cells: vec![cell(format!("{text}  {count}")).tone(Tone::Dim)],
    }
}

impl<'a> Shown<'a> {
    fn spot(&self) -> (Port, crate::model::Protocol) {
        match self {
            Shown::Listener(listener) => (listener.port, listener.protocol),
            Shown::Held(view) => (view.port, view.protocol),
        }
    }

    fn service(&self) -> Option<&'a str> {
        match self {
            Shown::Listener(listener) => match listener.published() {
                Some(container) => Some(container.title()),
                None => Some(&listener.owner.as_ref()?.service),
            },
            Shown::Held(view) => view.service.as_deref(),
        }
    }

    fn project(&self) -> Option<&'a str> {
        match self {
            Shown::Listener(listener) => {
                let own = listener.owner.as_ref().and_then(|o| o.project.as_deref());
                let compose = || listener.container.as_ref()?.project.as_deref();
                let meant = || listener.reservation.as_ref()?.project.as_deref();
                own.or_else(compose).or_else(meant)
            }
            Shown::Held(view) => view.project.as_deref(),
        }
    }

    fn pid(&self) -> Option<u32> {
        match self {
            Shown::Listener(listener) => Some(listener.owner.as_ref()?.pid),
            Shown::Held(view) => view.pid,
        }
    }

    fn since(&self) -> Option<Timestamp> {
        match self {
            Shown::Listener(listener) => Some(listener.owner.as_ref()?.started_at),
            Shown::Held(view) => Some(view.held_since.unwrap_or(view.created_at)),
        }
    }

    fn row(&self, now: Timestamp) -> Row {
        match self {
            Shown::Listener(view) => listener(view, now),
            Shown::Held(view) => held(view, now),
        }
    }
}

/// The identity of a listener's row.
pub fn id(listener: &ListenerView) -> RowId {
    RowId::Listener {
        port: listener.port,
        protocol: listener.protocol,
        key: listener.owner.as_ref().map(|owner| owner.key),
        uid: listener.uid,
    }
}

/// The port of a listener; marked where it is in conflict.
pub fn spot(listener: &ListenerView) -> Cell {
    let spot = words::spot(listener.port, listener.protocol);
    match listener.conflict {
        Some(_) => cell(format!("{spot} !")).tone(Tone::Warn),
        None => cell(spot).tone(Tone::Spot),
    }
}

fn listener(listener: &ListenerView, now: Timestamp) -> Row {
    let project = cell(words::project(listener));
    let addresses = cell(listener.addresses.join(" "));
    let owner = listener.owner.as_ref();
    let cells = match (listener.published(), owner) {
        (Some(container), _) => vec![
            spot(listener),
            addresses,
            cell(escape(container.title())).tone(Tone::Strong),
            project,
            cell(owner.map_or(String::new(), |owner| owner.pid.to_string())),
            cell(owner.map_or(String::new(), |owner| short_age(owner.started_at.age(now)))),
            cell(format!(
                "{}: {}",
                container.engine.command(),
                container.origin()
            ))
            .tone(Tone::Dim),
        ],
        (None, None) => {
            let unknown = format!("unknown, of {}", escape(&listener.user_name()));
            let unknown = cell(unknown).tone(Tone::Dim);
            vec![spot(listener), addresses, unknown, project]
        }
        (None, Some(owner)) => vec![
            spot(listener),
            addresses,
            cell(escape(&owner.service)).tone(Tone::Strong),
            project,
            cell(owner.pid.to_string()),
            cell(short_age(owner.started_at.age(now))),
            match (listener.conflict, listener.leftover) {
                (Some(Conflict::Intruder), _) => cell(intrudes(listener)).tone(Tone::Warn),
                (_, Some(why)) => cell(format!("left over: {}", why.reason())).tone(Tone::Warn),
                _ => cell(escape(&owner.command)).tone(Tone::Dim),
            },
        ],
    };
    Row {
        id: Some(id(listener)),
        cells,
    }
}

/// Why somebody is an intruder.
pub fn intrudes(listener: &ListenerView) -> String {
    let standing = listener.reservation.as_ref().map(words::standing);
    format!(
        "intruder: the port is {}",
        standing.unwrap_or_else(|| "reserved".to_owned())
    )
}

/// A port that is held, and on which nobody listens.
fn held(view: &ReservationView, now: Timestamp) -> Row {
    let (state, told) = match &view.not_held {
        Some(why) => (
            cell("not held").tone(Tone::Warn),
            cell(escape(why)).tone(Tone::Warn),
        ),
        None => {
            let purpose = words::purpose(view.project.as_deref(), view.service.as_deref());
            let purpose = purpose.map(|purpose| format!("for {purpose}"));
            let by = words::holder(view).map(|holder| format!("held by {holder}"));
            let told: Vec<String> = [purpose, by].into_iter().flatten().collect();
            (
                cell("held").tone(Tone::Good),
                cell(told.join(", ")).tone(Tone::Dim),
            )
        }
    };
    let since = view.held_since.unwrap_or(view.created_at);
    Row {
        id: Some(RowId::Reserved(view.port, view.protocol)),
        cells: vec![
            cell(words::spot(view.port, view.protocol)).tone(Tone::Spot),
            state,
            optional(view.service.as_deref()).tone(Tone::Strong),
            optional(view.project.as_deref()),
            cell(view.pid.map(|pid| pid.to_string()).unwrap_or_default()),
            cell(short_age(since.age(now))),
            told,
        ],
    }
}
