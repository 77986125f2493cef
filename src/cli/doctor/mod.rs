//! `freeport doctor`: what works here and what does not, each with its remedy.

mod app;
mod desktop;
mod finding;
mod ports;
mod registry;
mod system;

use serde::Serialize;

use super::args::DoctorArgs;
use super::exit::{Exit, Failure};
use super::{Connect, output};
use finding::{Finding, State};

/// The JSON of `doctor`.
#[derive(Serialize)]
struct Report {
    /// Whether nothing is broken.
    healthy: bool,
    /// The version of this command.
    version: &'static str,
    findings: Vec<Finding>,
}

/// The version of this command.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn run(args: &DoctorArgs, connect: Connect) -> Result<Exit, Failure> {
    let (running, mut findings) = app::check();
    findings.extend(registry::check());
    findings.extend(ports::check(connect, running.as_ref()));
    findings.extend(system::check());
    findings.extend(desktop::check(running.as_ref()));
    let healthy = findings.iter().all(|found| found.state != State::Broken);
    if args.json {
        output::json(&Report {
            healthy,
            version: VERSION,
            findings,
        })?;
    } else {
        output::print(&tell(&findings))?;
    }
    Ok(if healthy { Exit::Done } else { Exit::Failed })
}

fn tell(findings: &[Finding]) -> String {
    let mut text = String::new();
    for found in findings {
        found.tell(&mut text);
    }
    let number = |state| findings.iter().filter(|found| found.state == state).count();
    let verdict = match (number(State::Broken), number(State::Warning)) {
        (0, 0) => output::dim("everything works"),
        (0, 1) => output::warning("it works, with one weakness"),
        (0, warnings) => output::warning(format!("it works, with {warnings} weaknesses")),
        (1, _) => output::bold("one thing is broken"),
        (broken, _) => output::bold(format!("{broken} things are broken")),
    };
    text + &verdict + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_that_of_the_worst() {
        let (ok, note) = (Finding::ok("a", "b"), Finding::note("a", "b"));
        let (weak, broken) = (Finding::warning("a", "b"), Finding::broken("a", "b"));
        let says = |findings: &[&Finding]| {
            let findings: Vec<Finding> = findings.iter().copied().cloned().collect();
            anstream::adapter::strip_str(&tell(&findings)).to_string()
        };
        assert!(says(&[&ok, &note]).ends_with("everything works\n"));
        assert!(says(&[&ok, &weak]).ends_with("it works, with one weakness\n"));
        assert!(says(&[&broken, &weak]).ends_with("one thing is broken\n"));
        assert!(says(&[&broken, &broken]).ends_with("2 things are broken\n"));
    }

    #[test]
    fn words_of_other_programs_are_escaped() {
        let found = Finding::warning("a", "\x1b[2J").remedy("say\nmore");
        let told = anstream::adapter::strip_str(&tell(&[found])).to_string();
        assert!(
            !told.contains('\x1b') && told.lines().count() == 3,
            "{told}"
        );
    }
}
