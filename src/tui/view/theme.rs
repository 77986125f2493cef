//! How things look: in the sixteen colours of the terminal, which are made to be read on its own
//! background, be it light or dark; without any where none are wanted.

use ratatui::style::{Color, Modifier, Style};

use crate::ipc::view::story::Role;
use crate::tui::state::Tone;

/// How things look.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    /// Whether there are colours.
    pub colours: bool,
}

impl Theme {
    /// How a text looks.
    pub fn tone(self, tone: Tone) -> Style {
        let plain = Style::new();
        match tone {
            Tone::Plain => plain,
            Tone::Strong => plain.add_modifier(Modifier::BOLD),
            Tone::Dim => plain.add_modifier(Modifier::DIM),
            Tone::Spot => self.colour(plain, Color::Cyan),
            Tone::Good => self.colour(plain, Color::Green),
            Tone::Warn => self.colour(plain, Color::Yellow),
            Tone::Bad => self.colour(plain, Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// How a piece of a story looks.
    pub fn role(self, role: Role) -> Style {
        match role {
            Role::Plain => self.tone(Tone::Plain),
            Role::Spot => self.tone(Tone::Spot).add_modifier(Modifier::BOLD),
            Role::Title => self.tone(Tone::Strong),
            Role::Dim => self.tone(Tone::Dim),
            Role::Warning => self.tone(Tone::Warn),
        }
    }

    /// What is selected: the other way round, which is seen on any background and without colours.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A heading.
    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A line that divides.
    pub fn line(self) -> Style {
        self.tone(Tone::Dim)
    }

    fn colour(self, style: Style, colour: Color) -> Style {
        if self.colours {
            style.fg(colour)
        } else {
            style
        }
    }
}
