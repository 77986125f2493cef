//! Limits and settings of the system that decide how its ports are read.

use std::ffi::CStr;

use super::kernel;
use crate::model::Port;
use crate::platform::unix::limits::raise_descriptor_limit_to;
pub use crate::platform::unix::limits::{descriptor_limit, user_id};

/// The longest path that a Unix socket can have (unix(4): 104 bytes with the closing zero).
pub const SOCKET_PATH_LIMIT: usize = 103;

/// The first and last port that the kernel gives to sockets that do not ask for one
/// (`net.inet.ip.portrange`); macOS's default where that cannot be read.
pub fn ephemeral_ports() -> (Port, Port) {
    const DEFAULT: (Port, Port) = match (Port::new(49152), Port::new(65535)) {
        (Some(first), Some(last)) => (first, last),
        _ => panic!("both are ports"),
    };
    match (
        port(c"net.inet.ip.portrange.first"),
        port(c"net.inet.ip.portrange.last"),
    ) {
        (Some(first), Some(last)) if first <= last => (first, last),
        _ => DEFAULT,
    }
}

/// The first port that a program may listen on without being root. macOS refuses the lower ones at
/// single addresses only; at all addresses it allows them, since 10.14.
pub fn first_unprivileged_port() -> u16 {
    1024
}

fn port(name: &CStr) -> Option<Port> {
    let mut value = Vec::with_capacity(size_of::<i32>());
    kernel::sysctl(name, &mut value).ok()?;
    let number = i32::from_ne_bytes(value.try_into().ok()?);
    Port::new(u16::try_from(number).ok()?)
}

/// Raises the number of descriptors that the process may have, to what macOS allows at most
/// (`OPEN_MAX`).
pub fn raise_descriptor_limit() {
    raise_descriptor_limit_to(10_240);
}

/// Has the threads share what they allocate from: they do.
pub fn share_memory() {}
