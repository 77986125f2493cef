//! The registry at the start of the app, and its daily backup.

use std::time::{Duration, Instant, SystemTime};

use crate::engine::Engine;
use crate::model::Timestamp;
use crate::model::news::News;
use crate::registry::{Place, Registry, Repair, open_sound};

/// How often it is looked whether there is a backup of today.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// How long another program that writes is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens the registry for the app, and repairs it where it is damaged. Where it cannot be used, the
/// app goes on without.
pub fn open(engine: &mut Engine) {
    let Some(place) = engine.place().cloned() else {
        return;
    };
    let opened = open_sound(&place, PATIENCE, Timestamp(SystemTime::now()));
    let opened = opened.map(|(registry, repair)| {
        if let Some(repair) = repair {
            let news = told(&repair);
            log::warn!("{news:?}");
            engine.tell(news);
        }
        registry
    });
    engine.set_registry(opened);
}

fn told(repair: &Repair) -> News {
    let aside = format!("the damaged file is {}", repair.set_aside.display());
    let count = match repair.reservations {
        1 => "1 reservation".to_owned(),
        n => format!("{n} reservations"),
    };
    match &repair.restored {
        Some(backup) => News::Registry {
            summary: "The registry was damaged, and a backup was restored".to_owned(),
            body: format!("{count} came back from {}; {aside}", backup.display()),
        },
        None => News::Registry {
            summary: "The registry was damaged, and there was no backup".to_owned(),
            body: format!("It begins anew, without reservations; {aside}"),
        },
    }
}

/// When it was looked for a backup last.
#[derive(Default)]
pub struct Backups {
    looked: Option<Instant>,
}

impl Backups {
    /// Makes a backup of today, if there is none yet: on a thread of its own, with a connection of
    /// its own, as copying takes its time.
    pub fn keep_up(&mut self, engine: &Engine) {
        if self.looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        let Some(place) = engine.place().filter(|_| engine.has_registry()).cloned() else {
            return;
        };
        let keep = engine.current_settings().number("backup_count");
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let work = move || {
            if let Err(error) = back_up(&place, keep) {
                log::warn!("no backup can be made: {error}; {}", error.hint());
            }
        };
        if let Err(error) = std::thread::Builder::new()
            .name("backup".into())
            .stack_size(512 * 1024)
            .spawn(work)
        {
            log::warn!("cannot start a thread for the backup: {error}");
        }
    }
}

fn back_up(place: &Place, keep: usize) -> Result<(), crate::registry::RegistryError> {
    let now = Timestamp(SystemTime::now());
    let registry = Registry::open(place, PATIENCE)?;
    if let Some(file) = registry.back_up_daily(place, now, keep)? {
        log::debug!("backup: {}", file.display());
    }
    Ok(())
}
