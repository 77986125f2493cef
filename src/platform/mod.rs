//! What the operating system says and does: sockets, processes, signals, folders, start at login.
//!
//! Everything that is different between systems is behind the names re-exported here; the rest of
//! the program never asks which system it runs on. Knows `model` and nothing above it.

pub mod above;
#[cfg(any(target_os = "macos", all(unix, test)))]
mod at_exec;
mod at_login;
mod bind_error;
pub mod containers;
#[cfg(not(target_os = "linux"))]
mod no_seam;
pub mod project;
mod shown;
pub mod started;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(any(target_os = "macos", test))]
mod macos_formats;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as imp;
#[cfg(target_os = "macos")]
use macos as imp;
#[cfg(unix)]
use unix as common;
#[cfg(windows)]
use windows as common;
#[cfg(windows)]
use windows as imp;

pub use common::caught::{Signals, ignore_signals, is_ignored};
pub use common::ending::Endings;
pub use common::program::{become_program, has_rights_of_its_own, is_executable, os_text};
pub use common::spawn::Descriptor;
pub use common::{UNSUPPORTED, children, console, files, front, local_socket, tree, waiting};
pub use imp::abstract_socket;
pub use imp::autostart;
pub use imp::boot::{awake, boot_id};
pub use imp::claimant::claimant;
pub use imp::health;
pub use imp::hold::{PortHold, listening_socket};
pub use imp::leftover::leftover_signs;
pub use imp::limits;
pub use imp::notification;
pub use imp::paths;
pub use imp::peer;
pub use imp::process::{ProcessHandle, ancestors, descendants, is_alive, lineage};
pub use imp::reach::project_of;
pub use imp::scanner::Scanner;
pub use imp::seam;
pub use imp::status;
pub use imp::vacancy::vacancy;
pub use imp::watch::{Waker, Watch};
pub use started::Caught;

use std::io;
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

/// Who shows what in a desktop session, by name, or why nobody does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desktop {
    /// Icons.
    pub tray: Result<String, String>,
    /// Notifications.
    pub notifications: Result<String, String>,
}

impl Desktop {
    /// Nobody shows anything.
    pub fn none(why: &str) -> Desktop {
        Desktop {
            tray: Err(why.to_owned()),
            notifications: Err(why.to_owned()),
        }
    }
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

/// How free a port is: of TCP and UDP, of IPv4 and IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacancy {
    /// Any program can bind it.
    Free,
    /// Connections of a server that has ended are still being closed: only programs that set
    /// SO_REUSEADDR can bind it, as most servers do.
    Lingering,
    /// Somebody has it, or it needs a right that the user does not have.
    Taken,
}

/// To whom a folder has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedTo {
    /// To everybody but its user.
    Everybody,
    /// To others who would write to it.
    Writers,
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

/// Why a signal was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The process has ended.
    #[error("the process has ended")]
    Gone,
    /// The process belongs to another user.
    #[error("not permitted")]
    NotPermitted,
    /// The system refused for another reason.
    #[error("the system refused the signal: {0}")]
    Other(#[source] io::Error),
}

/// Whether anything below a process runs as this user.
pub fn runs_as(key: ProcessKey, uid: u32) -> bool {
    descendants(key).iter().any(|process| process.uid == uid)
}

/// One complete look at who listens on `ports`, or on every port when there are none.
pub fn look(ports: &[Port]) -> Snapshot {
    Scanner::for_ports(ports).first()
}
