//! The engine's access to the registry: opened when it is needed, tried again when it could not be
//! used, and never in the way of what works without it.

use std::time::{Duration, Instant, SystemTime};

use crate::ipc::protocol::{ErrorCode, ErrorReply};
use crate::model::Timestamp;
use crate::platform::{self, limits, paths};
use crate::registry::{Clock, Place, Registry, RegistryError};

/// How long another program that writes is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the app waits before it tries again what failed.
const RETRY: Duration = Duration::from_secs(5);

/// How soon a registry that could not be opened is tried again for a request.
const AGAIN: Duration = Duration::from_millis(500);
/// How often it is looked whether the file is still in its place.
const LOOK: Duration = Duration::from_secs(1);

/// Who uses the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The app, for as long as it runs.
    App,
    /// One command: nothing is made where it only reads.
    Command,
}

/// Access to the registry.
pub struct Ledger {
    place: Option<Place>,
    used_by: Use,
    registry: Option<Registry>,
    /// When it was looked whether the file is still in its place.
    looked: Instant,
    failed: Option<(Instant, ErrorReply)>,
    /// Whether it took long to find out: whoever asks next is not to wait as long.
    waits: bool,
}

/// The clocks, now.
pub fn clock() -> Clock {
    Clock {
        // As it is written down, so that what is read again is what was written.
        now: Timestamp::of_millis(Timestamp(SystemTime::now()).millis()),
        awake: platform::awake(),
        boot: platform::boot_id(),
    }
}

impl From<RegistryError> for ErrorReply {
    fn from(error: RegistryError) -> ErrorReply {
        ErrorReply::new(ErrorCode::RegistryUnavailable, told(&error)).hint(error.hint())
    }
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Ledger {
    /// Access to the registry of this user, which is not opened yet.
    pub fn of_user(used_by: Use) -> Ledger {
        Ledger {
            place: paths::data_dir().map(|folder| Place::new(folder, limits::user_id())),
            used_by,
            registry: None,
            looked: Instant::now(),
            failed: None,
            waits: false,
        }
    }

    /// Takes a registry that is open already.
    pub fn set(&mut self, opened: Result<Registry, RegistryError>) {
        match opened {
            Ok(registry) => {
                if let Err(error) = registry.leave_checkpoints() {
                    log::debug!("{error}");
                }
                self.registry = Some(registry);
            }
            Err(error) => self.fails(&error),
        }
    }

    /// The registry as it was read last.
    pub fn seen(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    /// The registry as it was read last, to be changed.
    pub fn registry_mut(&mut self) -> Option<&mut Registry> {
        self.registry.as_mut()
    }

    /// Who uses it.
    pub fn used_by(&self) -> Use {
        self.used_by
    }

    /// Why it cannot be used.
    pub fn problem(&self) -> Option<&str> {
        self.failed.as_ref().map(|(_, why)| why.message.as_str())
    }

    /// The registry, up to date, to be read; `None` where there is none yet.
    pub fn for_reading(&mut self, clock: &Clock) -> Result<Option<&mut Registry>, ErrorReply> {
        if self.used_by == Use::App {
            let opened = self.for_writing(clock).map(drop);
            if let (Err(error), None) = (opened, &self.registry) {
                // What cannot be written may still be read.
                self.registry = Registry::open_to_read(self.place()?, PATIENCE)
                    .ok()
                    .flatten();
                return self.registry.as_mut().map(Some).ok_or(error);
            }
        }
        if self.registry.is_none() {
            self.registry = Registry::open_to_read(self.place()?, PATIENCE)?;
        }
        if let Some(registry) = &mut self.registry
            && let Err(error) = registry.refresh(clock)
        {
            log::debug!("the registry is read as it was: {error}");
        }
        Ok(self.registry.as_mut())
    }

    /// The registry, up to date, to be changed.
    pub fn for_writing(&mut self, clock: &Clock) -> Result<&mut Registry, ErrorReply> {
        self.opened(clock, true)
    }

    /// The registry, as it was read last, for a change, which reads by itself what is new.
    pub fn for_change(&mut self, clock: &Clock) -> Result<&mut Registry, ErrorReply> {
        self.opened(clock, false)
    }

    fn opened(&mut self, clock: &Clock, refresh: bool) -> Result<&mut Registry, ErrorReply> {
        if let (None, Some((since, why))) = (&self.registry, &self.failed)
            && self.waits
            && since.elapsed() < AGAIN
        {
            return Err(why.clone());
        }
        let start = Instant::now();
        let result = self.open(clock, refresh);
        self.waits = start.elapsed() >= AGAIN;
        if let Err(error) = result {
            self.fails(&error);
            return Err(error.into());
        }
        self.registry.as_mut().ok_or_else(no_home)
    }

    fn open(&mut self, clock: &Clock, refresh: bool) -> Result<(), RegistryError> {
        // What waits for its commit is in the file that is open.
        if self.registry.as_ref().is_some_and(Registry::is_in_batch) {
            return Ok(());
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if self
                .registry
                .as_ref()
                .is_some_and(|registry| !registry.is_in_place())
            {
                log::warn!("the registry was replaced: opening it again");
                self.registry = None;
            }
            if self
                .registry
                .as_ref()
                .is_some_and(|registry| !registry.is_writable())
            {
                self.registry = None;
            }
        }
        match (&mut self.registry, &self.place) {
            (Some(registry), _) if refresh => {
                registry.refresh(clock)?;
            }
            (Some(_), _) => {}
            (none, Some(place)) => {
                let mut registry = Registry::open(place, PATIENCE)?;
                registry.refresh(clock)?;
                if self.used_by == Use::App {
                    registry.leave_checkpoints()?;
                    registry.begin_batch();
                }
                *none = Some(registry);
                self.works();
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Notes that it could be written.
    pub fn works(&mut self) {
        if self.failed.take().is_some() {
            log::info!("the registry can be used again");
        }
    }

    /// Whether it is worth trying: it works, or failed some time ago.
    pub fn is_worth_trying(&self) -> bool {
        self.failed
            .as_ref()
            .is_none_or(|(since, _)| since.elapsed() >= RETRY)
    }

    /// Notes that it cannot be used, and says so once.
    pub fn fails(&mut self, error: &RegistryError) {
        let why = ErrorReply::new(ErrorCode::RegistryUnavailable, told(error)).hint(error.hint());
        let is_news = self
            .failed
            .as_ref()
            .is_none_or(|(_, before)| *before != why);
        // A command tells its user by itself.
        if is_news && self.used_by == Use::App {
            log::warn!(
                "reservations cannot be kept: {}; {}",
                why.message,
                error.hint()
            );
        }
        self.failed = Some((Instant::now(), why));
    }

    /// Where it is.
    pub fn place(&self) -> Result<&Place, ErrorReply> {
        self.place.as_ref().ok_or_else(no_home)
    }
}

fn no_home() -> ErrorReply {
    ErrorReply::new(
        ErrorCode::RegistryUnavailable,
        "there is no home folder to keep reservations in",
    )
    .hint("set FREEPORT_DATA_DIR to a folder of your own")
}
