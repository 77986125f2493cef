//! Sockets between the processes of one machine, which have files for addresses.

use std::io;
use std::path::Path;
use std::time::Duration;

pub use std::os::unix::net::{UnixListener as Listener, UnixStream as Stream};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, connect, recv, send, socket,
};

/// Connects, and gives up after `patience`: a program that has been stopped accepts nobody.
pub fn connect_within(path: &Path, patience: Duration) -> io::Result<Stream> {
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

/// Sends what can be sent without a wait, and says how much that was.
pub fn send_at_once(stream: &Stream, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(stream, bytes, SendFlags::DONTWAIT)?)
}

/// Receives what is there without a wait; an error of kind `WouldBlock` says that nothing is.
pub fn receive_at_once(stream: &Stream, bytes: &mut [u8]) -> io::Result<usize> {
    Ok(recv(stream, bytes, RecvFlags::DONTWAIT)?.0)
}

/// Whether the other end has been closed. What it has sent meanwhile nobody reads.
pub fn has_gone(stream: &Stream) -> bool {
    let closed = PollFlags::HUP | PollFlags::ERR;
    // Linux always tells of these; macOS only where one is asked for.
    let mut watched = [PollFd::new(stream, closed)];
    let at_once = Timespec::default();
    poll(&mut watched, Some(&at_once)).is_ok() && watched[0].revents().intersects(closed)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn who_has_gone_is_known_whatever_was_sent_before() {
        for sent in ["", "more than was asked for"] {
            let (mut client, server) = Stream::pair().unwrap();
            client.write_all(sent.as_bytes()).unwrap();
            assert!(!has_gone(&server));
            drop(client);
            assert!(has_gone(&server));
        }
    }

    #[test]
    fn nothing_that_is_done_at_once_is_waited_for() {
        let (one, other) = Stream::pair().unwrap();
        let nothing = receive_at_once(&other, &mut [0; 8]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(send_at_once(&one, b"abc").unwrap(), 3);
        let mut bytes = [0; 8];
        assert_eq!(receive_at_once(&other, &mut bytes).unwrap(), 3);
        assert_eq!(&bytes[..3], b"abc");
        while send_at_once(&one, &[0; 4096]).is_ok() {}
        drop(one);
        assert!(send_at_once(&other, b"x").is_err(), "and no signal ends it");
    }
}
