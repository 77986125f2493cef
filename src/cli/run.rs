//! `freeport run`: a command on a port that is really held for it.

use std::process::ExitCode;

use super::args::{HoldArg, RestartArg, RunArgs};
use super::exit::{Exit, Failure};
use super::output;
use crate::model::Protocol;
use crate::run::asking::Answers;
use crate::run::options::{HoldMode, Options, Policy};
use crate::run::restart::Restart;
use crate::run::start;
use crate::run::told::RunError;

/// Runs a command to its end. To be called while the process has one thread.
pub fn run(args: RunArgs, answers: Answers) -> ExitCode {
    match start::run(&options(args), answers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::report(&failure(&error));
            ExitCode::from(error.status)
        }
    }
}

fn failure(error: &RunError) -> Failure {
    // Statuses that are the shells' own stand in the error.
    Failure::text(Exit::Failed, &error.message).maybe_hint(error.hint.clone())
}

fn options(args: RunArgs) -> Options {
    let policy = [
        (args.strict, Policy::Strict),
        (args.replace, Policy::Replace),
        (args.fallback, Policy::Fallback),
    ];
    Options {
        command: args.command,
        ports: args.ports,
        services: args.services,
        project: args.project,
        protocol: args.udp.then_some(Protocol::Udp),
        policy: policy
            .into_iter()
            .find_map(|(is_it, policy)| is_it.then_some(policy)),
        ask: args.ask,
        hold: args.hold.map(|hold| match hold {
            HoldArg::Seam => HoldMode::Seam,
            HoldArg::Gate => HoldMode::Gate,
            HoldArg::Off => HoldMode::Off,
        }),
        remap: args.remap,
        no_remap: args.no_remap,
        pass_fd: args.pass_fd,
        restart: match args.restart {
            None => Restart::Never,
            Some(RestartArg::OnFailure) => Restart::OnFailure,
            Some(RestartArg::Always) => Restart::Always,
        },
        wait_ready: args.wait_ready,
        quiet: args.quiet,
    }
}
