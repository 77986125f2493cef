//! From what is asked for to a command that is guarded, on ports that are its own.

use std::ffi::OsString;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::time::Instant;

use super::asking::{Answers, Asking};
use super::binds::Binds;
use super::claims::{self, Claims, Lease};
use super::guard::{Care, Guard};
use super::known::{Change, Knowledge};
use super::moved::Moves;
use super::options::{HoldMode, Options};
use super::plan::{self, Plan};
use super::ready::Ready;
use super::told::{RunError, Voice, status};
use super::variables::Named;
use super::verify::{self, Verify};
use super::{command, nested, replace};
use crate::model::{Port, Protocol};
use crate::platform::front::{Front, PASSED_ON};
use crate::platform::seam::Seam;
use crate::platform::started::Spawn;
use crate::platform::{self, Descriptor, is_ignored, limits, listening_socket};

/// Runs a command on ports of its own. Returns in the process that has guarded it, when nothing of it
/// is left; the one that called ends as the command did. To be called while there is one thread.
pub fn run(options: &Options, answers: Answers) -> Result<(), RunError> {
    let voice = Voice {
        quiet: options.quiet,
    };
    if let Some(outer) = nested::outer()
        && let Some(ports) = nested::ports(&outer, options)
    {
        return Err(nested::become_it(options, &ports));
    }
    let front = Front::split()
        .map_err(|error| RunError::new(status::FAILED, format!("cannot be guarded: {error}")))?;
    let program = options.command.first().cloned().unwrap_or_default();
    let file = command::find(&program)?;
    let knowledge = Knowledge::of(options, voice)?;
    let plan = plan::plan(options, knowledge.described.as_deref(), &knowledge.known)?;
    let mut asking = Asking::new(answers, voice);
    let leases = claim(options, &plan, &knowledge, &mut asking, voice)?;
    let starter = match prepare(options, &knowledge, &file, &leases) {
        Ok(starter) => starter,
        Err(error) => {
            claims::release(leases, &mut asking);
            return Err(error);
        }
    };
    let moves = moves(options, &plan, &knowledge, &leases);
    let until = options
        .wait_ready
        .map_or(verify::LIMIT, |limit| limit.max(verify::LIMIT));
    let ports = leases.iter().map(|lease| (lease.port, lease.want.protocol));
    let verify = Verify::new(std::process::id(), ports, until);
    let care = Care {
        restart: options.restart,
        gate: !starter.under_seam && !options.pass_fd,
        voice,
    };
    let ready = options
        .wait_ready
        .map(|limit| Ready::within(limit, Instant::now()));
    let binds = Binds::new(moves, knowledge.project.clone(), voice);
    let guard = Guard::new(front, asking, leases, binds, verify, ready, care)
        .map_err(|error| RunError::new(status::FAILED, format!("cannot catch signals: {error}")))?;
    guard.run(&|| starter.spawn())
}

/// What is moved from the beginning.
fn moves(options: &Options, plan: &Plan, knowledge: &Knowledge, leases: &[Lease]) -> Moves {
    let mut moves = Moves::new(!options.no_remap);
    for lease in leases {
        moves.claimed(lease.port, lease.want.protocol);
    }
    for &(from, to) in &plan.remap {
        moves.remap(from, to);
    }
    let first = leases.iter().position(|l| l.want.protocol == Protocol::Tcp);
    if let (Some(fixed), Some(first)) = (knowledge.fixed(), first)
        && !options.no_remap
        && plan.remap.is_empty()
        && leases.iter().all(|lease| lease.port != fixed)
    {
        moves.remap(fixed, first);
    }
    moves
}

fn claim(
    options: &Options,
    plan: &Plan,
    knowledge: &Knowledge,
    asking: &mut Asking,
    voice: Voice,
) -> Result<Vec<Lease>, RunError> {
    let project = knowledge.project.as_deref();
    let mut agree = |why: &str, port: Port| !options.ask || asked(why, port);
    let mut replace = |asking: &mut Asking, want: &claims::Want| {
        replace::replace(asking, want, project, voice);
    };
    let mut claims = Claims {
        asking,
        voice,
        project,
        agree: &mut agree,
        replace: &mut replace,
    };
    claims.all(&plan.wants)
}

/// Asks on the terminal whether another port will do; where there is none, it does.
fn asked(why: &str, port: Port) -> bool {
    use std::io::Write as _;
    let (mut out, input) = (std::io::stderr(), std::io::stdin());
    if !out.is_terminal() || !input.is_terminal() {
        return true;
    }
    let _ = write!(out, "freeport: {why}; use {port}? [y/N] ");
    let mut line = String::new();
    let _ = input.lock().read_line(&mut line);
    ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

/// What is needed to start the command, as often as it has to be.
struct Starter {
    file: std::path::PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<Change>,
    descriptors: Vec<Descriptor>,
    ignored: Vec<i32>,
    under_seam: bool,
}

fn prepare(
    options: &Options,
    knowledge: &Knowledge,
    file: &Path,
    leases: &[Lease],
) -> Result<Starter, RunError> {
    let voice = Voice {
        quiet: options.quiet,
    };
    let ports = named(leases);
    let arguments = knowledge.arguments(&ports)?;
    let mut variables = knowledge.variables(&ports)?;
    let guard = platform::claimant(std::process::id()).map(|me| me.key.to_string().into());
    variables.push((nested::GUARD.into(), guard));
    let wants_seam = leases.iter().any(|lease| lease.want.hold == HoldMode::Seam);
    let obstacle = obstacle(knowledge, file);
    if let (true, Some(why)) = (wants_seam, &obstacle) {
        voice.note(&format!(
            "the port is open to other programs while the command runs: {why}"
        ));
    }
    let under_seam = wants_seam && obstacle.is_none() && !options.pass_fd;
    if let Some(fixed) = knowledge.fixed()
        && !under_seam
        && leases.iter().all(|lease| lease.port != fixed)
    {
        voice.note(&format!(
            "the command asks for port {fixed} itself, cannot be told another one, and is not moved"
        ));
    }
    let mut descriptors = Vec::new();
    if options.pass_fd {
        for lease in leases.iter().filter(|l| l.want.protocol == Protocol::Tcp) {
            descriptors.push(listening(lease)?);
        }
    }
    Ok(Starter {
        file: file.to_owned(),
        arguments,
        variables,
        descriptors,
        ignored: PASSED_ON
            .into_iter()
            .filter(|&signal| is_ignored(signal))
            .collect(),
        under_seam,
    })
}

/// Why the command cannot run under the seam, where that is known before it starts.
fn obstacle(knowledge: &Knowledge, file: &Path) -> Option<String> {
    let is_root = limits::user_id() == 0;
    if !Seam::is_supported() {
        return Some("this system has no way to bind for it".to_owned());
    }
    if nested::outer().is_some() {
        return Some("the run around this one binds for it, and only one can".to_owned());
    }
    if !is_root && knowledge.gains_rights {
        return Some(
            "it becomes another user, which the guard of its binds would prevent".to_owned(),
        );
    }
    (!is_root && platform::has_rights_of_its_own(file)).then(|| {
        "it has rights of its own, which the guard of its binds would take away".to_owned()
    })
}

/// A socket that listens on the port of a lease.
fn listening(lease: &Lease) -> Result<Descriptor, RunError> {
    let failed = |error: std::io::Error| {
        RunError::new(
            status::FAILED,
            format!("port {} cannot be listened on: {error}", lease.spot()),
        )
    };
    if let Some(hold) = &lease.hold {
        hold.lend().map_err(failed)?;
    }
    listening_socket(lease.port, lease.hold.is_some()).map_err(failed)
}

fn named(leases: &[Lease]) -> Vec<Named> {
    let named = |lease: &Lease| (lease.want.service.clone(), lease.port, lease.want.protocol);
    leases.iter().map(named).collect()
}

impl Starter {
    fn spawn(&self) -> Result<Spawn, RunError> {
        let mut arguments = self.arguments.iter().cloned();
        let duplicates = self.descriptors.iter().map(Descriptor::try_clone);
        Ok(Spawn {
            program: self.file.clone(),
            arg0: arguments.next(),
            args: arguments.collect(),
            env: self.variables.clone(),
            under_seam: self.under_seam,
            descriptors: duplicates.collect::<Result<_, _>>().map_err(|error| {
                RunError::new(
                    status::FAILED,
                    format!("sockets cannot be handed over: {error}"),
                )
            })?,
            ignored: self.ignored.clone(),
        })
    }
}
