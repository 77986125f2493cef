//! The wire between Freeport's processes: requests and replies as lines of JSON over a Unix socket.
//!
//! `protocol` is the manual of what is said, `socket` owns the place where it is said, `server` and
//! `client` are the two ends; `portserver` is a wire of its own. Knows `model` and `platform`, and nothing of the engine.

pub mod client;
pub mod portserver;
pub mod protocol;
pub mod server;
pub mod socket;
pub mod view;

pub use client::{Ask, Client, ClientError, Subscription};
pub use protocol::{Reply, Request};
