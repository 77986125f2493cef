//! From the command line to the right part: the app, or a verb.

use std::process::ExitCode;

use super::{AppError, Local, connect, run};
use crate::cli::{self, Command, Exit, Failure};
use crate::ipc::socket::SocketError;
use crate::platform::paths;
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
            let hint = error.hint();
            Err(Failure::new(exit, &error).hint(hint))
        }
        Err(error) => Err(Failure::new(Exit::Failed, &error)),
    }
}

/// Who types only `freeport` wants it to run, and it does.
fn already_running(failure: Failure) -> Result<Exit, Failure> {
    if failure.exit == Exit::Conflict {
        cli::report(&failure);
        return Ok(Exit::Done);
    }
    Err(failure)
}
