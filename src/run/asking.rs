//! Asking for ports: of the app, and where that cannot be asked, of the registry itself.

use super::told::Voice;
use crate::ipc::protocol::{ErrorCode, ErrorReply, Reply, Request};
use crate::ipc::{Ask, ClientError};
use crate::model::text::escape;

/// Gives whoever answers requests.
pub type Connect = fn() -> Result<Box<dyn Ask>, ClientError>;

/// Where answers come from.
#[derive(Clone, Copy)]
pub struct Answers {
    /// From the running app, or from this process where none runs.
    pub connect: Connect,
    /// From this process, whatever runs.
    pub local: Connect,
}

/// Asks, and goes on asking when the app is restarted, breaks, or was never there.
pub struct Asking {
    answers: Answers,
    voice: Voice,
    open: Option<Box<dyn Ask>>,
    /// The app is there and cannot be asked, which was said.
    broken: bool,
}

impl Asking {
    /// Nobody was asked yet.
    pub fn new(answers: Answers, voice: Voice) -> Asking {
        Asking {
            answers,
            voice,
            open: None,
            broken: false,
        }
    }

    /// The answer to a request, or why there is none.
    pub fn ask(&mut self, request: Request) -> Result<Reply, ErrorReply> {
        if let Some(open) = &mut self.open {
            match open.ask(request.clone()) {
                Ok(reply) => return told(reply),
                // It has ended; who comes after it is asked.
                Err(ClientError::NotRunning) => self.open = None,
                Err(error) => self.broken(&error),
            }
        }
        let mut open = self.connect()?;
        let reply = open.ask(request.clone()).or_else(|error| {
            self.broken(&error);
            open = self.connect()?;
            open.ask(request).map_err(unanswered)
        })?;
        self.open = Some(open);
        told(reply)
    }

    /// Lets go of who was asked, until something is asked again.
    pub fn pause(&mut self) {
        self.open = None;
    }

    fn connect(&mut self) -> Result<Box<dyn Ask>, ErrorReply> {
        if !self.broken {
            match (self.answers.connect)() {
                Ok(open) => return Ok(open),
                Err(error) => self.broken(&error),
            }
        }
        (self.answers.local)().map_err(unanswered)
    }

    fn broken(&mut self, error: &ClientError) {
        self.open = None;
        if !std::mem::replace(&mut self.broken, true) {
            let why = escape(&error.to_string()).into_owned();
            self.voice.note(&format!("going on without the app: {why}"));
        }
    }
}

fn told(reply: Reply) -> Result<Reply, ErrorReply> {
    match reply {
        Reply::Error(error) => Err(error),
        reply => Ok(reply),
    }
}

fn unanswered(error: ClientError) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, error.to_string())
}
