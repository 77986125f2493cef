//! macOS: sockets from sysctl and libproc, owners from libproc, ends of processes from kqueue.
//!
//! The list of all sockets is open to everybody, and cheap; which process has them open is told by
//! libproc only to the process's own user and to root, and is looked up when the list has changed.
#![allow(
    unsafe_code,
    reason = "some calls of macOS have no safe wrapper; each block says why it holds"
)]

pub mod abstract_socket;
pub mod autostart;
pub mod boot;
mod bundle;
pub mod child;
pub mod claimant;
mod facts;
pub mod health;
pub mod hold;
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
pub mod seam;
pub mod status;
mod strays;
pub mod subreaper;
mod table;
pub mod vacancy;
pub mod watch;
