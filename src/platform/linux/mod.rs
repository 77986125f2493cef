//! Linux: sockets from netlink, owners from /proc, signals by pidfd.

pub mod autostart;
pub mod boot;
pub mod claimant;
mod facts;
mod holders;
pub mod leftover;
pub mod limits;
pub mod notification;
pub mod paths;
pub mod peer;
mod proc_net;
mod proc_pid;
pub mod process;
pub mod reach;
pub mod scanner;
mod sock_diag;
mod sockets;
pub mod status;
pub mod watch;

use super::unix::users;
