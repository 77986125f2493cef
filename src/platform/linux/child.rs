//! What a child does on Linux before it becomes the program.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Has this process killed when its parent, or the thread of it that started it, ends. Calls nothing
/// that must not be called between fork and exec.
pub(in crate::platform) fn die_with_parent(parent: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that.
    if getppid() == Some(parent) {
        Ok(())
    } else {
        Err(Errno::SRCH.into())
    }
}
