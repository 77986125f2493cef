//! A socket that a process has open, as `proc_pidfdinfo` with `PROC_PIDFDSOCKETINFO` gives it
//! (`struct socket_fdinfo` of <sys/proc_info.h>, the same on Intel and Apple silicon).

use super::address;
use crate::model::{Address, Port, Protocol, SocketId};

/// How long `struct socket_fdinfo` is. The kernel writes all of it or nothing.
pub const LENGTH: usize = 792;

/// Where its fields are.
mod at {
    /// `psi`, behind a `struct proc_fileinfo`.
    const SOCKET: usize = 24;
    /// `soi_so`, behind a `struct vinfo_stat`.
    pub const ID: usize = SOCKET + 136;
    /// `soi_protocol`.
    pub const PROTOCOL: usize = SOCKET + 156;
    /// `soi_kind`, which says what `soi_proto` is.
    pub const KIND: usize = SOCKET + 232;
    /// `soi_proto`, a union: `struct in_sockinfo`, alone or in front of a `struct tcp_sockinfo`.
    const INTERNET: usize = SOCKET + 240;
    /// `insi_fport`.
    pub const PEER_PORT: usize = INTERNET;
    /// `insi_lport`.
    pub const PORT: usize = INTERNET + 4;
    /// `insi_vflag`.
    pub const FLAGS: usize = INTERNET + 24;
    /// `insi_laddr`.
    pub const ADDRESS: usize = INTERNET + 48;
    /// `tcpsi_state`, behind the `struct in_sockinfo`.
    pub const STATE: usize = INTERNET + 80;
}

/// Kinds (`SOCKINFO_IN`, `SOCKINFO_TCP`).
const INTERNET: i32 = 1;
const TCP: i32 = 2;
/// The protocol of sockets of the kind `SOCKINFO_IN` that are wanted (`IPPROTO_UDP`).
const UDP: i32 = 17;
/// The state of TCP sockets that wait for peers (`TSI_S_LISTEN`).
const LISTEN: i32 = 1;

/// A socket that waits for peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its handle.
    pub id: SocketId,
    /// Its port.
    pub port: Port,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its address.
    pub address: Address,
}

/// The handle of a socket of any kind, by which it is found again.
pub fn id(bytes: &[u8; LENGTH]) -> SocketId {
    SocketId(u64::from_ne_bytes(field(bytes, at::ID)))
}

/// The socket, when it waits for peers: TCP in state LISTEN, or UDP that is bound and not
/// connected.
pub fn waiting(bytes: &[u8; LENGTH]) -> Option<Waiting> {
    let number = |at| i32::from_ne_bytes(field(bytes, at));
    let protocol = match number(at::KIND) {
        TCP if number(at::STATE) == LISTEN => Protocol::Tcp,
        INTERNET if number(at::PROTOCOL) == UDP => Protocol::Udp,
        _ => return None,
    };
    if protocol == Protocol::Udp && address::port(number(at::PEER_PORT)).is_some() {
        return None;
    }
    let [flags] = field(bytes, at::FLAGS);
    Some(Waiting {
        id: id(bytes),
        port: address::port(number(at::PORT))?,
        protocol,
        address: address::local(flags, field(bytes, at::ADDRESS))?,
    })
}

/// The bytes of a field, which lie within for each that is asked for here.
fn field<const N: usize>(bytes: &[u8; LENGTH], at: usize) -> [u8; N] {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    /// A socket as the kernel writes it, laid out by hand from <sys/proc_info.h>: numbers are the
    /// offsets in the whole structure.
    fn socket(kind: i32, fields: &[(usize, &[u8])]) -> [u8; LENGTH] {
        // What is not looked at is not zero.
        let mut bytes = [0xa5; LENGTH];
        bytes[264..LENGTH].fill(0);
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(160, &0x1234_5678_9abc_def0u64.to_ne_bytes());
        put(256, &kind.to_ne_bytes());
        for (at, value) in fields {
            put(*at, value);
        }
        bytes
    }

    /// A port in the `int` that holds it in network byte order.
    fn in_an_int(port: u16) -> [u8; 4] {
        let [high, low] = port.to_be_bytes();
        [high, low, 0, 0]
    }

    fn listener(flags: u8, address: [u8; 16]) -> [u8; LENGTH] {
        socket(
            2,
            &[
                (180, &6i32.to_ne_bytes()),
                (268, &in_an_int(3000)),
                (288, &[flags]),
                (312, &address),
                (344, &1i32.to_ne_bytes()),
            ],
        )
    }

    fn address_of(bytes: &[u8; LENGTH]) -> Address {
        waiting(bytes).unwrap().address
    }

    #[test]
    fn a_listener_of_ipv4() {
        let mut address = [0; 16];
        address[12..].copy_from_slice(&[127, 0, 0, 1]);
        assert_eq!(
            waiting(&listener(1, address)),
            Some(Waiting {
                id: SocketId(0x1234_5678_9abc_def0),
                port: Port::new(3000).unwrap(),
                protocol: Protocol::Tcp,
                address: Address::v4(Ipv4Addr::LOCALHOST),
            })
        );
    }

    #[test]
    fn listeners_of_ipv6() {
        let both = address_of(&listener(3, [0; 16]));
        assert!(both.dual_stack && both.is_wildcard() && both.ip.is_ipv6());
        assert!(!address_of(&listener(2, [0; 16])).dual_stack);
        let one = address_of(&listener(2, Ipv6Addr::LOCALHOST.octets()));
        assert_eq!(one.ip, IpAddr::V6(Ipv6Addr::LOCALHOST));
        // Bound to an address of IPv4 as ::ffff:127.0.0.1, which the kernel keeps without the prefix.
        let mut mapped = [0; 16];
        mapped[12..].copy_from_slice(&[127, 0, 0, 1]);
        assert_eq!(
            address_of(&listener(1, mapped)),
            Address::v4(Ipv4Addr::LOCALHOST)
        );
    }

    #[test]
    fn what_has_a_peer_does_not_wait() {
        for state in [0, 2, 4, 10, 99] {
            let mut bytes = listener(1, [0; 16]);
            bytes[344..348].copy_from_slice(&i32::to_ne_bytes(state));
            assert_eq!(waiting(&bytes), None, "{state}");
            assert_eq!(id(&bytes), SocketId(0x1234_5678_9abc_def0));
        }
    }

    #[test]
    fn datagram_sockets_wait_unless_they_are_connected_or_unbound() {
        let udp = |port: u16, peer: u16| {
            let bytes = socket(
                1,
                &[
                    (180, &17i32.to_ne_bytes()),
                    (264, &in_an_int(peer)),
                    (268, &in_an_int(port)),
                    (288, &[1]),
                ],
            );
            waiting(&bytes).map(|socket| (socket.port.get(), socket.protocol))
        };
        assert_eq!(udp(5353, 0), Some((5353, Protocol::Udp)));
        assert_eq!(udp(5353, 53), None);
        assert_eq!(udp(0, 0), None);
    }

    #[test]
    fn other_kinds_are_none() {
        let raw = socket(1, &[(180, &1i32.to_ne_bytes()), (268, &in_an_int(7))]);
        assert_eq!(waiting(&raw), None, "ICMP");
        for kind in [0, 3, 4, 5, 6, 7, -1] {
            let mut bytes = listener(1, [0; 16]);
            bytes[256..260].copy_from_slice(&i32::to_ne_bytes(kind));
            assert_eq!(waiting(&bytes), None, "{kind}");
        }
        let unknown_family = listener(0, [0; 16]);
        assert_eq!(waiting(&unknown_family), None);
    }
}
