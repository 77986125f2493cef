//! What the wrapper says, on the standard error, and how it says that it cannot go on.

use std::io::Write as _;

use crate::ipc::protocol::{ErrorCode, ErrorReply};
use crate::model::text::{escape, tilde};
use crate::model::{Listener, Port, Protocol};
use crate::platform::paths;

/// Says what there is to be said, beside what the command itself prints.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// Whether only what went wrong is said.
    pub quiet: bool,
}

impl Voice {
    /// Says something that is good to know.
    pub fn note(self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Says something that was asked for, or that went wrong.
    pub fn say(self, text: &str) {
        // In one piece, as the command writes there too. Where nobody reads it, nothing is lost.
        let line = format!("freeport: {text}\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// Why the command was not started, or its end is not to be waited for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RunError {
    /// The exit status.
    pub status: u8,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// The exit statuses that the wrapper has of its own; 127 and 126 are those of shells.
pub mod status {
    /// Something went wrong.
    pub const FAILED: u8 = 1;
    /// The arguments, or a file that they lead to, are wrong.
    pub const USAGE: u8 = 2;
    /// Not permitted.
    pub const NOT_PERMITTED: u8 = 4;
    /// The port is taken.
    pub const CONFLICT: u8 = 5;
    /// The command cannot be executed.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// There is no such command.
    pub const NOT_FOUND: u8 = 127;
}

impl RunError {
    /// An error without a hint.
    pub fn new(status: u8, message: impl Into<String>) -> RunError {
        RunError {
            status,
            message: message.into(),
            hint: None,
        }
    }

    /// The error with what to do next.
    pub fn hint(self, hint: impl Into<String>) -> RunError {
        RunError {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl From<ErrorReply> for RunError {
    fn from(error: ErrorReply) -> RunError {
        let status = match error.code {
            ErrorCode::PortTaken | ErrorCode::Exhausted | ErrorCode::LimitReached => {
                status::CONFLICT
            }
            ErrorCode::NotPermitted => status::NOT_PERMITTED,
            ErrorCode::BadRequest | ErrorCode::TooLarge => status::USAGE,
            _ => status::FAILED,
        };
        RunError {
            status,
            message: error.message,
            hint: error.hint,
        }
    }
}

/// A port, as people say it: `3000`, `5353/udp`.
pub fn spot(port: Port, protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => port.to_string(),
        Protocol::Udp => format!("{port}/udp"),
    }
}

/// Where a browser finds it, as far as one does: `: http://localhost:3001`.
pub fn address(port: Port, protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => format!(": http://localhost:{port}"),
        Protocol::Udp => String::new(),
    }
}

/// Who a listener is: `vite (pid 4242, ~/shop)`.
pub fn who(listener: &Listener) -> String {
    let Some(owner) = &listener.owner else {
        return format!("a process of {}", escape(&listener.user_name()));
    };
    let folder = owner.cwd.as_deref();
    let folder = folder.map(|cwd| format!(", {}", tilde(cwd, paths::home().as_deref())));
    format!(
        "{} (pid {}{})",
        escape(&owner.service),
        owner.key.pid,
        folder.unwrap_or_default()
    )
}
