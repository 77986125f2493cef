//! Keeping what is left of a tree of processes: macOS gives orphans to launchd, and to nobody else.

/// Processes below this one whose parent ends become children of this one. Whether that is so.
pub fn keep_orphans() -> bool {
    false
}

/// Gives this process a name of its own, which macOS has no way for.
pub fn rename(_: &str) {}
