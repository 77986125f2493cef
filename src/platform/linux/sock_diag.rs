//! Listing sockets through NETLINK_SOCK_DIAG (sock_diag(7)): the fast way.
//!
//! Four dumps (TCP and UDP, IPv4 and IPv6) filtered by the kernel to the states that wait for
//! peers. Knows nothing of processes.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink,
    netlink::SocketAddrNetlink, recv, sendto, socket_with,
};

use crate::model::{Address, Port, Protocol, Socket, SocketId};

/// What is dumped, in this order.
pub(super) const DUMPS: [(Protocol, Family); 4] = [
    (Protocol::Tcp, Family::V4),
    (Protocol::Tcp, Family::V6),
    (Protocol::Udp, Family::V4),
    (Protocol::Udp, Family::V6),
];

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const MESSAGE: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x1 | 0x100 | 0x200;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const INET_DIAG_SKV6ONLY: u16 = 11;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
// include/net/tcp_states.h; an unconnected UDP socket is in TCP_CLOSE.
const TCP_CLOSE: u32 = 7;
const TCP_LISTEN: u32 = 10;
// A TCP socket that is bound and neither listens nor is connected; known since Linux 6.8.
const TCP_BOUND_INACTIVE: u32 = 13;

/// An open netlink socket with its buffer, kept between dumps.
pub(super) struct SockDiag {
    socket: OwnedFd,
    buffer: Box<[u8]>,
    sequence: u32,
}

impl SockDiag {
    /// Opens the socket. Fails where a sandbox refuses it or the kernel has no inet_diag.
    pub(super) fn open() -> io::Result<SockDiag> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        // The kernel fills messages of up to 32 KiB.
        Ok(SockDiag {
            socket,
            buffer: vec![0; 32 * 1024].into_boxed_slice(),
            sequence: 0,
        })
    }

    /// Appends the sockets of one protocol and family that wait for peers.
    pub(super) fn dump(
        &mut self,
        protocol: Protocol,
        family: Family,
        into: &mut Vec<Socket>,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        self.ask(&request(protocol, family, self.sequence), protocol, into)
    }

    /// Appends the TCP sockets of one family that listen, and those that are merely bound to a
    /// port, as far as the kernel tells of those.
    pub(super) fn dump_bound(&mut self, family: Family, into: &mut Vec<Socket>) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = request(Protocol::Tcp, family, self.sequence);
        let states: u32 = 1 << TCP_LISTEN | 1 << TCP_BOUND_INACTIVE;
        request[HEADER + 4..HEADER + 8].copy_from_slice(&states.to_ne_bytes());
        self.ask(&request, Protocol::Tcp, into)
    }

    fn ask(
        &mut self,
        request: &[u8; REQUEST],
        protocol: Protocol,
        into: &mut Vec<Socket>,
    ) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, request, SendFlags::empty(), &kernel)?;
        loop {
            let (_, length) = recv(&self.socket, &mut *self.buffer, RecvFlags::TRUNC)?;
            if length > self.buffer.len() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a netlink message is larger than 32 KiB",
                ));
            }
            if read_messages(&self.buffer[..length], protocol, self.sequence, into)? {
                return Ok(());
            }
        }
    }
}

fn request(protocol: Protocol, family: Family, sequence: u32) -> [u8; REQUEST] {
    let (ip_protocol, state) = match protocol {
        Protocol::Tcp => (IPPROTO_TCP, TCP_LISTEN),
        Protocol::Udp => (IPPROTO_UDP, TCP_CLOSE),
    };
    let mut request = [0; REQUEST];
    request[0..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    request[8..12].copy_from_slice(&sequence.to_ne_bytes());
    request[HEADER] = match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    };
    request[HEADER + 1] = ip_protocol;
    request[HEADER + 4..HEADER + 8].copy_from_slice(&(1u32 << state).to_ne_bytes());
    request
}

/// Reads the messages of one datagram; true when the dump is complete.
fn read_messages(
    mut bytes: &[u8],
    protocol: Protocol,
    sequence: u32,
    into: &mut Vec<Socket>,
) -> io::Result<bool> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "a netlink message is cut short");
    while !bytes.is_empty() {
        let length = u32_at(bytes, 0).ok_or_else(broken)? as usize;
        if length < HEADER || length > bytes.len() {
            return Err(broken());
        }
        let message = &bytes[..length];
        let kind = u16_at(message, 4).ok_or_else(broken)?;
        // Answers to an earlier request that failed half way are passed over.
        if u32_at(message, 8) == Some(sequence) {
            match kind {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => {
                    let errno = u32_at(message, HEADER).ok_or_else(broken)?.cast_signed();
                    return Err(io::Error::from_raw_os_error(errno.saturating_neg()));
                }
                SOCK_DIAG_BY_FAMILY => into.extend(socket(&message[HEADER..], protocol)),
                _ => {}
            }
        }
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    Ok(false)
}

/// Reads a `struct inet_diag_msg` and its attributes.
fn socket(bytes: &[u8], protocol: Protocol) -> Option<Socket> {
    let port = Port::new(u16::from_be_bytes(bytes.get(4..6)?.try_into().ok()?))?;
    let source = bytes.get(8..24)?;
    let address = if bytes[0] == AF_INET6 {
        let ip = Ipv6Addr::from(<[u8; 16]>::try_from(source).ok()?);
        let v6only = attribute(bytes.get(MESSAGE..)?, INET_DIAG_SKV6ONLY)
            .is_some_and(|value| value.first() == Some(&1));
        Address::v6(ip, v6only)
    } else {
        Address::v4(Ipv4Addr::from(<[u8; 4]>::try_from(&source[..4]).ok()?))
    };
    Some(Socket {
        port,
        protocol,
        address,
        uid: u32_at(bytes, 64)?,
        id: SocketId(u64::from(u32_at(bytes, 68)?)),
    })
}

fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let (Some(length), Some(kind)) = (u16_at(bytes, 0), u16_at(bytes, 2)) {
        let length = usize::from(length);
        let value = bytes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn reads_an_ipv6_socket_with_its_option() {
        let mut body = vec![0; MESSAGE];
        body[0] = AF_INET6;
        body[4..6].copy_from_slice(&3000u16.to_be_bytes());
        body[64..68].copy_from_slice(&1000u32.to_ne_bytes());
        body[68..72].copy_from_slice(&77u32.to_ne_bytes());
        body.extend([5, 0]);
        body.extend(INET_DIAG_SKV6ONLY.to_ne_bytes());
        body.extend([1, 0, 0, 0]);
        let mut bytes = message(SOCK_DIAG_BY_FAMILY, 4, &body);
        bytes.extend(message(NLMSG_DONE, 4, &[0; 4]));
        let mut sockets = vec![];
        assert!(read_messages(&bytes, Protocol::Tcp, 4, &mut sockets).unwrap());
        assert_eq!(sockets.len(), 1);
        assert_eq!(
            (sockets[0].port.get(), sockets[0].uid, sockets[0].id),
            (3000, 1000, SocketId(77))
        );
        assert!(!sockets[0].address.dual_stack);
    }

    #[test]
    fn broken_messages_are_errors_not_panics() {
        let whole = message(SOCK_DIAG_BY_FAMILY, 1, &[0; MESSAGE]);
        for cut in 1..whole.len() {
            let _ = read_messages(&whole[..cut], Protocol::Tcp, 1, &mut vec![]);
        }
        assert!(read_messages(&[3, 0, 0, 0], Protocol::Tcp, 1, &mut vec![]).is_err());
        assert_eq!(
            read_messages(
                &message(NLMSG_ERROR, 1, &(-13i32).to_ne_bytes()),
                Protocol::Tcp,
                1,
                &mut vec![]
            )
            .unwrap_err()
            .raw_os_error(),
            Some(13)
        );
    }

    #[test]
    fn finds_a_listener_of_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut sockets = vec![];
        SockDiag::open()
            .unwrap()
            .dump(Protocol::Tcp, Family::V4, &mut sockets)
            .unwrap();
        assert!(sockets.iter().any(|s| s.port.get() == port));
    }
}
