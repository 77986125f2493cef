//! All sockets that wait for peers, by the fastest way that this system allows.

use std::io;

use super::proc_net;
use super::sock_diag::{DUMPS, Family, SockDiag};
use crate::model::{Gap, GapKind, Protocol, Socket};

/// Lists sockets; keeps what makes the next listing cheap.
pub(super) struct Sockets {
    netlink: Result<SockDiag, io::Error>,
}

impl Sockets {
    /// Opens netlink where that is allowed.
    pub(super) fn open() -> Sockets {
        Sockets {
            netlink: SockDiag::open(),
        }
    }

    /// Replaces `sockets` by all sockets of now, sorted, and says what could not be listed.
    pub(super) fn list(&mut self, sockets: &mut Vec<Socket>) -> Vec<Gap> {
        sockets.clear();
        let mut gaps = Vec::new();
        for (protocol, family) in DUMPS {
            let before = sockets.len();
            let refused = match &mut self.netlink {
                Ok(netlink) => match netlink.dump(protocol, family, sockets) {
                    Ok(()) => continue,
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            sockets.truncate(before);
            gaps.extend(fall_back(protocol, family, &refused, sockets));
        }
        sockets.sort_unstable();
        sockets.dedup();
        gaps
    }
}

fn fall_back(
    protocol: Protocol,
    family: Family,
    refused: &str,
    sockets: &mut Vec<Socket>,
) -> Option<Gap> {
    let file = match family {
        Family::V4 => format!("{protocol}"),
        Family::V6 => format!("{protocol}6"),
    };
    match proc_net::dump(protocol, family, sockets) {
        Ok(()) => Some(Gap {
            kind: GapKind::SlowSockets,
            detail: format!(
                "netlink is refused here ({refused}); /proc/net/{file} was read instead"
            ),
        }),
        // No such file: the kernel runs without IPv6, and there is nothing to miss.
        Err(error) if family == Family::V6 && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Gap {
            kind: GapKind::SocketsUnreadable,
            detail: format!(
                "{file} ports are missing: netlink is refused here ({refused}), and /proc/net/{file} cannot be read ({error})"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn both_ways_see_the_same_ports() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp6 = TcpListener::bind("[::1]:0").ok();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut ports = vec![tcp.local_addr().unwrap(), udp.local_addr().unwrap()];
        ports.extend(tcp6.as_ref().map(|l| l.local_addr().unwrap()));
        let mut fast = vec![];
        assert_eq!(Sockets::open().list(&mut fast), []);
        let mut slow = vec![];
        let gaps = Sockets {
            netlink: Err(io::ErrorKind::PermissionDenied.into()),
        }
        .list(&mut slow);
        assert!(
            gaps.iter().all(|gap| gap.kind == GapKind::SlowSockets),
            "{gaps:?}"
        );
        for local in ports {
            let one = |sockets: &[Socket]| {
                sockets
                    .iter()
                    .find(|s| s.port.get() == local.port())
                    .copied()
            };
            assert!(one(&fast).is_some(), "{local}");
            assert_eq!(one(&fast), one(&slow));
        }
    }

    #[test]
    fn a_connected_udp_socket_is_not_listed() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        let mut sockets = vec![];
        Sockets::open().list(&mut sockets);
        let listed = |s: &UdpSocket| {
            sockets
                .iter()
                .any(|x| x.port.get() == s.local_addr().unwrap().port())
        };
        assert!(listed(&server) && !listed(&client));
    }
}
