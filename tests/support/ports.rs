//! Ports for tests that must know them beforehand: free, and outside of what the kernel chooses.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Where they are: above what everybody uses, and below what the kernel chooses from.
const FIRST: u16 = 11_000;
const LAST: u16 = 31_999;
/// The most ports of one block. Blocks of different tests do not overlap, as far as that goes.
const BLOCK: u16 = 32;

/// So many ports in a row that nobody uses, the first of them.
pub fn block(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    assert!(count <= BLOCK);
    let blocks = (LAST - FIRST) / BLOCK;
    // Tests run side by side, in several processes too.
    let start = (std::process::id() % u32::from(blocks)) as u16 * 37 % blocks;
    for _ in 0..blocks {
        let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % blocks;
        let first = FIRST + number * BLOCK;
        if (first..first + count).all(is_free) {
            return first;
        }
    }
    panic!("no {count} ports in a row are free");
}

/// A port that nobody uses.
pub fn one() -> u16 {
    block(1)
}

/// Whether nobody uses a port, of either protocol and family.
pub fn is_free(port: u16) -> bool {
    let any = [
        SocketAddr::from(([0, 0, 0, 0], port)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ];
    let v6 = super::processes::has_ipv6_quietly();
    any[..1 + usize::from(v6)].iter().all(|address| {
        // One after the other: on some systems one of both families takes the other's port, too.
        TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
    })
}
