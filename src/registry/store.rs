//! The open registry, and what it holds in memory.
//!
//! The rows are kept in memory and read again only when another program has written (SQLite's
//! `data_version`). A change is one `BEGIN IMMEDIATE` transaction: whoever is in it is the only
//! writer, and what it sees is what is in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use super::batch::Batch;
use super::change::{millis, remembered};
use super::lock::Lock;
use super::place::{Place, failed};
use super::{RegistryError, audit, migrations, row};
use crate::model::log::{Entry, Wanted};
use crate::model::reservation::ReservationKey;
use crate::model::settings::Settings;
use crate::model::{Port, Reservation, Timestamp};
use crate::platform::files::{self, FileId};

/// How far the clocks may move apart before that is taken for a sleep, or for a clock that was set.
const JUMP_MS: i64 = 2_000;
/// How long the log beside the database stays when it begins anew, in bytes. It is shorter than what
/// makes the app bring it in, or the app would do that all the time.
const LOG_LIMIT: i64 = 1024 * 1024;
/// How many changes are told one by one.
pub(super) const TOUCHED: usize = 1024;
/// How many ports of one service are remembered.
pub(super) const REMEMBERED: u32 = 8;

/// The clocks, read at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The wall's.
    pub now: Timestamp,
    /// For how long the machine has been awake: stands still while it sleeps, and cannot be set.
    pub awake: Duration,
    /// The boot that `awake` counts from.
    pub boot: &'static str,
}

/// The two clocks when they were compared last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) boot: String,
    pub(super) wall: i64,
    pub(super) awake: i64,
}

/// The registry, open.
pub struct Registry {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    file: FileId,
    uid: u32,
    seen: i64,
    pub(super) rows: BTreeMap<ReservationKey, Reservation>,
    pub(super) settings: Settings,
    pub(super) compared: Option<Compared>,
    pub(super) news: Touched,
    pub(super) batch: Batch,
    is_writable: bool,
    /// How long another writer is waited for.
    patience: Duration,
    /// Until when, in time awake, another writer is not waited for again.
    pub(super) hasty_until: Duration,
}

/// Which rows have changed since somebody asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Any may have: they were read again.
    All,
    /// These, with what they were before and are now.
    Some(Vec<(ReservationKey, Option<Reservation>, Option<Reservation>)>),
}

impl Registry {
    /// Opens the registry, and makes it where there is none. `patience` is how long another writer
    /// is waited for.
    pub fn open(place: &Place, patience: Duration) -> Result<Registry, RegistryError> {
        place.make()?;
        let _lock = Lock::shared(place, patience)?;
        Registry::open_locked(place, patience)
    }

    /// Brings what was written from the log into the file, without reading any of it, and without
    /// being in anybody's way. Where the log is longer than `most` bytes all the same, waits for its
    /// turn and empties it.
    pub fn bring_in(place: &Place, patience: Duration, most: u64) -> Result<(), RegistryError> {
        let _lock = Lock::shared(place, patience)?;
        let path = place.database();
        let db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let checkpoint = |how: &str| db.query_row(how, [], |_| Ok(()));
        let all = || {
            db.busy_timeout(patience)?;
            db.pragma_update(None, "wal_autocheckpoint", 0)?;
            db.pragma_update(None, "synchronous", "NORMAL")?;
            db.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
            checkpoint("PRAGMA wal_checkpoint(PASSIVE)")?;
            let length = std::fs::metadata(log_of(&path)).map_or(0, |found| found.len());
            if length > most {
                checkpoint("PRAGMA wal_checkpoint(TRUNCATE)")?;
            }
            Ok(())
        };
        all().map_err(|error| RegistryError::of(&path, error))
    }

    /// Opens the registry in a folder that was made, and whose lock is held.
    pub(super) fn open_locked(
        place: &Place,
        patience: Duration,
    ) -> Result<Registry, RegistryError> {
        let path = place.database();
        let mut db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        prepare(&mut db, patience).map_err(|error| RegistryError::of(&path, error))?;
        let registry = Registry::load(db, path)?;
        Ok(Registry {
            patience,
            ..registry
        })
    }

    /// Waits for another writer, or not.
    pub(super) fn set_patient(&self, patient: bool) -> rusqlite::Result<()> {
        let patience = if patient {
            self.patience
        } else {
            Duration::ZERO
        };
        self.db.busy_timeout(patience)
    }

    /// Opens the registry to be read; `None` where there is none.
    pub fn open_to_read(
        place: &Place,
        patience: Duration,
    ) -> Result<Option<Registry>, RegistryError> {
        if !place.exists()? {
            return Ok(None);
        }
        match Registry::open(place, patience) {
            Ok(registry) => Ok(Some(registry)),
            Err(RegistryError::ReadOnly(_) | RegistryError::Full(_) | RegistryError::Io { .. }) => {
                Registry::open_unwritable(place.database()).map(Some)
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a file that cannot be written.
    fn open_unwritable(path: PathBuf) -> Result<Registry, RegistryError> {
        // What was written last may still be in a log beside it.
        let has_log = std::fs::metadata(log_of(&path)).is_ok_and(|log| log.len() > 0);
        let how = if has_log { "mode=ro" } else { "immutable=1" };
        let uri = format!("file:{}?{how}", escaped(&path));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let db = connect(Path::new(&uri), flags).map_err(|error| match error {
            RegistryError::Sql { source, .. } => RegistryError::of(&path, source),
            other => other,
        })?;
        let found = migrations::version(&db).map_err(|error| RegistryError::of(&path, error))?;
        if found == 0 {
            return Err(RegistryError::ReadOnly(path));
        }
        let registry = Registry::load(db, path)?;
        Ok(Registry {
            is_writable: false,
            ..registry
        })
    }

    /// Whether it was opened to be written.
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    fn load(db: Connection, path: PathBuf) -> Result<Registry, RegistryError> {
        let metadata =
            std::fs::metadata(&path).map_err(|source| failed("look at", &path, source))?;
        let mut registry = Registry {
            db,
            path,
            file: FileId::of(&metadata),
            uid: files::owner(&metadata),
            seen: 0,
            rows: BTreeMap::new(),
            settings: Settings::default(),
            compared: None,
            news: Touched::All,
            batch: Batch::Off,
            is_writable: true,
            patience: Duration::ZERO,
            hasty_until: Duration::ZERO,
        };
        registry.check_version()?;
        registry.reload().map_err(|error| registry.error(error))?;
        Ok(registry)
    }

    /// The reservations, by port.
    pub fn rows(&self) -> &BTreeMap<ReservationKey, Reservation> {
        &self.rows
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which rows have changed since this was asked last.
    pub fn take_touched(&mut self) -> Touched {
        std::mem::replace(&mut self.news, Touched::Some(Vec::new()))
    }

    /// The user that the file belongs to.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// The open database, for backups.
    pub(super) fn database(&self) -> &Connection {
        &self.db
    }

    /// Whether the file at its path is still the one that is open.
    pub fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|found| FileId::of(&found) == self.file)
    }

    /// Reads again what another program has written, if any has; whether that changed anything.
    /// Leases are moved along when the machine slept or its clock was set.
    pub fn refresh(&mut self, clock: &Clock) -> Result<bool, RegistryError> {
        if self.is_in_batch() {
            return Ok(false);
        }
        let changed = self.reload_if_changed()?;
        if self.jump(clock).is_some() {
            self.change(clock, |_| Ok::<_, RegistryError>(()))?;
            return Ok(true);
        }
        Ok(changed)
    }

    /// How far the wall's clock has moved against the other one since they were compared.
    pub(super) fn jump(&self, clock: &Clock) -> Option<i64> {
        let compared = self
            .compared
            .as_ref()
            .filter(|compared| compared.boot == clock.boot)?;
        let jump = (clock.now.millis() - compared.wall) - (millis(clock.awake) - compared.awake);
        (jump.abs() >= JUMP_MS).then_some(jump)
    }

    /// Reads again what another program has written, if any has. An error, and nothing is read or
    /// written any more, when that program was a newer Freeport that has changed the tables.
    pub(super) fn reload_if_changed(&mut self) -> Result<bool, RegistryError> {
        let version = self.data_version().map_err(|error| self.error(error))?;
        if version == self.seen {
            return Ok(false);
        }
        self.check_version()?;
        self.reload().map_err(|error| self.error(error))?;
        Ok(true)
    }

    fn check_version(&self) -> Result<(), RegistryError> {
        let found = migrations::version(&self.db).map_err(|error| self.error(error))?;
        let known = migrations::NEWEST;
        if found > known {
            let path = self.path.clone();
            return Err(RegistryError::Newer { path, found, known });
        }
        Ok(())
    }

    fn reload(&mut self) -> rusqlite::Result<()> {
        let seen = self.data_version()?;
        self.rows = row::all(&self.db)?
            .into_iter()
            .map(|row| (row.key(), row))
            .collect();
        let mut settings = Settings::default();
        let mut select = self.db.prepare_cached("SELECT key, value FROM config")?;
        let set = select.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        for (key, value) in set.collect::<rusqlite::Result<Vec<_>>>()? {
            // What another version knows, this one leaves alone.
            let _ = settings.set(&key, &value);
        }
        self.settings = settings;
        self.news = Touched::All;
        self.compared = self
            .db
            .prepare_cached("SELECT boot_id, wall, awake FROM clock")?
            .query_row([], |row| {
                Ok(Compared {
                    boot: row.get(0)?,
                    wall: row.get(1)?,
                    awake: row.get(2)?,
                })
            })
            .optional()?;
        self.seen = seen;
        Ok(())
    }

    /// Reads everything again, as what is known was not committed.
    pub(super) fn forget(&mut self) {
        if self.reload().is_err() {
            // No version is this one: it is read when that works again.
            self.seen = i64::MIN;
        }
    }

    /// Leaves it to somebody else to bring what was written from the log into the file.
    pub fn leave_checkpoints(&self) -> Result<(), RegistryError> {
        self.db
            .pragma_update(None, "wal_autocheckpoint", 0)
            .map_err(|error| self.error(error))
    }

    /// How long the log is, in bytes.
    pub fn log_length(&self) -> u64 {
        std::fs::metadata(log_of(&self.path)).map_or(0, |found| found.len())
    }

    fn data_version(&self) -> rusqlite::Result<i64> {
        self.db
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))
    }

    /// The ports that a service had, the last one first.
    pub fn remembered(&self, project: &str, service: &str) -> Result<Vec<Port>, RegistryError> {
        remembered(&self.db, project, service).map_err(|error| self.error(error))
    }

    /// The entries of the log that are wanted, oldest first.
    pub fn log(&self, wanted: &Wanted) -> Result<Vec<Entry>, RegistryError> {
        audit::read(&self.db, wanted).map_err(|error| self.error(error))
    }

    pub(super) fn error(&self, error: rusqlite::Error) -> RegistryError {
        RegistryError::of(&self.path, error)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, RegistryError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| RegistryError::of(path, error))
}

/// A path in the form that SQLite reads in a URI.
pub(super) fn escaped(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes
        .map(|byte| match plain(byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02x}"),
        })
        .collect()
}

/// The log beside a database.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    log.into()
}

/// Switches the log on. While others make the same database, SQLite refuses that without a wait.
fn switch_log_on(db: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match db.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

fn prepare(db: &mut Connection, patience: Duration) -> rusqlite::Result<()> {
    db.busy_timeout(patience)?;
    switch_log_on(db, patience)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    // In KiB: what is asked for again and again is less.
    db.pragma_update(None, "cache_size", -256)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(32);
    if migrations::version(db)? < migrations::NEWEST {
        migrations::migrate(db)?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::log::{Asker, Happened};
    use crate::model::reservation::Lease;
    use crate::model::reservation::tests::reserved;
    use crate::platform::files::tests::{link as make_link, mode, set_mode};

    pub(crate) const ASKER: Asker = Asker {
        uid: 1000,
        pid: None,
        name: None,
    };

    /// A place in a folder that is removed at the end.
    pub(crate) struct Temporary(pub(crate) Place, PathBuf);

    impl Temporary {
        pub(crate) fn new(name: &str) -> Temporary {
            let folder = std::env::temp_dir()
                .join(format!("freeport-registry-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            let uid = crate::platform::limits::user_id();
            Temporary(Place::new(folder.join("data"), uid), folder)
        }

        pub(crate) fn open(&self) -> Registry {
            Registry::open(&self.0, Duration::from_secs(20)).unwrap()
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.1);
        }
    }

    /// The clocks at so many seconds of the wall and of being awake.
    pub(crate) fn clock(wall: u64, awake: u64) -> Clock {
        Clock {
            now: Timestamp(SystemTime::UNIX_EPOCH).after(Duration::from_secs(wall)),
            awake: Duration::from_secs(awake),
            boot: "boot",
        }
    }

    fn leased(port: u16, at: &Clock, seconds: u64) -> Reservation {
        Reservation {
            lease: Some(Lease::from(at.now, Duration::from_secs(seconds))),
            last_heartbeat: Some(at.now),
            ..reserved(port, "shop")
        }
    }

    type Result<T> = std::result::Result<T, RegistryError>;

    #[test]
    fn what_was_written_is_read_again() {
        let place = Temporary::new("again");
        let row = Reservation {
            owner: Some(crate::model::reservation::LeaseOwner {
                key: crate::model::ProcessKey {
                    pid: 7,
                    start: u64::MAX,
                },
                boot: "boot".into(),
                name: "'; DROP TABLE ports; --".into(),
            }),
            metadata: Some(r#"{"a":[1,"\u0000"]}"#.into()),
            token: Some("t".into()),
            ..leased(3000, &clock(5, 5), 9)
        };
        let mut registry = place.open();
        registry
            .change(&clock(5, 5), |change| {
                change.put(row.clone())?;
                change.remember("shop", "web", row.port, clock(5, 5).now)?;
                change.set("stale_threshold", Some("90"))?;
                change.note(
                    &Entry::new(clock(5, 5).now, Happened::Claim, &ASKER)
                        .of(&row)
                        .detail("x"),
                )
            })
            .unwrap();
        let kept = registry.rows().clone();
        drop(registry);
        let again = place.open();
        assert_eq!(*again.rows(), kept);
        assert_eq!(again.rows().values().next(), Some(&row));
        assert_eq!(again.settings().number("stale_threshold"), 90);
        assert_eq!(again.remembered("shop", "web").unwrap(), [row.port]);
        let log = again
            .log(&Wanted {
                limit: 9,
                ..Wanted::default()
            })
            .unwrap();
        assert_eq!(
            log,
            [Entry::new(clock(5, 5).now, Happened::Claim, &ASKER)
                .of(&row)
                .detail("x")]
        );
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let place = Temporary::new("nothing");
        let mut registry = place.open();
        let failed: Result<()> = registry.change(&clock(1, 1), |change| {
            change.put(reserved(3000, "shop"))?;
            assert_eq!(change.count(), 1);
            Err(RegistryError::Busy(PathBuf::new()))
        });
        assert!(failed.is_err());
        assert!(registry.rows().is_empty());
        assert!(place.open().rows().is_empty());
    }

    #[test]
    fn of_many_that_claim_one_port_one_wins() {
        let place = Temporary::new("many");
        place.open();
        let wins: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let mut registry = place.open();
                        let claims = (3000..3050).filter(|&port| {
                            registry
                                .change(&clock(1, 1), |change| {
                                    let row = reserved(port, "shop");
                                    if change.get(row.key()).is_some() {
                                        return Ok::<_, RegistryError>(false);
                                    }
                                    change.put(row)?;
                                    Ok(true)
                                })
                                .unwrap()
                        });
                        claims.count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(wins, 50, "each port is won once");
        assert_eq!(place.open().rows().len(), 50);
    }

    #[test]
    fn what_others_write_is_seen() {
        let place = Temporary::new("others");
        let (mut one, mut other) = (place.open(), place.open());
        one.take_touched();
        assert!(!one.refresh(&clock(1, 1)).unwrap());
        other
            .change(&clock(1, 1), |change| change.put(reserved(3000, "shop")))
            .unwrap();
        assert!(one.refresh(&clock(1, 1)).unwrap());
        assert_eq!(one.rows().len(), 1);
        assert_eq!(one.take_touched(), Touched::All);
        one.change(&clock(1, 1), |change| {
            change.remove(reserved(3000, "shop").key())
        })
        .unwrap();
        assert!(matches!(one.take_touched(), Touched::Some(touched) if touched.len() == 1));
    }

    #[test]
    fn leases_stand_still_while_the_machine_sleeps_and_when_its_clock_is_set() {
        let place = Temporary::new("sleep");
        let mut registry = place.open();
        let start = clock(10_000, 100);
        registry
            .change(&start, |change| change.put(leased(3000, &start, 60)))
            .unwrap();
        let expires = |registry: &Registry| {
            registry
                .rows()
                .values()
                .next()
                .unwrap()
                .lease
                .unwrap()
                .expires_at
        };
        registry.refresh(&clock(10_030, 130)).unwrap();
        assert_eq!(
            expires(&registry),
            clock(10_060, 0).now,
            "time that passes is no jump"
        );
        // Eight hours asleep, seen by another program that opens the registry later.
        drop(registry);
        let mut registry = place.open();
        registry.refresh(&clock(38_830, 131)).unwrap();
        assert_eq!(expires(&registry), clock(38_859, 0).now);
        assert_eq!(
            registry.rows().values().next().unwrap().last_heartbeat,
            Some(clock(38_799, 0).now)
        );
        registry.refresh(&clock(38_831, 132)).unwrap();
        assert_eq!(expires(&registry), clock(38_859, 0).now, "moved once");
        // Set back by a day.
        registry.refresh(&clock(1_000, 133)).unwrap();
        assert_eq!(expires(&registry), clock(1_027, 0).now);
        // Another boot: what was awake before says nothing.
        let rebooted = Clock {
            boot: "next",
            ..clock(90_000, 3)
        };
        registry.refresh(&rebooted).unwrap();
        assert_eq!(expires(&registry), clock(1_027, 0).now);
    }

    #[test]
    fn the_log_is_bounded_by_age_and_by_rows() {
        let place = Temporary::new("log");
        let mut registry = place.open();
        let day = 24 * 60 * 60;
        registry
            .change(&clock(day, 1), |change| {
                change.set("audit_rows", Some("100"))?;
                change.note(&Entry::new(clock(0, 1).now, Happened::Claim, &ASKER))?;
                for _ in 0..150 {
                    change.note(&Entry::new(clock(day * 40, 1).now, Happened::Claim, &ASKER))?;
                }
                change.prune_log(clock(day * 40, 1).now)
            })
            .unwrap();
        assert_eq!(
            registry
                .log(&Wanted {
                    limit: 1_000,
                    ..Wanted::default()
                })
                .unwrap()
                .len(),
            100
        );
    }

    #[test]
    fn a_newer_database_and_an_unsafe_folder_are_refused() {
        let place = Temporary::new("newer");
        let registry = place.open();
        registry
            .database()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        drop(registry);
        let newer = Registry::open(&place.0, Duration::ZERO).err();
        assert!(
            matches!(newer, Some(RegistryError::Newer { found: 99, .. })),
            "{newer:?}"
        );
        let open = Temporary::new("unsafe");
        open.open();
        let folder = open.0.database().parent().unwrap().to_owned();
        set_mode(&folder, 0o777);
        assert!(matches!(
            Registry::open(&open.0, Duration::ZERO).err(),
            Some(RegistryError::UnsafeFolder { .. })
        ));
        let link = Temporary::new("link");
        std::fs::create_dir_all(link.1.join("elsewhere")).unwrap();
        make_link(&link.1.join("elsewhere"), &link.1.join("data"));
        assert!(matches!(
            Registry::open(&link.0, Duration::ZERO).err(),
            Some(RegistryError::UnsafeFolder { .. })
        ));
    }

    #[test]
    fn only_its_user_can_read_it() {
        let place = Temporary::new("closed");
        place
            .open()
            .change(&clock(1, 1), |change| change.put(reserved(3000, "shop")))
            .unwrap();
        let folder = place.0.database().parent().unwrap().to_owned();
        assert_eq!(mode(&folder), 0o700);
        for file in std::fs::read_dir(folder).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
    }
}
