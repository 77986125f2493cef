//! Whether a port can be bound: here, each family is asked by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, socket};

use crate::model::Port;
use crate::platform::unix::vacancy::{Vacancy, found, is_absent, try_bind};

/// How free this port is.
pub fn vacancy(port: Port) -> Vacancy {
    found(|kind, reuse| {
        let asked: &[IpAddr] = if reuse { &EACH } else { &WILDCARDS };
        asked
            .iter()
            .all(|address| match one(*address, port, kind, reuse) {
                Err(error) => address.is_ipv6() && is_absent(error),
                Ok(()) => true,
            })
    })
}

/// What conflicts with a socket on any address, as long as it does not set SO_REUSEADDR.
const WILDCARDS: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
];

/// A socket with SO_REUSEADDR conflicts with exactly its own address only (`in_pcbbind` in xnu's
/// in_pcb.c), so that each that servers use is asked.
const EACH: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::LOCALHOST),
];

fn one(address: IpAddr, port: Port, kind: SocketType, reuse: bool) -> Result<(), Errno> {
    let family = match address {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket(family, kind, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    try_bind(&socket, address, false, port, reuse)
}
