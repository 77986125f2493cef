//! A connection that was turned into a stream of changes.

use std::io;

use serde::Deserialize;

use super::ClientError;
use super::connection::Connection;
use crate::ipc::protocol::{ErrorReply, Event, StateReply};

/// Everything as it was when it was subscribed to, and then every change, one by one.
///
/// As an iterator, it waits for the next change without end. When the app ends, or drops this
/// subscriber because it does not read what it is told, there is one error and then nothing more:
/// subscribe again with a new [`Client`](super::Client), which starts with everything anew.
#[derive(Debug)]
pub struct Subscription {
    /// Everything, as it was at the start.
    pub state: StateReply,
    connection: Option<Connection>,
}

impl Subscription {
    pub(super) fn new(state: StateReply, connection: Connection) -> Subscription {
        Subscription {
            state,
            connection: Some(connection),
        }
    }
}

/// A line of the stream.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Event(Event),
    Dropped(ErrorReply),
}

impl Iterator for Subscription {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Result<Event, ClientError>> {
        let error = match self.connection.as_mut()?.line() {
            Ok(Some(line)) => match serde_json::from_slice(&line) {
                Ok(Told::Event(event)) => return Some(Ok(event)),
                Ok(Told::Dropped(error)) => ClientError::Refused(error),
                Err(error) => ClientError::Reply(error),
            },
            Ok(None) => ClientError::Io(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => ClientError::Io(error),
        };
        self.connection = None;
        Some(Err(error))
    }
}
