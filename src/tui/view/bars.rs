//! The lines above and below the list: tabs, what is told, keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::layout::{Areas, LEAST};
use super::theme::Theme;
use super::wrap::{put, put_line, width, wrap};
use crate::model::text::escape;
use crate::tui::state::{Hint, Source, State, Tab, Tone, hints};
use crate::tui::tables::{count_conflicts, count_pools, count_ports};

/// The most lines that a message has.
const LINES: usize = 3;

/// Says that nothing can be shown here.
pub fn too_small(state: &State, theme: Theme, buffer: &mut Buffer) {
    let (columns, rows) = state.size;
    let text = format!(
        "this terminal is {columns}x{rows}: freeport needs {}x{}. q ends it.",
        LEAST.0, LEAST.1
    );
    let line = [(theme.tone(Tone::Warn), text)];
    for (line, y) in wrap(&line, columns, 0).iter().zip(0..rows) {
        put_line(buffer, (0, y), columns, line);
    }
}

/// Where each tab is, and what it says.
pub fn tab_places(state: &State, areas: &Areas) -> Vec<(Tab, Rect, String)> {
    let mut x = areas.tabs.x;
    let number = |count: usize| match count {
        0 => String::new(),
        n => format!(" {n}"),
    };
    let place = |tab: &Tab| {
        let count = match tab {
            Tab::Ports => number(count_ports(state)),
            Tab::Reserved => number(state.reservations().len()),
            Tab::Conflicts => number(count_conflicts(state)),
            Tab::Pools => number(count_pools(state).unwrap_or(0)),
            Tab::Log => String::new(),
        };
        let text = format!(" {} {}{count} ", tab.index() + 1, tab.name());
        let wide = width(&text).min(areas.tabs.right().saturating_sub(x));
        let area = Rect::new(x, areas.tabs.y, wide, 1);
        x += wide;
        (*tab, area, text)
    };
    Tab::ALL.iter().map(place).collect()
}

/// Draws the tabs, and at their right who tells what is new.
pub fn tabs(state: &State, theme: Theme, buffer: &mut Buffer, areas: &Areas) {
    let mut end = areas.tabs.x;
    for (tab, area, text) in tab_places(state, areas) {
        let conflicts = tab == Tab::Conflicts && count_conflicts(state) > 0;
        let mut style = if conflicts {
            theme.tone(Tone::Warn)
        } else {
            Style::new()
        };
        if tab == state.tab {
            style = theme.selected().add_modifier(Modifier::BOLD);
        }
        put(buffer, (area.x, area.y), area.width, &text, style);
        end = area.right();
    }
    let told = match &state.source {
        Source::Nobody => None,
        Source::App { version, .. } => {
            let text = format!("● app {}", escape(version));
            Some((text, "● app".to_owned(), Tone::Good))
        }
        Source::Alone(None) => {
            let text = "○ without the app".to_owned();
            Some((text, "○ no app".to_owned(), Tone::Dim))
        }
        Source::Alone(Some(_)) => {
            let text = "○ the app cannot be asked".to_owned();
            Some((text, "○ no app".to_owned(), Tone::Warn))
        }
    };
    let Some((long, short, tone)) = told else {
        return;
    };
    let room = areas.tabs.right().saturating_sub(end + 2);
    let fits = [long, short].into_iter().find(|text| width(text) <= room);
    if let Some(text) = fits {
        let x = areas.tabs.right() - 1 - width(&text);
        put(buffer, (x, areas.tabs.y), room, &text, theme.tone(tone));
    }
}

/// Draws what is told: a filter that is typed, a message, or what the list is. Gives where the
/// cursor is.
pub fn status(
    state: &State,
    theme: Theme,
    buffer: &mut Buffer,
    areas: &Areas,
) -> Option<(u16, u16)> {
    let area = areas.status;
    let most = area.width.saturating_sub(2);
    let at = (area.x + 1, area.y);
    if let (Some(message), false) = (&state.message, state.filter.typing) {
        let line = [(theme.tone(message.tone), message.text.clone())];
        let mut lines = wrap(&line, most, 2);
        lines.truncate(LINES);
        // The last of them stands where the status is.
        let first = area.y + 1 - u16::try_from(lines.len()).unwrap_or(1);
        for (line, y) in lines.iter().zip(first..) {
            let place = Rect::new(area.x, y, area.width, 1);
            for x in place.x..place.right() {
                if let Some(cell) = buffer.cell_mut((x, y)) {
                    cell.reset();
                }
            }
            put_line(buffer, (at.0, y), most, line);
        }
        return None;
    }
    let filter = &state.filter;
    if filter.typing || !filter.text.is_empty() {
        return filtered(state, theme, buffer, at, most);
    }
    put(
        buffer,
        at,
        most,
        &state.table.summary,
        theme.tone(Tone::Dim),
    );
    None
}

/// The filter, and what it leaves.
fn filtered(
    state: &State,
    theme: Theme,
    buffer: &mut Buffer,
    at: (u16, u16),
    most: u16,
) -> Option<(u16, u16)> {
    let filter = &state.filter;
    let text = escape(&filter.text);
    // The end of it is seen, and room for what it leaves.
    let room = most.saturating_sub(2) * 2 / 3;
    let mut shown = &*text;
    while width(shown) > room {
        let mut chars = shown.chars();
        chars.next();
        shown = chars.as_str();
    }
    let mut x = at.0;
    x += put(buffer, at, 2, "/ ", theme.tone(Tone::Spot));
    x += put(buffer, (x, at.1), room, shown, theme.tone(Tone::Strong));
    let cursor = (x, at.1);
    let (tone, rest) = match &filter.problem {
        Some(problem) => (Tone::Warn, escape(problem).into_owned()),
        None if filter.typing && filter.text.is_empty() => {
            (Tone::Dim, "a port, 3000-3999, or part of a name".to_owned())
        }
        None => (Tone::Dim, format!("{}  Esc ends it", state.table.summary)),
    };
    let left = most.saturating_sub(x + 3 - at.0);
    put(buffer, (x + 3, at.1), left, &rest, theme.tone(tone));
    filter.typing.then_some(cursor)
}

/// Where each key is, for as many as there is room for.
pub fn key_places(state: &State, areas: &Areas) -> Vec<(Hint, Rect)> {
    let mut x = areas.keys.x + 1;
    let mut places = Vec::new();
    for hint in hints(state) {
        let wide = width(hint.key) + 1 + width(hint.label);
        if x + wide > areas.keys.right() {
            break;
        }
        places.push((*hint, Rect::new(x, areas.keys.y, wide, 1)));
        x += wide + 2;
    }
    places
}

/// Draws the keys.
pub fn keys(state: &State, theme: Theme, buffer: &mut Buffer, areas: &Areas) {
    for (hint, area) in key_places(state, areas) {
        let style = theme.tone(Tone::Spot).add_modifier(Modifier::BOLD);
        let wide = put(buffer, (area.x, area.y), area.width, hint.key, style);
        let rest = area.width.saturating_sub(wide + 1);
        put(
            buffer,
            (area.x + wide + 1, area.y),
            rest,
            hint.label,
            theme.tone(Tone::Dim),
        );
    }
}
