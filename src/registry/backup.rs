//! Backups: copies of the database that are made while programs write to it, and that are checked
//! before they are kept.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::draft::{self, Draft, folder};
use super::place::{Place, failed, make_folder};
use super::{Registry, RegistryError};
use crate::model::Timestamp;

/// The last moment of the year 9999, in milliseconds: dates go no further.
pub(super) const LAST_MS: i64 = 253_402_300_799_999;

impl Registry {
    /// Reads all of it, and tells whether it is whole.
    pub fn check(&self) -> Result<(), RegistryError> {
        check(self.database()).map_err(|error| self.error(error))
    }

    /// Makes a copy of the registry, and checks it, before it takes the place of `file`. Not while
    /// changes wait for their commit.
    pub fn back_up_to(&self, file: &Path) -> Result<(), RegistryError> {
        if is_own(self.path(), file) {
            let why = io::Error::new(io::ErrorKind::InvalidInput, "it is the registry itself");
            return Err(failed("write", file, why));
        }
        copy_to_file(self.database(), self.path(), file)
    }

    /// Makes a backup of this day, unless there is one, and removes the oldest beyond `keep`. Gives
    /// the backup that it made.
    pub fn back_up_daily(
        &self,
        place: &Place,
        now: Timestamp,
        keep: usize,
    ) -> Result<Option<PathBuf>, RegistryError> {
        let folder = place.backups();
        let today = folder.join(daily_name(now));
        // The usual case: a look at one file.
        if std::fs::symlink_metadata(&today).is_ok() {
            return Ok(None);
        }
        make_folder(&folder)?;
        self.back_up_to(&today)?;
        let others = daily(&folder).into_iter().filter(|file| *file != today);
        for old in others.skip(keep.max(1) - 1) {
            std::fs::remove_file(&old).map_err(|source| failed("remove", &old, source))?;
        }
        draft::remove_abandoned(&folder, now);
        Ok(Some(today))
    }
}

/// Whether a file is the database, or one of those that belong to it: who replaced one would
/// damage the others.
fn is_own(database: &Path, file: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let is_same = real(file).is_some_and(|file| real(database) == Some(file));
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.as_encoded_bytes().to_vec())
    };
    let begins = || Some(name(file)?.starts_with(&name(database)?));
    let beside = || real(&folder(file)).is_some_and(|found| real(&folder(database)) == Some(found));
    is_same || begins() == Some(true) && beside()
}

/// Copies a database into a file, which is checked before it takes its place. `from` is what errors
/// of the database are about.
pub(super) fn copy_to_file(db: &Connection, from: &Path, file: &Path) -> Result<(), RegistryError> {
    let failed = |source| failed("write", file, source);
    let draft = Draft::beside(file).map_err(failed)?;
    copy_to_draft(db, draft.path()).map_err(|error| RegistryError::of(from, error))?;
    draft.finish().map_err(failed)
}

fn copy_to_draft(db: &Connection, draft: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(draft, flags)?;
    // It is synced as a whole, and thrown away when anything fails.
    copy.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    copy_pages(db, &mut copy)?;
    // One file, that can be read where nothing can be written.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    check(&copy)?;
    copy.close().map_err(|(_, error)| error)
}

/// Copies all pages at once: what others write meanwhile is not in it, and does not wait for it.
pub(super) fn copy_pages(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let primary = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
    match Backup::new(from, to)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(primary(rusqlite::ffi::SQLITE_BUSY)),
    }
}

/// Whether a database is sound; the error `Corrupt`, with what was found, where it is not.
pub(super) fn check(db: &Connection) -> rusqlite::Result<()> {
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(corrupt, Some(found)))
}

/// The daily backups in a folder, newest first.
pub(super) fn daily(folder: &Path) -> Vec<PathBuf> {
    named(folder, |name| {
        let day = name
            .strip_prefix("freeport-")
            .and_then(|rest| rest.strip_suffix(".db"));
        day.is_some_and(is_day)
    })
}

/// The files in a folder whose names are wanted, the last name first.
pub(super) fn named(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let files = entries.flatten().filter(|entry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        is_file && entry.file_name().to_str().is_some_and(&wanted)
    });
    let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    files
}

fn daily_name(now: Timestamp) -> String {
    let now = dated(now);
    format!("freeport-{}.db", now.get(..10).unwrap_or(&now))
}

/// A time as `2026-05-01T09-30-00.000Z`, for the name of a file.
pub(super) fn stamp(now: Timestamp) -> String {
    dated(now).replace(':', "-")
}

/// A time as RFC 3339 has it, also where the clock is out of its mind.
pub(super) fn dated(time: Timestamp) -> String {
    Timestamp::of_millis(time.millis().min(LAST_MS)).to_string()
}

fn is_day(text: &str) -> bool {
    let shape = text.bytes().map(|byte| match byte {
        b'0'..=b'9' => b'0',
        other => other,
    });
    shape.eq("0000-00-00".bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reservation::tests::reserved;
    use crate::platform::files::tests::{link as make_link, mode};
    use crate::registry::fixture::{Folder, PATIENCE, at, change, content, fill};

    const DAY: u64 = 24 * 60 * 60;

    fn rows_of(file: &Path) -> u32 {
        let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        check(&db).unwrap();
        db.query_row("SELECT count(*) FROM ports", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn a_backup_has_all_that_was_there_and_is_one_file_of_the_user() {
        let folder = Folder::new();
        let mut registry = folder.open();
        fill(&mut registry);
        let file = folder.path().join("file:a ?#%.db");
        std::fs::write(&file, "something else").unwrap();
        registry.back_up_to(&file).unwrap();
        let copy = Connection::open(&file).unwrap();
        let journal: String = copy
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(journal, "delete");
        assert_eq!(
            crate::registry::content::Content::read(&copy).unwrap(),
            content(&registry)
        );
        drop(copy);
        assert_eq!(mode(&file), 0o600);
        assert_eq!(folder.names(""), ["data", "file:a ?#%.db"]);
    }

    #[test]
    fn the_registry_itself_is_never_replaced() {
        let folder = Folder::new();
        let registry = folder.open();
        let link = folder.path().join("link");
        make_link(registry.path(), &link);
        let own = registry.path();
        let round = folder.path().join("data/../data/freeport.db-shm");
        for file in [
            own,
            &link,
            &round,
            &draft::beside(own, "-wal"),
            &draft::beside(own, ".lock"),
        ] {
            let error = registry.back_up_to(file).expect_err("not that file");
            assert!(matches!(error, RegistryError::Io { .. }), "{error}");
        }
        registry
            .back_up_to(&folder.path().join("freeport.db"))
            .unwrap();
        assert!(registry.is_in_place());
    }

    #[test]
    fn a_backup_is_made_while_others_write() {
        let folder = Folder::new();
        let registry = folder.open();
        let place = folder.place();
        let writes = |first: u16| {
            let mut writer = Registry::open(&place, PATIENCE).unwrap();
            for port in first..first + 200 {
                change(&mut writer, |change| {
                    // Two by two, so that half of a change is seen.
                    change.put(reserved(port, "shop"))?;
                    change.put(reserved(port + 10_000, "shop"))
                });
            }
        };
        std::thread::scope(|scope| {
            let writers = [scope.spawn(|| writes(3000)), scope.spawn(|| writes(4000))];
            let mut before = 0;
            while !writers.iter().all(|writer| writer.is_finished()) {
                let file = folder.path().join("backup.db");
                registry.back_up_to(&file).unwrap();
                let rows = rows_of(&file);
                assert!(
                    rows >= before && rows.is_multiple_of(2),
                    "{rows} after {before}"
                );
                before = rows;
            }
        });
        let file = folder.path().join("backup.db");
        registry.back_up_to(&file).unwrap();
        assert_eq!(rows_of(&file), 800);
    }

    #[test]
    fn each_day_has_one_backup_and_the_newest_are_kept() {
        let folder = Folder::new();
        let (registry, place) = (folder.open(), folder.place());
        let today = |day: u64| at(day * DAY + 5);
        let first = registry.back_up_daily(&place, today(0), 3).unwrap();
        assert_eq!(first, Some(place.backups().join("freeport-1970-01-01.db")));
        assert_eq!(mode(&place.backups()), 0o700);
        assert_eq!(
            registry.back_up_daily(&place, at(DAY - 1), 3).unwrap(),
            None
        );
        for other in ["notes.db", "freeport-1969-1-1.db", "freeport-abcd-01-01.db"] {
            std::fs::write(place.backups().join(other), "").unwrap();
        }
        std::fs::create_dir(place.backups().join("freeport-1960-01-01.db")).unwrap();
        for day in 1..6 {
            assert!(
                registry
                    .back_up_daily(&place, today(day), 3)
                    .unwrap()
                    .is_some()
            );
        }
        let daily = |folder: &Folder| {
            let mut names = folder.names("data/backups");
            names.retain(|name| name.starts_with("freeport-1970"));
            names
        };
        let expected = [
            "freeport-1970-01-04.db",
            "freeport-1970-01-05.db",
            "freeport-1970-01-06.db",
        ];
        assert_eq!(daily(&folder), expected);
        assert_eq!(
            folder.names("data/backups").len(),
            3 + 4,
            "nothing else is removed"
        );
        // A clock that was set back: what is made is kept.
        registry.back_up_daily(&place, today(1), 2).unwrap();
        assert_eq!(
            daily(&folder),
            ["freeport-1970-01-02.db", "freeport-1970-01-06.db"]
        );
        registry.back_up_daily(&place, today(9), 0).unwrap();
        assert_eq!(daily(&folder), ["freeport-1970-01-10.db"]);
    }

    #[test]
    fn dates_are_written_whatever_the_clock_says() {
        for millis in [i64::MIN, -1, 0, LAST_MS, LAST_MS + 1, i64::MAX] {
            assert_eq!(stamp(Timestamp::of_millis(millis)).len(), 24);
        }
        assert_eq!(stamp(at(1)), "1970-01-01T00-00-01.000Z");
        let before = std::time::SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(9);
        assert_eq!(daily_name(Timestamp(before)), "freeport-1970-01-01.db");
    }

    #[test]
    fn what_is_damaged_is_not_kept_as_a_backup() {
        let folder = Folder::new();
        let mut registry = folder.open();
        fill(&mut registry);
        let good = folder.path().join("good.db");
        registry.back_up_to(&good).unwrap();
        let db = Connection::open(folder.path().join("other.db")).unwrap();
        db.execute_batch("CREATE TABLE a (x CHECK (x > 0)); PRAGMA ignore_check_constraints = 1; INSERT INTO a VALUES (-1)")
            .unwrap();
        let error = copy_to_file(&db, Path::new("other.db"), &good).unwrap_err();
        assert!(matches!(error, RegistryError::Corrupt(_)), "{error}");
        assert_eq!(rows_of(&good), 4, "the earlier one is still there");
        assert_eq!(folder.names(""), ["data", "good.db", "other.db"]);
    }
}
