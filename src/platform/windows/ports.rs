//! Ports: whether one is free is found out with std's sockets; who has one is not seen yet, and none
//! is held.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::SystemTime;

use super::not_yet;
use super::spawn::Descriptor;
use crate::model::{Gap, GapKind, Port, ProcessKey, Protocol, Snapshot, Timestamp};
pub use crate::platform::no_seam::{BindCall, BindError, Seam};
use crate::platform::{Focus, Vacancy};

/// Makes snapshots, in which nothing is seen.
#[derive(Default)]
pub struct Scanner(());

impl Scanner {
    /// A scanner of all ports.
    pub fn new() -> Scanner {
        Scanner::default()
    }

    /// A scanner of these ports only.
    pub fn for_ports(_: &[Port]) -> Scanner {
        Scanner::default()
    }

    /// The first snapshot: a gap where all listeners would be.
    pub fn first(&mut self) -> Snapshot {
        let gap = Gap {
            kind: GapKind::SocketsUnreadable,
            detail: "freeport does not see listeners on Windows yet".to_owned(),
        };
        Snapshot {
            scanned_at: Timestamp(SystemTime::now()),
            gaps: vec![gap],
            listeners: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    /// Looks again: nothing has changed.
    pub fn scan(&mut self, _: Focus<'_>) -> Option<Snapshot> {
        None
    }

    /// The processes that have sockets now: none is seen.
    pub fn owners(&self) -> impl Iterator<Item = ProcessKey> {
        std::iter::empty()
    }
}

/// How free this port is. std's sockets listen for the moment in which that is tried.
pub fn vacancy(port: Port) -> Vacancy {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.get()));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.get()));
    let is_free = |bound: io::Result<()>| match bound {
        Ok(()) => true,
        // There is no IPv6 here.
        Err(error) => error.kind() == io::ErrorKind::AddrNotAvailable,
    };
    let free = TcpListener::bind(v4).is_ok()
        && UdpSocket::bind(v4).is_ok()
        && is_free(TcpListener::bind(v6).map(drop))
        && is_free(UdpSocket::bind(v6).map(drop));
    if free { Vacancy::Free } else { Vacancy::Taken }
}

/// A port that nobody else can bind: there is none yet.
#[derive(Debug)]
pub struct PortHold(Infallible);

impl PortHold {
    /// Holds the port: not yet.
    pub fn new(_: Port, _: Protocol) -> io::Result<PortHold> {
        Err(not_yet())
    }

    /// Holds the port beside a hold of the same user that was lent: not yet.
    pub fn beside(_: Port, _: Protocol) -> io::Result<PortHold> {
        Err(not_yet())
    }

    /// Lets others of the user bind it, too.
    pub fn lend(&self) -> io::Result<()> {
        match self.0 {}
    }

    /// Opens the gate.
    pub fn open(&self) -> io::Result<()> {
        match self.0 {}
    }

    /// Closes the gate again.
    pub fn shut(&self) -> io::Result<()> {
        match self.0 {}
    }

    /// The port.
    pub fn port(&self) -> Port {
        match self.0 {}
    }

    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        match self.0 {}
    }
}

impl Drop for PortHold {
    fn drop(&mut self) {
        match self.0 {}
    }
}

/// A TCP socket that listens on the port, to be handed over to a program: not yet.
pub fn listening_socket(_: Port, _beside: bool) -> io::Result<Descriptor> {
    Err(not_yet())
}

impl super::sockets::Source for Seam {}
