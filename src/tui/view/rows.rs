//! The list: headings, rows in aligned columns, and how far down it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::layout::Areas;
use super::theme::Theme;
use super::wrap::{put, width};
use crate::tui::state::{State, Tone};
use crate::tui::tables::{Row, Table};

/// The space between two columns.
const GAP: u16 = 2;
/// The space left of the first column.
const EDGE: u16 = 1;

/// Draws the list.
pub fn draw(state: &State, theme: Theme, buffer: &mut Buffer, areas: &Areas) {
    let table = &state.table;
    let area = areas.body;
    let widths = widths(table, areas);
    let mut x = areas.header.x + EDGE;
    for (column, &width) in table.columns.iter().zip(&widths) {
        let pad = if column.right {
            width.saturating_sub(super::wrap::width(&column.title))
        } else {
            0
        };
        put(
            buffer,
            (x + pad, areas.header.y),
            width - pad.min(width),
            &column.title,
            theme.heading(),
        );
        x += width + GAP;
    }
    if table.rows.is_empty() {
        return nothing(table, theme, buffer, area);
    }
    let list = state.list();
    let shown = table.rows.iter().enumerate().skip(list.offset);
    for ((index, row), y) in shown.zip(area.y..area.bottom()) {
        let selected = index == list.index && row.id.is_some();
        let place = Rect::new(area.x, y, area.width, 1);
        if selected {
            buffer.set_style(place, theme.selected());
        }
        draw_row(row, table, &widths, selected, theme, buffer, place);
    }
    bar(state, theme, buffer, area);
}

fn draw_row(
    row: &Row,
    table: &Table,
    widths: &[u16],
    selected: bool,
    theme: Theme,
    buffer: &mut Buffer,
    place: Rect,
) {
    let style = |tone: Tone| {
        let style = theme.tone(tone);
        if selected {
            // One look for all of the row: colours that are turned round would make it a patchwork.
            let mut kept = theme.selected();
            if style.add_modifier.contains(Modifier::BOLD) {
                kept = kept.add_modifier(Modifier::BOLD);
            }
            kept
        } else {
            style
        }
    };
    let mut x = place.x + EDGE;
    let end = place.right().saturating_sub(EDGE);
    if let (None, [heading]) = (&row.id, row.cells.as_slice()) {
        let style = theme.heading();
        let text = format!("─ {} ", heading.text);
        x = place.x + put(buffer, (place.x, place.y), place.width, &text, style);
        for x in x..end {
            put(buffer, (x, place.y), 1, "─", theme.line());
        }
        return;
    }
    let columns = table.columns.iter().zip(widths);
    for (cell, (column, &width)) in row.cells.iter().zip(columns) {
        let wide = super::wrap::width(&cell.text);
        let pad = if column.right {
            width.saturating_sub(wide)
        } else {
            0
        };
        let most = (width - pad.min(width)).min(end.saturating_sub(x));
        put(
            buffer,
            (x + pad, place.y),
            most,
            &cell.text,
            style(cell.tone),
        );
        x += width + GAP;
    }
}

/// What is said where there are no rows, in the middle.
fn nothing(table: &Table, theme: Theme, buffer: &mut Buffer, area: Rect) {
    let count = u16::try_from(table.empty.len()).unwrap_or(0);
    let mut y = area.y + area.height.saturating_sub(count) / 3;
    for (tone, text) in &table.empty {
        let most = area.width.saturating_sub(2 * EDGE);
        let line = [(theme.tone(*tone), text.clone())];
        for line in super::wrap::wrap(&line, most, 0) {
            if y >= area.bottom() {
                return;
            }
            let wide: u16 = line.iter().map(|(_, text)| width(text)).sum();
            let x = area.x + EDGE + most.saturating_sub(wide) / 2;
            super::wrap::put_line(buffer, (x, y), most, &line);
            y += 1;
        }
    }
}

/// How far down the list is, where not all of it is shown.
fn bar(state: &State, theme: Theme, buffer: &mut Buffer, area: Rect) {
    let (all, shown) = (state.table.rows.len(), usize::from(area.height));
    if all <= shown || shown == 0 {
        return;
    }
    let length = (shown * shown / all).max(1);
    let start = state.list().offset * (shown - length) / (all - shown).max(1);
    let x = area.right() - 1;
    for (index, y) in (area.y..area.bottom()).enumerate() {
        if (start..start + length).contains(&index) {
            buffer.set_stringn(x, y, "▐", 1, theme.tone(Tone::Plain));
        }
    }
}

/// The column at a place of the heading.
pub fn column_at(state: &State, areas: &Areas, x: u16) -> Option<usize> {
    let mut end = areas.header.x + EDGE;
    let widths = widths(&state.table, areas);
    widths.iter().position(|width| {
        end += width + GAP;
        x < end
    })
}

/// How wide the columns are: as their widest row, and less where that is too much. The last one has
/// what is left.
fn widths(table: &Table, areas: &Areas) -> Vec<u16> {
    let mut widths: Vec<u16> = table.columns.iter().map(|c| width(&c.title)).collect();
    for row in table.rows.iter().filter(|row| row.id.is_some()) {
        for (wide, cell) in widths.iter_mut().zip(&row.cells) {
            *wide = (*wide).max(width(&cell.text));
        }
    }
    let gaps = GAP * u16::try_from(widths.len().saturating_sub(1)).unwrap_or(0);
    let room = areas.body.width.saturating_sub(2 * EDGE + gaps);
    // Where that is not enough, they are cut further, and the last ones are gone.
    for most_left in [u16::MAX, 4, 0] {
        for index in (table.cuttable..widths.len()).rev() {
            let sum: u16 = widths
                .iter()
                .fold(0, |sum, width| sum.saturating_add(*width));
            let too_much = sum.saturating_sub(room);
            let least = table.columns.get(index).map_or(0, |column| column.least);
            if let Some(width) = widths.get_mut(index) {
                *width -= too_much.min(width.saturating_sub(least.min(most_left)));
            }
        }
    }
    widths
}
