//! What Linux and macOS have in common.

pub mod bind_error;
pub mod caught;
pub mod children;
pub mod family;
pub mod front;
pub mod limits;
pub mod notification;
pub mod signal;
pub mod spawn;
pub mod tree;
pub mod users;
pub mod vacancy;
