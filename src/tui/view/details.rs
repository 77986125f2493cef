//! The story of a port, as `freeport why` tells it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::theme::Theme;
use super::wrap::{Line, put, put_line, wrap};
use crate::ipc::view::story::{self, Known};
use crate::tui::state::{Details, Fetched, State, Tone};

/// How wide the labels are, with the space around them.
const LABEL: u16 = 11;

/// Draws it.
pub fn draw(state: &State, details: &Details, theme: Theme, buffer: &mut Buffer, area: Rect) {
    let inner = inner(area);
    let title = match details.port {
        Some(port) => format!(" port {port} "),
        None => " nothing is selected ".to_owned(),
    };
    // Beside the list a line at the left, below it one above.
    for y in area.y + 1..area.bottom() {
        if area.x > 0 {
            put(buffer, (area.x, y), 1, "│", theme.line());
        }
    }
    for x in area.x..area.right() {
        let corner = if x == area.x && area.x > 0 {
            "┌"
        } else {
            "─"
        };
        put(buffer, (x, area.y), 1, corner, theme.line());
    }
    put(
        buffer,
        (area.x + 2, area.y),
        area.width.saturating_sub(4),
        &title,
        theme.heading(),
    );
    let lines = lines(state, details, theme, inner.width);
    let more = lines.len().saturating_sub(usize::from(inner.height));
    let scroll = details.scroll.min(more);
    if more > 0 {
        let text = match scroll {
            0 => " J: more ".to_owned(),
            scroll if scroll == more => " K: back ".to_owned(),
            _ => " J K ".to_owned(),
        };
        let x = area.right().saturating_sub(super::wrap::width(&text) + 2);
        put(
            buffer,
            (x, area.y),
            area.width,
            &text,
            theme.tone(Tone::Dim),
        );
    }
    for (line, y) in lines.iter().skip(scroll).zip(inner.y..inner.bottom()) {
        put_line(buffer, (inner.x, y), inner.width, line);
    }
}

/// How far it can be scrolled.
pub fn end(state: &State, details: &Details, area: Rect) -> usize {
    let theme = Theme {
        colours: state.colours,
    };
    let inner = inner(area);
    let lines = lines(state, details, theme, inner.width);
    lines.len().saturating_sub(usize::from(inner.height))
}

fn inner(area: Rect) -> Rect {
    let left = if area.x > 0 { 2 } else { 1 };
    Rect::new(
        area.x + left,
        area.y + 1,
        area.width.saturating_sub(left + 1),
        area.height.saturating_sub(1),
    )
}

/// All lines of it.
fn lines(state: &State, details: &Details, theme: Theme, width: u16) -> Vec<Line> {
    let one = |tone: Tone, text: &str| vec![vec![(theme.tone(tone), text.to_owned())]];
    let (Some(port), known) = (details.port, &details.known) else {
        return one(Tone::Dim, "choose a row that has a port");
    };
    let (list, reservations) = match known {
        Fetched::Not => return one(Tone::Dim, "asking …"),
        Fetched::Failed(problem) => {
            let mut lines = wrap(
                &[(theme.tone(Tone::Bad), problem.message.clone())],
                width,
                2,
            );
            if let Some(hint) = &problem.hint {
                lines.extend(wrap(&[(theme.tone(Tone::Dim), hint.clone())], width, 2));
            }
            return lines;
        }
        Fetched::Is((list, reservations)) => (list, reservations),
    };
    let known = Known {
        port,
        listeners: &list.listeners,
        reservations,
        gaps: &list.gaps,
    };
    let blocks = story::tell(&known, state.home.as_deref(), state.now);
    let mut lines = Vec::new();
    for block in &blocks {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        for line in &block.0 {
            let mut pieces: Line = Vec::new();
            if let Some(label) = line.label {
                let label = format!("{label:<10} ");
                pieces.push((theme.tone(Tone::Dim), label));
            }
            let told = line.pieces.iter();
            pieces.extend(told.map(|piece| (theme.role(piece.role), piece.text.clone())));
            let indent = if line.label.is_some() { LABEL } else { 2 };
            lines.extend(wrap(&pieces, width, indent));
        }
    }
    lines
}
