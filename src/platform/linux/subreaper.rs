//! Keeping what is left of a tree of processes.

use rustix::process::{getpid, set_child_subreaper};

/// Processes below this one whose parent ends become children of this one. Whether that is so.
pub fn keep_orphans() -> bool {
    set_child_subreaper(Some(getpid())).is_ok()
}

/// Whether there are orphans of this one that are not its children: here, they become them.
pub fn has_orphans() -> bool {
    false
}

/// Gives this process a name of its own, so that what is sent to all of a name spares it.
pub fn rename(name: &str) {
    // It is for comfort only.
    let _ = std::fs::write("/proc/self/comm", name);
}
