//! A change of the registry on its way: what is read in it is true until it ends.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::store::{Clock, Compared, REMEMBERED};
use super::{RegistryError, audit, row};
use crate::model::log::Entry;
use crate::model::reservation::ReservationKey;
use crate::model::settings::Settings;
use crate::model::{Port, Reservation, Timestamp};

/// How old the last comparison of the clocks may become.
const COMPARED_MS: i64 = 10 * 60 * 1000;

/// What a change has done so far.
#[derive(Default)]
pub(super) struct Edits {
    pub(super) rows: BTreeMap<ReservationKey, Option<Reservation>>,
    pub(super) settings: Option<Settings>,
    pub(super) compared: Option<Compared>,
}

/// A change on its way: what is read in it is true until it ends.
pub struct Change<'a> {
    pub(super) db: &'a Connection,
    pub(super) path: &'a Path,
    pub(super) rows: &'a BTreeMap<ReservationKey, Reservation>,
    pub(super) settings: &'a Settings,
    pub(super) edits: Edits,
}

impl Change<'_> {
    /// The reservation of a port.
    pub fn get(&self, key: ReservationKey) -> Option<&Reservation> {
        match self.edits.rows.get(&key) {
            Some(edited) => edited.as_ref(),
            None => self.rows.get(&key),
        }
    }

    /// All reservations, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Reservation> {
        let untouched = self
            .rows
            .iter()
            .filter(|(key, _)| !self.edits.rows.contains_key(key));
        let edited = self.edits.rows.values().flatten();
        untouched.map(|(_, row)| row).chain(edited)
    }

    /// How many reservations there are.
    pub fn count(&self) -> usize {
        let edits = self.edits.rows.iter();
        let added = edits
            .clone()
            .filter(|(key, row)| row.is_some() && !self.rows.contains_key(key))
            .count();
        let removed = edits
            .filter(|(key, row)| row.is_none() && self.rows.contains_key(key))
            .count();
        self.rows.len() + added - removed
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        self.edits.settings.as_ref().unwrap_or(self.settings)
    }

    /// Writes a reservation in the place of what was there.
    pub fn put(&mut self, reservation: Reservation) -> Result<(), RegistryError> {
        row::put(self.db, &reservation).map_err(|error| self.error(error))?;
        self.edits.rows.insert(reservation.key(), Some(reservation));
        Ok(())
    }

    /// Removes a reservation.
    pub fn remove(&mut self, key: ReservationKey) -> Result<(), RegistryError> {
        row::remove(self.db, key).map_err(|error| self.error(error))?;
        self.edits.rows.insert(key, None);
        Ok(())
    }

    /// Adds an entry to the log.
    pub fn note(&mut self, entry: &Entry) -> Result<(), RegistryError> {
        audit::add(self.db, entry).map_err(|error| self.error(error))
    }

    /// Removes what is too old in the log, or too much.
    pub fn prune_log(&mut self, now: Timestamp) -> Result<(), RegistryError> {
        let days = Duration::from_secs(self.settings().number("audit_days") * 24 * 60 * 60);
        let rows = self.settings().number("audit_rows");
        audit::prune(self.db, now.before(days), rows)
            .map(drop)
            .map_err(|error| self.error(error))
    }

    /// A token that nobody guesses.
    pub fn token(&self) -> Result<String, RegistryError> {
        row::token(self.db).map_err(|error| self.error(error))
    }

    /// The ports that a service had, the last one first.
    pub fn remembered(&self, project: &str, service: &str) -> Result<Vec<Port>, RegistryError> {
        remembered(self.db, project, service).map_err(|error| self.error(error))
    }

    /// The ports that others than this service had, with their projects.
    pub fn remembered_by_others(
        &self,
        project: &str,
        service: &str,
    ) -> Result<Vec<(String, Port)>, RegistryError> {
        let read = || {
            let mut select = self.db.prepare_cached(
                "SELECT project, port FROM service_ports WHERE NOT (project = ?1 AND service_name = ?2)",
            )?;
            let rows = select.query_map(params![project, service], |row| {
                Ok((row.get(0)?, row.get::<_, u16>(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows: Vec<(String, u16)> = read().map_err(|error| self.error(error))?;
        Ok(rows
            .into_iter()
            .filter_map(|(project, port)| Some((project, Port::new(port)?)))
            .collect())
    }

    /// Remembers that a service had a port.
    pub fn remember(
        &mut self,
        project: &str,
        service: &str,
        port: Port,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let add = || {
            let mut insert = self.db.prepare_cached(
                "INSERT OR REPLACE INTO service_ports (project, service_name, port, used_at) VALUES (?1, ?2, ?3, ?4)",
            )?;
            insert.execute(params![project, service, port.get(), now.millis()])?;
            let mut forget = self.db.prepare_cached(
                "DELETE FROM service_ports WHERE project = ?1 AND service_name = ?2 AND port NOT IN
                 (SELECT port FROM service_ports WHERE project = ?1 AND service_name = ?2 ORDER BY used_at DESC, port LIMIT ?3)",
            )?;
            forget
                .execute(params![project, service, REMEMBERED])
                .map(drop)
        };
        add().map_err(|error| self.error(error))
    }

    /// Sets a key, or takes it back to its default.
    pub fn set(&mut self, key: &'static str, value: Option<&str>) -> Result<(), RegistryError> {
        let mut settings = self.settings().clone();
        let written = match value {
            Some(value) => {
                // It was checked before it came here.
                let _ = settings.set(key, value);
                self.db.execute(
                    "INSERT OR REPLACE INTO config (key, value) VALUES (?1, ?2)",
                    params![key, value],
                )
            }
            None => {
                let _ = settings.unset(key);
                self.db.execute("DELETE FROM config WHERE key = ?1", [key])
            }
        };
        written.map_err(|error| self.error(error))?;
        self.edits.settings = Some(settings);
        Ok(())
    }

    /// Writes to tables that are not kept in memory.
    pub(super) fn write<T>(
        &mut self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, RegistryError> {
        write(self.db).map_err(|error| self.error(error))
    }

    /// Goes on with other settings, which were written.
    pub(super) fn replace_settings(&mut self, settings: Settings) {
        self.edits.settings = Some(settings);
    }

    /// Moves leases along with a clock that has jumped, and notes the clocks from time to time.
    pub(super) fn keep_time(
        &mut self,
        clock: &Clock,
        jump: Option<i64>,
        before: Option<&Compared>,
    ) -> rusqlite::Result<()> {
        let wall = clock.now.millis();
        let fresh =
            before.is_some_and(|b| b.boot == clock.boot && (wall - b.wall).abs() < COMPARED_MS);
        if fresh && jump.is_none() {
            return Ok(());
        }
        if let Some(jump) = jump {
            for row in self
                .rows
                .values()
                .filter(|row| row.lease.is_some() || row.last_heartbeat.is_some())
            {
                let moved = moved(row, jump);
                row::put(self.db, &moved)?;
                self.edits.rows.insert(moved.key(), Some(moved));
            }
        }
        let compared = Compared {
            boot: clock.boot.to_owned(),
            wall,
            awake: millis(clock.awake),
        };
        self.db.execute(
            "INSERT OR REPLACE INTO clock (id, boot_id, wall, awake) VALUES (1, ?1, ?2, ?3)",
            params![compared.boot, compared.wall, compared.awake],
        )?;
        self.edits.compared = Some(compared);
        Ok(())
    }

    fn error(&self, error: rusqlite::Error) -> RegistryError {
        RegistryError::of(self.path, error)
    }
}

/// The reservation with its times so much later.
fn moved(row: &Reservation, by_ms: i64) -> Reservation {
    let shift = |at: Timestamp| Timestamp::of_millis(at.millis().saturating_add(by_ms));
    let mut moved = row.clone();
    if let Some(lease) = &mut moved.lease {
        lease.expires_at = shift(lease.expires_at);
    }
    moved.last_heartbeat = moved.last_heartbeat.map(shift);
    moved
}

pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn remembered(
    db: &Connection,
    project: &str,
    service: &str,
) -> rusqlite::Result<Vec<Port>> {
    let mut select = db.prepare_cached(
        "SELECT port FROM service_ports WHERE project = ?1 AND service_name = ?2 ORDER BY used_at DESC, port",
    )?;
    let ports = select.query_map(params![project, service], |row| row.get::<_, u16>(0))?;
    Ok(ports
        .collect::<rusqlite::Result<Vec<_>>>()?
        .into_iter()
        .filter_map(Port::new)
        .collect())
}
