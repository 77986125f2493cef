//! Who is at the other end of a Unix socket, as the kernel says (unix(7), SO_PEERCRED).

use std::io;
use std::os::unix::net::UnixStream;

/// The user and process that opened the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user id when it connected.
    pub uid: u32,
    /// Its pid when it connected.
    pub pid: u32,
}

/// Reads who opened the other end of `stream`.
pub fn of(stream: &UnixStream) -> io::Result<Peer> {
    let credentials = rustix::net::sockopt::socket_peercred(stream)?;
    Ok(Peer {
        uid: credentials.uid.as_raw(),
        pid: u32::try_from(credentials.pid.as_raw_pid()).unwrap_or(0),
    })
}
