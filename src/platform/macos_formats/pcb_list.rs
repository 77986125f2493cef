//! The kernel's list of sockets, as the sysctls `net.inet.tcp.pcblist_n` and
//! `net.inet.udp.pcblist_n` give it to everybody (`netstat` reads it too): those of all users, by
//! the handle that `soi_so` has as well, without processes.
//!
//! After a header (`xinpgen`) come records, each with its length and kind in front and padded to 8
//! bytes. Those of one socket follow each other, the first being `xinpcb_n`; a record as short as
//! the header ends the list. Offsets are those of xnu's structures, which are packed to 4 bytes
//! (in_pcb.h, socketvar.h, tcp_var.h). Fields have been added at the ends only.

use super::address;
use crate::model::{Port, Protocol, Socket, SocketId};

/// The length of the header, and of the end.
const HEADER: usize = 24;

/// Kinds of records (`XSO_…`).
const SOCKET: u32 = 0x001;
const INPCB: u32 = 0x010;
const TCPCB: u32 = 0x020;

/// The TCP state LISTEN (`TCPS_LISTEN`).
const LISTEN: u32 = 1;

/// A list that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has an unknown form")]
pub struct UnknownForm;

/// What is known of one socket so far.
#[derive(Default)]
struct Draft {
    place: Option<(Port, crate::model::Address)>,
    connected: bool,
    id: u64,
    uid: u32,
    state: Option<u32>,
}

impl Draft {
    /// The socket, when it waits for peers.
    fn finish(self, protocol: Protocol) -> Option<Socket> {
        let waits = match protocol {
            Protocol::Tcp => self.state == Some(LISTEN),
            Protocol::Udp => !self.connected,
        };
        let (port, address) = self.place.filter(|_| waits && self.id != 0)?;
        Some(Socket {
            port,
            protocol,
            address,
            id: SocketId(self.id),
            uid: self.uid,
        })
    }
}

/// Adds the sockets that wait for peers to `sockets`.
pub fn sockets(
    bytes: &[u8],
    protocol: Protocol,
    sockets: &mut Vec<Socket>,
) -> Result<(), UnknownForm> {
    let mut rest = bytes;
    let header = length(rest).ok_or(UnknownForm)?;
    if header != HEADER {
        return Err(UnknownForm);
    }
    rest = skip(rest, header)?;
    let mut draft = Draft::default();
    while !rest.is_empty() {
        let record = rest
            .get(..length(rest).ok_or(UnknownForm)?)
            .ok_or(UnknownForm)?;
        if record.len() <= HEADER {
            break;
        }
        match u32_at(record, 4)? {
            INPCB => {
                sockets.extend(std::mem::take(&mut draft).finish(protocol));
                let address: [u8; 16] = field(record, 64)?;
                let [flags] = field(record, 44)?;
                let port = Port::new(u16::from_be_bytes(field(record, 18)?));
                draft.place = port.zip(address::local(flags, address));
                draft.connected = field(record, 16)? != [0, 0];
            }
            SOCKET => {
                draft.id = u64::from_ne_bytes(field(record, 8)?);
                draft.uid = u32_at(record, 64)?;
            }
            TCPCB => draft.state = Some(u32_at(record, 36)?),
            _ => {}
        }
        rest = skip(rest, record.len())?;
    }
    sockets.extend(draft.finish(protocol));
    Ok(())
}

/// The length that a record says that it has.
fn length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(u32_at(bytes, 0).ok()?).ok()?;
    (length >= 8).then_some(length)
}

fn skip(bytes: &[u8], record: usize) -> Result<&[u8], UnknownForm> {
    // The last record need not be padded.
    let padded = record.checked_next_multiple_of(8).ok_or(UnknownForm)?;
    if record > bytes.len() {
        return Err(UnknownForm);
    }
    Ok(bytes.get(padded..).unwrap_or_default())
}

fn field<const N: usize>(record: &[u8], at: usize) -> Result<[u8; N], UnknownForm> {
    let bytes = record.get(at..).and_then(|rest| rest.first_chunk());
    bytes.copied().ok_or(UnknownForm)
}

fn u32_at(record: &[u8], at: usize) -> Result<u32, UnknownForm> {
    field(record, at).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::Address;

    fn record(length: u32, kind: u32, fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; length.next_multiple_of(8) as usize];
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes[4..8].copy_from_slice(&kind.to_ne_bytes());
        for (at, value) in fields {
            bytes[*at..at + value.len()].copy_from_slice(value);
        }
        bytes
    }

    /// The records of one socket, of the lengths that macOS 15 gives them.
    fn one(port: u16, id: u64, peer: u16, state: Option<u32>) -> Vec<u8> {
        let mut bytes = record(
            104,
            INPCB,
            &[
                (16, &peer.to_be_bytes()),
                (18, &port.to_be_bytes()),
                (44, &[1]),
                (76, &[127, 0, 0, 1]),
            ],
        );
        let owner = 501u32.to_ne_bytes();
        bytes.extend(record(108, SOCKET, &[(8, &id.to_ne_bytes()), (64, &owner)]));
        bytes.extend(record(36, 0x002, &[]));
        bytes.extend(record(36, 0x004, &[]));
        bytes.extend(record(136, 0x008, &[]));
        if let Some(state) = state {
            bytes.extend(record(204, TCPCB, &[(36, &state.to_ne_bytes())]));
        }
        bytes
    }

    fn list(sockets: &[Vec<u8>]) -> Vec<u8> {
        let count = u32::try_from(sockets.len()).unwrap();
        let mut bytes = record(24, count, &[]);
        bytes.extend(sockets.concat());
        bytes.extend(record(24, count, &[]));
        bytes
    }

    fn ports(bytes: &[u8], protocol: Protocol) -> Vec<u16> {
        let mut found = vec![];
        sockets(bytes, protocol, &mut found).unwrap();
        found.iter().map(|socket| socket.port.get()).collect()
    }

    #[test]
    fn listeners_are_told_from_connections() {
        let bytes = list(&[
            one(3000, 7, 0, Some(LISTEN)),
            one(3001, 8, 50000, Some(4)),
            one(3002, 9, 0, Some(LISTEN)),
        ]);
        let mut found = vec![];
        sockets(&bytes, Protocol::Tcp, &mut found).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            Socket {
                port: Port::new(3000).unwrap(),
                protocol: Protocol::Tcp,
                address: Address::v4(Ipv4Addr::LOCALHOST),
                id: SocketId(7),
                uid: 501,
            }
        );
        assert_eq!(found[1].port.get(), 3002);
    }

    #[test]
    fn datagram_sockets_wait_unless_they_are_connected_or_unbound() {
        let bytes = list(&[
            one(5353, 7, 0, None),
            one(5354, 8, 53, None),
            one(0, 9, 0, None),
            one(5355, 0, 0, None),
        ]);
        assert_eq!(ports(&bytes, Protocol::Udp), [5353]);
    }

    #[test]
    fn an_empty_list_has_no_sockets() {
        assert_eq!(ports(&list(&[]), Protocol::Tcp), [0; 0]);
        assert_eq!(ports(&record(24, 0, &[]), Protocol::Tcp), [0; 0]);
    }

    #[test]
    fn other_forms_are_errors_not_panics() {
        let whole = list(&[one(3000, 7, 0, Some(LISTEN))]);
        for cut in 0..whole.len() {
            let _ = sockets(&whole[..cut], Protocol::Tcp, &mut vec![]);
        }
        let endless = [record(24, 1, &[]), vec![0; 64]].concat();
        for broken in [&b""[..], &[1; 64], &endless, &whole[8..], &whole[..100]] {
            assert_eq!(
                sockets(broken, Protocol::Tcp, &mut vec![]),
                Err(UnknownForm),
                "{broken:?}"
            );
        }
    }
}
