//! Ports of containers: they are shown as their containers, and freed by stopping these.
//!
//! `machine` runs a real Podman and a real Docker with containers made from nothing, where this machine allows it.
//! What needs an engine that is wrong, hangs or belongs to somebody else is told by a stand-in that speaks
//! Docker's API on a socket (`stand_in`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where something is not as it must be"
)]

mod support;

#[path = "containers/engine.rs"]
mod engine;
#[path = "containers/machine.rs"]
mod machine;
#[path = "containers/real.rs"]
mod real;
#[path = "containers/stand_in.rs"]
mod stand_in;
