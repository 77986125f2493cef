//! Processes: none is seen yet but this one's parts that std tells of, and none is signalled.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::not_yet;
use crate::model::leftover::Signs;
use crate::model::{Ancestor, Process, ProcessKey, SocketId};
pub use crate::platform::project::of as project_of;
use crate::platform::{Claimant, Signal, SignalError};

/// A process that can be signalled: there is none yet.
#[derive(Debug)]
pub struct ProcessHandle(Infallible);

impl ProcessHandle {
    /// Opens the process with this identity: not yet.
    pub fn open(_: ProcessKey) -> Result<ProcessHandle, SignalError> {
        Err(SignalError::Other(not_yet()))
    }

    /// Whether it has any of these sockets open now.
    pub fn has_any(&self, _: &[SocketId]) -> bool {
        match self.0 {}
    }

    /// Sends the signal.
    pub fn signal(&self, _: Signal) -> Result<(), SignalError> {
        match self.0 {}
    }

    /// Waits until it has ended.
    pub fn wait(&self, _timeout: Duration) -> bool {
        match self.0 {}
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        match self.0 {}
    }
}

/// Whether the process with this identity runs now: not known, and taken for true, so that nothing
/// is taken from one that does.
pub fn is_alive(_: ProcessKey) -> bool {
    true
}

/// All processes below one: none is seen.
pub fn descendants(_: ProcessKey) -> Vec<Arc<Process>> {
    Vec::new()
}

/// `pid` and the pids above it, which are not seen.
pub fn lineage(pid: u32) -> Vec<u32> {
    vec![pid]
}

/// The processes above one, with their names: none is seen.
pub fn ancestors(_pid: u32) -> Arc<[Ancestor]> {
    Arc::new([])
}

/// The process that has `pid` now: not seen.
pub fn claimant(_pid: u32) -> Option<Claimant> {
    None
}

/// The signs of a process that was left over: not seen.
pub fn leftover_signs(_: ProcessKey) -> Option<Signs> {
    None
}

/// The identity of this boot: not known.
pub fn boot_id() -> &'static str {
    "unknown"
}

/// For how long the machine has been awake; here, since this was asked first.
pub fn awake() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}

/// Resident memory of this process in bytes: not known.
pub fn resident_bytes() -> Option<u64> {
    None
}
