//! Why a bind could not be made for somebody else.

use std::io;

/// What a call is refused with that is not allowed (errno.h of Linux and macOS).
const EACCES: i32 = 13;

/// Why a bind was not done.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refuses that address to the socket, as it would refuse it to the caller: it can
    /// be refused with this errno ([`BindError::errno`]), or bound to another address.
    #[error("{0}")]
    Refused(#[source] io::Error),
    /// The caller's socket cannot be bound from here. Only the caller itself can, once the gate of
    /// the port is open.
    #[error("its socket cannot be bound for it: {0}")]
    Impossible(#[source] io::Error),
}

impl BindError {
    /// Whether somebody else has the port.
    pub fn is_in_use(&self) -> bool {
        matches!(self, BindError::Refused(error) if error.kind() == io::ErrorKind::AddrInUse)
    }

    /// The number of the error, to refuse a call with.
    pub fn errno(&self) -> i32 {
        let (BindError::Refused(error) | BindError::Impossible(error)) = self;
        error.raw_os_error().unwrap_or(EACCES)
    }
}
