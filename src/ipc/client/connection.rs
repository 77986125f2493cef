//! One connection to the app: a line there, a line back, and what is left when it breaks.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::time::Duration;

use super::ClientError;
use crate::ipc::protocol::{HelloReply, PROTOCOL, Reply, Request};
use crate::ipc::socket::Place;
use crate::platform::local_socket::Stream;
use crate::platform::{limits, peer};

/// How long the app may take to answer, beyond what the request itself takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest line that is read: 65,535 ports of each protocol and some.
const LINE_LIMIT: u64 = 256 * 1024 * 1024;
/// How much of a line is read at once.
const BUFFER: usize = 64 * 1024;

/// A connection to the app. After an error it is of no more use: what is read next may belong to
/// another request.
#[derive(Debug)]
pub(super) struct Connection(BufReader<Stream>);

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection broke. When the request was not `sent` as a whole, the app has not read it.
    Broken { sent: bool, error: io::Error },
    /// Something else, which another connection would not help against.
    Other(ClientError),
}

impl Connection {
    /// Connects to the app at `place`, and asks it who it is.
    pub(super) fn open(place: &Place) -> Result<(Connection, HelloReply), ClientError> {
        let stream = place.connect()?.ok_or(ClientError::NotRunning)?;
        let peer = peer::of(&stream).map_err(ClientError::Io)?;
        if peer.uid != limits::user_id() {
            return Err(ClientError::Impostor(peer.uid));
        }
        stream
            .set_write_timeout(Some(PATIENCE))
            .map_err(ClientError::Io)?;
        let mut connection = Connection(BufReader::with_capacity(BUFFER, stream));
        let hello = Request::Hello { protocol: PROTOCOL };
        let line = hello.to_line().map_err(ClientError::Reply)?;
        match connection.exchange(&hello, &line) {
            Ok(Reply::Hello(app)) if app.protocol == PROTOCOL => Ok((connection, app)),
            Ok(Reply::Hello(app)) => Err(ClientError::Version {
                version: app.version,
                pid: app.pid,
                theirs: app.protocol,
            }),
            Ok(Reply::Error(error)) => Err(ClientError::Refused(error)),
            Ok(_) => Err(ClientError::Reply(serde::de::Error::custom(
                "not a reply to HELLO",
            ))),
            Err(Failure::Broken { error, .. }) => Err(ClientError::Io(error)),
            Err(Failure::Other(error)) => Err(error),
        }
    }

    /// Sends `request`, which is `line`, and reads the reply.
    pub(super) fn exchange(&mut self, request: &Request, line: &[u8]) -> Result<Reply, Failure> {
        let patience = PATIENCE + duration_of(request);
        let other = |error| Failure::Other(ClientError::Io(error));
        self.patience(Some(patience)).map_err(other)?;
        let late = |error: io::Error, sent| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Failure::Other(ClientError::Timeout(patience))
            }
            _ => Failure::Broken { sent, error },
        };
        // The app may have refused and closed before it read the request: its reason is still there.
        let sent = self.0.get_mut().write_all(line);
        match (self.line(), sent) {
            (Ok(Some(reply)), _) => Reply::parse(request, &reply)
                .map_err(|error| Failure::Other(ClientError::Reply(error))),
            (_, Err(error)) => Err(late(error, false)),
            (Ok(None), Ok(())) => Err(late(io::ErrorKind::UnexpectedEof.into(), true)),
            (Err(error), Ok(())) => Err(late(error, true)),
        }
    }

    /// The next line, its newline included; `None` when the app has hung up, if in the middle of it.
    pub(super) fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.0)
            .take(LINE_LIMIT)
            .read_until(b'\n', &mut line)?;
        Ok((line.last() == Some(&b'\n')).then_some(line))
    }

    /// How long a line is waited for; without end when that is `None`.
    pub(super) fn patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.0.get_ref().set_read_timeout(patience)
    }
}

/// How long the work of a request takes by itself: a kill waits for its grace up to twice, and then some.
fn duration_of(request: &Request) -> Duration {
    match request {
        Request::Kill(kill) => Duration::from_millis(kill.grace_ms).saturating_mul(3),
        _ => Duration::ZERO,
    }
}
