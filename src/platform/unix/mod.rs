//! What Linux and macOS have in common.

pub mod caught;
pub mod children;
pub mod console;
pub mod ending;
pub mod family;
pub mod files;
pub mod front;
pub mod limits;
pub mod local_socket;
pub mod program;
pub mod signal;
pub mod spawn;
pub mod tree;
pub mod users;
pub mod vacancy;
pub mod waiting;

/// Why Freeport does not work on this system: it does.
pub const UNSUPPORTED: Option<&str> = None;
