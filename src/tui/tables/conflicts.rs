//! What is in conflict: whoever listens where somebody else should, or where somebody else does too.

use super::ports::{id, intrudes, spot};
use super::{Row, Table, cell, columns, nothing_matches};
use crate::ipc::view::{ListenerView, words};
use crate::model::text::escape;
use crate::model::time::short_age;
use crate::model::{Conflict, Timestamp};
use crate::tui::state::{State, Tone};

/// The rows.
pub fn table(state: &State) -> Table {
    let all = state.listeners();
    let rows: Vec<Row> = all
        .iter()
        .filter(|listener| listener.conflict.is_some() && state.filter.matches(listener))
        .map(|listener| row(listener, all, state.now))
        .collect();
    let titles = ["PORT", "ADDRESS", "SERVICE", "PROJECT", "PID", "AGE", "WHY"];
    let empty = match &state.looked {
        None => vec![(Tone::Dim, "looking …".to_owned())],
        Some(_) if !state.filter.is_empty() => nothing_matches(state),
        Some(_) => vec![
            (Tone::Good, "no conflicts".to_owned()),
            (
                Tone::Dim,
                "nobody is on a port that is reserved for somebody else, and no two share one"
                    .to_owned(),
            ),
        ],
    };
    Table {
        columns: columns(&titles, &[4, 5]),
        cuttable: 1,
        summary: format!("{} in conflict", words::count(rows.len(), "listener")),
        rows,
        empty,
    }
}

/// How many ports are in conflict.
pub fn count(state: &State) -> usize {
    let mut ports: Vec<_> = state
        .listeners()
        .iter()
        .filter(|listener| listener.conflict.is_some())
        .map(|listener| (listener.port, listener.protocol))
        .collect();
    ports.dedup();
    ports.len()
}

fn row(listener: &ListenerView, all: &[ListenerView], now: Timestamp) -> Row {
    let (service, pid, age) = match &listener.owner {
        Some(owner) => (
            cell(escape(&owner.service)).tone(Tone::Strong),
            owner.pid.to_string(),
            short_age(owner.started_at.age(now)),
        ),
        None => {
            let unknown = format!("unknown, of {}", escape(&listener.user_name()));
            let unknown = cell(unknown).tone(Tone::Dim);
            (unknown, String::new(), String::new())
        }
    };
    let why = match listener.conflict {
        Some(Conflict::Intruder) => intrudes(listener),
        _ => shares(listener, all),
    };
    Row {
        id: Some(id(listener)),
        cells: vec![
            spot(listener),
            cell(listener.addresses.join(" ")),
            service,
            cell(words::project(listener)),
            cell(pid),
            cell(age),
            cell(why).tone(Tone::Warn),
        ],
    }
}

/// With whom somebody shares a port.
fn shares(listener: &ListenerView, all: &[ListenerView]) -> String {
    let other = |l: &&ListenerView| {
        (l.port, l.protocol) == (listener.port, listener.protocol)
            && !std::ptr::eq(*l, listener)
            && l.conflict.is_some()
    };
    let others = all.iter().filter(other).map(|l| match &l.owner {
        Some(owner) => format!("{} (pid {})", escape(&owner.service), owner.pid),
        None => format!("a process of {}", escape(&l.user_name())),
    });
    let others: Vec<String> = others.collect();
    let with = match others.as_slice() {
        [] => "another process".to_owned(),
        others => others.join(", "),
    };
    format!("shadowed: shares the port with {with}")
}
