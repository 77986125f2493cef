//! Whether a port can be bound, found out by binding it for a moment, without listening: nobody sees
//! a listener, and nobody who listens is disturbed.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{SocketType, bind};

use crate::model::Port;
pub use crate::platform::Vacancy;

/// How free a port is, where `can_bind` says whether sockets of a kind can be bound to it, with
/// SO_REUSEADDR or without.
pub(in crate::platform) fn found(can_bind: impl Fn(SocketType, bool) -> bool) -> Vacancy {
    if !can_bind(SocketType::DGRAM, false) {
        Vacancy::Taken
    } else if can_bind(SocketType::STREAM, false) {
        Vacancy::Free
    } else if can_bind(SocketType::STREAM, true) {
        Vacancy::Lingering
    } else {
        Vacancy::Taken
    }
}

/// Binds a new socket, which is closed then. One of IPv6 takes the port of IPv4, too, with `both`.
pub(in crate::platform) fn try_bind(
    socket: &OwnedFd,
    address: IpAddr,
    both: bool,
    port: Port,
    reuse: bool,
) -> Result<(), Errno> {
    if address.is_ipv6() {
        set_ipv6_v6only(socket, !both)?;
    }
    if reuse {
        set_socket_reuseaddr(socket, true)?;
    }
    bind(socket, &SocketAddr::new(address, port.get()))
}

/// Whether there is no such address here, as there is no IPv6.
pub(in crate::platform) fn is_absent(error: Errno) -> bool {
    matches!(error, Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use rustix::net::{AddressFamily, socket};

    use super::*;
    use crate::platform::vacancy;

    fn of(address: SocketAddr) -> Vacancy {
        vacancy(Port::new(address.port()).unwrap())
    }

    #[test]
    fn who_has_it_on_any_address_has_it() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let (Ok(tcp), Ok(udp)) = (TcpListener::bind(address), UdpSocket::bind(address)) else {
                continue;
            };
            let (tcp_at, udp_at) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
            assert_eq!(
                (of(tcp_at), of(udp_at)),
                (Vacancy::Taken, Vacancy::Taken),
                "{address}"
            );
            drop((tcp, udp));
            // Others take ports for a moment, too.
            assert!((0..50).any(|_| of(tcp_at) == Vacancy::Free), "{address}");
        }
    }

    #[test]
    fn what_is_bound_and_does_not_listen_is_taken() {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let at = rustix::net::getsockname(&socket).unwrap();
        let at = SocketAddr::try_from(at).unwrap();
        assert_eq!(of(at), Vacancy::Taken);
    }

    #[test]
    fn a_server_that_has_ended_leaves_its_port_lingering() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let mut client = TcpStream::connect(at).unwrap();
        // Who closes first is left with the connection.
        drop(server.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        drop(server);
        assert_eq!(of(at), Vacancy::Lingering);
    }
}
