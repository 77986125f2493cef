//! How things are printed: tables that fit the terminal, JSON, errors with their next step.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{
    Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width,
};
use serde::Serialize;

use super::exit::Failure;
use crate::model::Timestamp;

/// Prints one JSON object.
pub fn json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints text.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints control sequences as they are.
pub fn print_raw(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// Says something beside the output.
pub fn note(text: &str) -> io::Result<()> {
    let mut err = anstream::stderr().lock();
    writeln!(err, "{}", dim(text))
}

/// Says what went wrong, and what to do next.
pub fn report(failure: &Failure) {
    let mut err = anstream::stderr().lock();
    // Where stderr is closed, the exit status tells.
    let _ = writeln!(
        err,
        "{} {}",
        styled("error:", AnsiColor::Red.on_default().bold()),
        failure.message
    );
    if let Some(hint) = &failure.hint {
        let _ = writeln!(
            err,
            " {} {hint}",
            styled("hint:", AnsiColor::Cyan.on_default().bold())
        );
    }
}

/// Text in a style, where the terminal shows styles.
pub fn styled(text: impl Display, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// Text that matters less.
pub fn dim(text: impl Display) -> String {
    styled(text, Style::new().dimmed())
}

/// Text that matters more.
pub fn bold(text: impl Display) -> String {
    styled(text, Style::new().bold())
}

/// Text that warns.
pub fn warning(text: impl Display) -> String {
    styled(text, AnsiColor::Yellow.on_default())
}

/// Whether a person reads the output.
pub fn on_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a person can be asked.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that is answered with yes or no; no unless yes was said.
pub fn agrees(question: &str) -> io::Result<bool> {
    let mut err = anstream::stderr().lock();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The width of the terminal; `None` where the output is no terminal, and may be as wide as it is.
pub fn width() -> Option<u16> {
    on_terminal().then(|| terminal_size::terminal_size().map_or(80, |(width, _)| width.0))
}

/// The time now.
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now())
}

/// Whether colours are wanted: on a terminal, and not where NO_COLOR says no.
fn colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// A table whose last column is cut where the terminal ends.
pub fn table(headers: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    if colours() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    match width() {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(row(headers
        .iter()
        .map(|header| Cell::new(header).add_attribute(Attribute::Bold))
        .collect()));
    table
}

/// A row of one line.
pub fn row(cells: Vec<Cell>) -> Row {
    let mut row = Row::from(cells);
    row.max_height(1);
    row
}

/// Keeps the first columns as wide as what is in them, so that only the others are cut.
pub fn keep_columns(table: &mut Table, columns: usize) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if column.index < columns {
            column.set_constraint(ColumnConstraint::ContentWidth);
        } else {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(8)));
        }
    }
}

/// A cell that warns.
pub fn warning_cell(text: impl Display) -> Cell {
    Cell::new(text).fg(Color::Yellow)
}
