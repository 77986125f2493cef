//! All sockets that wait for peers, of all users, without their processes.

use std::ffi::CStr;

use super::kernel;
use crate::model::{Gap, GapKind, Protocol, Socket};
use crate::platform::macos_formats::pcb_list;

const LISTS: [(Protocol, &CStr); 2] = [
    (Protocol::Tcp, c"net.inet.tcp.pcblist_n"),
    (Protocol::Udp, c"net.inet.udp.pcblist_n"),
];

/// Lists sockets; keeps the buffer.
#[derive(Default)]
pub(super) struct Table {
    buffer: Vec<u8>,
}

impl Table {
    /// Replaces `sockets` by all sockets of now, sorted, and says what could not be listed.
    pub(super) fn list(&mut self, sockets: &mut Vec<Socket>) -> Vec<Gap> {
        sockets.clear();
        let mut gaps = Vec::new();
        for (protocol, name) in LISTS {
            let before = sockets.len();
            let why = match kernel::sysctl(name, &mut self.buffer) {
                Ok(()) => match pcb_list::sockets(&self.buffer, protocol, sockets) {
                    Ok(()) => continue,
                    Err(form) => form.to_string(),
                },
                Err(error) => error.to_string(),
            };
            sockets.truncate(before);
            gaps.push(Gap {
                kind: GapKind::SocketsUnreadable,
                detail: format!(
                    "{protocol} ports of other users are missing: the kernel's list of sockets cannot be read ({why})"
                ),
            });
        }
        sockets.sort_unstable();
        sockets.dedup();
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn own_sockets_are_listed() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp6 = TcpListener::bind("[::1]:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
        connected.connect(udp.local_addr().unwrap()).unwrap();
        let mut sockets = vec![];
        assert_eq!(Table::default().list(&mut sockets), []);
        let listed = |address: std::net::SocketAddr| {
            sockets
                .iter()
                .any(|s| s.port.get() == address.port() && s.address.ip == address.ip())
        };
        assert!(listed(tcp.local_addr().unwrap()));
        assert!(listed(tcp6.local_addr().unwrap()));
        assert!(listed(udp.local_addr().unwrap()));
        assert!(!listed(connected.local_addr().unwrap()));
    }
}
