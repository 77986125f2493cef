//! Ports that are really held, and the seam, against real servers: which are kept out, which are let
//! in, and that what a program sees under the seam is what it would see without.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where something is not as it must be"
)]

mod support;

#[path = "holds/callers.rs"]
mod callers;
#[path = "holds/gate.rs"]
mod gate;
#[path = "holds/moved.rs"]
mod moved;
#[path = "holds/seam.rs"]
mod seam;
#[path = "holds/servers.rs"]
mod servers;
#[path = "holds/start.rs"]
mod start;
#[path = "holds/tree.rs"]
mod tree;
