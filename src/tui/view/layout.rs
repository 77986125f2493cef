//! Where on the screen everything is.

use ratatui::layout::Rect;

use crate::tui::state::State;

/// Below this nothing can be shown that would be of use.
pub const LEAST: (u16, u16) = (50, 11);
/// From so many columns on the details are beside the list.
const WIDE: u16 = 130;
/// The least rows of a list above its details.
const LIST: u16 = 5;

/// The parts of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    /// All of it.
    pub all: Rect,
    /// Whether it is too small.
    pub too_small: bool,
    /// The tabs.
    pub tabs: Rect,
    /// The headings of the columns.
    pub header: Rect,
    /// The rows.
    pub body: Rect,
    /// The story of a port, where it is shown.
    pub details: Option<Rect>,
    /// What is told below.
    pub status: Rect,
    /// The keys.
    pub keys: Rect,
}

impl Areas {
    /// How many rows of the list are shown.
    pub fn rows(&self) -> usize {
        usize::from(self.body.height)
    }
}

/// The parts of a screen of this size.
pub fn areas(state: &State) -> Areas {
    let (width, height) = state.size;
    let all = Rect::new(0, 0, width, height);
    let line = |y: u16| Rect::new(0, y, width, 1.min(height.saturating_sub(y)));
    let too_small = width < LEAST.0 || height < LEAST.1;
    // Tabs and headings above, status and keys below.
    let middle = Rect::new(0, 1, width, height.saturating_sub(3));
    let (list, details) = if state.details.is_none() || too_small {
        (middle, None)
    } else if width >= WIDE {
        let right = width * 9 / 20;
        let left = width - right;
        (
            Rect::new(0, 1, left, middle.height),
            Some(Rect::new(left, 1, right, middle.height)),
        )
    } else {
        // The heading of the list is above its rows.
        let above = (middle.height * 2 / 5).max(LIST);
        (
            Rect::new(0, 1, width, above),
            Some(Rect::new(0, 1 + above, width, middle.height - above)),
        )
    };
    Areas {
        all,
        too_small,
        tabs: line(0),
        header: Rect {
            height: list.height.min(1),
            ..list
        },
        body: Rect::new(
            list.x,
            list.y + 1,
            list.width,
            list.height.saturating_sub(1),
        ),
        details,
        status: line(height.saturating_sub(2)),
        keys: line(height.saturating_sub(1)),
    }
}
