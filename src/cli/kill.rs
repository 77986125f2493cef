//! `freeport kill`: ends what listens on ports, and tells the truth about it.

use super::args::KillArgs;
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected};
use crate::ipc::Ask;
use crate::ipc::protocol::{Kill, KillReply, Reply, Request};
use crate::model::kill::{KillResult, Outcome};
use crate::model::text::{escape, shorten};

pub fn run(args: &KillArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let mut ports = args.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    let kill = Kill {
        ports,
        pid: args.pid.map(|wanted| wanted.to_string()),
        container: args.container.clone(),
        force: args.force,
        tree: args.tree,
        grace_ms: u64::try_from(args.grace.as_millis()).unwrap_or(u64::MAX),
        dry_run: args.dry_run,
    };
    if args.json {
        let outcomes = send(kill, asked)?;
        let exit = worst(&outcomes);
        heard(output::json(&KillReply { outcomes }).map_err(Failure::from))?;
        return Ok(exit);
    }
    if args.tree && !args.dry_run {
        heard(show_trees(&kill, asked))?;
    }
    carry_out(&kill, asked)
}

/// Ends what is meant, and tells what came of it. Who can be asked is asked about what survives.
pub fn carry_out(kill: &Kill, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let mut outcomes = send(kill.clone(), asked)?;
    for outcome in &mut outcomes {
        let survives = outcome.result == KillResult::StillHeld && !kill.force;
        if survives && output::can_ask() {
            output::print(&format!("{}\n", outcome.message))?;
            if !output::agrees("End it with SIGKILL?")? {
                continue;
            }
            *outcome = force(kill, outcome, asked)?;
        }
        heard(tell(outcome))?;
    }
    Ok(worst(&outcomes))
}

/// What is killed, and how that ends, does not depend on who still reads the output.
pub fn heard(told: Result<(), Failure>) -> Result<(), Failure> {
    told.or_else(|failure| {
        if failure.is_broken_pipe() {
            Ok(())
        } else {
            Err(failure)
        }
    })
}

/// What came of it, port by port.
pub fn send(kill: Kill, asked: &mut dyn Ask) -> Result<Vec<Outcome>, Failure> {
    match ask(asked, Request::Kill(kill))? {
        Reply::Kill(reply) => Ok(reply.outcomes),
        other => Err(unexpected(&other)),
    }
}

/// Shows what `--tree` is about to take.
fn show_trees(kill: &Kill, asked: &mut dyn Ask) -> Result<(), Failure> {
    for outcome in send(
        Kill {
            dry_run: true,
            ..kill.clone()
        },
        asked,
    )? {
        if outcome.result == KillResult::DryRun && outcome.container.is_none() {
            output::print(&format!(
                "port {}: ending, in this order:\n{}",
                outcome.port,
                signals(&outcome)
            ))?;
        }
    }
    Ok(())
}

/// Sends SIGKILL to exactly the process or container that outlived SIGTERM.
fn force(kill: &Kill, survivor: &Outcome, asked: &mut dyn Ask) -> Result<Outcome, Failure> {
    let key = survivor.owner.as_ref().map(|owner| owner.key.to_string());
    let container = survivor.container.as_ref().map(|found| found.id.clone());
    let again = Kill {
        ports: vec![survivor.port],
        pid: key.filter(|_| container.is_none()),
        container,
        force: true,
        grace_ms: 0,
        ..kill.clone()
    };
    let outcome = send(again, asked)?.into_iter().next();
    outcome.ok_or_else(|| Failure::text(Exit::Failed, "the app gave no outcome"))
}

fn tell(outcome: &Outcome) -> Result<(), Failure> {
    match outcome.result {
        KillResult::Freed => output::print(&format!("{}\n", outcome.message))?,
        KillResult::DryRun if outcome.container.is_some() => {
            output::print(&format!("{}\n", outcome.message))?;
        }
        KillResult::DryRun => {
            let workers: String = outcome
                .workers
                .iter()
                .map(|worker| format!("  {worker}, only if it keeps the port\n"))
                .collect();
            output::print(&format!(
                "{}:\n{}{workers}",
                outcome.message,
                signals(outcome)
            ))?;
        }
        result => output::report(
            &Failure::text(exit_of(result), &outcome.message).maybe_hint(outcome.hint.clone()),
        ),
    }
    Ok(())
}

fn signals(outcome: &Outcome) -> String {
    let line = |sent: &crate::model::kill::Sent| {
        format!(
            "  {} to {}  {}\n",
            sent.signal,
            sent.to,
            output::dim(shorten(&escape(&sent.to.command), 80))
        )
    };
    outcome.signals.iter().map(line).collect()
}

fn exit_of(result: KillResult) -> Exit {
    match result {
        KillResult::Freed | KillResult::DryRun => Exit::Done,
        KillResult::NothingThere => Exit::Nothing,
        KillResult::NotPermitted => Exit::NotPermitted,
        KillResult::Failed => Exit::Failed,
        KillResult::StillHeld
        | KillResult::TakenOver
        | KillResult::StillShared
        | KillResult::Ambiguous
        | KillResult::OtherProcess
        | KillResult::Protected => Exit::Conflict,
    }
}

/// Of several ports, the status that says most: a conflict before a refusal before nothing there.
pub fn worst(outcomes: &[Outcome]) -> Exit {
    outcomes
        .iter()
        .map(|outcome| exit_of(outcome.result))
        .max()
        .unwrap_or(Exit::Done)
}
