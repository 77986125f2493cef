//! Files: what std tells of them. Who may use one is in its access list, which is not read yet, so
//! that no folder is trusted.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{not_yet, paths};
use crate::platform::ClosedTo;

/// A symbolic link is opened itself (CreateFileW, FILE_FLAG_OPEN_REPARSE_POINT).
const NO_LINK: u32 = 0x0020_0000;

/// Which file it is, as far as std tells: when it was made, in 100 nanoseconds.
/// The number of the file would be better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId(u64);

impl FileId {
    /// The one of the file that this was read of.
    pub fn of(found: &Metadata) -> FileId {
        FileId(found.creation_time())
    }
}

/// Options to make files with. Who may use them is what their folder says.
pub fn private() -> OpenOptions {
    OpenOptions::new()
}

/// The same, where a symbolic link is not followed.
pub fn private_and_no_link() -> OpenOptions {
    let mut options = private();
    options.custom_flags(NO_LINK);
    options
}

/// Makes a folder that only its user can enter: not yet.
pub fn make_private_folder(_: &Path) -> io::Result<()> {
    Err(not_yet())
}

/// Lets nobody but its user use a file: not yet.
pub fn make_private(_: &Path) -> io::Result<()> {
    Err(not_yet())
}

/// Opens a file to read it.
pub fn open_at_once(file: &Path) -> io::Result<File> {
    File::open(file)
}

/// The user that a file belongs to, for who has asked first whether its folder is to be trusted.
pub fn owner(_: &Metadata) -> u32 {
    paths::user_id()
}

/// Why a folder cannot be trusted by this user.
pub fn distrust(_: &Metadata, _user: u32, _: ClosedTo) -> Option<String> {
    Some("who may use it is not known on Windows yet".to_owned())
}

/// What tests do to files, and ask of them.
#[cfg(test)]
pub mod tests {
    use super::*;

    /// Makes a symbolic link that leads to a file.
    pub fn link(to: &Path, at: &Path) {
        std::os::windows::fs::symlink_file(to, at).unwrap();
    }

    /// Says who may do what with a file: not yet.
    pub fn set_mode(_: &Path, _mode: u32) {}

    /// Who may do what with a file: not known yet.
    pub fn mode(_: &Path) -> u32 {
        0
    }
}
