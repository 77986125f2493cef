//! What is shown, as a function of the state: the screen, and where on it everything is.

mod bars;
mod details;
mod dialogs;
mod layout;
mod rows;
mod theme;
mod wrap;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::state::{Hint, State, Tab};
use theme::Theme;

pub use layout::areas;

/// Draws all of it.
pub fn view(state: &State, frame: &mut Frame<'_>) {
    let theme = Theme {
        colours: state.colours,
    };
    let cursor = {
        let buffer = frame.buffer_mut();
        draw(state, theme, buffer)
    };
    if let Some((x, y)) = cursor {
        frame.set_cursor_position((x, y));
    }
}

/// Draws all of it; gives where the cursor is, where something is typed.
fn draw(state: &State, theme: Theme, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let areas = areas(state);
    if areas.too_small {
        bars::too_small(state, theme, buffer);
        return None;
    }
    bars::tabs(state, theme, buffer, &areas);
    rows::draw(state, theme, buffer, &areas);
    if let (Some(area), Some(details)) = (areas.details, &state.details) {
        details::draw(state, details, theme, buffer, area);
    }
    let cursor = bars::status(state, theme, buffer, &areas);
    bars::keys(state, theme, buffer, &areas);
    match &state.dialog {
        Some(dialog) => dialogs::draw(dialog, theme, buffer, areas.all),
        None => cursor,
    }
}

/// Where each tab is.
pub fn tabs(state: &State) -> Vec<(Tab, Rect)> {
    bars::tab_places(state, &areas(state))
        .into_iter()
        .map(|(tab, area, _)| (tab, area))
        .collect()
}

/// Where each key at the bottom is.
pub fn keys(state: &State) -> Vec<(Hint, Rect)> {
    bars::key_places(state, &areas(state))
}

/// The column at a place of the heading.
pub fn column_at(state: &State, x: u16) -> Option<usize> {
    rows::column_at(state, &areas(state), x)
}

/// Where the buttons of a dialog are: yes, and no.
pub fn buttons(state: &State) -> Option<[Rect; 2]> {
    let dialog = state.dialog.as_ref()?;
    dialogs::buttons(dialog, areas(state).all)
}

/// How far the details can be scrolled.
pub fn details_end(state: &State) -> usize {
    match (areas(state).details, &state.details) {
        (Some(area), Some(details)) => details::end(state, details, area),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
