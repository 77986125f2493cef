//! Signals and why they could not be sent, as the system says both.

use rustix::io::Errno;

use crate::platform::Signal;
pub use crate::platform::SignalError;

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
