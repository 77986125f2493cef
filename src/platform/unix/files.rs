//! Files, as far as systems differ in them: who may use one, whose it is, and whether it is the same
//! one as before.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use rustix::fs::OFlags;

use crate::platform::ClosedTo;

/// Which file it is, whatever it is called: no other file of the machine has the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    /// The one of the file that this was read of.
    pub fn of(found: &Metadata) -> FileId {
        FileId {
            device: found.dev(),
            number: found.ino(),
        }
    }
}

/// Options to make files with that only their user can read or write.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// The same, where a symbolic link is refused and not followed.
pub fn private_and_no_link() -> OpenOptions {
    let mut options = private();
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Makes a folder that only its user can enter, and those above it.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Lets nobody but its user use a file.
pub fn make_private(file: &Path) -> io::Result<()> {
    std::fs::set_permissions(file, Permissions::from_mode(0o600))
}

/// Opens a file to read it. One that is no regular file is not waited for, as a FIFO would be.
pub fn open_at_once(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(file)
}

/// The user that a file belongs to.
pub fn owner(found: &Metadata) -> u32 {
    found.uid()
}

/// Why a folder cannot be trusted by this user: it belongs to another one, or others can do more in
/// it than they may.
pub fn distrust(folder: &Metadata, user: u32, closed: ClosedTo) -> Option<String> {
    let (forbidden, what) = match closed {
        ClosedTo::Everybody => (0o077, "others may use it"),
        ClosedTo::Writers => (0o022, "others may write to it"),
    };
    if folder.uid() != user {
        return Some(format!(
            "it belongs to uid {}, not to you (uid {user})",
            folder.uid()
        ));
    }
    let mode = folder.mode();
    (mode & forbidden != 0).then(|| format!("{what} (mode {:04o})", mode & 0o7777))
}

/// What tests do to files, and ask of them.
#[cfg(test)]
pub mod tests {
    use super::*;

    /// Makes a symbolic link that leads to a file.
    pub fn link(to: &Path, at: &Path) {
        std::os::unix::fs::symlink(to, at).unwrap();
    }

    /// Says who may do what with a file.
    pub fn set_mode(file: &Path, mode: u32) {
        std::fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
    }

    /// Who may do what with a file.
    pub fn mode(file: &Path) -> u32 {
        std::fs::metadata(file).unwrap().mode() & 0o777
    }
}
