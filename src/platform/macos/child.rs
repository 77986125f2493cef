//! What a child does on macOS before it becomes the program.

use std::io;

use rustix::process::Pid;

/// macOS has nothing that ends a process together with its parent.
pub(in crate::platform) fn die_with_parent(_parent: Pid) -> io::Result<()> {
    Ok(())
}
