//! What is written down: reservations, the log and the settings, asked for and tidied up.

use super::lease::scene_of;
use super::ledger::clock;
use super::{Caller, Engine};
use crate::ipc::protocol::{
    Cleanup, CleanupReply, Config, ConfigReply, Ended, ErrorCode, ErrorReply, LeftoverView, Log,
    LogReply, Query, Reply, ReservationsReply, Setting,
};
use crate::ipc::view::ReservationView;
use crate::model::kill::{KillResult, Outcome};
use crate::model::log::{Entry, Happened, Wanted};
use crate::model::settings::{self, KEYS, Key, SettingError, Settings};
use crate::model::{Protocol, Reservation};
use crate::registry::RegistryError;
use crate::registry::judge;

/// How many entries of the log are told when nothing was said.
const LOG: usize = 1000;

impl Engine {
    /// What is reserved, as it is now.
    pub(super) fn query(&mut self, query: &Query) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let (snapshot, heard_since) = (&*self.snapshot, self.heard_since);
        let Some(registry) = self.ledger.for_reading(&clock)? else {
            return Ok(Reply::Reservations(ReservationsReply {
                reservations: Vec::new(),
            }));
        };
        let scene = scene_of(registry, snapshot, heard_since, &clock);
        let wanted = |row: &&Reservation| {
            query.port.is_none_or(|port| row.port == port)
                && (query.project.is_none() || row.project == query.project)
                && (query.service.is_none() || row.service == query.service)
        };
        let now = |row: &Reservation| {
            ReservationView::of(judge::next(row, &scene).as_ref().unwrap_or(row))
        };
        Ok(Reply::Reservations(ReservationsReply {
            reservations: registry.rows().values().filter(wanted).map(now).collect(),
        }))
    }

    /// Removes what is over; tells what is left over.
    pub(super) fn clean_up(
        &mut self,
        cleanup: &Cleanup,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let (snapshot, heard_since) = (&*self.snapshot, self.heard_since);
        let mut ended = Vec::new();
        if let Some(registry) = self.ledger.for_reading(&clock)? {
            let scene = scene_of(registry, snapshot, heard_since, &clock);
            let over = registry
                .rows()
                .values()
                .filter_map(|row| Some((row.clone(), judge::end(row, &scene)?)));
            let over: Vec<_> = over.collect();
            if !cleanup.dry_run && !over.is_empty() {
                registry.change(&clock, |change| {
                    for (row, _) in &over {
                        // Unless it was claimed anew meanwhile.
                        let Some(row) = change.get(row.key()).cloned() else {
                            continue;
                        };
                        let Some(why) = judge::end(&row, &scene) else {
                            continue;
                        };
                        match row.unclaimed() {
                            Some(kept) => change.put(kept)?,
                            None => change.remove(row.key())?,
                        }
                        let entry =
                            Entry::new(clock.now, Happened::Cleanup, &caller.asker()).of(&row);
                        change.note(&entry.detail(why.reason()))?;
                    }
                    change.prune_log(clock.now)
                })?;
                self.last_cleanup = Some(clock.now);
            }
            ended = over
                .iter()
                .map(|(row, why)| Ended {
                    reservation: ReservationView::of(row),
                    why: *why,
                    kept: row.kept,
                })
                .collect();
        }
        let mut leftovers = Vec::new();
        if cleanup.leftovers {
            self.look_for_leftovers(clock.now);
            let views = self.views(|listener| self.leftover(listener).is_some(), false);
            leftovers = views
                .into_iter()
                .filter_map(|listener| {
                    Some(LeftoverView {
                        why: listener.leftover?,
                        listener,
                    })
                })
                .collect();
        }
        Ok(Reply::Cleanup(CleanupReply {
            dry_run: cleanup.dry_run,
            ended,
            leftovers,
        }))
    }

    /// What happened.
    pub(super) fn log(&mut self, log: &Log) -> Result<Reply, ErrorReply> {
        let wanted = Wanted {
            port: log.port,
            since: log.since,
            limit: log.limit.unwrap_or(LOG),
        };
        let entries = match self.ledger.for_reading(&clock())? {
            Some(registry) => registry.log(&wanted)?,
            None => Vec::new(),
        };
        Ok(Reply::Log(LogReply { entries }))
    }

    /// Tells the settings, or changes one.
    pub(super) fn config(&mut self, config: &Config, caller: &Caller) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let Some(name) = &config.key else {
            let settings = self.settings()?;
            return Ok(told(&settings, KEYS.iter()));
        };
        let key = settings::find(name).map_err(refused)?;
        if config.value.is_none() && !config.unset {
            let settings = self.settings()?;
            return Ok(told(&settings, [key].into_iter()));
        }
        let value = match &config.value {
            Some(value) => Some(
                Settings::default()
                    .set(name, value)
                    .map_err(refused)?
                    .to_owned(),
            ),
            None => None,
        };
        let registry = self.ledger.for_writing(&clock)?;
        registry
            .change(&clock, |change| {
                change.set(key.name, value.as_deref())?;
                let detail = match &value {
                    Some(value) => format!("{} = {value}", key.name),
                    None => format!("{} is the default again", key.name),
                };
                change
                    .note(&Entry::new(clock.now, Happened::Config, &caller.asker()).detail(detail))
            })
            .map_err(ErrorReply::from)?;
        let reply = told(registry.settings(), [key].into_iter());
        // Whoever shows the settings shows them anew.
        self.resnapped = true;
        Ok(reply)
    }

    fn settings(&mut self) -> Result<Settings, ErrorReply> {
        let registry = self.ledger.for_reading(&clock())?;
        Ok(registry
            .map(|registry| registry.settings().clone())
            .unwrap_or_default())
    }

    /// Writes down what came of a kill.
    pub fn killed(&mut self, outcomes: &[Outcome], caller: &Caller) {
        let clock = clock();
        let signalled = |outcome: &&Outcome| {
            let stopped = outcome.container.is_some() && outcome.result != KillResult::Protected;
            outcome.result != KillResult::DryRun && (stopped || !outcome.signals.is_empty())
        };
        let entries: Vec<Entry> = outcomes
            .iter()
            .filter(signalled)
            .map(|outcome| {
                Entry::new(clock.now, Happened::Kill, &caller.asker())
                    .at_port(outcome.port, Protocol::Tcp)
                    .detail(outcome.message.clone())
            })
            .collect();
        if entries.is_empty() {
            return;
        }
        // A kill makes no registry where there is none.
        let written = self
            .ledger
            .for_reading(&clock)
            .and_then(|registry| match registry {
                Some(registry) => registry
                    .change(&clock, |change| {
                        entries.iter().try_for_each(|entry| change.note(entry))
                    })
                    .map_err(|error: RegistryError| error.into()),
                None => Ok(()),
            });
        if let Err(error) = written {
            log::debug!("a kill was not logged: {}", error.message);
        }
    }
}

fn refused(error: SettingError) -> ErrorReply {
    match &error {
        SettingError::Unknown(_) => {
            let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            ErrorReply::new(ErrorCode::NotFound, error.to_string())
                .hint(format!("the settings are {}", names.join(", ")))
        }
        SettingError::Value { .. } => ErrorReply::new(ErrorCode::BadRequest, error.to_string()),
    }
}

fn told<'a>(settings: &Settings, keys: impl Iterator<Item = &'a Key>) -> Reply {
    let one = |key: &Key| Setting {
        key: key.name.to_owned(),
        value: settings.get(key).to_owned(),
        default: key.default.to_owned(),
        set: settings.is_set(key),
        meaning: key.meaning.to_owned(),
    };
    Reply::Config(ConfigReply {
        settings: keys.map(one).collect(),
    })
}
