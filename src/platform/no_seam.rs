//! The seam where the system has nothing for it: there never is one.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use super::PortHold;
pub use super::bind_error::BindError;
use crate::model::Protocol;

/// The binds of a tree of processes: nobody's.
#[derive(Debug)]
pub struct Seam(pub(in crate::platform) Infallible);

impl Seam {
    /// Whether this system has what the seam needs: no.
    pub fn is_supported() -> bool {
        false
    }

    /// The next bind that waits.
    pub fn receive(&self) -> io::Result<Option<BindCall>> {
        match self.0 {}
    }
}

/// A trapped bind.
#[derive(Debug)]
pub struct BindCall(Infallible);

impl BindCall {
    /// The process that made it.
    pub fn pid(&self) -> u32 {
        match self.0 {}
    }

    /// Where it wants to be bound, and with which protocol.
    pub fn wanted(&self) -> Option<(SocketAddr, Protocol)> {
        match self.0 {}
    }

    /// Why it could not be read what it wants.
    pub fn obstacle(&self) -> Option<&io::Error> {
        match self.0 {}
    }

    /// Whether the caller itself has set SO_REUSEPORT.
    pub fn is_shared(&self) -> bool {
        match self.0 {}
    }

    /// Binds the caller's socket to this address.
    pub fn try_bind(&self, _: SocketAddr, _beside: Option<&PortHold>) -> Result<(), BindError> {
        match self.0 {}
    }

    /// Tells the caller that its socket is bound.
    pub fn accept(self) {
        match self.0 {}
    }

    /// Tells the caller that its bind failed with this errno.
    pub fn refuse(self, _errno: i32) {
        match self.0 {}
    }

    /// Lets the system do what the caller asked for.
    pub fn pass_on(self) {
        match self.0 {}
    }
}
