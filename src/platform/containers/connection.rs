//! A connection to a container engine: made, written and read before a deadline, and only with whom is
//! the user, or the system.

use std::io::{self, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::http::{self, HttpError, Response};
use super::places::Place;
use crate::platform::local_socket::{self, connect_within};
use crate::platform::{limits, peer};

/// Why an engine gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("nobody answers there")]
    Absent,
    /// This user may not ask it.
    #[error("permission denied")]
    NotPermitted,
    /// It belongs to another user, who could answer anything.
    #[error("it belongs to another user (uid {0}), and is not asked")]
    OfAnother(u32),
    /// The connection or the answer failed.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl From<io::Error> for AskError {
    fn from(error: io::Error) -> AskError {
        use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound, PermissionDenied};
        match error.kind() {
            NotFound | ConnectionRefused | NotADirectory => AskError::Absent,
            PermissionDenied => AskError::NotPermitted,
            _ => AskError::Http(error.into()),
        }
    }
}

enum Stream {
    Unix(local_socket::Stream),
    Tcp(TcpStream),
}

/// Sends one request, and reads its answer.
pub fn ask(
    place: &Place,
    method: &str,
    path: &str,
    deadline: Instant,
) -> Result<Response, AskError> {
    let stream = match place {
        Place::Unix(path) => {
            let stream = connect_within(path, left(deadline)?)?;
            let peer = peer::of(&stream)?.uid;
            if peer != 0 && peer != limits::user_id() {
                return Err(AskError::OfAnother(peer));
            }
            Stream::Unix(stream)
        }
        Place::Tcp(at) => Stream::Tcp(TcpStream::connect_timeout(at, left(deadline)?)?),
    };
    let mut timed = Timed { stream, deadline };
    timed.send(http::request(method, path).as_bytes())?;
    Ok(http::read(&mut BufReader::new(timed))?)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    // A timeout of zero would be none.
    if left < Duration::from_millis(1) {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// A stream that gives up at its deadline, whatever comes how slowly.
struct Timed {
    stream: Stream,
    deadline: Instant,
}

impl Timed {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = Some(left(self.deadline)?);
        match &mut self.stream {
            Stream::Unix(stream) => {
                stream.set_write_timeout(left)?;
                stream.write_all(bytes)
            }
            Stream::Tcp(stream) => {
                stream.set_write_timeout(left)?;
                stream.write_all(bytes)
            }
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = Some(left(self.deadline)?);
        match &mut self.stream {
            Stream::Unix(stream) => {
                stream.set_read_timeout(left)?;
                stream.read(buffer)
            }
            Stream::Tcp(stream) => {
                stream.set_read_timeout(left)?;
                stream.read(buffer)
            }
        }
    }
}
