//! The table: what was measured, and what it should be.

use std::time::Duration;

/// A row.
pub struct Row {
    what: String,
    values: [String; 2],
    budget: String,
    met: Option<bool>,
}

/// All rows.
#[derive(Default)]
pub struct Table(Vec<Row>);

impl Table {
    /// Adds a row without a budget.
    pub fn show(&mut self, what: &str, quiet: impl Into<String>, busy: impl Into<String>) {
        self.judge(what, quiet, busy, "", None);
    }

    /// Adds a row with its budget and whether that is met; `None` where it could not be told.
    pub fn judge(
        &mut self,
        what: &str,
        quiet: impl Into<String>,
        busy: impl Into<String>,
        budget: &str,
        met: Option<bool>,
    ) {
        self.0.push(Row {
            what: what.to_owned(),
            values: [quiet.into(), busy.into()],
            budget: budget.to_owned(),
            met,
        });
    }

    /// The table in Markdown, its columns aligned.
    pub fn draw(&self) -> String {
        let line = |cells: [&str; 5]| cells.map(str::to_owned);
        let mut lines = vec![line(["", "quiet box", "busy box", "budget", "met"])];
        lines.extend(self.0.iter().map(|row| {
            let met = match row.met {
                Some(true) => "yes",
                Some(false) => "**no**",
                None if row.budget.is_empty() => "",
                None => "?",
            };
            line([&row.what, &row.values[0], &row.values[1], &row.budget, met])
        }));
        let width = |column: usize| {
            let widths = lines.iter().map(|line| line[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..5).map(width).collect();
        lines.insert(1, std::array::from_fn(|column| "-".repeat(widths[column])));
        let mut text = String::new();
        for line in &lines {
            text.push('|');
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(&format!(" {cell:width$} |"));
            }
            text.push('\n');
        }
        text
    }
}

/// A duration in the unit that suits it, with three digits.
pub fn time(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1e3;
    match ms {
        ms if ms < 0.1 => format!("{:.0} µs", ms * 1e3),
        ms if ms < 1.0 => format!("{ms:.2} ms"),
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.0} ms"),
    }
}

/// A part of a whole: `1/20`; how many times as much where it is more: `1.5 x`.
pub fn ratio(part: Duration, whole: Duration) -> String {
    let part = part.as_secs_f64() / whole.as_secs_f64();
    match 1.0 / part {
        times if times >= 10.0 => format!("1/{times:.0}"),
        times if times >= 1.0 => format!("1/{times:.1}"),
        _ => format!("{part:.1} x"),
    }
}
