//! Listing sockets from `/proc/net/{tcp,tcp6,udp,udp6}`: the slow way, where netlink is refused.

use std::io;
use std::net::{IpAddr, SocketAddr};

use procfs::net::{TcpState, UdpState};

use super::sock_diag::Family;
use crate::model::{Address, Port, Protocol, Socket, SocketId};

/// Appends the sockets of one protocol and family that wait for peers. The kernel's tables do not
/// tell whether an IPv6 wildcard takes IPv4 too; it is taken to, as that is the default.
pub(super) fn dump(protocol: Protocol, family: Family, into: &mut Vec<Socket>) -> io::Result<()> {
    let mut add = |local: SocketAddr, uid: u32, inode: u64| {
        if let Some(port) = Port::new(local.port()) {
            let address = match local.ip() {
                IpAddr::V4(ip) => Address::v4(ip),
                IpAddr::V6(ip) => Address::v6(ip, false),
            };
            into.push(Socket {
                port,
                protocol,
                address,
                id: SocketId(inode),
                uid,
            });
        }
    };
    match protocol {
        Protocol::Tcp => {
            let entries = match family {
                Family::V4 => procfs::net::tcp(),
                Family::V6 => procfs::net::tcp6(),
            };
            let listening = entries
                .map_err(to_io)?
                .into_iter()
                .filter(|entry| entry.state == TcpState::Listen);
            listening.for_each(|entry| add(entry.local_address, entry.uid, entry.inode));
        }
        Protocol::Udp => {
            let entries = match family {
                Family::V4 => procfs::net::udp(),
                Family::V6 => procfs::net::udp6(),
            };
            let unconnected = entries
                .map_err(to_io)?
                .into_iter()
                .filter(|entry| entry.state == UdpState::Close);
            unconnected.for_each(|entry| add(entry.local_address, entry.uid, entry.inode));
        }
    }
    Ok(())
}

fn to_io(error: procfs::ProcError) -> io::Error {
    match error {
        procfs::ProcError::PermissionDenied(_) => io::ErrorKind::PermissionDenied.into(),
        procfs::ProcError::NotFound(_) => io::ErrorKind::NotFound.into(),
        procfs::ProcError::Io(error, _) => error,
        other => io::Error::other(other.to_string()),
    }
}
