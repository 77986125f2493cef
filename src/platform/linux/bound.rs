//! Which sockets have a TCP port now: those that listen, and those that are merely bound to it.

use std::io;
use std::os::fd::BorrowedFd;

use super::proc_net;
use super::sock_diag::{Family, SockDiag};
use crate::model::{Address, Port, Protocol, SocketId};

/// Whether somebody has the port on any address, `but` the socket given. Connections do not count.
/// Of sockets that do not listen, Linux tells since 6.8.
pub(super) fn is_taken(port: Port, but: Option<BorrowedFd<'_>>) -> io::Result<bool> {
    let but = match but {
        Some(socket) => Some(SocketId(rustix::fs::fstat(socket)?.st_ino)),
        None => None,
    };
    let mut sockets = Vec::new();
    let mut netlink = SockDiag::open()?;
    for family in [Family::V4, Family::V6] {
        netlink.dump_bound(family, &mut sockets)?;
    }
    let mut sockets = sockets.iter();
    Ok(sockets.any(|socket| socket.port == port && Some(socket.id) != but))
}

/// Whether somebody listens on the port where one who binds `address` would get in his way.
pub(super) fn is_listened_on(port: Port, address: Address) -> io::Result<bool> {
    let mut sockets = Vec::new();
    let mut netlink = SockDiag::open();
    for family in [Family::V4, Family::V6] {
        let listed = netlink
            .as_mut()
            .map(|netlink| netlink.dump(Protocol::Tcp, family, &mut sockets));
        if !matches!(listed, Ok(Ok(()))) {
            proc_net::dump(Protocol::Tcp, family, &mut sockets)?;
        }
    }
    let mut sockets = sockets.iter();
    Ok(sockets.any(|socket| socket.port == port && socket.address.overlaps(address)))
}
