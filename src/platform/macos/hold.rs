//! Ports that nobody else can bind, held by sockets that are bound and do not listen.
//!
//! On macOS a wildcard socket does not keep a socket with SO_REUSEADDR from a single address
//! (bsd/netinet/in_pcb.c: it conflicts with exactly its own address only), so each of the addresses
//! that a server of `localhost` binds is held. No option lets one program in afterwards and keeps the
//! others out: the gate is opened by closing the sockets, for a command that is about to be started
//! in the moment in which it is executed.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

use super::subreaper;
use crate::model::{Port, Protocol};
use crate::platform::at_exec;

/// What is held of a port.
const ADDRESSES: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// How many connections wait to be accepted at most; the kernel has a limit of its own.
const BACKLOG: i32 = 4096;

/// A port that nobody else can bind, on the loopback and the wildcard addresses, for as long as this
/// lives. It does not listen: who connects is refused.
#[derive(Debug)]
pub struct PortHold {
    port: Port,
    protocol: Protocol,
    /// None while the gate is open.
    sockets: RefCell<Vec<OwnedFd>>,
}

impl PortHold {
    /// Holds the port. An error of kind `AddrInUse` says that somebody has it on some address,
    /// `PermissionDenied` that the user may not bind it.
    pub fn new(port: Port, protocol: Protocol) -> io::Result<PortHold> {
        let sockets = all(port, protocol)?;
        Ok(PortHold {
            port,
            protocol,
            sockets: RefCell::new(sockets),
        })
    }

    /// Holds the port beside a hold of the same user that was lent: that one has let go of it, so
    /// that this is as [`PortHold::new`].
    pub fn beside(port: Port, protocol: Protocol) -> io::Result<PortHold> {
        PortHold::new(port, protocol)
    }

    /// Lets go of the port at once, for [`PortHold::beside`] or [`listening_socket`] to bind it. What
    /// would share it with them would share it with everybody (SO_REUSEPORT), and a socket that is
    /// held on the loopback address would get what is meant for one on all addresses.
    pub fn lend(&self) -> io::Result<()> {
        self.sockets.borrow_mut().clear();
        Ok(())
    }

    /// Opens the gate: the port is free. In a process that looks after a command it is so when the
    /// command is executed, and after half a second at the latest.
    pub fn open(&self) -> io::Result<()> {
        let sockets = self.sockets.take();
        if sockets.is_empty() || !subreaper::guards() {
            return Ok(());
        }
        at_exec::let_go(sockets)
    }

    /// Closes the gate again. A port that somebody has bound meanwhile cannot be held, which is an
    /// error of kind `AddrInUse`; the gate stays open then.
    pub fn shut(&self) -> io::Result<()> {
        let mut sockets = self.sockets.borrow_mut();
        if sockets.is_empty() {
            *sockets = all(self.port, self.protocol)?;
        }
        Ok(())
    }

    /// The port.
    pub fn port(&self) -> Port {
        self.port
    }

    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }
}

/// A TCP socket that listens on the port on all addresses, to be handed over to a program.
pub fn listening_socket(port: Port, _beside: bool) -> io::Result<OwnedFd> {
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.get()));
    let socket = fresh(address, Protocol::Tcp)?;
    set_ipv6_v6only(&socket, false)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn fresh(address: SocketAddr, protocol: Protocol) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = socket(family, kind, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

/// Sockets on all the addresses, where nobody else has any of them.
fn all(port: Port, protocol: Protocol) -> io::Result<Vec<OwnedFd>> {
    let mut sockets = Vec::new();
    for address in ADDRESSES {
        match one(SocketAddr::new(address, port.get()), protocol) {
            Ok(socket) => sockets.push(socket),
            // There is no IPv6 here.
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) if address.is_ipv6() => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(sockets)
}

/// A socket on one address. With SO_REUSEADDR, as here, it is refused where another socket waits on
/// exactly that address, and stands beside connections that linger after a server has ended. What
/// others may do afterwards does not depend on it.
fn one(address: SocketAddr, protocol: Protocol) -> Result<OwnedFd, Errno> {
    let socket = fresh(address, protocol)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    Ok(socket)
}
