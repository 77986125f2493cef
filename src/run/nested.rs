//! A wrapper inside of what another wrapper started: the outer one has claimed the port already.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use super::command;
use super::known::Knowledge;
use super::options::Options;
use super::restart::Restart;
use super::told::{RunError, Voice, status};
use super::variables::{Named, variable_of};
use crate::model::text::escape;
use crate::model::{Port, ProcessKey, Protocol};
use crate::platform;

/// The variable that tells a command who guards it: `PID@START`.
pub const GUARD: &str = "FREEPORT_RUN";

/// The wrapper around this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Who guards the tree that this process is in.
    pub guard: ProcessKey,
    /// The first port that it has claimed.
    pub port: Port,
}

/// The wrapper that this process runs below, if there is one. What the environment says of one that
/// has ended, or that is not above, was left over.
pub fn outer() -> Option<Outer> {
    let guard: ProcessKey = text(GUARD)?.parse().ok()?;
    let port = text("FREEPORT_PORT")?.parse().ok()?;
    let above = platform::lineage(std::process::id());
    let is_above = above.contains(&guard.pid) && platform::is_alive(guard);
    is_above.then_some(Outer { guard, port })
}

/// The port that the wrapper around has for this service.
pub fn port_of(variable: &str) -> Option<Port> {
    text(variable)?.parse().ok()
}

fn text(variable: &str) -> Option<String> {
    std::env::var_os(variable).and_then(|value: OsString| OsStr::to_str(&value).map(str::to_owned))
}

/// The ports that the outer wrapper has for what is asked for here; `None` where that is something
/// else, which has to be claimed.
pub fn ports(outer: &Outer, options: &Options) -> Option<Vec<Named>> {
    let others = !options.remap.is_empty() || options.pass_fd || options.restart != Restart::Never;
    if others || options.project.is_some() || options.protocol == Some(Protocol::Udp) {
        return None;
    }
    if options.services.is_empty() {
        let asked = options.ports.iter().all(|port| *port == outer.port);
        return asked.then(|| vec![(None, outer.port, Protocol::Tcp)]);
    }
    let known = options.services.iter().enumerate().map(|(at, service)| {
        let port = port_of(&variable_of(service))?;
        let asked = options.ports.get(at).is_none_or(|asked| *asked == port);
        asked.then(|| (Some(service.clone()), port, Protocol::Tcp))
    });
    known.collect()
}

/// Becomes the command, with the ports that it has already; returns only why that failed.
pub fn become_it(options: &Options, ports: &[Named]) -> RunError {
    let become_it = || -> Result<Infallible, RunError> {
        let program = options.command.first().cloned().unwrap_or_default();
        let file = command::find(&program)?;
        let voice = Voice {
            quiet: options.quiet,
        };
        let knowledge = Knowledge::of(options, voice)?;
        let arguments = knowledge.arguments(ports)?;
        let mut command = Command::new(file);
        command.args(arguments.iter().skip(1));
        for (name, value) in knowledge.variables(ports)? {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let error = platform::become_program(command, &program);
        Err(RunError::new(
            status::NOT_EXECUTABLE,
            format!(
                "'{}' cannot be executed: {error}",
                escape(&program.to_string_lossy())
            ),
        ))
    };
    match become_it() {
        Ok(never) => match never {},
        Err(error) => error,
    }
}
