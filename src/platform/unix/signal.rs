//! Why a signal could not be sent.

use std::io;

use rustix::io::Errno;

use crate::platform::Signal;

/// Why a signal was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The process has ended.
    #[error("the process has ended")]
    Gone,
    /// The process belongs to another user.
    #[error("not permitted")]
    NotPermitted,
    /// The system refused for another reason.
    #[error("the system refused the signal: {0}")]
    Other(#[source] io::Error),
}

impl From<Errno> for SignalError {
    fn from(errno: Errno) -> SignalError {
        match errno {
            Errno::SRCH => SignalError::Gone,
            Errno::PERM => SignalError::NotPermitted,
            other => SignalError::Other(other.into()),
        }
    }
}

impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> rustix::process::Signal {
        match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        }
    }
}
