//! The rows of each tab: what is known, chosen, sorted and told. Every text here is safe to show.

mod conflicts;
mod log;
mod pools;
mod ports;
mod reserved;

use std::borrow::Cow;

use super::state::{Fetched, State, Tab, Tone};
use crate::model::text::escape;
use crate::model::{Port, ProcessKey, Protocol, Timestamp};

pub use conflicts::count as count_conflicts;
pub use pools::count as count_pools;
pub use ports::count as count_ports;

/// What a row is, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowId {
    /// A listener.
    Listener {
        /// Its port.
        port: Port,
        /// Its protocol.
        protocol: Protocol,
        /// Its owner.
        key: Option<ProcessKey>,
        /// Its user.
        uid: u32,
    },
    /// A reservation.
    Reserved(Port, Protocol),
    /// A pool.
    Pool(String),
    /// What a job has of a pool.
    Drawn {
        /// The pool.
        pool: String,
        /// The job.
        job: String,
        /// Its process.
        pid: Option<u32>,
        /// The first of its ports.
        port: Option<Port>,
        /// Its protocol.
        protocol: Protocol,
    },
    /// An entry of the log.
    Entry {
        /// When.
        at: Timestamp,
        /// Its place among those of that time.
        nth: usize,
        /// Its port.
        port: Option<Port>,
    },
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub title: Cow<'static, str>,
    /// Whether it stands at the right edge.
    pub right: bool,
    /// What is left of it where it is cut.
    pub least: u16,
}

/// What stands in a column of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// What it is.
    pub tone: Tone,
}

/// A row. One without identity is a heading, and has one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub id: Option<RowId>,
    /// What it says.
    pub cells: Vec<Cell>,
}

/// The rows of a tab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The first column that may be cut, besides the last one.
    pub cuttable: usize,
    /// The rows.
    pub rows: Vec<Row>,
    /// What is said where there are none.
    pub empty: Vec<(Tone, String)>,
    /// What is said below them.
    pub summary: String,
}

/// The rows of the tab that is shown.
pub fn of(state: &mut State) -> Table {
    let ports: Vec<Port> = state
        .listeners()
        .iter()
        .map(|listener| listener.port)
        .collect();
    let reserved: Vec<Port> = state.reservations().iter().map(|view| view.port).collect();
    state.filter.meet(ports.iter().chain(&reserved).copied());
    match state.tab {
        Tab::Ports => ports::table(state),
        Tab::Reserved => reserved::table(state),
        Tab::Conflicts => conflicts::table(state),
        Tab::Pools => pools::table(state),
        Tab::Log => log::table(state),
    }
}

fn cell<'a>(text: impl Into<Cow<'a, str>>) -> Cell {
    Cell {
        text: text.into().into_owned(),
        tone: Tone::Plain,
    }
}

impl Cell {
    fn tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }
}

/// Text of another program, or nothing.
fn optional(text: Option<&str>) -> Cell {
    cell(escape(text.unwrap_or_default()))
}

/// What is left of most columns where they are cut.
const LEAST: u16 = 8;

fn columns(titles: &[&'static str], right: &[usize]) -> Vec<Column> {
    let column = |(index, title): (usize, &&'static str)| Column {
        title: Cow::Borrowed(*title),
        right: right.contains(&index),
        least: LEAST,
    };
    titles.iter().enumerate().map(column).collect()
}

/// What is shown where there are no rows of what was asked for: why, or `none` where there is nothing.
fn instead_of_rows<T>(
    state: &State,
    fetched: &Fetched<T>,
    none: Vec<(Tone, String)>,
) -> Vec<(Tone, String)> {
    match fetched {
        Fetched::Not => vec![(Tone::Dim, "asking …".to_owned())],
        Fetched::Failed(problem) => {
            let mut lines = vec![(Tone::Bad, problem.message.clone())];
            lines.extend(problem.hint.clone().map(|hint| (Tone::Dim, hint)));
            lines
        }
        Fetched::Is(_) if !state.filter.is_empty() => nothing_matches(state),
        Fetched::Is(_) => none,
    }
}

/// What is said where a filter leaves nothing.
fn nothing_matches(state: &State) -> Vec<(Tone, String)> {
    vec![
        (
            Tone::Plain,
            format!(
                "nothing here matches '{}'",
                escape(state.filter.text.trim())
            ),
        ),
        (Tone::Dim, "Esc ends the filter".to_owned()),
    ]
}
