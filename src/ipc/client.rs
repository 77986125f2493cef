//! The asking end: requests to the running app.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::protocol::{ErrorReply, HelloReply, PROTOCOL, Reply, Request};
use super::socket::{Place, SocketError};
use crate::platform::peer;

/// How long the app may take to answer, beyond what the request itself takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest reply that is read: 65,535 ports of each protocol and some.
const REPLY_LIMIT: u64 = 256 * 1024 * 1024;

/// How much of a reply is read at once.
const BUFFER: usize = 64 * 1024;

/// Whoever answers requests: the running app, or this process in its place.
pub trait Ask {
    /// Answers one request. A reply that is an error is an `Ok` here; `Err` means that there was
    /// no reply.
    fn ask(&mut self, request: Request) -> Result<Reply, ClientError>;
}

/// Why the app gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No app runs for this user.
    #[error("freeport is not running")]
    NotRunning,
    /// The place of the socket cannot be used.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The app speaks another version of the protocol.
    #[error(
        "the running freeport {version} (pid {pid}) speaks protocol {theirs}, this one speaks protocol {PROTOCOL}"
    )]
    Version {
        /// The version of the running app.
        version: String,
        /// Its pid.
        pid: u32,
        /// Its protocol version.
        theirs: u32,
    },
    /// The process behind the socket is another user's.
    #[error("the process behind the socket belongs to uid {0}, not to you")]
    Impostor(u32),
    /// The app refused the connection.
    #[error("the running freeport refused: {}", .0.message)]
    Refused(ErrorReply),
    /// The app did not answer in time.
    #[error("the running freeport did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection broke.
    #[error("the connection to the running freeport broke")]
    Io(#[source] io::Error),
    /// The app answered with something that is not a reply.
    #[error("the running freeport answered with something that is not a reply")]
    Reply(#[source] serde_json::Error),
}

impl ClientError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ClientError::NotRunning => Some(
                "start it with 'freeport app --headless', or from the desktop with 'freeport'"
                    .to_owned(),
            ),
            ClientError::Socket(error) => Some(error.hint().to_owned()),
            ClientError::Version { pid, .. } => Some(format!(
                "restart it: quit it from its menu, or 'kill {pid}', and start it again"
            )),
            ClientError::Impostor(_) => {
                Some("set FREEPORT_RUNTIME_DIR to a folder of your own".to_owned())
            }
            ClientError::Refused(error) => error.hint.clone(),
            ClientError::Timeout(_) | ClientError::Io(_) | ClientError::Reply(_) => {
                Some("look with 'freeport status', or start the app again".to_owned())
            }
        }
    }
}

/// A connection to the running app.
///
/// ```no_run
/// use freeport::{Ask, Client, Reply, Request};
///
/// let mut app = Client::connect()?;
/// if let Reply::List(list) = app.ask(Request::List(Default::default()))? {
///     for listener in &list.listeners {
///         println!("{}", listener.port);
///     }
/// }
/// # Ok::<(), freeport::ClientError>(())
/// ```
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    app: HelloReply,
}

impl Client {
    /// Connects to the app of this user and compares versions.
    pub fn connect() -> Result<Client, ClientError> {
        Client::connect_at(&Place::of_user())
    }

    /// Connects to the app at `place`.
    pub fn connect_at(place: &Place) -> Result<Client, ClientError> {
        let stream = place.connect()?.ok_or(ClientError::NotRunning)?;
        let peer = peer::of(&stream).map_err(ClientError::Io)?;
        if peer.uid != crate::platform::limits::user_id() {
            return Err(ClientError::Impostor(peer.uid));
        }
        stream
            .set_write_timeout(Some(PATIENCE))
            .map_err(ClientError::Io)?;
        let app = HelloReply {
            protocol: PROTOCOL,
            version: String::new(),
            pid: peer.pid,
        };
        let mut client = Client {
            stream: BufReader::with_capacity(BUFFER, stream),
            app,
        };
        match client.ask(Request::Hello { protocol: PROTOCOL })? {
            Reply::Hello(hello) if hello.protocol == PROTOCOL => {
                client.app = hello;
                Ok(client)
            }
            Reply::Hello(hello) => Err(ClientError::Version {
                version: hello.version,
                pid: hello.pid,
                theirs: hello.protocol,
            }),
            Reply::Error(error) => Err(ClientError::Refused(error)),
            _ => Err(ClientError::Reply(serde::de::Error::custom(
                "not a reply to HELLO",
            ))),
        }
    }

    /// What the app said of itself.
    pub fn app(&self) -> &HelloReply {
        &self.app
    }
}

impl Ask for Client {
    fn ask(&mut self, request: Request) -> Result<Reply, ClientError> {
        let patience = PATIENCE + duration_of(&request);
        let late = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Timeout(patience),
            _ => ClientError::Io(error),
        };
        self.stream
            .get_ref()
            .set_read_timeout(Some(patience))
            .map_err(ClientError::Io)?;
        let line = request.to_line().map_err(ClientError::Reply)?;
        // The app may have refused and closed before it read the request: its reason is still there.
        let sent = self.stream.get_mut().write_all(&line);
        let mut reply = Vec::new();
        (&mut self.stream)
            .take(REPLY_LIMIT)
            .read_until(b'\n', &mut reply)
            .map_err(late)?;
        if reply.last() != Some(&b'\n') {
            sent.map_err(late)?;
            return Err(ClientError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        Reply::parse(&request, &reply).map_err(ClientError::Reply)
    }
}

/// How long the work of a request takes by itself: a kill waits for its grace up to twice, and then some.
fn duration_of(request: &Request) -> Duration {
    match request {
        Request::Kill(kill) => Duration::from_millis(kill.grace_ms).saturating_mul(3),
        _ => Duration::ZERO,
    }
}
