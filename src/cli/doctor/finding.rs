//! What a check found: how it stands, and what would help.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::output;
use crate::model::text::escape;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It works.
    Ok,
    /// It is not there or not in use, and need not be.
    Note,
    /// Freeport does less, or does it in a weaker way.
    Warning,
    /// It should work, and does not.
    Broken,
}

impl State {
    fn mark(self) -> String {
        let (word, style) = match self {
            State::Ok => ("ok", AnsiColor::Green.on_default()),
            State::Note => ("note", Style::new().dimmed()),
            State::Warning => ("warning", AnsiColor::Yellow.on_default()),
            State::Broken => ("broken", AnsiColor::Red.on_default().bold()),
        };
        output::styled(format!("{word:<7}"), style)
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found. It may hold words of other programs.
    pub says: String,
    /// What would help.
    pub remedy: Option<String>,
}

impl Finding {
    /// It works.
    pub fn ok(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, State::Ok, says)
    }

    /// It is not there, and need not be.
    pub fn note(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, State::Note, says)
    }

    /// Freeport does less.
    pub fn warning(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, State::Warning, says)
    }

    /// It should work, and does not.
    pub fn broken(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, State::Broken, says)
    }

    fn new(check: &'static str, state: State, says: impl Into<String>) -> Finding {
        Finding {
            check,
            state,
            says: says.into(),
            remedy: None,
        }
    }

    /// With what would help.
    pub fn remedy(self, remedy: impl Into<String>) -> Finding {
        self.maybe_remedy(Some(remedy.into()))
    }

    /// With what would help, where something would.
    pub fn maybe_remedy(self, remedy: Option<String>) -> Finding {
        Finding { remedy, ..self }
    }

    /// As people read it.
    pub fn tell(&self, text: &mut String) {
        let check = output::dim(format!("{:<13}", self.check));
        let _ = writeln!(text, "{} {check} {}", self.state.mark(), escape(&self.says));
        if let Some(remedy) = &self.remedy {
            let arrow = output::styled("->", AnsiColor::Cyan.on_default());
            let _ = writeln!(text, "{:21} {arrow} {}", "", escape(remedy));
        }
    }
}
