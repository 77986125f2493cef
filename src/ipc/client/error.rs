//! Why the app gave no answer, and what to do about it.

use std::io;
use std::time::Duration;

use crate::ipc::protocol::{ErrorReply, PROTOCOL};
use crate::ipc::socket::SocketError;

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

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
        "the running freeport {version} (pid {pid}) speaks protocol {theirs}, this one, {VERSION}, speaks protocol {PROTOCOL}"
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
    /// The app refused the connection, or what one of the typed methods of
    /// [`Client`](super::Client) asked for.
    #[error("the running freeport refused: {}", .0.message)]
    Refused(ErrorReply),
    /// The app did not answer in time. Whether it does what was asked is not known.
    #[error("the running freeport did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection broke, and nothing was done.
    #[error("the connection to the running freeport broke")]
    Io(#[source] io::Error),
    /// The connection broke after a request that is not safe to repeat was sent.
    #[error(
        "the connection to the running freeport broke before it answered: whether it did what was asked is not known"
    )]
    Unanswered(#[source] io::Error),
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
            // To start it again with this program would put an older one in its place.
            ClientError::Version { theirs, .. } if *theirs > PROTOCOL => Some(
                "this program is the older one: use the one that the app is of ('type -a freeport' tells which there are)"
                    .to_owned(),
            ),
            ClientError::Version { pid, .. } => Some(format!(
                "restart it: quit it from its menu, or 'kill {pid}', and start it again"
            )),
            ClientError::Impostor(_) => {
                Some("set FREEPORT_RUNTIME_DIR to a folder of your own".to_owned())
            }
            ClientError::Refused(error) => error.hint.clone(),
            ClientError::Timeout(_)
            | ClientError::Io(_)
            | ClientError::Unanswered(_)
            | ClientError::Reply(_) => {
                Some("look with 'freeport status', or start the app again".to_owned())
            }
        }
    }
}
