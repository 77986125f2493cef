//! Programs: whether a file is one, by its name, as Windows does it. None is started yet.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::Command;

use super::not_yet;

/// The endings of programs, as PATHEXT has them at first.
const ENDINGS: [&str; 4] = ["com", "exe", "bat", "cmd"];

/// An argument or a path of these bytes; what in them is no text is replaced.
pub fn os_text(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Whether a file is a program, by its name.
pub fn is_executable(file: &Path) -> bool {
    let ending = file.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| ENDINGS.iter().any(|one| one.eq_ignore_ascii_case(ending)))
}

/// Whether a program acts as another user: Windows has no files that say so.
pub fn has_rights_of_its_own(_: &Path) -> bool {
    false
}

/// Makes this process that program: Windows has nothing for that.
pub fn become_program(_: Command, _called: &OsStr) -> io::Error {
    not_yet()
}
