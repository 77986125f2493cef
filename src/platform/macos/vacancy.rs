//! Whether a port can be bound: here, each family is asked by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, socket};

use crate::model::Port;
use crate::platform::unix::vacancy::{Vacancy, found, is_absent, try_bind};

/// How free this port is.
pub fn vacancy(port: Port) -> Vacancy {
    found(|kind, reuse| {
        let (v6, v4) = (Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into());
        let v6 = match one(v6, AddressFamily::INET6, port, kind, reuse) {
            Err(error) => is_absent(error),
            Ok(()) => true,
        };
        v6 && one(v4, AddressFamily::INET, port, kind, reuse).is_ok()
    })
}

fn one(
    address: IpAddr,
    family: AddressFamily,
    port: Port,
    kind: SocketType,
    reuse: bool,
) -> Result<(), Errno> {
    let socket = socket(family, kind, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    try_bind(&socket, address, false, port, reuse)
}
