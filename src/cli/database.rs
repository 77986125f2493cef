//! The database as a whole, for the verbs that copy it and write it down. They use the file
//! directly, also while the app runs: SQLite shares it.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::exit::{Exit, Failure};
use super::output;
use crate::ipc::protocol::{Query, Request};
use crate::ipc::{Ask as _, Client};
use crate::model::log::Asker;
use crate::platform::files::FileId;
use crate::platform::{self, limits, paths};
use crate::registry::{Clock, Place, Registry, RegistryError};

/// How long another program that writes is waited for.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Where the database is.
pub fn place() -> Result<Place, Failure> {
    let folder = paths::data_dir().ok_or_else(|| {
        Failure::text(
            Exit::Failed,
            "there is no home folder to keep reservations in",
        )
        .hint("set FREEPORT_DATA_DIR to a folder of your own")
    })?;
    Ok(Place::new(folder, limits::user_id()))
}

/// The database, to be read.
pub fn read() -> Result<Registry, Failure> {
    let opened = Registry::open_to_read(&place()?, PATIENCE)?;
    opened.ok_or_else(|| {
        Failure::text(Exit::Nothing, "nothing was ever reserved here")
            .hint("'freeport reserve' and 'freeport claim' do that")
    })
}

/// The clocks, now.
pub fn clock() -> Clock {
    Clock {
        now: output::now(),
        awake: platform::awake(),
        boot: platform::boot_id(),
    }
}

/// This command, for the log.
pub fn asker() -> Asker {
    let pid = std::process::id();
    Asker {
        uid: limits::user_id(),
        pid: Some(pid),
        name: platform::claimant(pid).map(|found| found.name),
    }
}

/// Refuses to write over the database itself.
pub fn spare(registry: &Registry, file: &Path) -> Result<(), Failure> {
    let id = |path: &Path| Some(FileId::of(&std::fs::metadata(path).ok()?));
    if id(file).is_some() && id(file) == id(registry.path()) {
        let message = format!("{} is the database itself", file.display());
        return Err(Failure::text(Exit::Usage, &message).hint("name another file"));
    }
    Ok(())
}

/// Lets the running app look at what was changed. Where none runs, there is nobody to tell.
pub fn tell_app() {
    let looked = Client::connect().and_then(|mut app| app.ask(Request::Query(Query::default())));
    if let Err(error) = looked {
        ::log::debug!("the app was not told: {error}");
    }
}

/// What a file is called.
pub fn named(file: &Path) -> String {
    match file.to_str() {
        Some("-") => "the standard input".to_owned(),
        _ => file.display().to_string(),
    }
}

/// A file that cannot be read or written.
pub fn cannot(what: &str, file: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot {what} {}: {error}", named(file));
    Failure::text(exit_of(error), &message)
}

/// What went wrong with the database, or with the file that it was copied to or from.
pub fn or_of_file(error: RegistryError, file: &Path) -> Failure {
    match error {
        RegistryError::Io { path, what, source } if path == file => cannot(what, file, &source),
        error => error.into(),
    }
}

fn exit_of(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound => Exit::Nothing,
        io::ErrorKind::PermissionDenied => Exit::NotPermitted,
        _ => Exit::Failed,
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Failure {
        let exit = match &error {
            RegistryError::Io { source, .. } => exit_of(source),
            RegistryError::UnsafeFolder { .. } => Exit::NotPermitted,
            _ => Exit::Failed,
        };
        Failure::new(exit, &error).hint(error.hint())
    }
}
