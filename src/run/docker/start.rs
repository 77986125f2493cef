//! From the words of `docker` to a client that runs, with ports that were claimed for its container.
//!
//! A client that stays becomes this process: the claims are its own, and end with it. One that leaves
//! a container behind is guarded until it has ended, as the claims go back where that failed.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::DockerRun;
use super::claims::{self, Claimed, LIMIT, Terms};
use crate::model::reservation::check_name;
use crate::model::text::escape;
use crate::platform::front::{Front, PASSED_ON};
use crate::platform::started::Spawn;
use crate::platform::{become_program, is_ignored, project};
use crate::run::asking::{Answers, Asking};
use crate::run::binds::Binds;
use crate::run::claims::release;
use crate::run::command;
use crate::run::guard::{Care, Guard};
use crate::run::moved::Moves;
use crate::run::restart::Restart;
use crate::run::told::{RunError, Voice, status};
use crate::run::verify::{self, Verify};

/// The client.
const DOCKER: &str = "docker";

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What comes after `docker`.
    pub words: Vec<OsString>,
    /// Whether nothing is run where a port is taken.
    pub strict: bool,
    /// The project; that of the folder when absent.
    pub project: Option<String>,
    /// The service; the container's name, or else its image, when absent.
    pub service: Option<String>,
    /// Only say what went wrong.
    pub quiet: bool,
}

/// Runs docker. Returns in the process that has guarded it, or where it cannot be run; the one that
/// called ends as docker did. To be called while there is one thread.
pub fn run(options: &Options, answers: Answers) -> Result<(), RunError> {
    let voice = Voice {
        quiet: options.quiet,
    };
    let file = command::find(DOCKER.as_ref())?;
    let Some(line) = DockerRun::read(&options.words) else {
        return Err(become_docker(&file, &options.words));
    };
    if let Some(unknown) = line.unknown() {
        voice.note(&format!(
            "the option '{}' is not known: what comes after it is left as it is",
            escape(unknown)
        ));
    }
    if let Some(why) = left_alone(&line) {
        voice.note(&why);
        return Err(become_docker(&file, &options.words));
    }
    if line.published().is_empty() {
        return Err(become_docker(&file, &options.words));
    }
    let folder = std::env::current_dir().ok();
    let found = folder.as_deref().and_then(project::of);
    let project = options.project.clone().or(found.map(|found| found.name));
    let project = project.filter(|name| check_name(name).is_ok());
    let terms = Terms {
        line: &line,
        project: project.as_deref(),
        service: options.service.as_deref().or(line.service()),
        strict: options.strict,
        voice,
    };
    let mut asking = Asking::new(answers, voice);
    if line.is_detached() {
        return guard(&file, &options.words, terms, asking);
    }
    let claimed = claims::claim(terms, &mut asking)?;
    let words = rewritten(&line, &options.words, &claimed);
    asking.pause();
    let error = become_docker(&file, &words);
    release(claimed.leases, &mut asking);
    Err(error)
}

/// Why nothing is claimed for a line that publishes ports.
fn left_alone(line: &DockerRun) -> Option<String> {
    if line.published().is_empty() {
        return None;
    }
    if line.is_elsewhere(std::env::var_os("DOCKER_HOST").as_deref()) {
        return Some(
            "docker runs it on another machine, whose ports cannot be seen: they are published as they are"
                .to_owned(),
        );
    }
    let count = claims::named(line).len();
    (count > LIMIT).then(|| {
        format!("{count} ports are published as they are: at most {LIMIT} of a line are claimed")
    })
}

fn rewritten(line: &DockerRun, words: &[OsString], claimed: &Claimed) -> Vec<OsString> {
    let mut moved = claimed.moved.iter();
    line.rewrite(words, |_| moved.next().copied().flatten())
}

/// Becomes the client; returns only why that failed.
fn become_docker(file: &Path, words: &[OsString]) -> RunError {
    let mut command = Command::new(file);
    command.args(words);
    let error = become_program(command, DOCKER.as_ref());
    RunError::new(
        status::NOT_EXECUTABLE,
        format!("'{DOCKER}' cannot be executed: {error}"),
    )
}

/// Runs a client whose container outlives it.
fn guard(
    file: &Path,
    words: &[OsString],
    terms: Terms<'_>,
    mut asking: Asking,
) -> Result<(), RunError> {
    let front = Front::split()
        .map_err(|error| RunError::new(status::FAILED, format!("cannot be guarded: {error}")))?;
    let claimed = claims::claim(terms, &mut asking)?;
    let args = rewritten(terms.line, words, &claimed);
    let ignored: Vec<i32> = PASSED_ON
        .into_iter()
        .filter(|&signal| is_ignored(signal))
        .collect();
    // Who listens is a process of docker's, and not below this one.
    let nothing = Verify::new(std::process::id(), std::iter::empty(), verify::LIMIT);
    let binds = Binds::new(Moves::new(false), None, terms.voice);
    let care = Care {
        restart: Restart::Never,
        gate: false,
        voice: terms.voice,
    };
    let guard = Guard::new(front, asking, claimed.leases, binds, nothing, None, care)
        .map_err(|error| RunError::new(status::FAILED, format!("cannot catch signals: {error}")))?;
    guard.keeping().run(&|| {
        Ok(Spawn {
            program: file.to_owned(),
            arg0: Some(DOCKER.into()),
            args: args.clone(),
            ignored: ignored.clone(),
            ..Spawn::default()
        })
    })
}
