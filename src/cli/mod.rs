//! The command line: arguments, output, and one file per verb.
//!
//! Verbs ask through [`Ask`] and do not know whether the app answers or this process does.

mod allocate;
mod args;
mod autostart;
mod backup;
mod claim;
mod cleanup;
mod columns;
mod config;
mod database;
mod docker;
mod doctor;
mod draw;
mod env;
mod exit;
mod export;
mod free;
mod heartbeat;
mod import;
mod kill;
mod list;
mod log;
mod manual;
mod output;
mod pool;
mod query;
mod register;
mod release;
mod reserve;
mod restore;
mod run;
mod status;
mod suggest;
mod tui;
mod wait;
mod why;

use std::io;

use crate::ipc::protocol::{ErrorCode, ErrorReply, Reply, Request};
use crate::ipc::view::{filter, words};
use crate::ipc::{Ask, ClientError};

pub use args::{Command, parse};
pub use docker::run as docker_command;
pub use exit::{Exit, Failure};
pub use output::report;
pub use run::run as run_command;
pub use tui::run as tui_command;

/// Gives whoever answers requests.
pub type Connect = fn() -> Result<Box<dyn Ask>, ClientError>;

/// Runs a verb.
pub fn run(command: Command, connect: Connect) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => list::run(&args, &mut *connect()?),
        Command::Why(args) => why::run(&args, &mut *connect()?),
        Command::Kill(args) => kill::run(&args, &mut *connect()?),
        Command::Allocate(args) => allocate::run(&args, &mut *connect()?),
        Command::Reserve(args) => reserve::run(&args, &mut *connect()?),
        Command::Pool(args) => pool::run(&args, &mut *connect()?),
        Command::Claim(args) => claim::run(&args, &mut *connect()?),
        Command::Register(args) => register::run(&args, &mut *connect()?),
        Command::Heartbeat(args) => heartbeat::run(&args, &mut *connect()?),
        Command::Release(args) => release::run(&args, &mut *connect()?),
        Command::Free(args) => free::run(&args, &mut *connect()?),
        Command::Query(args) => query::run(&args, &mut *connect()?),
        Command::Suggest(args) => suggest::run(&args, &mut *connect()?),
        Command::Cleanup(args) => cleanup::run(&args, &mut *connect()?),
        Command::Log(args) => log::run(&args, &mut *connect()?),
        Command::Config(args) => config::run(&args, &mut *connect()?),
        Command::Export(args) => export::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(&args, connect),
        Command::Autostart(args) => autostart::run(&args, &mut *connect()?),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man {
            write: Some(folder),
            ..
        } => manual::write_all(&folder),
        Command::Man { verb, .. } => manual::page(verb.as_deref()),
        Command::Wait(args) => wait::run(&args, &mut *connect()?),
        Command::Env(args) => env::run(&args, &mut *connect()?),
        // What is split off, and what stays, is not run from here; `app` does that before it comes to
        // verbs.
        Command::Run(_) | Command::Docker(_) | Command::Tui | Command::App { .. } => Err(
            Failure::text(Exit::Usage, "this cannot be started from here"),
        ),
    }
}

/// What `freeport` alone does without a desktop: the list, and how to keep it running.
pub fn list_with_hint(connect: Connect) -> Result<Exit, Failure> {
    let exit = list::run(&args::ListArgs::default(), &mut *connect()?)?;
    output::note(
        "no desktop here, so no tray: 'freeport app --headless' keeps watching, 'freeport --help' tells the rest",
    )?;
    Ok(exit)
}

/// Says what went wrong, if anything did, and gives the exit status.
pub fn finish(result: Result<Exit, Failure>) -> Exit {
    match result {
        Ok(exit) => exit,
        // Nobody reads on: nothing went wrong here.
        Err(failure) if failure.is_broken_pipe() => Exit::Done,
        Err(failure) => {
            report(&failure);
            failure.exit
        }
    }
}

/// Asks, and takes an error for a failure.
fn ask(asked: &mut dyn Ask, request: Request) -> Result<Reply, Failure> {
    match asked.ask(request)? {
        Reply::Error(error) => Err(error.into()),
        reply => Ok(reply),
    }
}

impl From<ErrorReply> for Failure {
    fn from(error: ErrorReply) -> Failure {
        let exit = match error.code {
            ErrorCode::PortTaken | ErrorCode::Exhausted | ErrorCode::LimitReached => Exit::Conflict,
            ErrorCode::NotFound => Exit::Nothing,
            ErrorCode::NotPermitted => Exit::NotPermitted,
            ErrorCode::BadRequest | ErrorCode::TooLarge => Exit::Usage,
            // It does not take requests now, or is older than this command.
            ErrorCode::Busy | ErrorCode::UnknownCommand => Exit::Unreachable,
            ErrorCode::RegistryUnavailable | ErrorCode::Failed | ErrorCode::Unknown => Exit::Failed,
        };
        let hint = match error.code {
            ErrorCode::UnknownCommand => {
                Some("restart the app, so that it has the version of this command".to_owned())
            }
            _ => error.hint,
        };
        Failure::text(exit, &error.message).maybe_hint(hint)
    }
}

fn unexpected(reply: &Reply) -> Failure {
    ::log::debug!("unexpected reply: {reply:?}");
    Failure::text(
        Exit::Failed,
        "the app gave another answer than was asked for",
    )
    .hint("restart it, so that it has the version of this command")
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::of_io(error)
    }
}
