//! `freeport tui`: the live list on a whole terminal.

use std::process::ExitCode;

use super::exit::{Exit, Failure};
use super::output;
use crate::tui::{self, Answers, TuiError};

/// Shows it until the user has seen enough.
pub fn run(answers: Answers) -> ExitCode {
    match tui::run(answers) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let failure = failure(&error);
            output::report(&failure);
            failure.exit.into()
        }
    }
}

fn failure(error: &TuiError) -> Failure {
    match error {
        TuiError::NoTerminal => Failure::new(Exit::Usage, error)
            .hint("'freeport list --watch' needs none, and 'freeport list --json' is for programs"),
        _ => Failure::new(Exit::Failed, error),
    }
}
