//! Programs that are started and looked after, as values: what is asked for, and what becomes of
//! them.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::{Descriptor, seam};

/// A program that is to be started, with the environment, the folder and the standard streams of
/// this process.
#[derive(Debug, Default)]
pub struct Spawn {
    /// Where the program is.
    pub program: PathBuf,
    /// What it is told to be called, if not that.
    pub arg0: Option<OsString>,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that are set for it, or removed.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Whether its binds, and those of all that it starts, are trapped by the [`seam::Seam`].
    pub under_seam: bool,
    /// Descriptors that become 3 and those above it, as `LISTEN_FDS` says to it.
    pub descriptors: Vec<Descriptor>,
    /// Signals that it is to ignore, by number, as below `nohup`; all others do to it what they do
    /// by themselves, whatever they do to this process.
    pub ignored: Vec<i32>,
}

/// A program that was started.
#[derive(Debug)]
pub struct Started {
    /// Its process.
    pub child: Child,
    /// The seam, where it is under it.
    pub seam: Option<seam::Seam>,
    /// Why there is no seam although it was asked for.
    pub seam_refused: Option<String>,
}

/// A child process. It is to be waited for, as by `children::news`, and ends when the thread that
/// started it does (on Linux).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its number, which is no other's until it was waited for.
    pub pid: u32,
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is no such file. Shells end with 127 then.
    #[error("not found")]
    NotFound(#[source] io::Error),
    /// The file is no program that can be executed here. Shells end with 126 then.
    #[error("cannot be executed: {0}")]
    NotExecutable(#[source] io::Error),
    /// There is no process or descriptor left for it, or too little memory.
    #[error("cannot be started: {0}")]
    Failed(#[source] io::Error),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEnd {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

impl ChildEnd {
    /// Whether it ended as programs do that did what they were asked.
    pub fn is_success(self) -> bool {
        self == ChildEnd::Exited(0)
    }
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It ended, and was waited for.
    Ended(ChildEnd),
    /// It was stopped by this signal.
    Stopped(i32),
    /// It goes on.
    Continued,
}

/// What there is to know of the children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Of this one, something.
    Of(u32, Change),
    /// Nothing new.
    Nothing,
    /// There is no child any more: of a process that keeps all that is left of its tree, that tree
    /// is gone.
    NoneLeft,
}

/// What the front of a guarded command tells the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A process sent this signal to the front.
    Signal(i32),
    /// The front runs again, after it was stopped.
    Runs,
    /// The front has told all that it got before it was asked, as often as it was asked.
    ToldAll,
    /// The front is gone.
    Gone,
}

/// A signal that came, and was told instead of acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught {
    /// Its number.
    pub signal: i32,
    /// The process that sent it, 0 where that is outside of this pid namespace; `None` for the
    /// kernel, as for what is typed on a terminal.
    pub sender: Option<u32>,
}

/// A signal that asked this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Its name.
    pub name: &'static str,
    /// The status that programs end with which it ended.
    pub status: i32,
}
