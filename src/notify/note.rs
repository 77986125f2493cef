//! A notification: what it says, and what its buttons mean.

use crate::model::kill::{KillResult, Outcome};
use crate::model::{Port, ProcessKey, Protocol, Timestamp};

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The first line.
    pub summary: String,
    /// The text below.
    pub body: String,
    /// Whether something went wrong.
    pub problem: bool,
    /// What can be done about it. Only [`deliver_with`](super::deliver_with) shows them.
    pub buttons: Vec<Button>,
}

/// A button of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// Its name among the buttons of the notification.
    pub id: &'static str,
    /// What it says.
    pub label: &'static str,
    /// What it means.
    pub press: Press,
}

/// What is meant by pressing a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    /// End the process that listens on a port.
    Kill {
        /// The port.
        port: Port,
        /// The process.
        key: ProcessKey,
    },
    /// Give a reservation back.
    Release {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
        /// When the reservation was made that is meant.
        made: Timestamp,
    },
    /// Never warn of this process on this port again.
    Ignore {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
        /// The process.
        key: ProcessKey,
    },
}

impl Button {
    /// The button that ends a process.
    pub fn kill(port: Port, key: ProcessKey) -> Button {
        Button {
            id: "kill",
            label: "Kill",
            press: Press::Kill { port, key },
        }
    }

    /// The button that gives a reservation back.
    pub fn release(port: Port, protocol: Protocol, made: Timestamp) -> Button {
        Button {
            id: "release",
            label: "Release",
            press: Press::Release {
                port,
                protocol,
                made,
            },
        }
    }

    /// The button that lets a process be where it is.
    pub fn ignore(port: Port, protocol: Protocol, key: ProcessKey) -> Button {
        Button {
            id: "ignore",
            label: "Ignore",
            press: Press::Ignore {
                port,
                protocol,
                key,
            },
        }
    }
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
            buttons: Vec::new(),
        }
    }

    /// Tells of something that went wrong.
    pub fn problem(summary: &str, body: &str) -> Note {
        Note {
            summary: summary.to_owned(),
            body: sentence(body),
            problem: true,
            buttons: Vec::new(),
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

    #[test]
    fn a_kill_is_told() {
        let outcome =
            Outcome::refused(Port::new(3000).unwrap(), KillResult::NothingThere, &[]).told();
        assert_eq!(
            Note::of_kill(&outcome),
            Note {
                summary: "Nothing was killed on port 3000".into(),
                body: "Nothing listens on port 3000.".into(),
                problem: true,
                buttons: vec![],
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
                problem: false,
                buttons: vec![],
            }
        );
    }
}
