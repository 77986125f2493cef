//! Windows: nothing yet. Here is the shape that a port to it fills.
//!
//! What std tells anyway is answered; all else is refused, and what cannot be seen is told as a gap.
//! The program says so when it is started, and does nothing, so that none of it is mistaken for an
//! answer.

pub mod console;
pub mod desktop;
pub mod files;
pub mod guarding;
pub mod paths;
pub mod ports;
pub mod process;
pub mod program;
pub mod sockets;
pub mod watch;

// One room here has several names, as it is small: each is that of a module of the other systems.
pub use desktop::{autostart, health, notification};
pub use guarding::{
    self as caught, self as children, self as ending, self as front, self as spawn, self as tree,
};
pub use paths as limits;
pub use ports::{self as hold, self as scanner, self as seam, self as vacancy};
pub use process::{
    self as boot, self as claimant, self as leftover, self as reach, self as status,
};
pub use sockets::{self as abstract_socket, self as local_socket, self as peer, self as waiting};

use std::io;

/// Why Freeport does not work on this system.
pub const UNSUPPORTED: Option<&str> = Some("freeport does not work on Windows yet");

/// The error of all that is still to be done.
fn not_yet() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "freeport does not do this on Windows yet",
    )
}
