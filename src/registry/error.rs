//! Why the registry could not be read or changed.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// What is wrong with the registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Its folder is a symlink, another user's, or open to others.
    #[error("the folder {folder} is not safe to keep reservations in: {why}")]
    UnsafeFolder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refused to make, open or write a file.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it was refused.
        #[source]
        source: io::Error,
    },
    /// The disk is full.
    #[error("the disk is full: nothing was changed in {0}")]
    Full(PathBuf),
    /// The file or its folder cannot be written.
    #[error("the registry {0} cannot be written")]
    ReadOnly(PathBuf),
    /// Somebody else has been writing for too long.
    #[error("another program keeps the registry {0} locked")]
    Busy(PathBuf),
    /// The file is damaged.
    #[error("the registry {0} is damaged")]
    Corrupt(PathBuf),
    /// The file was written by a newer Freeport.
    #[error("the registry {path} has version {found}, this freeport knows versions up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that is known here.
        known: i64,
    },
    /// A file that was to be restored is no sound backup.
    #[error("{path} cannot be restored: {why}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The database says no for another reason.
    #[error("the registry {path} cannot be used")]
    Sql {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
}

impl RegistryError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            RegistryError::UnsafeFolder { .. } => {
                "correct that, or set FREEPORT_DATA_DIR to a folder of your own with mode 0700"
            }
            RegistryError::Io { .. } | RegistryError::ReadOnly(_) => {
                "check the folder's permissions, or set FREEPORT_DATA_DIR to one that can be written"
            }
            RegistryError::Full(_) => "make room on the disk and try again",
            RegistryError::Busy(_) => "try again in a moment",
            RegistryError::Corrupt(_) => {
                "start the app, which restores the newest good backup, or use 'freeport restore FILE'"
            }
            RegistryError::Newer { .. } => "update freeport",
            RegistryError::Unfit { .. } => {
                "choose another backup: those of each day are in the folder 'backups' beside freeport.db"
            }
            RegistryError::Sql { .. } => {
                "look at the file with sqlite3, or use 'freeport restore FILE'"
            }
        }
    }

    /// What an error of the database at `path` means.
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> RegistryError {
        let path = path.to_owned();
        // The files beside the database do not fit on the disk any more.
        let extended = source.sqlite_error().map(|error| error.extended_code);
        if extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
            return RegistryError::Full(path);
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => RegistryError::Full(path),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                RegistryError::ReadOnly(path)
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => RegistryError::Busy(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                RegistryError::Corrupt(path)
            }
            _ => RegistryError::Sql { path, source },
        }
    }
}
