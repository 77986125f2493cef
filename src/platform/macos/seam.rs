//! The seam, which macOS has nothing for, and what would bring it to a program that is started.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

pub use crate::platform::no_seam::{BindCall, BindError, Seam};

impl AsFd for Seam {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}

/// What would bring a seam to a program that is started.
pub(in crate::platform) struct Giver(Infallible);

/// What would take it.
pub(in crate::platform) struct Taker(Infallible);

/// Both ends: an error that says why there are none.
pub(in crate::platform) fn pair(_lowest: i32) -> io::Result<(Giver, Taker)> {
    Err(io::Error::other("macOS cannot tell of calls"))
}

impl Giver {
    /// Gives the seam away.
    pub(in crate::platform) fn give(&mut self) {
        match self.0 {}
    }
}

impl Taker {
    /// Takes the seam.
    pub(in crate::platform) fn take(self) -> Result<Seam, String> {
        match self.0 {}
    }
}
