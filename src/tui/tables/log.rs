//! What happened: the rows of `freeport log`, newest first.

use super::{Row, RowId, Table, cell, columns, instead_of_rows};
use crate::ipc::view::words;
use crate::model::Protocol;
use crate::model::log::{Entry, Happened};
use crate::model::text::escape;
use crate::tui::state::{State, Tone};

/// The rows.
pub fn table(state: &State) -> Table {
    let entries = state.log.get().map_or(&[][..], Vec::as_slice);
    let mut rows: Vec<Row> = Vec::with_capacity(entries.len());
    let mut nth = 0;
    let mut before = None;
    // Numbered from the oldest one, so that what is new changes no number.
    for entry in entries {
        nth = if before == Some(entry.at) { nth + 1 } else { 0 };
        before = Some(entry.at);
        if state.filter.matches_entry(entry) {
            rows.push(row(entry, nth));
        }
    }
    rows.reverse();
    let none = vec![(Tone::Plain, "nothing has happened yet".to_owned())];
    let empty = instead_of_rows(state, &state.log, none);
    let titles = ["TIME (UTC)", "EVENT", "PORT", "WHO", "FOR", "DETAIL"];
    let mut columns = columns(&titles, &[]);
    if let Some(detail) = columns.last_mut() {
        detail.least = 20;
    }
    Table {
        columns,
        cuttable: 3,
        summary: format!("{}, newest first", words::count(rows.len(), "entry")),
        rows,
        empty,
    }
}

fn row(entry: &Entry, nth: usize) -> Row {
    let warns = matches!(
        entry.event,
        Happened::Conflict | Happened::Kill | Happened::HeartbeatLost
    );
    let spot = entry
        .port
        .map(|port| words::spot(port, entry.protocol.unwrap_or(Protocol::Tcp)));
    let purpose = words::purpose(entry.project.as_deref(), entry.service.as_deref());
    let time = words::time(entry.at);
    // Without the year, which is this one or was a month ago.
    let time = time.get(5..19).map(|time| time.replace('T', " "));
    let who = match (&entry.name, entry.pid) {
        (Some(name), Some(pid)) => format!("{} (pid {pid})", escape(name)),
        (None, Some(pid)) => format!("pid {pid}"),
        (_, None) => "freeport itself".to_owned(),
    };
    Row {
        id: Some(RowId::Entry {
            at: entry.at,
            nth,
            port: entry.port,
        }),
        cells: vec![
            cell(time.unwrap_or_default()).tone(Tone::Dim),
            cell(entry.event.word()).tone(if warns { Tone::Warn } else { Tone::Strong }),
            cell(spot.unwrap_or_default()).tone(Tone::Spot),
            cell(who),
            cell(purpose.unwrap_or_default()),
            cell(escape(entry.detail.as_deref().unwrap_or_default())),
        ],
    }
}
