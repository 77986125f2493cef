//! macOS: sockets from sysctl and libproc, owners from libproc, ends of processes from kqueue.
//!
//! The list of all sockets is open to everybody, and cheap; which process has them open is told by
//! libproc only to the process's own user and to root, and is looked up when the list has changed.
#![allow(
    unsafe_code,
    reason = "some calls of macOS have no safe wrapper; each block says why it holds"
)]

pub mod autostart;
pub mod boot;
pub mod claimant;
mod facts;
mod holders;
mod kernel;
pub mod leftover;
pub mod limits;
pub mod notification;
pub mod paths;
pub mod peer;
pub mod process;
pub mod reach;
pub mod scanner;
pub mod status;
mod table;
pub mod watch;
