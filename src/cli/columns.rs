//! Rows in aligned columns, cut where the terminal ends.
//!
//! Written here, as the table libraries take longer to lay a list out than the app takes to find
//! and send it: lines do not wrap, so that one pass over the widths is enough.

use std::borrow::Cow;

use anstyle::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The space between two columns.
const GAP: usize = 2;
/// What is left of a column that is cut.
const LEAST: usize = 8;

/// What stands in one column of one row.
pub struct Cell<'a> {
    text: Cow<'a, str>,
    width: usize,
    style: Style,
    right: bool,
}

impl<'a> Cell<'a> {
    /// Text that is safe to print.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Cell<'a> {
        let text = text.into();
        let width = if text.is_ascii() {
            text.len()
        } else {
            text.width()
        };
        Cell {
            text,
            width,
            style: Style::new(),
            right: false,
        }
    }

    /// The cell in a style.
    pub fn style(self, style: Style) -> Cell<'a> {
        Cell { style, ..self }
    }

    /// The cell at the right edge of its column.
    pub fn right(self) -> Cell<'a> {
        Cell {
            right: true,
            ..self
        }
    }
}

/// Lays rows out, the first one being the headers. With a `width`, the last column is cut to what
/// is left of it, and the columns from `cuttable` on before it when that is not enough.
pub fn lay_out<const N: usize>(
    rows: &[[Cell<'_>; N]],
    width: Option<u16>,
    cuttable: usize,
    coloured: bool,
) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width.max(*width);
        }
    }
    if let Some(most) = width {
        fit(&mut widths, usize::from(most), cuttable);
    }
    let mut text =
        String::with_capacity(rows.len() * (widths.iter().sum::<usize>().min(160) + N * GAP));
    for row in rows {
        let last = row.iter().rposition(|cell| cell.width > 0).unwrap_or(0);
        for (index, (cell, &width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
            let shown = cut(cell, width);
            let pad = width - shown.1;
            if cell.right {
                space(&mut text, pad);
            }
            if coloured && cell.style != Style::new() {
                text.push_str(&format!("{}{}{:#}", cell.style, shown.0, cell.style));
            } else {
                text.push_str(&shown.0);
            }
            if index < last {
                space(&mut text, GAP + if cell.right { 0 } else { pad });
            }
        }
        text.push('\n');
    }
    text
}

/// Takes from the last column, then from the ones before it, what is too much.
fn fit(widths: &mut [usize], most: usize, cuttable: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    for index in (cuttable..widths.len()).rev() {
        let too_much = (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
        widths[index] -= too_much.min(widths[index].saturating_sub(LEAST));
    }
}

fn cut<'a>(cell: &'a Cell<'_>, most: usize) -> (Cow<'a, str>, usize) {
    if cell.width <= most {
        return (Cow::Borrowed(&cell.text), cell.width);
    }
    let mut width = 0;
    let kept = cell.text.char_indices().find(|(_, c)| {
        let next = width + c.width().unwrap_or(0);
        let full = next + 1 > most;
        if !full {
            width = next;
        }
        full
    });
    let end = kept.map_or(cell.text.len(), |(index, _)| index);
    (format!("{}…", &cell.text[..end]).into(), width + 1)
}

fn space(text: &mut String, count: usize) {
    text.extend(std::iter::repeat_n(' ', count));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[Cell<'static>; 3]> {
        vec![
            [
                Cell::new("PORT"),
                Cell::new("PID").right(),
                Cell::new("COMMAND"),
            ],
            [
                Cell::new("80"),
                Cell::new("5").right(),
                Cell::new("a long command line"),
            ],
            [Cell::new("端口"), Cell::new("12345").right(), Cell::new("")],
        ]
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(
            lay_out(&rows(), None, 2, false),
            "PORT    PID  COMMAND\n80        5  a long command line\n端口  12345\n"
        );
    }

    #[test]
    fn the_last_column_is_cut_to_the_terminal() {
        let text = lay_out(&rows(), Some(24), 2, false);
        assert_eq!(
            text,
            "PORT    PID  COMMAND\n80        5  a long com…\n端口  12345\n"
        );
        let narrow = lay_out(&rows(), Some(1), 2, false);
        assert!(narrow.contains("a long …"), "something is left: {narrow}");
    }

    #[test]
    fn styles_take_no_space() {
        let rows = [[Cell::new("a").style(Style::new().bold()), Cell::new("b")]];
        assert_eq!(lay_out(&rows, None, 1, true), "\u{1b}[1ma\u{1b}[0m  b\n");
    }
}
