//! Taking over what a file brings, in one change.

use std::collections::BTreeMap;

use rusqlite::params;

use super::plan::{Problem, Settled, Step, settle};
use super::read::Import;
use crate::model::log::{Asker, Entry, Happened};
use crate::model::reservation::RESERVATIONS_LIMIT;
use crate::model::{Port, Reservation, Timestamp};
use crate::registry::content::Pool;
use crate::registry::store::REMEMBERED;
use crate::registry::{Change, Clock, Registry, RegistryError};

/// How many reservations are named one by one in the log; of more, their number.
const NAMED: usize = 256;

/// What an import has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many reservations are new.
    pub added: usize,
    /// How many were there, and are changed.
    pub updated: usize,
    /// How many were there, just so.
    pub unchanged: usize,
    /// How many claims were left out because their process ended with an earlier boot.
    pub ended: usize,
    /// How many settings are changed.
    pub settings: usize,
    /// How many ports of services are remembered that were not before.
    pub remembered: usize,
    /// How many pools are new.
    pub pools: usize,
    /// What was left out because it conflicts.
    pub skipped: Vec<Problem>,
}

impl Imported {
    /// Whether anything is not as it was.
    pub fn changed(&self) -> bool {
        self.added + self.updated + self.settings + self.remembered + self.pools > 0
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailure {
    /// Something in the file conflicts with what is reserved.
    #[error("{} of the file cannot be taken over", count(.0.len()))]
    Conflicts(Vec<Problem>),
    /// There would be more reservations than there can be.
    #[error("there would be {0} reservations: there can be at most {RESERVATIONS_LIMIT}")]
    TooMany(usize),
    /// The registry cannot be changed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

fn count(problems: usize) -> String {
    match problems {
        1 => "1 entry".to_owned(),
        n => format!("{n} entries"),
    }
}

impl Registry {
    /// Takes over what a file brings: all of it, or, where something conflicts, nothing, unless
    /// that is to be skipped.
    pub fn import(
        &mut self,
        mut import: Import,
        skip_conflicts: bool,
        clock: &Clock,
        asker: &Asker,
    ) -> Result<Imported, ImportFailure> {
        let ended = import.leave_out_ended(clock.boot);
        self.change(clock, |change| {
            let rows: BTreeMap<_, _> = change.all().map(|row| (row.key(), row.clone())).collect();
            let Settled {
                steps,
                mut problems,
            } = settle(&import, &rows);
            let pools = pools(change, &import, clock.now, &mut problems)?;
            if !problems.is_empty() && !skip_conflicts {
                return Err(ImportFailure::Conflicts(problems));
            }
            let mut done = Imported {
                ended,
                pools: pools.len(),
                skipped: problems,
                ..Imported::default()
            };
            let written = write(change, steps, clock.now, asker, &mut done)?;
            done.remembered += remember(change, &import, clock.now)?;
            done.settings = settings(change, &import)?;
            change.write(|db| pools.iter().try_for_each(|pool| pool.add(db)))?;
            if done.changed() {
                note(change, &written, &done, clock.now, asker)?;
            }
            Ok(done)
        })
    }
}

/// Writes reservations; gives those that are new or changed.
fn write(
    change: &mut Change<'_>,
    steps: Vec<Step<'_>>,
    now: Timestamp,
    asker: &Asker,
    done: &mut Imported,
) -> Result<Vec<Reservation>, ImportFailure> {
    let mut written = Vec::new();
    for step in steps {
        let row = match step {
            Step::Take(entry) => {
                let row = entry.row(asker.uid, now);
                if entry.is_plain
                    && let (Some(project), Some(service)) = (&row.project, &row.service)
                {
                    change.remember(project, service, row.port, now)?;
                }
                row
            }
            Step::Update(row) => *row,
            Step::Unchanged => {
                done.unchanged += 1;
                continue;
            }
        };
        if change.get(row.key()).is_some() {
            done.updated += 1;
        } else {
            done.added += 1;
        }
        change.put(row.clone())?;
        written.push(row);
    }
    if done.added > 0 && change.count() > RESERVATIONS_LIMIT {
        return Err(ImportFailure::TooMany(change.count()));
    }
    Ok(written)
}

/// Remembers the ports that services had, behind those that are known.
fn remember(
    change: &mut Change<'_>,
    import: &Import,
    now: Timestamp,
) -> Result<usize, RegistryError> {
    let mut count = 0;
    for ((project, service), ports) in &import.history {
        let known = change.remembered(project, service)?;
        let mut new: Vec<Port> = Vec::new();
        for port in ports {
            if !known.contains(port) && !new.contains(port) {
                new.push(*port);
            }
        }
        new.truncate((REMEMBERED as usize).saturating_sub(known.len()));
        change.write(|db| {
            let oldest: Option<i64> = db
                .prepare_cached("SELECT min(used_at) FROM service_ports WHERE project = ?1 AND service_name = ?2")?
                .query_row([project, service], |row| row.get(0))?;
            let before = oldest.unwrap_or(now.millis());
            for (port, back) in new.iter().zip(1..) {
                db.prepare_cached(
                    "INSERT INTO service_ports (project, service_name, port, used_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![project, service, port.get(), (before - back).max(0)])?;
            }
            Ok(())
        })?;
        count += new.len();
    }
    Ok(count)
}

fn settings(change: &mut Change<'_>, import: &Import) -> Result<usize, RegistryError> {
    let mut count = 0;
    for (name, value) in import.settings.iter() {
        let present = change.settings();
        if present.iter().any(|set| set == (name, value)) {
            continue;
        }
        change.set(name, Some(value))?;
        count += 1;
    }
    Ok(count)
}

/// The pools that are new; one that has other ports here is a problem.
fn pools(
    change: &mut Change<'_>,
    import: &Import,
    now: Timestamp,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Pool>, RegistryError> {
    let mut new = Vec::new();
    for (name, (ports, created_at)) in &import.pools {
        let has = change.write(|db| {
            let mut select = db.prepare_cached("SELECT ports FROM port_pools WHERE name = ?1")?;
            let mut found = select.query_map([name], |row| row.get::<_, String>(0))?;
            found.next().transpose()
        })?;
        match has {
            Some(has) if has == *ports => {}
            Some(has) => problems.push(Problem::Pool {
                name: name.clone(),
                wanted: ports.clone(),
                has,
            }),
            None => new.push(Pool {
                name: name.clone(),
                ports: ports.clone(),
                created_at: created_at.unwrap_or(now).millis(),
            }),
        }
    }
    Ok(new)
}

fn note(
    change: &mut Change<'_>,
    written: &[Reservation],
    done: &Imported,
    now: Timestamp,
    asker: &Asker,
) -> Result<(), RegistryError> {
    let entry = || Entry::new(now, Happened::Import, asker);
    if written.len() <= NAMED {
        for row in written {
            change.note(&entry().of(row))?;
        }
    }
    let detail = format!(
        "{} reservations added, {} updated, {} settings changed, {} skipped",
        done.added,
        done.updated,
        done.settings,
        done.skipped.len()
    );
    change.note(&entry().detail(detail))
}
