//! Who is at the other end of a Unix socket, as the kernel says (getpeereid(3), LOCAL_PEERPID).

use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt::LocalPeerPid};
use nix::unistd::getpeereid;

/// The user and process that opened the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user id when it connected.
    pub uid: u32,
    /// The pid of the process that used that end last: of the one that connected, unless it has
    /// handed the socket on.
    pub pid: u32,
}

/// Reads who opened the other end of `stream`.
pub fn of(stream: &UnixStream) -> io::Result<Peer> {
    let (uid, _) = getpeereid(stream)?;
    let pid = getsockopt(stream, LocalPeerPid)?;
    Ok(Peer {
        uid: uid.as_raw(),
        pid: u32::try_from(pid).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(
            of(&one).unwrap(),
            Peer {
                uid: crate::platform::limits::user_id(),
                pid: std::process::id(),
            }
        );
    }
}
