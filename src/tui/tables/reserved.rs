//! What is reserved: the rows of `freeport query`.

use super::{Row, RowId, Table, cell, columns, nothing_matches, optional};
use crate::ipc::view::{ReservationView, words};
use crate::model::Timestamp;
use crate::model::reservation::Status;
use crate::model::text::escape;
use crate::tui::state::{State, Tone};

/// The rows.
pub fn table(state: &State) -> Table {
    let all = state.reservations().iter();
    let rows: Vec<Row> = all
        .filter(|view| state.filter.matches_reserved(view))
        .map(|view| row(view, state.now))
        .collect();
    let titles = [
        "PORT", "STATUS", "PROJECT", "SERVICE", "OWNER", "EXPIRES", "HOLD",
    ];
    Table {
        columns: columns(&titles, &[]),
        cuttable: 2,
        summary: words::count(rows.len(), "reservation"),
        rows,
        empty: empty(state),
    }
}

fn empty(state: &State) -> Vec<(Tone, String)> {
    match state.looked.as_ref().map(|looked| &looked.reservations) {
        None => vec![(Tone::Dim, "looking …".to_owned())],
        Some(Err(problem)) => {
            let mut lines = vec![(Tone::Bad, problem.message.clone())];
            lines.extend(problem.hint.clone().map(|hint| (Tone::Dim, hint)));
            lines
        }
        Some(Ok(_)) if !state.filter.is_empty() => nothing_matches(state),
        Some(Ok(_)) => vec![
            (Tone::Plain, "nothing is reserved".to_owned()),
            (
                Tone::Dim,
                "r reserves a port for a project; 'freeport allocate' gives a service its own"
                    .to_owned(),
            ),
        ],
    }
}

fn row(view: &ReservationView, now: Timestamp) -> Row {
    let tone = match view.status {
        Status::Active => Tone::Good,
        Status::Stale => Tone::Warn,
        Status::Reserved | Status::Claimed => Tone::Plain,
    };
    let hold = match &view.not_held {
        Some(why) => cell(format!("not held: {}", escape(why))).tone(Tone::Warn),
        None => cell(view.hold.word()).tone(Tone::Dim),
    };
    Row {
        id: Some(RowId::Reserved(view.port, view.protocol)),
        cells: vec![
            cell(words::spot(view.port, view.protocol)).tone(Tone::Spot),
            cell(view.status.word()).tone(tone),
            optional(view.project.as_deref()),
            optional(view.service.as_deref()).tone(Tone::Strong),
            cell(words::claimant(view).unwrap_or_default()),
            cell(words::expires(view, now)),
            hold,
        ],
    }
}
