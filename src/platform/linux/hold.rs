//! Ports that nobody else can bind, held by a socket that is bound and does not listen.
//!
//! A TCP port is held by the gate: a socket on all addresses that was bound with neither
//! SO_REUSEADDR nor SO_REUSEPORT keeps everybody out; SO_REUSEADDR set on it afterwards lets
//! ordinary servers in, and SO_REUSEPORT those of the same user that set it as well (socket(7),
//! net/ipv4/inet_connection_sock.c: of the two sockets the options of now count). A UDP socket gets
//! what is sent to its port, so a UDP gate is opened by closing the socket.
//!
//! A server that has ended leaves connections that linger for a minute, and that an exclusive bind
//! cannot stand beside. The port is held all the same: see [`among_lingering`].

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Gid, Uid, fchown};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

use super::bound;
use crate::model::{Port, Protocol};

/// The address of the loopback network that [`among_lingering`] binds for a moment; no server is
/// there.
const ASIDE: Ipv4Addr = Ipv4Addr::new(127, 251, 83, 17);

/// How many connections wait to be accepted at most; the kernel has a limit of its own.
const BACKLOG: i32 = 4096;

/// A port that nobody else can bind, on any address, for as long as this lives. It does not listen:
/// who connects is refused, and other tools list nothing.
#[derive(Debug)]
pub struct PortHold {
    port: Port,
    protocol: Protocol,
    beside: bool,
    /// `None` while the gate of a UDP port is open.
    socket: RefCell<Option<OwnedFd>>,
}

impl PortHold {
    /// Holds the port. An error of kind `AddrInUse` says that somebody has it on some address,
    /// `PermissionDenied` that the user may not bind it.
    pub fn new(port: Port, protocol: Protocol) -> io::Result<PortHold> {
        PortHold::take(port, protocol, false)
    }

    /// Holds the port beside a hold of the same user that was lent, and beside what the seam has
    /// bound beside one.
    pub fn beside(port: Port, protocol: Protocol) -> io::Result<PortHold> {
        PortHold::take(port, protocol, true)
    }

    fn take(port: Port, protocol: Protocol, beside: bool) -> io::Result<PortHold> {
        Ok(PortHold {
            port,
            protocol,
            beside,
            socket: RefCell::new(Some(exclusive(port, protocol, beside)?)),
        })
    }

    /// Lets [`PortHold::beside`] of the same user share the port, and whoever else of that user
    /// sets SO_REUSEPORT.
    pub fn lend(&self) -> io::Result<()> {
        self.with_socket(|socket| set_socket_reuseport(socket, true))
    }

    /// Lets sockets of this user share the port, as [`PortHold::lend`]. Needs root for a user that
    /// is not that of the hold.
    pub(super) fn lend_to(&self, uid: Uid) -> io::Result<()> {
        self.with_socket(|socket| {
            // Whose a socket is, the kernel reads from its inode, by which root can give it away.
            if rustix::fs::fstat(socket)?.st_uid != uid.as_raw() {
                fchown(socket, Some(uid), None::<Gid>)?;
            }
            set_socket_reuseport(socket, true)
        })
    }

    /// Opens the gate: ordinary servers can bind the port now, whoever runs them. A UDP port is
    /// free while its gate is open.
    pub fn open(&self) -> io::Result<()> {
        match self.protocol {
            Protocol::Tcp => self.with_socket(|socket| set_socket_reuseaddr(socket, true)),
            Protocol::Udp => {
                // A child that is just being made may have it for a moment longer; nobody is to
                // share the port with that.
                self.with_socket(|socket| set_socket_reuseport(socket, false))?;
                *self.socket.borrow_mut() = None;
                Ok(())
            }
        }
    }

    /// Closes the gate again. Who listens by then is not disturbed, but a UDP port that somebody
    /// has bound meanwhile cannot be held, which is an error of kind `AddrInUse`; the gate stays
    /// open then.
    pub fn shut(&self) -> io::Result<()> {
        match self.protocol {
            Protocol::Tcp => self.with_socket(|socket| set_socket_reuseaddr(socket, false)),
            Protocol::Udp => {
                let mut socket = self.socket.borrow_mut();
                if socket.is_none() {
                    *socket = Some(exclusive(self.port, self.protocol, self.beside)?);
                }
                Ok(())
            }
        }
    }

    /// The port.
    pub fn port(&self) -> Port {
        self.port
    }

    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Does something with the socket, unless an open gate has none.
    fn with_socket(&self, act: impl FnOnce(&OwnedFd) -> Result<(), Errno>) -> io::Result<()> {
        let socket = self.socket.borrow();
        Ok(socket.as_ref().map_or(Ok(()), act)?)
    }
}

/// A TCP socket that listens on the port on all addresses, to be handed over to a program
/// (sd_listen_fds(3)); with `beside`, beside a hold of the same user that was lent.
pub fn listening_socket(port: Port, beside: bool) -> io::Result<OwnedFd> {
    let (socket, address) = fresh(port, Protocol::Tcp)?;
    // As servers do, and for the same reason: connections of the one before may linger.
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, beside)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A socket of its own, and the address that stands for all of them: of both families, or of IPv4
/// where there is no IPv6.
fn fresh(port: Port, protocol: Protocol) -> io::Result<(OwnedFd, SocketAddr)> {
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let make = |family| socket_with(family, kind, SocketFlags::CLOEXEC, None);
    match make(AddressFamily::INET6) {
        Ok(socket) => {
            set_ipv6_v6only(&socket, false)?;
            Ok((socket, (Ipv6Addr::UNSPECIFIED, port.get()).into()))
        }
        Err(Errno::AFNOSUPPORT) => Ok((
            make(AddressFamily::INET)?,
            (Ipv4Addr::UNSPECIFIED, port.get()).into(),
        )),
        Err(errno) => Err(errno.into()),
    }
}

/// A socket bound to all addresses, where nobody else has any of them.
fn exclusive(port: Port, protocol: Protocol, beside: bool) -> io::Result<OwnedFd> {
    let (socket, address) = fresh(port, protocol)?;
    set_socket_reuseport(&socket, beside)?;
    match bind(&socket, &address) {
        Ok(()) => Ok(socket),
        Err(Errno::ADDRINUSE) if protocol == Protocol::Tcp => {
            // Where that cannot be done, somebody has the port, as far as can be said.
            among_lingering(port, beside, socket, address).map_err(|_| Errno::ADDRINUSE.into())
        }
        Err(errno) => Err(errno.into()),
    }
}

/// The same where nobody has the port but connections of a server that has ended.
///
/// SO_REUSEADDR lets the socket stand beside them; nobody else must do so afterwards. Clearing it may
/// not be enough: where all that have the port have set it, older kernels remember that, and let in
/// whoever sets it without looking further (`fastreuse` in net/ipv4/inet_connection_sock.c). A
/// socket without it, bound for a moment to an address where nobody is, makes them forget.
fn among_lingering(
    port: Port,
    beside: bool,
    socket: OwnedFd,
    address: SocketAddr,
) -> io::Result<OwnedFd> {
    if !beside && bound::is_taken(port, None)? {
        return Err(Errno::ADDRINUSE.into());
    }
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    set_socket_reuseport(&socket, true)?;
    let kind = SocketType::STREAM;
    let aside = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseport(&aside, true)?;
    bind(&aside, &SocketAddr::from((ASIDE, port.get())))?;
    drop(aside);
    set_socket_reuseport(&socket, beside)?;
    set_socket_reuseaddr(&socket, false)?;
    // Somebody may have come in while it was open.
    if !beside && bound::is_taken(port, Some(socket.as_fd()))? {
        return Err(Errno::ADDRINUSE.into());
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_may_end_while_a_port_is_held_beside_them() {
        // As if they had all just ended: the kernel remembers of the port that its first socket
        // lets others in.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port::new(free.local_addr().unwrap().port()).unwrap();
        drop(free);
        let (socket, address) = fresh(port, Protocol::Tcp).unwrap();
        let _hold = among_lingering(port, false, socket, address).unwrap();
        for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED, ASIDE] {
            let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
            let other = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
            set_socket_reuseaddr(&other, true).unwrap();
            let found = bind(&other, &SocketAddr::from((ip, port.get())));
            assert_eq!(found, Err(Errno::ADDRINUSE), "{ip}");
        }
    }
}
