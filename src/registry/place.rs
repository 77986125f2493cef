//! The folder and the file that reservations are kept in: the user's own, and closed to others.

use std::io;
use std::path::{Path, PathBuf};

use super::RegistryError;
use crate::platform::{ClosedTo, above, files};

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

    /// The backups of single days, the newest first.
    pub fn daily_backups(&self) -> Vec<PathBuf> {
        super::backup::daily(&self.backups())
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
        if !self.folder.exists()
            && let Some(why) = above::of_another_user(&self.folder)
        {
            let folder = self.folder.clone();
            return Err(RegistryError::UnsafeFolder { folder, why });
        }
        make_folder(&self.folder)?;
        self.check()?;
        let file = self.database();
        match files::private().write(true).create_new(true).open(&file) {
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
        if let Some(why) = files::distrust(&found, self.uid, ClosedTo::Writers) {
            return unsafe_because(why);
        }
        match std::fs::symlink_metadata(self.database()) {
            Ok(file) if file.is_symlink() => {
                unsafe_because("freeport.db in it is a symbolic link".to_owned())
            }
            Ok(file) if !file.is_file() => {
                unsafe_because("freeport.db in it is not a file".to_owned())
            }
            Ok(file) if files::owner(&file) != self.uid => {
                let owner = files::owner(&file);
                unsafe_because(format!("freeport.db in it belongs to uid {owner}"))
            }
            _ => Ok(()),
        }
    }
}

/// Makes a folder that only its user can enter, and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), RegistryError> {
    files::make_private_folder(folder).map_err(|source| failed("make the folder", folder, source))
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
