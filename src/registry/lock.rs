//! Who may put another file in the place of the database. Everyone who opens it holds a lock
//! together with the others meanwhile; who replaces it holds the lock alone.

use std::fs::{File, TryLockError};
use std::time::Duration;

use super::RegistryError;
use super::draft::beside;
use super::place::{Place, failed};
use crate::platform::files;

/// How long to wait between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// The lock, until it is dropped.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Keeps the database in its place.
    pub(super) fn shared(place: &Place, patience: Duration) -> Result<Lock, RegistryError> {
        Lock::take(place, patience, File::try_lock_shared)
    }

    /// Keeps everybody else from opening the database.
    pub(super) fn alone(place: &Place, patience: Duration) -> Result<Lock, RegistryError> {
        Lock::take(place, patience, File::try_lock)
    }

    fn take(
        place: &Place,
        patience: Duration,
        lock: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Lock, RegistryError> {
        let path = beside(&place.database(), ".lock");
        let file = files::private()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| failed("open", &path, source))?;
        let mut waited = Duration::ZERO;
        loop {
            match lock(&file) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path, source)),
                Err(TryLockError::WouldBlock) if waited >= patience => {
                    return Err(RegistryError::Busy(place.database()));
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
            }
        }
    }
}
