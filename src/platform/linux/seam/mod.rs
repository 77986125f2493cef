//! The seam: binds of a whole tree of processes are done for them, on their own sockets.
//!
//! A seccomp filter traps bind(2) in the tree; who calls it waits until it was answered here. The
//! socket is duplicated out of the process (pidfd_getfd(2)) and bound to the address that it asked
//! for, or to another one, beside the hold of the port. So the hold is never let go, and nobody else
//! ever gets in. `filter` is what traps, `handover` brings it to the program that is started,
//! `notify` receives and answers, `caller` reads what a caller wants, `call` binds.

#![allow(
    unsafe_code,
    reason = "seccomp and the memory of other processes have no safe wrapper; each block says why it holds"
)]

mod call;
mod caller;
mod filter;
mod handover;
mod notify;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

pub use crate::platform::bind_error::BindError;
pub use call::BindCall;
pub(in crate::platform) use handover::{Giver, pair};

/// How many binds are remembered at most whose answer did not arrive.
const UNDELIVERED: usize = 64;

/// The binds of a tree of processes, which wait to be done.
///
/// Is polled for input; a hang-up means that nobody is left whose binds are trapped, each process
/// having been waited for. To be kept until then: without it, every bind of the tree fails.
#[derive(Debug)]
pub struct Seam(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    listener: OwnedFd,
    /// Sockets that were bound here, by their cookies, while who called was disturbed by a signal
    /// and so does not know. It will ask again.
    undelivered: Mutex<VecDeque<u64>>,
}

impl Seam {
    /// Whether this system has what the seam needs. It may still be refused to a process.
    pub fn is_supported() -> bool {
        // Linux 5.6 has it; without, it says so before it looks at what it is given.
        let flags = rustix::process::PidfdGetfdFlags::empty();
        let unknown = || {
            let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::CLOEXEC, 0.into());
            let got = rustix::process::pidfd_getfd(null?, 0, flags);
            Err::<(), Errno>(got.err().unwrap_or(Errno::INVAL))
        };
        filter::is_supported() && unknown() != Err(Errno::NOSYS)
    }

    fn new(listener: OwnedFd) -> Seam {
        Seam(Arc::new(Inner {
            listener,
            undelivered: Mutex::default(),
        }))
    }

    /// The next bind that waits; `None` when there is none now. Never waits for one.
    pub fn receive(&self) -> io::Result<Option<BindCall>> {
        let Some(request) = notify::receive(&self.0.listener)? else {
            return Ok(None);
        };
        Ok(BindCall::read(&self.0, &request))
    }
}

impl AsFd for Seam {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.listener.as_fd()
    }
}

impl Inner {
    /// Remembers that who made this socket does not know that it is bound.
    fn remember(&self, socket: u64) {
        let mut undelivered = self.lock();
        if undelivered.len() == UNDELIVERED {
            undelivered.pop_front();
        }
        undelivered.push_back(socket);
    }

    /// Whether that was so of this socket; it is forgotten.
    fn recall(&self, socket: impl FnOnce() -> Option<u64>) -> bool {
        let mut undelivered = self.lock();
        if undelivered.is_empty() {
            return false;
        }
        let Some(socket) = socket() else { return false };
        let before = undelivered.len();
        undelivered.retain(|other| *other != socket);
        undelivered.len() < before
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<u64>> {
        // A half of one operation cannot be seen: each is one call.
        self.undelivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
