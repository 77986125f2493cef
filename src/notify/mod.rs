//! Desktop notifications: what they say, and how they are delivered.

mod delivery;

use crate::model::kill::{KillResult, Outcome};
pub use delivery::deliver;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The first line.
    pub summary: String,
    /// The text below.
    pub body: String,
    /// Whether something went wrong.
    pub problem: bool,
}

impl Note {
    /// Tells what came of a kill.
    pub fn of_kill(outcome: &Outcome) -> Note {
        let port = outcome.port;
        let (summary, problem) = match outcome.result {
            KillResult::Freed => (format!("Port {port} is free"), false),
            KillResult::StillHeld | KillResult::TakenOver | KillResult::StillShared => {
                (format!("Port {port} is not free"), true)
            }
            _ => (format!("Nothing was killed on port {port}"), true),
        };
        // The summary has said that it is free.
        let said = format!("port {port} is free; ");
        let message = outcome.message.strip_prefix(&said);
        let mut body = sentence(message.unwrap_or(&outcome.message));
        if let Some(hint) = &outcome.hint {
            body.push(' ');
            body.push_str(&sentence(hint));
        }
        Note {
            summary,
            body,
            problem,
        }
    }

    /// Tells of something that went wrong.
    pub fn problem(summary: &str, body: &str) -> Note {
        Note {
            summary: summary.to_owned(),
            body: sentence(body),
            problem: true,
        }
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars
        .next()
        .map(|c| c.to_uppercase().collect::<String>())
        .unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Port;

    #[test]
    fn a_kill_is_told() {
        let outcome =
            Outcome::refused(Port::new(3000).unwrap(), KillResult::NothingThere, &[]).told();
        assert_eq!(
            Note::of_kill(&outcome),
            Note {
                summary: "Nothing was killed on port 3000".into(),
                body: "Nothing listens on port 3000.".into(),
                problem: true
            }
        );
        let freed = Outcome {
            result: KillResult::Freed,
            message: "port 3000 is free; ended vite (pid 7)".into(),
            ..outcome
        };
        assert_eq!(
            Note::of_kill(&freed),
            Note {
                summary: "Port 3000 is free".into(),
                body: "Ended vite (pid 7).".into(),
                problem: false
            }
        );
    }
}
