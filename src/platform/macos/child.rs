//! What a child does on macOS before it becomes the program.

use std::io;

use rustix::process::Pid;

use crate::platform::at_exec;

/// macOS has nothing that ends a process together with its parent. Ports that were held for the
/// program are let go of from here on.
pub(in crate::platform) fn die_with_parent(_parent: Pid) -> io::Result<()> {
    at_exec::ask();
    Ok(())
}
