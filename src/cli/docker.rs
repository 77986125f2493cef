//! `freeport docker`: docker, with ports of this machine that are free and claimed for the container.

use std::process::ExitCode;

use super::args::DockerArgs;
use super::exit::{Exit, Failure};
use super::output;
use crate::run::asking::Answers;
use crate::run::docker::{self, Options};

/// Runs docker to its end. To be called while the process has one thread.
pub fn run(args: DockerArgs, answers: Answers) -> ExitCode {
    let options = Options {
        words: args.words,
        strict: args.strict,
        project: args.project,
        service: args.service,
        quiet: args.quiet,
    };
    match docker::run(&options, answers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let failure = Failure::text(Exit::Failed, &error.message);
            output::report(&failure.maybe_hint(error.hint));
            // Some of them are the shells' own.
            ExitCode::from(error.status)
        }
    }
}
