//! The database: whether it is sound, can be written, and has a backup.

use super::finding::Finding;
use crate::cli::database;
use crate::cli::words;
use crate::registry::{Place, Registry, RegistryError};

const DATABASE: &str = "database";
const BACKUPS: &str = "backups";

pub fn check() -> Vec<Finding> {
    let place = match database::place() {
        Ok(place) => place,
        Err(failure) => {
            return vec![Finding::broken(DATABASE, failure.message).maybe_remedy(failure.hint)];
        }
    };
    let file = place.database();
    match Registry::open_to_read(&place, database::PATIENCE) {
        Ok(None) => vec![Finding::note(
            DATABASE,
            format!("{} is made by the first reservation", file.display()),
        )],
        Ok(Some(registry)) => vec![sound(&registry), backups(&place)],
        Err(error) => vec![broken(&error), backups(&place)],
    }
}

fn sound(registry: &Registry) -> Finding {
    if let Err(error) = registry.check() {
        return broken(&error);
    }
    let rows = words::count(registry.rows().len(), "port");
    let says = format!("{} is sound, {rows} reserved", registry.path().display());
    match registry.is_writable() {
        true => Finding::ok(DATABASE, says),
        false => Finding::broken(DATABASE, format!("{says}, and cannot be written")).remedy(
            "check its permissions and the free space, or set FREEPORT_DATA_DIR to another folder",
        ),
    }
}

fn broken(error: &RegistryError) -> Finding {
    Finding::broken(DATABASE, error.to_string()).remedy(error.hint())
}

fn backups(place: &Place) -> Finding {
    let kept = place.daily_backups();
    let newest = kept.first().and_then(|file| file.file_name());
    match newest {
        Some(newest) => Finding::ok(
            BACKUPS,
            format!(
                "{}, the newest is {}",
                words::count(kept.len(), "backup"),
                newest.display()
            ),
        ),
        None => Finding::note(BACKUPS, "none yet: the app makes one a day"),
    }
}
