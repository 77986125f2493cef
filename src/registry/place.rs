//! The folder and the file that reservations are kept in: the user's own, and closed to others.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::RegistryError;

/// Where the registry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
    uid: u32,
}

impl Place {
    /// The registry in this folder, which has to belong to this user.
    pub fn new(folder: PathBuf, uid: u32) -> Place {
        Place { folder, uid }
    }

    /// The user that it belongs to.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("freeport.db")
    }

    /// Where daily backups are.
    pub fn backups(&self) -> PathBuf {
        self.folder.join("backups")
    }

    /// Whether there is a database; an error where its place is not safe.
    pub fn exists(&self) -> Result<bool, RegistryError> {
        match std::fs::symlink_metadata(self.database()) {
            Ok(_) => self.check().map(|()| true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(source) => Err(failed("look at", &self.database(), source)),
        }
    }

    /// Makes the folder and an empty database, where they are missing. Nobody else can read either.
    pub fn make(&self) -> Result<(), RegistryError> {
        make_folder(&self.folder)?;
        self.check()?;
        let file = self.database();
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
        {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(source) => Err(failed("make", &file, source)),
        }
    }

    /// Whether the folder and the file can be trusted: neither a link nor another user's.
    fn check(&self) -> Result<(), RegistryError> {
        let unsafe_because = |why: String| {
            Err(RegistryError::UnsafeFolder {
                folder: self.folder.clone(),
                why,
            })
        };
        let found = std::fs::symlink_metadata(&self.folder)
            .map_err(|source| failed("look at", &self.folder, source))?;
        if found.is_symlink() {
            return unsafe_because("it is a symbolic link".to_owned());
        }
        if !found.is_dir() {
            return unsafe_because("it is not a folder".to_owned());
        }
        if found.uid() != self.uid {
            return unsafe_because(format!(
                "it belongs to uid {}, not to you (uid {})",
                found.uid(),
                self.uid
            ));
        }
        if found.mode() & 0o022 != 0 {
            return unsafe_because(format!(
                "others may write to it (mode {:04o})",
                found.mode() & 0o7777
            ));
        }
        match std::fs::symlink_metadata(self.database()) {
            Ok(file) if file.is_symlink() => {
                unsafe_because("freeport.db in it is a symbolic link".to_owned())
            }
            Ok(file) if !file.is_file() => {
                unsafe_because("freeport.db in it is not a file".to_owned())
            }
            Ok(file) if file.uid() != self.uid => {
                unsafe_because(format!("freeport.db in it belongs to uid {}", file.uid()))
            }
            _ => Ok(()),
        }
    }
}

/// Makes a folder that only its user can enter, and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), RegistryError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| failed("make the folder", folder, source))
}

pub(super) fn failed(what: &'static str, path: &Path, source: io::Error) -> RegistryError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RegistryError::Full(path),
        _ => RegistryError::Io { what, path, source },
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
