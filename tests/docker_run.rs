//! `freeport docker`: which ports of a line are other ones, what is claimed for the container, and that
//! all else is docker's own. No engine is needed: docker is a stand-in that records its arguments.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where something is not as it must be"
)]

mod support;

#[path = "docker_run/alike.rs"]
mod alike;
#[path = "docker_run/claims.rs"]
mod claims;
#[path = "docker_run/passing.rs"]
mod passing;
#[path = "docker_run/publishing.rs"]
mod publishing;
#[path = "docker_run/stand_in.rs"]
mod stand_in;
