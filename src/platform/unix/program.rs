//! Programs: whether a file is one, and becoming one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::fs::{Access, access};

/// An argument or a path of these bytes, as they come of [`OsStr::as_encoded_bytes`].
pub fn os_text(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}

/// Whether this user may execute a file.
pub fn is_executable(file: &Path) -> bool {
    access(file, Access::EXEC_OK).is_ok()
}

/// Whether a program acts as another user, or with more rights than its caller.
pub fn has_rights_of_its_own(file: &Path) -> bool {
    /// The bits of setuid and setgid.
    const RIGHTS: u32 = 0o6000;
    let set = std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & RIGHTS != 0);
    let mut value = [0; 64];
    set || rustix::fs::getxattr(file, c"security.capability", &mut value).is_ok()
}

/// Makes this process that program, which is told to be called so; returns only why that failed.
pub fn become_program(mut command: Command, called: &OsStr) -> io::Error {
    command.arg0(called).exec()
}
