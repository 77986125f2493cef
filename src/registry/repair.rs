//! Opening the registry when the app starts: a database that is damaged is set aside, and the
//! newest sound backup takes its place.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;

use super::draft::{beside, folder, sync_folder};
use super::lock::Lock;
use super::place::{Place, failed};
use super::{Registry, RegistryError, audit, backup, restore};
use crate::model::Timestamp;
use crate::model::log::{Asker, Entry, Happened};

/// What was done about a damaged database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Where the damaged one is now.
    pub set_aside: PathBuf,
    /// The backup that took its place; none where there was no sound one.
    pub restored: Option<PathBuf>,
    /// How many reservations there are now.
    pub reservations: usize,
}

/// Opens the registry, checks all of it, and repairs it where it is damaged.
pub fn open_sound(
    place: &Place,
    patience: Duration,
    now: Timestamp,
) -> Result<(Registry, Option<Repair>), RegistryError> {
    // Who has removed the database wants to begin anew; who has emptied it does not.
    let is_new = !place.exists()?;
    place.make()?;
    let open_checked = || open_checked(place, patience, is_new);
    let opened = {
        let _lock = Lock::shared(place, patience)?;
        open_checked()
    };
    if !is_damaged(&opened) {
        return opened.map(|registry| (registry, None));
    }
    drop(opened);
    let _lock = Lock::alone(place, patience)?;
    // Somebody else may have repaired it meanwhile.
    let opened = open_checked();
    if !is_damaged(&opened) {
        return opened.map(|registry| (registry, None));
    }
    drop(opened);
    let (set_aside, restored) = replace(place, now)?;
    let registry = Registry::open_locked(place, patience)?;
    let repair = Repair {
        set_aside,
        restored,
        reservations: registry.rows().len(),
    };
    note(&registry, place, &repair, now)?;
    Ok((registry, Some(repair)))
}

/// Opens the registry, whose lock is held, and checks all of it.
fn open_checked(
    place: &Place,
    patience: Duration,
    is_new: bool,
) -> Result<Registry, RegistryError> {
    let file = place.database();
    if !is_new && is_emptied(place) {
        return Err(RegistryError::Corrupt(file));
    }
    let registry = Registry::open_locked(place, patience)?;
    backup::check(registry.database()).map_err(|error| RegistryError::of(&file, error))?;
    Ok(registry)
}

/// Whether a database that has backups has lost all of its bytes. SQLite takes that for a new one.
fn is_emptied(place: &Place) -> bool {
    // It takes one byte for none (unixFileSize in its os_unix.c).
    let is_empty = std::fs::metadata(place.database()).is_ok_and(|found| found.len() <= 1);
    is_empty && !backup::daily(&place.backups()).is_empty()
}

/// Whether the file is what is wrong, so that another one helps.
fn is_damaged(opened: &Result<Registry, RegistryError>) -> bool {
    match opened {
        Err(RegistryError::Corrupt(_)) => true,
        // A table or a column is not there, or what is in it is not of its kind.
        Err(RegistryError::Sql { source, .. }) => {
            matches!(source.sqlite_error_code(), None | Some(ErrorCode::Unknown))
        }
        _ => false,
    }
}

/// Sets the database aside, and puts the newest sound backup in its place.
fn replace(place: &Place, now: Timestamp) -> Result<(PathBuf, Option<PathBuf>), RegistryError> {
    let file = place.database();
    let aside = restore::free_name(
        &beside(&file, &format!(".corrupt-{}", backup::stamp(now))),
        "",
    );
    let sound = backup::daily(&place.backups())
        .into_iter()
        .find_map(|backup| Some((restore::load(&backup).ok()?, backup)));
    let failed = |source| failed("set aside", &file, source);
    // The damaged one stays in its place until the other one replaces it in one step: who is killed
    // here leaves a registry that is repaired at the next start. What is in the log of changes
    // belongs to the damaged one, and would damage the other.
    keep(&file, &aside).map_err(failed)?;
    for ending in ["-wal", "-shm", "-journal"] {
        set_aside(&beside(&file, ending), &beside(&aside, ending)).map_err(failed)?;
    }
    match &sound {
        Some((db, backup)) => backup::copy_to_file(db, backup, &file)?,
        None => super::draft::write(&file, "").map_err(failed)?,
    }
    sync_folder(&folder(&file)).map_err(failed)?;
    Ok((aside, sound.map(|(_, backup)| backup)))
}

/// Gives a file a second name; where the file system cannot do that, a copy.
fn keep(file: &Path, aside: &Path) -> io::Result<()> {
    match std::fs::hard_link(file, aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            std::fs::copy(file, aside).map(drop)
        }
        result => result,
    }
}

fn set_aside(file: &Path, aside: &Path) -> io::Result<()> {
    match std::fs::rename(file, aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn note(
    registry: &Registry,
    place: &Place,
    repair: &Repair,
    now: Timestamp,
) -> Result<(), RegistryError> {
    let asker = Asker {
        uid: place.uid(),
        pid: None,
        name: None,
    };
    let from = match &repair.restored {
        Some(backup) => format!("restored from {}", backup.display()),
        None => "begun anew, as there was no sound backup".to_owned(),
    };
    let detail = format!(
        "the database was damaged: set aside as {}, {from}",
        repair.set_aside.display()
    );
    let entry = Entry::new(now, Happened::Restore, &asker).detail(detail);
    audit::add(registry.database(), &entry)
        .map_err(|error| RegistryError::of(registry.path(), error))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::{Seek as _, SeekFrom, Write as _};

    use super::*;
    use crate::model::log::Wanted;
    use crate::model::reservation::tests::reserved;
    use crate::registry::fixture::{Folder, PATIENCE, at, change, content, fill};

    fn open(folder: &Folder) -> (Registry, Option<Repair>) {
        open_sound(&folder.place(), PATIENCE, at(1_000_000)).unwrap()
    }

    /// A registry with something of everything and a backup of that, and one reservation more.
    fn filled() -> (Folder, PathBuf) {
        let folder = Folder::new();
        let mut registry = folder.open();
        fill(&mut registry);
        change(&mut registry, |change| {
            (6000..6200).try_for_each(|port| change.put(reserved(port, "many")))
        });
        for day in 1..3 {
            registry
                .back_up_daily(&folder.place(), at(day * 24 * 60 * 60), 7)
                .unwrap();
        }
        change(&mut registry, |change| change.put(reserved(3999, "later")));
        drop(registry);
        let file = folder.place().database();
        (folder, file)
    }

    fn overwrite(file: &Path, from: u64, with: &[u8]) {
        let mut file = OpenOptions::new().write(true).open(file).unwrap();
        file.seek(SeekFrom::Start(from)).unwrap();
        file.write_all(with).unwrap();
    }

    fn truncate(file: &Path, length: u64) {
        let file = OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(length).unwrap();
    }

    #[test]
    fn a_sound_registry_is_only_opened() {
        let (folder, _) = filled();
        let before = folder.names("data");
        let (registry, repair) = open(&folder);
        assert_eq!((registry.rows().len(), repair), (205, None));
        drop(registry);
        assert_eq!(folder.names("data"), before);
        let new = Folder::new();
        assert_eq!(open(&new).1, None);
        assert_eq!(open(&new).1, None);
    }

    #[test]
    fn a_damaged_registry_is_set_aside_and_the_newest_backup_takes_its_place() {
        type Damage = fn(&Path);
        let damages: [(&str, Damage); 9] = [
            ("a text", |file| {
                std::fs::write(file, "not a database").unwrap()
            }),
            ("nothing", |file| truncate(file, 0)),
            ("nearly nothing", |file| truncate(file, 1)),
            ("half of it", |file| {
                let length = std::fs::metadata(file).unwrap().len();
                truncate(file, length / 2);
            }),
            ("half a page", |file| truncate(file, 2048)),
            ("a page of noise", |file| {
                overwrite(file, 4096, &[0xa5; 4096])
            }),
            ("noise in the middle", |file| {
                let length = std::fs::metadata(file).unwrap().len();
                overwrite(file, length / 2 - 300, &[0xa5; 600]);
            }),
            ("a header of noise", |file| overwrite(file, 0, &[0xa5; 100])),
            ("no table", |file| {
                let db = rusqlite::Connection::open(file).unwrap();
                db.execute_batch("DROP TABLE ports").unwrap();
            }),
        ];
        for (what, damage) in damages {
            let (folder, file) = filled();
            damage(&file);
            let damaged = std::fs::read(&file).unwrap();
            let (registry, repair) = open(&folder);
            let repair = repair.expect(what);
            assert_eq!(registry.rows().len(), 204, "{what}");
            assert_eq!(content(&registry).history.len(), 6, "{what}");
            assert_eq!(repair.reservations, 204);
            let backup = folder.place().backups().join("freeport-1970-01-03.db");
            assert_eq!(repair.restored, Some(backup));
            let aside = beside(&file, ".corrupt-1970-01-12T13-46-40.000Z");
            assert_eq!(repair.set_aside, aside);
            assert_eq!(std::fs::read(aside).unwrap(), damaged, "{what}");
            let log = registry
                .log(&Wanted {
                    limit: 9,
                    ..Wanted::default()
                })
                .unwrap();
            assert_eq!(log.last().unwrap().event, Happened::Restore);
            assert_eq!(open(&folder).1, None, "{what}: once is enough");
        }
    }

    #[test]
    fn a_backup_that_is_damaged_too_is_passed_over() {
        let (folder, file) = filled();
        std::fs::write(&file, "text").unwrap();
        overwrite(
            &folder.place().backups().join("freeport-1970-01-03.db"),
            4096,
            &[0xa5; 4096],
        );
        let (registry, repair) = open(&folder);
        let backup = folder.place().backups().join("freeport-1970-01-02.db");
        assert_eq!(repair.unwrap().restored, Some(backup));
        assert_eq!(registry.rows().len(), 204);
    }

    #[test]
    fn without_a_backup_an_empty_one_is_begun() {
        let (folder, file) = filled();
        std::fs::remove_dir_all(folder.place().backups()).unwrap();
        std::fs::write(&file, "text").unwrap();
        let (mut registry, repair) = open(&folder);
        let repair = repair.unwrap();
        assert_eq!((repair.restored, repair.reservations), (None, 0));
        change(&mut registry, |change| change.put(reserved(3000, "shop")));
        assert_eq!(std::fs::read(repair.set_aside).unwrap(), b"text");
    }

    #[test]
    fn a_registry_that_was_removed_is_begun_anew() {
        let (folder, file) = filled();
        std::fs::remove_file(file).unwrap();
        let (registry, repair) = open(&folder);
        assert_eq!((registry.rows().len(), repair), (0, None));
    }

    #[test]
    fn what_another_version_wrote_is_not_damaged() {
        let (folder, file) = filled();
        let db = rusqlite::Connection::open(&file).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let error = open_sound(&folder.place(), PATIENCE, at(9))
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::Newer { found: 99, .. }),
            "{error}"
        );
    }

    #[test]
    fn what_others_have_open_does_not_reach_the_new_one() {
        let (folder, file) = filled();
        let mut other = folder.open();
        let noise = std::fs::metadata(&file).unwrap().len() / 4096 - 1;
        overwrite(&file, noise * 4096, &[0xa5; 4096]);
        let (mut registry, repair) = open(&folder);
        assert!(repair.is_some());
        assert!(!other.is_in_place() && registry.is_in_place());
        // It writes to what was set aside, if that lets it.
        let _ = other.change(&crate::registry::fixture::clock(1000), |change| {
            change.put(reserved(3500, "lost"))
        });
        change(&mut registry, |change| change.put(reserved(3600, "kept")));
        drop(other);
        change(&mut registry, |change| change.put(reserved(3601, "kept")));
        drop(registry);
        let (registry, repair) = open(&folder);
        assert_eq!((registry.rows().len(), repair), (206, None));
    }

    #[test]
    fn of_many_that_find_it_damaged_one_repairs_it() {
        for round in 0..10 {
            let (folder, file) = filled();
            overwrite(&file, 0, &[0xa5; 5000]);
            let repairs: usize = std::thread::scope(|scope| {
                let openers: Vec<_> = (0..6u16)
                    .map(|number| {
                        let folder = &folder;
                        scope.spawn(move || {
                            let (mut registry, repair) = open(folder);
                            // What is acknowledged from now on is not lost by another one's repair.
                            change(&mut registry, |change| {
                                change.put(reserved(5000 + number, "kept"))
                            });
                            usize::from(repair.is_some())
                        })
                    })
                    .collect();
                openers
                    .into_iter()
                    .map(|opener| opener.join().unwrap())
                    .sum()
            });
            assert_eq!(repairs, 1, "round {round}");
            assert_eq!(folder.open().rows().len(), 204 + 6);
        }
    }

    #[test]
    fn who_replaces_it_waits_for_those_who_open_it() {
        let (folder, _) = filled();
        let place = folder.place();
        let shared = Lock::shared(&place, Duration::ZERO).unwrap();
        assert!(Lock::shared(&place, Duration::ZERO).is_ok());
        let refused = Lock::alone(&place, Duration::from_millis(20)).map(drop);
        assert!(matches!(refused, Err(RegistryError::Busy(_))));
        drop(shared);
        let alone = Lock::alone(&place, Duration::ZERO).unwrap();
        assert!(Registry::open(&place, Duration::ZERO).is_err());
        drop(alone);
        assert!(Registry::open(&place, Duration::ZERO).is_ok());
    }
}
