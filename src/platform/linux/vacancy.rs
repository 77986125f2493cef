//! Whether a port can be bound: a socket of both families meets everybody who has it, on any address.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::model::Port;
use crate::platform::unix::vacancy::{Vacancy, found, is_absent, try_bind};

/// How free this port is.
pub fn vacancy(port: Port) -> Vacancy {
    found(|kind, reuse| match both(port, kind, reuse) {
        Err(error) if is_absent(error) => v4(port, kind, reuse).is_ok(),
        bound => bound.is_ok(),
    })
}

fn both(port: Port, kind: SocketType, reuse: bool) -> Result<(), Errno> {
    let socket = socket_with(AddressFamily::INET6, kind, SocketFlags::CLOEXEC, None)?;
    try_bind(&socket, Ipv6Addr::UNSPECIFIED.into(), true, port, reuse)
}

fn v4(port: Port, kind: SocketType, reuse: bool) -> Result<(), Errno> {
    let socket = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
    try_bind(&socket, Ipv4Addr::UNSPECIFIED.into(), false, port, reuse)
}
