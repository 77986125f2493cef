//! All that a registry holds, the log aside: what a backup brings back and an export writes down.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};

use super::backup::LAST_MS;
use super::{Change, RegistryError, row};
use crate::model::reservation::{RESERVATIONS_LIMIT, ReservationKey};
use crate::model::settings::Settings;
use crate::model::{Port, Reservation, Timestamp};

/// The most bytes of any text in a reservation. Those that come with a request have narrower
/// limits; a name that the system told may be longer.
const TEXT_LIMIT: usize = 8 * 1024;
/// The most rows of each of the other tables.
const ROWS_LIMIT: usize = 1 << 20;

/// What a registry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) rows: BTreeMap<ReservationKey, Reservation>,
    /// As they were written, with those that only another version knows.
    pub(super) config: Vec<(String, String)>,
    pub(super) history: Vec<Remembered>,
    pub(super) pools: Vec<Pool>,
}

/// A port that a service had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) project: String,
    pub(super) service: String,
    pub(super) port: u16,
    pub(super) used_at: i64,
}

/// A named set of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) ports: String,
    pub(super) created_at: i64,
}

impl Content {
    /// Reads it all, as it is at one moment.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Content> {
        // Where changes wait for their commit, a transaction is open.
        let moment = match db.is_autocommit() {
            true => Some(db.unchecked_transaction()?),
            false => None,
        };
        let content = Content {
            rows: row::all(db)?
                .into_iter()
                .map(|row| (row.key(), row))
                .collect(),
            config: list(db, "SELECT key, value FROM config ORDER BY key", |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?,
            history: list(
                db,
                "SELECT project, service_name, port, used_at FROM service_ports
                 ORDER BY project, service_name, used_at DESC, port",
                |row| {
                    Ok(Remembered {
                        project: row.get(0)?,
                        service: row.get(1)?,
                        port: row.get(2)?,
                        used_at: row.get(3)?,
                    })
                },
            )?,
            pools: list(
                db,
                "SELECT name, ports, created_at FROM port_pools ORDER BY name",
                |row| {
                    Ok(Pool {
                        name: row.get(0)?,
                        ports: row.get(1)?,
                        created_at: row.get(2)?,
                    })
                },
            )?,
        };
        moment.map_or(Ok(()), Transaction::finish)?;
        Ok(content)
    }

    /// What is wrong with it, where it cannot have been written by Freeport. `counted` is how many
    /// rows the table of reservations has.
    pub(super) fn problem(&self, counted: usize) -> Option<&'static str> {
        if counted != self.rows.len() {
            return Some("it has reservations that cannot be read");
        }
        if counted > RESERVATIONS_LIMIT {
            return Some("it has more reservations than there can be");
        }
        if self.rows.values().any(|row| !is_plausible(row)) {
            return Some("it has reservations that Freeport cannot have written");
        }
        let dated = |millis: i64| (0..=LAST_MS).contains(&millis);
        let history = self.history.iter().all(|remembered| {
            let short = remembered.project.len() + remembered.service.len() <= TEXT_LIMIT;
            short && dated(remembered.used_at) && Port::new(remembered.port).is_some()
        });
        let pools = self
            .pools
            .iter()
            .all(|pool| pool.name.len() + pool.ports.len() <= TEXT_LIMIT && dated(pool.created_at));
        let config = self
            .config
            .iter()
            .all(|(key, value)| key.len() + value.len() <= TEXT_LIMIT);
        (!history || !pools || !config)
            .then_some("it has entries that Freeport cannot have written")
    }

    /// What is set, as far as this version knows it.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in &self.config {
            let _ = settings.set(key, value);
        }
        settings
    }

    /// Puts it in the place of all that is there.
    pub(super) fn replace(&self, change: &mut Change<'_>) -> Result<(), RegistryError> {
        let present = change.all().map(Reservation::key);
        let gone: Vec<ReservationKey> =
            present.filter(|key| !self.rows.contains_key(key)).collect();
        gone.into_iter().try_for_each(|key| change.remove(key))?;
        for row in self.rows.values() {
            if change.get(row.key()).is_none_or(|present| present != row) {
                change.put(row.clone())?;
            }
        }
        let write = |db: &Connection| {
            db.execute_batch(
                "DELETE FROM config; DELETE FROM service_ports; DELETE FROM port_pools",
            )?;
            for (key, value) in &self.config {
                db.prepare_cached("INSERT INTO config (key, value) VALUES (?1, ?2)")?
                    .execute(params![key, value])?;
            }
            for Remembered {
                project,
                service,
                port,
                used_at,
            } in &self.history
            {
                db.prepare_cached(
                    "INSERT INTO service_ports (project, service_name, port, used_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![project, service, port, used_at])?;
            }
            self.pools.iter().try_for_each(|pool| pool.add(db))
        };
        change.write(write)?;
        change.replace_settings(self.settings());
        Ok(())
    }
}

impl Pool {
    /// Adds it.
    pub(super) fn add(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached("INSERT INTO port_pools (name, ports, created_at) VALUES (?1, ?2, ?3)")?
            .execute(params![self.name, self.ports, self.created_at])?;
        Ok(())
    }
}

fn list<T>(
    db: &Connection,
    select: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare(select)?
        .query_map([], read)?
        .take(ROWS_LIMIT)
        .collect()
}

/// Whether texts and times of a reservation are within what there can be.
fn is_plausible(row: &Reservation) -> bool {
    let owner = row.owner.as_ref();
    let texts = [
        row.project.as_ref(),
        row.service.as_ref(),
        row.metadata.as_ref(),
        row.token.as_ref(),
        row.reserved_service.as_ref(),
        row.drawn.as_ref().map(|drawn| &drawn.pool),
        row.drawn.as_ref().map(|drawn| &drawn.job_id),
        owner.map(|owner| &owner.boot),
        owner.map(|owner| &owner.name),
    ];
    let times = [
        Some(row.created_at),
        row.lease.map(|lease| lease.expires_at),
        row.last_heartbeat,
    ];
    texts
        .into_iter()
        .flatten()
        .all(|text| text.len() <= TEXT_LIMIT)
        && times.into_iter().flatten().all(is_dated)
}

/// Whether a time can be written as a date.
fn is_dated(time: Timestamp) -> bool {
    time.millis() <= LAST_MS
}
