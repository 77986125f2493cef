//! Limits and settings of the system that decide how its ports are read.

use crate::model::Port;
use crate::platform::unix::limits::raise_descriptor_limit_to;
pub use crate::platform::unix::limits::{descriptor_limit, user_id};

/// The longest path that a Unix socket can have (unix(7): 108 bytes with the closing zero).
pub const SOCKET_PATH_LIMIT: usize = 107;

/// The first and last port that the kernel gives to sockets that do not ask for one
/// (`net.ipv4.ip_local_port_range`); Linux's default where that cannot be read.
pub fn ephemeral_ports() -> (Port, Port) {
    const DEFAULT: (Option<Port>, Option<Port>) = (Port::new(32768), Port::new(60999));
    let text =
        std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ports = text
        .split_ascii_whitespace()
        .filter_map(|number| number.parse::<Port>().ok());
    match (ports.next(), ports.next()) {
        (Some(first), Some(last)) if first <= last => (first, last),
        _ => (DEFAULT.0.unwrap_or(PORT_1), DEFAULT.1.unwrap_or(PORT_1)),
    }
}

/// The first port that a program may listen on without a right of its own
/// (`net.ipv4.ip_unprivileged_port_start`, ip(7)); Linux's default where that cannot be read. With
/// 0, every port is free to use.
pub fn first_unprivileged_port() -> u16 {
    const DEFAULT: u16 = 1024;
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    text.ok()
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or(DEFAULT)
}

const PORT_1: Port = match Port::new(1) {
    Some(port) => port,
    None => panic!("1 is a port"),
};

/// Whether `/proc` hides the processes of other users (mount option `hidepid`, proc(5)).
pub(super) fn processes_are_hidden() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut options = mounts
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("/proc"))
        .filter_map(|line| line.split(' ').next_back());
    let hidden = |options: &str| {
        options.split(',').any(|option| {
            option
                .strip_prefix("hidepid=")
                .is_some_and(|how| !matches!(how, "0" | "off"))
        })
    };
    options.next_back().is_some_and(hidden)
}

/// Raises the number of descriptors that the process may have: each process that is watched costs
/// one.
pub fn raise_descriptor_limit() {
    raise_descriptor_limit_to(65_536);
}

/// Has the threads share what they allocate from. By itself glibc gives eight areas to each processor,
/// which keep what a request needed for a moment.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "mallopt has no safe wrapper")]
pub fn share_memory() {
    /// One for the engine, one for who asks it, mostly.
    const AREAS: libc::c_int = 2;
    // SAFETY: it sets a number of the allocator.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, AREAS) };
}

/// Has the threads share what they allocate from: they do.
#[cfg(not(target_env = "gnu"))]
pub fn share_memory() {}
