//! Exit statuses, and failures that carry one.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use crate::ipc::ClientError;
use crate::ipc::socket::SocketError;
use crate::model::text::escape;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The arguments are wrong.
    Usage = 2,
    /// Nothing there: no listener, no reservation.
    Nothing = 3,
    /// Not permitted.
    NotPermitted = 4,
    /// Conflict: taken, still in use after a kill, none free, or several processes may be meant.
    Conflict = 5,
    /// The app cannot be reached, or speaks another protocol version.
    Unreachable = 6,
}

/// All statuses with their meaning, for the manual.
pub const MEANINGS: [(Exit, &str); 7] = [
    (Exit::Done, "done"),
    (Exit::Failed, "failed"),
    (Exit::Usage, "the arguments are wrong"),
    (Exit::Nothing, "nothing there: no listener, no reservation"),
    (Exit::NotPermitted, "not permitted"),
    (
        Exit::Conflict,
        "conflict: the port is taken or still in use, none is free, or several processes may be meant",
    ),
    (
        Exit::Unreachable,
        "the app cannot be reached, or speaks another protocol version",
    ),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do what it was asked, and what to do next.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    broken_pipe: bool,
}

impl Failure {
    /// A failure told by an error and its causes.
    pub fn new(exit: Exit, error: &dyn Error) -> Failure {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Failure::text(exit, &message)
    }

    /// A failure told by a text, which is escaped.
    pub fn text(exit: Exit, message: &str) -> Failure {
        Failure {
            exit,
            message: escape(message).into_owned(),
            hint: None,
            broken_pipe: false,
        }
    }

    /// The failure with what to do next.
    pub fn hint(self, hint: &str) -> Failure {
        self.maybe_hint(Some(hint.to_owned()))
    }

    /// The failure with what to do next, if anything.
    pub fn maybe_hint(self, hint: Option<String>) -> Failure {
        Failure {
            hint: hint.map(|hint| escape(&hint).into_owned()),
            ..self
        }
    }

    /// Whether the reader of the output went away.
    pub fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }

    pub(super) fn of_io(error: io::Error) -> Failure {
        let broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Failure {
            broken_pipe,
            ..Failure::text(Exit::Failed, &format!("cannot write the output: {error}"))
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let exit = match &error {
            ClientError::Socket(SocketError::UnsafeFolder { .. }) | ClientError::Impostor(_) => {
                Exit::NotPermitted
            }
            _ => Exit::Unreachable,
        };
        Failure::new(exit, &error).maybe_hint(error.hint())
    }
}
