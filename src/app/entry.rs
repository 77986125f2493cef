//! From the command line to the right part: the app, or a verb.

use std::process::ExitCode;

use super::{AppError, Local, connect, run};
use crate::cli::{self, Command, Exit, Failure};
use crate::engine::VERSION;
use crate::ipc::socket::SocketError;
use crate::ipc::{Client, ClientError};
use crate::platform::{UNSUPPORTED, paths};
use crate::run::asking::Answers;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let env = env_logger::Env::default().filter_or("FREEPORT_LOG", "info,arboard=error");
    env_logger::Builder::from_env(env)
        .format_target(false)
        .init();
    let command = match cli::parse() {
        Ok(command) => command,
        Err(exit) => return exit.into(),
    };
    if let Some(why) = UNSUPPORTED {
        let failure = Failure::text(Exit::Failed, why).hint("use it on Linux or macOS");
        return cli::finish(Err(failure)).into();
    }
    let result = match command {
        None if paths::in_desktop_session() => app(false).or_else(already_running),
        None => cli::list_with_hint(connect),
        Some(Command::App { headless }) => app(headless),
        Some(Command::Run(args)) => {
            let local: cli::Connect = || Ok(Box::new(Local::new()));
            return cli::run_command(args, Answers { connect, local });
        }
        Some(Command::Docker(args)) => {
            let local: cli::Connect = || Ok(Box::new(Local::new()));
            return cli::docker_command(args, Answers { connect, local });
        }
        Some(Command::Tui) => {
            let local: cli::Connect = || Ok(Box::new(Local::new()));
            return cli::tui_command(crate::tui::Answers { connect, local });
        }
        // The program that starts at login is the one that was called, not the one that runs.
        Some(command @ Command::Autostart(_)) => cli::run(command, || Ok(Box::new(Local::new()))),
        Some(command) => cli::run(command, connect),
    };
    cli::finish(result).into()
}

fn app(headless: bool) -> Result<Exit, Failure> {
    match run(headless) {
        Ok(()) => Ok(Exit::Done),
        Err(AppError::Socket(error)) => {
            let exit = if matches!(error, SocketError::Taken { .. }) {
                Exit::Conflict
            } else {
                Exit::Failed
            };
            let hint = other_version(&error).unwrap_or_else(|| error.hint().to_owned());
            Err(Failure::new(exit, &error).hint(&hint))
        }
        Err(error) => Err(Failure::new(Exit::Failed, &error)),
    }
}

/// What to do about an app that is of another version than this program, as after an upgrade.
fn other_version(error: &SocketError) -> Option<String> {
    let SocketError::Taken { pid } = error else {
        return None;
    };
    let version = match Client::connect() {
        Ok(client) => client.app().version.clone(),
        Err(ClientError::Version { version, .. }) => version,
        Err(_) => return None,
    };
    (version != VERSION).then(|| {
        format!(
            "it is version {version}, and this is {VERSION}: quit it from its menu, or 'kill {pid}', and start this one again"
        )
    })
}

/// Who types only `freeport` wants it to run, and it does.
fn already_running(failure: Failure) -> Result<Exit, Failure> {
    if failure.exit == Exit::Conflict {
        cli::report(&failure);
        return Ok(Exit::Done);
    }
    Err(failure)
}
