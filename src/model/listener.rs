//! Sockets as the kernel lists them, and listeners: the sockets of one owner at one port.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Address, Container, Port, Process, ProcessKey};

/// The transport protocol of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A socket in state LISTEN.
    Tcp,
    /// A socket that is bound but not connected.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// The kernel's own number for a socket (on Linux its inode): equal for all processes that share
/// the socket, and different for two sockets at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SocketId(pub u64);

/// One socket that waits for peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket {
    /// The port.
    pub port: Port,
    /// The protocol.
    pub protocol: Protocol,
    /// The local address.
    pub address: Address,
    /// The kernel's number for it.
    pub id: SocketId,
    /// The user that made it.
    pub uid: u32,
}

/// The sockets of one owner at one port and protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The port.
    pub port: Port,
    /// The protocol.
    pub protocol: Protocol,
    /// The addresses, sorted.
    pub addresses: Vec<Address>,
    /// The sockets behind the addresses, sorted. More than addresses where several sockets share
    /// one address (`SO_REUSEPORT`).
    pub sockets: Vec<SocketId>,
    /// The user that the sockets belong to.
    pub uid: u32,
    /// The name of that user, when it has one.
    pub user: Option<Arc<str>>,
    /// The process that has it: of several that share it, the topmost. `None` when no process
    /// could be seen to have it; a gap of the snapshot then says why.
    pub owner: Option<Arc<Process>>,
    /// The other processes that have it, by identity.
    pub workers: Vec<Arc<Process>>,
    /// The container that it is for, as far as its engine has told.
    pub container: Option<Arc<Container>>,
}

impl Listener {
    /// The identity of its owner.
    pub fn owner_key(&self) -> Option<ProcessKey> {
        self.owner.as_ref().map(|owner| owner.key)
    }

    /// The user that it belongs to, by name or number.
    pub fn user_name(&self) -> String {
        self.user
            .as_deref()
            .map_or_else(|| format!("uid {}", self.uid), str::to_owned)
    }

    /// The container whose port it is. That of a process which listens by itself, and is in a
    /// container all the same, is not meant.
    pub fn published(&self) -> Option<&Container> {
        self.container
            .as_deref()
            .filter(|container| container.port.is_some())
    }

    /// What to call it: the container whose port it is, else the owner's service, else that nothing
    /// is known.
    pub fn service(&self) -> &str {
        if let Some(container) = self.published() {
            return container.title();
        }
        self.owner
            .as_ref()
            .map_or("unknown", |owner| &owner.service)
    }
}
