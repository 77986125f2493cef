//! Unix sockets that are no files: macOS has none.

use std::io;
use std::os::unix::net::UnixListener;

/// Listens at a name, where there is such a thing.
pub fn listen(_name: &str) -> io::Result<UnixListener> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "macOS has no abstract sockets",
    ))
}
