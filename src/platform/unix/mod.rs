//! What Linux and macOS have in common.

pub mod family;
pub mod limits;
pub mod notification;
pub mod signal;
pub mod users;
