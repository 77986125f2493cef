//! `freeport cleanup`: claims that are over are removed, and servers that are left over are shown,
//! and ended when the user says so.

use serde::Serialize;

use super::args::CleanupArgs;
use super::exit::{Exit, Failure};
use super::{ask, kill, output, unexpected, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Cleanup, CleanupReply, Ended, Kill, LeftoverView, Reply, Request};
use crate::model::kill::Outcome;
use crate::model::text::escape;
use crate::model::{Port, ProcessKey, Timestamp};

/// The JSON of `cleanup`.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    cleanup: CleanupReply,
    /// What came of the end of left over servers, where they were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<Vec<Outcome>>,
}

pub fn run(args: &CleanupArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let cleanup = Cleanup {
        dry_run: args.dry_run,
        leftovers: args.leftovers,
    };
    let mut reply = match ask(asked, Request::Cleanup(cleanup))? {
        Reply::Cleanup(reply) => reply,
        other => return Err(unexpected(&other)),
    };
    if let Some(port) = args.port {
        reply.leftovers.retain(|left| left.listener.port == port);
    }
    let kills = kills(&reply.leftovers);
    let agreed = args.yes && !args.dry_run;
    if args.json {
        return json(reply, agreed.then_some(kills), asked);
    }
    let told = output::print(&tell(&reply, args.leftovers, output::now()));
    // What --yes ends does not depend on who reads on.
    kill::heard(told.map_err(Failure::from))?;
    if kills.is_empty() || args.dry_run {
        return Ok(Exit::Done);
    }
    if !agreed && !asks(kills.len())? {
        return Ok(Exit::Done);
    }
    let mut worst = Exit::Done;
    for one in &kills {
        worst = worst.max(kill::carry_out(one, asked)?);
    }
    Ok(worst)
}

fn json(
    reply: CleanupReply,
    kills: Option<Vec<Kill>>,
    asked: &mut dyn Ask,
) -> Result<Exit, Failure> {
    let outcomes = match kills {
        Some(kills) => {
            let mut outcomes = Vec::new();
            for one in kills {
                outcomes.extend(kill::send(one, asked)?);
            }
            Some(outcomes)
        }
        None => None,
    };
    let exit = outcomes.as_deref().map_or(Exit::Done, kill::worst);
    output::json(&Told {
        cleanup: reply,
        outcomes,
    })?;
    Ok(exit)
}

/// Asks whether they are to be ended; says how, where nobody can be asked.
fn asks(count: usize) -> Result<bool, Failure> {
    if !output::can_ask() {
        output::note("nothing was ended: --yes ends them")?;
        return Ok(false);
    }
    let question = match count {
        1 => "End it (SIGTERM)?".to_owned(),
        n => format!("End all {n} of them (SIGTERM)?"),
    };
    Ok(output::agrees(&question)?)
}

/// What ends the servers: each by its identity, with all of its ports at once.
fn kills(leftovers: &[LeftoverView]) -> Vec<Kill> {
    let mut kills: Vec<(ProcessKey, Vec<Port>)> = Vec::new();
    for left in leftovers {
        let Some(owner) = &left.listener.owner else {
            continue;
        };
        let port = left.listener.port;
        match kills.iter_mut().find(|(key, _)| *key == owner.key) {
            Some((_, ports)) if ports.contains(&port) => {}
            Some((_, ports)) => ports.push(port),
            None => kills.push((owner.key, vec![port])),
        }
    }
    let kill = |(key, ports): (ProcessKey, Vec<Port>)| Kill {
        pid: Some(key.to_string()),
        ..Kill::of(ports)
    };
    kills.into_iter().map(kill).collect()
}

fn tell(reply: &CleanupReply, leftovers: bool, now: Timestamp) -> String {
    let mut text: String = reply
        .ended
        .iter()
        .map(|ended| told(ended, reply.dry_run))
        .collect();
    if reply.ended.is_empty() {
        text.push_str("no claim is over\n");
    }
    if leftovers && reply.leftovers.is_empty() {
        text.push_str("no server is left over\n");
    }
    if !reply.leftovers.is_empty() {
        text.push_str(&format!("\n{}\n", output::bold("left over:")));
        text.extend(reply.leftovers.iter().map(|left| left_over(left, now)));
    }
    text
}

fn told(ended: &Ended, dry_run: bool) -> String {
    let view = &ended.reservation;
    let spot = words::spot(view.port, view.protocol);
    let what = match (ended.kept, dry_run) {
        (false, false) => "is removed",
        (false, true) => "would be removed",
        (true, false) => "is only reserved again",
        (true, true) => "would only be reserved again",
    };
    let was = words::for_whom(view).map(|was| format!(" (it was {was})"));
    let (why, was) = (ended.why.reason(), was.unwrap_or_default());
    format!("the claim of port {spot} {what}: {why}{was}\n")
}

/// A server, and the command that ends exactly it.
fn left_over(left: &LeftoverView, now: Timestamp) -> String {
    let listener = &left.listener;
    let spot = words::spot(listener.port, listener.protocol);
    let Some(owner) = &listener.owner else {
        return format!("  {spot:<9} {}\n", left.why.reason());
    };
    let project = owner
        .project
        .as_deref()
        .map(|project| format!(" of {}", escape(project)));
    let command = format!("freeport kill {} --pid {}", listener.port, owner.key);
    format!(
        "  {spot:<9} {} (pid {}){}, {} old: {}\n  {:<9} {}\n",
        escape(&owner.service),
        owner.pid,
        project.unwrap_or_default(),
        words::span(owner.started_at.age(now)),
        left.why.reason(),
        "",
        output::dim(command)
    )
}
