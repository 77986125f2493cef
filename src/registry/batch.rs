//! Transactions: one change at a time, or several that are committed together.

use super::RegistryError;

/// For how long after a wait in vain nobody is waited for.
const HASTE: Duration = Duration::from_secs(3);
use std::time::Duration;

use super::change::{Change, Edits};
use super::store::{Clock, Registry, TOUCHED, Touched};

/// Whether changes are committed together.
#[derive(Debug, Default)]
pub(super) enum Batch {
    /// Each is by itself.
    #[default]
    Off,
    /// They are, and there was none yet.
    Ready,
    /// They are, and a transaction is open.
    Open,
    /// The database has taken all of them back.
    Lost(RegistryError),
}

impl Registry {
    /// Lets the changes from now on be committed together, by [`Registry::end_batch`]. Until then
    /// nothing of them may be acknowledged.
    pub fn begin_batch(&mut self) {
        if matches!(self.batch, Batch::Off) {
            self.batch = Batch::Ready;
        }
    }

    /// Commits the changes since [`Registry::begin_batch`]: all of them, or, when it fails, none. Gives
    /// whether there was any.
    pub fn end_batch(&mut self) -> Result<bool, RegistryError> {
        let error = match std::mem::take(&mut self.batch) {
            Batch::Off | Batch::Ready => return Ok(false),
            Batch::Open => match self.run("COMMIT") {
                Ok(()) => return Ok(true),
                Err(error) => {
                    let _ = self.run("ROLLBACK");
                    self.error(error)
                }
            },
            Batch::Lost(error) => error,
        };
        self.forget();
        Err(error)
    }

    /// Whether changes wait for their commit.
    pub fn is_in_batch(&self) -> bool {
        matches!(self.batch, Batch::Open | Batch::Lost(_))
    }

    /// Changes the registry: all of what `decide` does, or, when it fails, nothing.
    pub fn change<T, E: From<RegistryError>>(
        &mut self,
        clock: &Clock,
        decide: impl FnOnce(&mut Change<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin(clock)?;
        let (end, undo) = match self.batch {
            Batch::Off => ("COMMIT", "ROLLBACK"),
            _ => ("RELEASE one", "ROLLBACK TO one"),
        };
        let result = self.within(clock, decide).and_then(|(value, edits)| {
            self.run(end).map_err(|error| self.error(error))?;
            Ok((value, edits))
        });
        match result {
            Ok((value, edits)) => {
                self.apply(edits);
                Ok(value)
            }
            Err(error) => {
                let undone = self.run(undo);
                if matches!(self.batch, Batch::Open) {
                    // A full disk makes the database take back the whole transaction.
                    let _ = self.run("RELEASE one");
                    if self.db.is_autocommit() {
                        let error = undone.err().map(|error| self.error(error));
                        self.batch = Batch::Lost(error.unwrap_or_else(|| self.lost()));
                    }
                }
                Err(error)
            }
        }
    }

    fn begin(&mut self, clock: &Clock) -> Result<(), RegistryError> {
        if let Batch::Lost(_) = self.batch {
            return Err(self.lost());
        }
        if !matches!(self.batch, Batch::Open) {
            self.begin_immediate(clock)?;
            if let Err(error) = self.reload_if_changed() {
                let _ = self.run("ROLLBACK");
                return Err(error);
            }
        }
        if !matches!(self.batch, Batch::Off) {
            self.batch = Batch::Open;
            self.run("SAVEPOINT one")
                .map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    /// Waits for another writer, but not once more for every change that waits behind this one.
    fn begin_immediate(&mut self, clock: &Clock) -> Result<(), RegistryError> {
        let hasty = clock.awake < self.hasty_until;
        if hasty {
            self.set_patient(false).map_err(|error| self.error(error))?;
        }
        let begun = self
            .run("BEGIN IMMEDIATE")
            .map_err(|error| self.error(error));
        if hasty {
            self.set_patient(true).map_err(|error| self.error(error))?;
        }
        self.hasty_until = match &begun {
            Err(RegistryError::Busy(_)) => clock.awake + HASTE,
            _ => Duration::ZERO,
        };
        begun
    }

    fn lost(&self) -> RegistryError {
        RegistryError::Full(self.path().to_owned())
    }

    fn run(&self, statement: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(statement)?.execute([]).map(drop)
    }

    fn within<T, E: From<RegistryError>>(
        &self,
        clock: &Clock,
        decide: impl FnOnce(&mut Change<'_>) -> Result<T, E>,
    ) -> Result<(T, Edits), E> {
        let jump = self.jump(clock);
        let mut change = Change {
            db: &self.db,
            path: &self.path,
            rows: &self.rows,
            settings: &self.settings,
            edits: Edits::default(),
        };
        change
            .keep_time(clock, jump, self.compared.as_ref())
            .map_err(|error| self.error(error))?;
        let value = decide(&mut change)?;
        Ok((value, change.edits))
    }

    fn apply(&mut self, edits: Edits) {
        for (key, row) in edits.rows {
            let before = match row.clone() {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
            match &mut self.news {
                Touched::Some(touched) if touched.len() < TOUCHED => {
                    touched.push((key, before, row))
                }
                all => *all = Touched::All,
            }
        }
        if let Some(settings) = edits.settings {
            self.settings = settings;
        }
        if let Some(compared) = edits.compared {
            self.compared = Some(compared);
        }
    }
}
