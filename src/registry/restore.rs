//! Restoring: the content of a backup takes the place of what the open registry holds, in one
//! change, so that programs that have it open see it as they see any other.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::content::Content;
use super::draft::{beside, folder};
use super::place::{failed, make_folder};
use super::{Clock, Registry, RegistryError, backup, migrations};
use crate::model::Timestamp;
use crate::model::log::{Asker, Entry, Happened};

/// The largest file that is read.
const SIZE_LIMIT: u64 = 1 << 30;
/// How many copies of what was there before are kept.
const KEPT: usize = 16;
/// How the names of those begin.
const BEFORE: &str = "before-restore-";

impl Registry {
    /// Puts the content of a backup in the place of all reservations, settings and remembered
    /// ports; the log stays. What was there is kept as a backup of its own, changes that wait for
    /// their commit aside. Gives how many reservations there are then.
    pub fn restore_from(
        &mut self,
        file: &Path,
        clock: &Clock,
        asker: &Asker,
    ) -> Result<usize, RegistryError> {
        let content = read(file)?;
        let present = self.path().to_owned();
        let count = content.rows.len();
        self.change(clock, |change| {
            // Nobody else can write now, and what this change writes is not seen from outside.
            let kept = keep_present(&present, clock.now)?;
            content.replace(change)?;
            let detail = format!(
                "{count} reservations from {}; what was there is in {}",
                file.display(),
                kept.display()
            );
            let entry = Entry::new(clock.now, Happened::Restore, asker).detail(detail);
            change.note(&entry)?;
            Ok::<_, RegistryError>(count)
        })
    }
}

/// Makes a backup of what is in the file at this moment.
fn keep_present(present: &Path, now: Timestamp) -> Result<PathBuf, RegistryError> {
    let backups = folder(present).join("backups");
    make_folder(&backups)?;
    let file = free_name(
        &backups.join(format!("{BEFORE}{}", backup::stamp(now))),
        ".db",
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(present, flags)
        .map_err(|error| RegistryError::of(present, error))?;
    backup::copy_to_file(&db, present, &file)?;
    let earlier = backup::named(&backups, |name| {
        name.starts_with(BEFORE) && name.ends_with(".db")
    });
    for old in earlier.iter().filter(|old| **old != file).skip(KEPT - 1) {
        std::fs::remove_file(old).map_err(|source| failed("remove", old, source))?;
    }
    Ok(file)
}

/// A name that no file has: the one that is wished, or that with a number.
pub(super) fn free_name(wished: &Path, ending: &str) -> PathBuf {
    let numbered = (2..1000).map(|number| format!("-{number}{ending}"));
    std::iter::once(ending.to_owned())
        .chain(numbered)
        .map(|ending| beside(wished, &ending))
        .find(|path| std::fs::symlink_metadata(path).is_err())
        .unwrap_or_else(|| beside(wished, ending))
}

/// Reads a backup, after checking that it is one, and sound.
fn read(file: &Path) -> Result<Content, RegistryError> {
    let mut db = load(file)?;
    let of = |error| unfit_or(file, error);
    migrations::migrate(&mut db).map_err(of)?;
    let content = Content::read(&db).map_err(of)?;
    let counted: usize = db
        .query_row("SELECT count(*) FROM ports", [], |row| row.get::<_, u32>(0))
        .map_err(of)? as usize;
    match content.problem(counted) {
        Some(why) => Err(unfit(file, why)),
        None => Ok(content),
    }
}

/// A copy of a backup in memory, checked.
pub(super) fn load(file: &Path) -> Result<Connection, RegistryError> {
    let found = std::fs::metadata(file).map_err(|source| failed("open", file, source))?;
    if !found.is_file() {
        return Err(unfit(file, "it is not a file"));
    }
    if found.len() > SIZE_LIMIT {
        return Err(unfit(file, "it is too large to be a backup of Freeport"));
    }
    // A name such as `file:x` would mean something else to SQLite.
    let absolute = std::fs::canonicalize(file).map_err(|source| failed("open", file, source))?;
    let of = |error| unfit_or(file, error);
    let source = open(&absolute).map_err(of)?;
    let version = migrations::version(&source).map_err(of)?;
    if version > migrations::NEWEST {
        return Err(RegistryError::Newer {
            path: file.to_owned(),
            found: version,
            known: migrations::NEWEST,
        });
    }
    let tables: u32 = source
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE sql LIKE 'CREATE TABLE %' AND name IN ('ports', 'config', 'audit_log')",
            [],
            |row| row.get(0),
        )
        .map_err(of)?;
    if version == 0 || tables != 3 {
        return Err(unfit(file, "it is not a database of Freeport"));
    }
    let mut copy = Connection::open_in_memory().map_err(of)?;
    copy.pragma_update(None, "trusted_schema", false)
        .map_err(of)?;
    backup::copy_pages(&source, &mut copy).map_err(of)?;
    backup::check(&copy).map_err(of)?;
    Ok(copy)
}

/// Opens a file to be read. One that nobody is writing to is read as it is, also where nothing can
/// be written beside it; of another one, what was written last is in a file beside it.
fn open(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let is_there = |ending| std::fs::symlink_metadata(beside(file, ending)).is_ok();
    if is_there("-wal") || is_there("-journal") {
        return Connection::open_with_flags(file, flags);
    }
    let uri = format!("file:{}?immutable=1", super::store::escaped(file));
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

fn unfit(file: &Path, why: impl Into<String>) -> RegistryError {
    RegistryError::Unfit {
        path: file.to_owned(),
        why: why.into(),
    }
}

/// What an error of the database in a backup means.
fn unfit_or(file: &Path, error: rusqlite::Error) -> RegistryError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => unfit(file, "it is not a database"),
        Some(ErrorCode::DatabaseCorrupt) => unfit(file, "it is damaged"),
        Some(ErrorCode::Unknown) | None => {
            unfit(file, format!("it is not a database of Freeport: {error}"))
        }
        _ => RegistryError::of(file, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::log::Wanted;
    use crate::model::reservation::tests::reserved;
    use crate::registry::fixture::{ASKER, Folder, change, clock, content, fill};

    fn restore(registry: &mut Registry, file: &Path) -> Result<usize, RegistryError> {
        registry.restore_from(file, &clock(2000), &ASKER)
    }

    fn restores(registry: &Registry) -> Vec<Entry> {
        let wanted = Wanted {
            limit: 100,
            ..Wanted::default()
        };
        let log = registry.log(&wanted).unwrap();
        log.into_iter()
            .filter(|entry| entry.event == Happened::Restore)
            .collect()
    }

    #[test]
    fn the_content_of_a_backup_comes_back_and_what_was_there_is_kept() {
        let folder = Folder::new();
        let (mut registry, mut other) = (folder.open(), folder.open());
        fill(&mut registry);
        let before = content(&registry);
        let file = folder.path().join("backup.db");
        registry.back_up_to(&file).unwrap();
        change(&mut registry, |change| {
            change.remove(reserved(3000, "").key())?;
            change.put(reserved(3002, "blog"))?;
            change.put(reserved(3003, "blog"))?;
            change.set("stale_threshold", None)?;
            change.set("leftover_age", Some("9"))?;
            change.remember("blog", "web", reserved(3003, "").port, clock(9).now)?;
            change.note(&Entry::new(clock(9).now, Happened::Reserve, &ASKER))
        });
        let between = content(&registry);
        other.refresh(&clock(1000)).unwrap();
        assert_eq!(restore(&mut registry, &file).unwrap(), 4);
        assert_eq!(content(&registry), before);
        assert_eq!(*registry.rows(), before.rows);
        assert_eq!(*registry.settings(), before.settings());
        assert!(other.refresh(&clock(2000)).unwrap(), "others see it");
        assert_eq!(*other.rows(), before.rows);
        assert_eq!(*other.settings(), before.settings());
        let log = registry
            .log(&Wanted {
                limit: 9,
                ..Wanted::default()
            })
            .unwrap();
        let events: Vec<Happened> = log.iter().map(|entry| entry.event).collect();
        assert_eq!(
            events,
            [Happened::Reserve, Happened::Restore],
            "the log goes on"
        );
        let kept = folder
            .path()
            .join("data/backups/before-restore-1970-01-01T00-33-20.000Z.db");
        let detail = log[1].detail.clone().unwrap();
        assert!(detail.contains(kept.to_str().unwrap()), "{detail}");
        // It can be taken back.
        assert_eq!(restore(&mut registry, &kept).unwrap(), 4);
        assert_eq!(content(&registry), between);
        assert_eq!(
            folder.names("data/backups").len(),
            2,
            "one of the same time has another name"
        );
    }

    #[test]
    fn only_so_many_of_what_was_there_are_kept() {
        let folder = Folder::new();
        let mut registry = folder.open();
        let file = folder.path().join("backup.db");
        registry.back_up_to(&file).unwrap();
        for second in 0..20 {
            registry
                .restore_from(&file, &clock(second), &ASKER)
                .unwrap();
        }
        let names = folder.names("data/backups");
        assert_eq!(names.len(), KEPT);
        assert_eq!(names[0], "before-restore-1970-01-01T00-00-04.000Z.db");
    }

    #[test]
    fn a_database_that_is_written_to_can_be_restored_from_and_so_can_itself() {
        let (folder, other) = (Folder::new(), Folder::new());
        let (mut registry, mut source) = (folder.open(), other.open());
        fill(&mut source);
        assert_eq!(
            restore(&mut registry, source.path()).unwrap(),
            4,
            "with its log beside it"
        );
        assert_eq!(content(&registry), content(&source));
        let own = registry.path().to_owned();
        assert_eq!(restore(&mut registry, &own).unwrap(), 4);
        assert_eq!(content(&registry), content(&source));
        assert_eq!(
            other.names("data"),
            [
                "freeport.db",
                "freeport.db-shm",
                "freeport.db-wal",
                "freeport.db.lock"
            ]
        );
    }

    #[test]
    fn what_is_no_sound_backup_changes_nothing() {
        let folder = Folder::new();
        let mut registry = folder.open();
        fill(&mut registry);
        let file = folder.path().join("backup.db");
        registry.back_up_to(&file).unwrap();
        let good = std::fs::read(&file).unwrap();
        let before = content(&registry);
        let sql = |text: &'static str| {
            move |path: &Path, good: &[u8]| {
                std::fs::write(path, good).unwrap();
                Connection::open(path).unwrap().execute_batch(text).unwrap();
            }
        };
        let bytes = |make: fn(&[u8]) -> Vec<u8>| {
            move |path: &Path, good: &[u8]| std::fs::write(path, make(good)).unwrap()
        };
        type Make<'a> = Box<dyn Fn(&Path, &[u8]) + 'a>;
        let cases: [(&str, Make<'_>); 13] = [
            (
                "is not a database",
                Box::new(bytes(|_| b"SQLite format 4 and more text\n".repeat(999))),
            ),
            (
                "not a database of Freeport",
                Box::new(bytes(|_| Vec::new())),
            ),
            (
                "damaged",
                Box::new(bytes(|good| good[..good.len() / 2].to_vec())),
            ),
            (
                "damaged",
                Box::new(bytes(|good| {
                    let mut bytes = good.to_vec();
                    for page in bytes.chunks_mut(4096).skip(1) {
                        page[..64].fill(0xa5);
                    }
                    bytes
                })),
            ),
            ("version 99", Box::new(sql("PRAGMA user_version = 99"))),
            (
                "not a database of Freeport",
                Box::new(sql("PRAGMA user_version = 0")),
            ),
            (
                "not a database of Freeport",
                Box::new(sql("DROP TABLE ports; CREATE TABLE other (x)")),
            ),
            (
                "not a database of Freeport",
                Box::new(sql(
                    "DROP TABLE ports; CREATE VIEW ports AS SELECT 1 AS port",
                )),
            ),
            (
                "not a database of Freeport",
                Box::new(sql("ALTER TABLE ports DROP COLUMN token")),
            ),
            (
                "not a database of Freeport",
                Box::new(sql("DROP TABLE service_ports")),
            ),
            (
                "cannot be read",
                Box::new(sql("UPDATE ports SET pid = 1 << 40 WHERE pid IS NOT NULL")),
            ),
            (
                "cannot have written",
                Box::new(sql("UPDATE ports SET created_at = 9223372036854775807")),
            ),
            (
                "cannot have written",
                Box::new(sql(
                    "UPDATE ports SET project = replace(hex(zeroblob(5000)), '0', 'x')",
                )),
            ),
        ];
        for (expected, make) in cases {
            make(&file, &good);
            let error = restore(&mut registry, &file)
                .expect_err(expected)
                .to_string();
            assert!(error.contains(expected), "{error:?}, not {expected:?}");
            assert_eq!(content(&registry), before, "{expected}");
        }
        for missing in [
            folder.path().join("no such file"),
            folder.path().to_owned(),
            "/dev/zero".into(),
        ] {
            let error = restore(&mut registry, &missing).unwrap_err();
            assert!(
                matches!(
                    error,
                    RegistryError::Io { .. } | RegistryError::Unfit { .. }
                ),
                "{error}"
            );
        }
        assert_eq!(*registry.rows(), before.rows);
        assert_eq!(restores(&registry), []);
        assert!(!folder.path().join("data/backups").exists());
    }

    #[test]
    fn any_name_of_a_file_will_do() {
        let folder = Folder::new();
        let mut registry = folder.open();
        fill(&mut registry);
        for name in [
            &b"file:a?b#c%41 d.db"[..],
            "größe.db".as_bytes(),
            b"\xff\xfe.db",
        ] {
            let file = folder.path().join(crate::platform::os_text(name.to_vec()));
            // Not every file system takes what is no UTF-8.
            if std::fs::write(&file, "").is_err() {
                continue;
            }
            registry.back_up_to(&file).unwrap();
            assert_eq!(restore(&mut registry, &file).unwrap(), 4);
        }
    }

    #[test]
    fn settings_of_another_version_are_brought_back_too() {
        let folder = Folder::new();
        let mut registry = folder.open();
        let file = folder.path().join("backup.db");
        registry.back_up_to(&file).unwrap();
        let db = Connection::open(&file).unwrap();
        db.execute("INSERT INTO config VALUES ('of_later', '1')", [])
            .unwrap();
        drop(db);
        restore(&mut registry, &file).unwrap();
        assert_eq!(
            content(&registry).config,
            [("of_later".to_owned(), "1".to_owned())]
        );
    }
}
