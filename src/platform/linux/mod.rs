//! Linux: sockets from netlink, owners from /proc, signals by pidfd.

pub mod abstract_socket;
pub mod autostart;
pub mod boot;
mod bound;
pub mod child;
pub mod claimant;
mod facts;
pub mod health;
pub mod hold;
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
pub mod seam;
mod sock_diag;
mod sockets;
pub mod status;
pub mod subreaper;
pub mod vacancy;
pub mod watch;

use super::unix::users;
