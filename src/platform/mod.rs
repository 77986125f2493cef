//! What the operating system says and does: sockets, processes, signals, folders, start at login.
//!
//! Everything that is different between systems is behind the names re-exported here; the rest of
//! the program never asks which system it runs on. Knows `model` and nothing above it.

pub mod project;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(any(target_os = "macos", test))]
mod macos_formats;
mod unix;

#[cfg(target_os = "linux")]
use linux as imp;
#[cfg(target_os = "macos")]
use macos as imp;

pub use imp::abstract_socket;
pub use imp::autostart;
pub use imp::boot::{awake, boot_id};
pub use imp::claimant::claimant;
pub use imp::hold::{PortHold, listening_socket};
pub use imp::leftover::leftover_signs;
pub use imp::limits;
pub use imp::notification;
pub use imp::paths;
pub use imp::peer;
pub use imp::process::{ProcessHandle, SignalError, ancestors, descendants, is_alive, lineage};
pub use imp::reach::project_of;
pub use imp::scanner::Scanner;
pub use imp::seam;
pub use imp::status;
pub use imp::vacancy::vacancy;
pub use imp::watch::{Waker, Watch};
pub use unix::caught::{Caught, Signals, ignore_signals, is_ignored};
pub use unix::vacancy::Vacancy;
pub use unix::{children, front, spawn, tree};

use std::path::PathBuf;

use crate::model::{Port, ProcessKey, Snapshot};

/// What a scan should look at more closely than at what is new.
#[derive(Clone, Copy, Debug, Default)]
pub struct Focus<'a> {
    /// Processes that have ended since the last scan: what they held belongs to others now.
    pub dead: &'a [ProcessKey],
    /// Ports whose owners are looked for again, among all processes.
    pub ports: &'a [Port],
}

/// What [`Watch::wait`] woke up for.
#[derive(Clone, Debug, Default)]
pub struct Woken {
    /// Watched processes that have ended.
    pub dead: Vec<ProcessKey>,
    /// Whether a [`Waker`] was used.
    pub asked: bool,
}

/// A process that asks for something, as far as that matters for what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Its identity.
    pub key: ProcessKey,
    /// Its effective user id.
    pub uid: u32,
    /// The name of its program, as for [`crate::model::Process::name`].
    pub name: String,
    /// Its working folder, when that can be read and has not been deleted.
    pub cwd: Option<PathBuf>,
}

/// A signal that ends a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: asks it to end.
    Terminate,
    /// SIGKILL: ends it.
    Kill,
}

impl Signal {
    /// The name of the signal.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Kill => "SIGKILL",
        }
    }
}

/// One complete look at who listens on `ports`, or on every port when there are none.
pub fn look(ports: &[Port]) -> Snapshot {
    Scanner::for_ports(ports).first()
}
