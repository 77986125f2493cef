//! The tables `port_pools`, `pool_waiters` and `given_back`: pools, who waits for their ports, and in
//! which order ports came back.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::{Change, Registry, RegistryError};
use crate::model::pool::{Pool, Waiter};
use crate::model::reservation::ReservationKey;
use crate::model::{Port, ProcessKey, Timestamp};

impl Registry {
    /// The pools, by name.
    pub fn pools(&self) -> Result<Vec<Pool>, RegistryError> {
        all(self.database()).map_err(|error| self.error(error))
    }

    /// Who waits, in turn: also who has gone meanwhile.
    pub fn waiters(&self) -> Result<Vec<Waiter>, RegistryError> {
        waiters(self.database()).map_err(|error| self.error(error))
    }
}

impl Change<'_> {
    /// The pools, by name.
    pub fn pools(&mut self) -> Result<Vec<Pool>, RegistryError> {
        self.write(all)
    }

    /// The pool with this name.
    pub fn pool(&mut self, name: &str) -> Result<Option<Pool>, RegistryError> {
        self.write(|db| {
            let mut select = db
                .prepare_cached("SELECT name, ports, created_at FROM port_pools WHERE name = ?1")?;
            let mut found = select.query_map([name], |row| Ok(pool(row)))?;
            Ok(found.next().transpose()?.flatten())
        })
    }

    /// Adds a pool.
    pub fn add_pool(&mut self, pool: &Pool) -> Result<(), RegistryError> {
        self.write(|db| {
            db.prepare_cached(
                "INSERT INTO port_pools (name, ports, created_at) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                pool.name,
                pool.ports.to_string(),
                pool.created_at.millis()
            ])
            .map(drop)
        })
    }

    /// Removes a pool, and those who wait for it.
    pub fn remove_pool(&mut self, name: &str) -> Result<(), RegistryError> {
        self.write(|db| {
            db.execute("DELETE FROM port_pools WHERE name = ?1", [name])?;
            db.execute("DELETE FROM pool_waiters WHERE pool = ?1", [name])
                .map(drop)
        })
    }

    /// Who waits, in turn: also who has gone meanwhile.
    pub fn waiters(&mut self) -> Result<Vec<Waiter>, RegistryError> {
        self.write(waiters)
    }

    /// Gives somebody a place behind all others; the one that it has is not looked at.
    pub fn queue(&mut self, waiter: &Waiter) -> Result<(), RegistryError> {
        self.write(|db| {
            db.prepare_cached(
                "INSERT INTO pool_waiters (pool, job_id, count, pid, pid_start, boot_id, since, seen_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                waiter.pool,
                waiter.job_id,
                i64::try_from(waiter.count).unwrap_or(i64::MAX),
                waiter.process.pid,
                waiter.process.start.cast_signed(),
                waiter.boot,
                waiter.since.millis(),
                waiter.seen_ms,
            ])
            .map(drop)
        })
    }

    /// Notes when somebody who waits asked last.
    pub fn saw_waiter(&mut self, place: i64, seen_ms: i64) -> Result<(), RegistryError> {
        self.write(|db| {
            db.prepare_cached("UPDATE pool_waiters SET seen_ms = ?2 WHERE place = ?1")?
                .execute([place, seen_ms])
                .map(drop)
        })
    }

    /// Takes somebody's place away.
    pub fn unqueue(&mut self, place: i64) -> Result<(), RegistryError> {
        self.write(|db| {
            db.prepare_cached("DELETE FROM pool_waiters WHERE place = ?1")?
                .execute([place])
                .map(drop)
        })
    }

    /// For each port that was drawn before, when it was given back: a number that grows.
    pub fn given_back(&mut self) -> Result<HashMap<ReservationKey, i64>, RegistryError> {
        self.write(|db| {
            let mut select = db.prepare_cached("SELECT port, protocol, id FROM given_back")?;
            let rows = select.query_map([], |row| {
                let port = Port::new(row.get(0)?);
                let protocol = super::row::protocol(&row.get::<_, String>(1)?);
                Ok((port.zip(protocol), row.get(2)?))
            })?;
            let known = rows.filter_map(|row| match row {
                Ok((key, id)) => key.map(|key| Ok((key, id))),
                Err(error) => Some(Err(error)),
            });
            known.collect()
        })
    }
}

fn all(db: &Connection) -> rusqlite::Result<Vec<Pool>> {
    let mut select =
        db.prepare_cached("SELECT name, ports, created_at FROM port_pools ORDER BY name")?;
    let rows = select.query_map([], |row| Ok(pool(row)))?;
    let all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// A row that no version of Freeport wrote is left alone.
fn pool(row: &Row<'_>) -> Option<Pool> {
    Some(Pool {
        name: row.get(0).ok()?,
        ports: row.get::<_, String>(1).ok()?.parse().ok()?,
        created_at: Timestamp::of_millis(row.get(2).ok()?),
    })
}

fn waiters(db: &Connection) -> rusqlite::Result<Vec<Waiter>> {
    let mut select = db.prepare_cached(
        "SELECT place, pool, job_id, count, pid, pid_start, boot_id, since, seen_ms
         FROM pool_waiters ORDER BY place",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Waiter {
            place: row.get(0)?,
            pool: row.get(1)?,
            job_id: row.get(2)?,
            count: usize::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            process: ProcessKey {
                pid: row.get(4)?,
                start: row.get::<_, i64>(5)?.cast_unsigned(),
            },
            boot: row.get(6)?,
            since: Timestamp::of_millis(row.get(7)?),
            seen_ms: row.get(8)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Protocol;
    use crate::model::reservation::Drawn;
    use crate::model::reservation::tests::reserved;
    use crate::registry::Clock;
    use crate::registry::store::tests::Temporary;

    fn clock() -> Clock {
        Clock {
            now: Timestamp::of_millis(1_000),
            awake: Duration::from_secs(1),
            boot: "boot",
        }
    }

    #[test]
    fn pools_are_kept() {
        let place = Temporary::new("pools");
        let mut registry = place.open();
        let ci = Pool {
            name: "ci".into(),
            ports: "15000-15003".parse().unwrap(),
            created_at: Timestamp::of_millis(7),
        };
        let made = registry.change(&clock(), |change| {
            change.add_pool(&ci)?;
            change.pool("ci")
        });
        assert_eq!(made.unwrap(), Some(ci.clone()));
        assert_eq!(place.open().pools().unwrap(), [ci]);
        let gone = registry.change(&clock(), |change| {
            change.remove_pool("ci")?;
            change.pool("ci")
        });
        assert_eq!(gone.unwrap(), None);
    }

    #[test]
    fn who_waits_keeps_his_place_until_it_is_taken_away() {
        let place = Temporary::new("waiters");
        let mut registry = place.open();
        let waiter = |pid: u32| Waiter {
            place: 0,
            pool: "ci".into(),
            job_id: format!("job {pid}"),
            count: 2,
            process: ProcessKey {
                pid,
                start: u64::MAX,
            },
            boot: "boot".into(),
            since: Timestamp::of_millis(5),
            seen_ms: 6,
        };
        let waiting = registry.change(&clock(), |change| {
            change.queue(&waiter(1))?;
            change.queue(&waiter(2))?;
            change.saw_waiter(1, 99)?;
            change.waiters()
        });
        let waiting = waiting.unwrap();
        assert_eq!(
            waiting[0],
            Waiter {
                place: 1,
                seen_ms: 99,
                ..waiter(1)
            }
        );
        assert_eq!(
            waiting[1],
            Waiter {
                place: 2,
                ..waiter(2)
            }
        );
        let left = registry.change(&clock(), |change| {
            change.unqueue(2)?;
            change.queue(&waiter(3))?;
            change.waiters()
        });
        let places: Vec<i64> = left.unwrap().iter().map(|waiter| waiter.place).collect();
        assert_eq!(places, [1, 3], "a place is never given twice");
    }

    #[test]
    fn the_order_in_which_ports_came_back_is_known() {
        let place = Temporary::new("given-back");
        let mut registry = place.open();
        let drawn = |port: u16, pool: &str| crate::model::Reservation {
            drawn: Some(Drawn {
                pool: pool.into(),
                job_id: "1".into(),
            }),
            ..reserved(port, "ci")
        };
        let key = |port: u16| (Port::new(port).unwrap(), Protocol::Tcp);
        let back = registry.change(&clock(), |change| {
            for (port, pool) in [(5000, "ci"), (5001, "ci"), (5002, "portserver")] {
                change.put(drawn(port, pool))?;
                // Written once more, it has not come back.
                change.put(drawn(port, pool))?;
            }
            change.put(reserved(5003, "shop"))?;
            for port in [5001, 5000, 5002, 5003] {
                change.remove(key(port))?;
            }
            change.put(drawn(5001, "ci"))?;
            change.remove(key(5001))?;
            change.given_back()
        });
        let back = back.unwrap();
        assert_eq!(back.len(), 2, "{back:?}");
        assert!(back[&key(5000)] < back[&key(5001)], "{back:?}");
    }
}
