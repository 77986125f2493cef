//! `freeport claim`: a port for a while, or for a process.

use super::args::{ClaimArgs, LeaseArgs};
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Claim, LeaseReply, Reply, Request};
use crate::ipc::view::ReservationView;
use crate::model::reservation::check_name;
use crate::model::text::escape;
use crate::model::{Port, Protocol};
use crate::platform::project;

pub fn run(args: &ClaimArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let claim = Claim {
        protocol: protocol(args.udp),
        service: args.service.clone(),
        token: args.token.clone(),
        ..of(args.port, args.project.as_ref(), &args.lease)
    };
    send(Request::Claim(claim), args.json, asked)
}

/// A claim of a port, with whose it is and for how long. Where no process is named, it belongs to
/// none: this one ends at once.
pub fn of(port: Port, project: Option<&String>, lease: &LeaseArgs) -> Claim {
    let detached = lease.pid.is_none();
    Claim {
        project: project
            .cloned()
            .or_else(|| detached.then(project_here).flatten()),
        ttl_s: lease.ttl,
        pid: lease.pid,
        detached,
        hold: lease.hold,
        metadata: lease.metadata.clone(),
        ..Claim::of(port)
    }
}

/// The project of the current folder.
fn project_here() -> Option<String> {
    let folder = std::env::current_dir().ok()?;
    let name = project::of(&folder)?.name;
    // A manifest may call it anything.
    check_name(&name).is_ok().then_some(name)
}

/// The protocol that is meant.
pub fn protocol(udp: bool) -> Protocol {
    if udp { Protocol::Udp } else { Protocol::Tcp }
}

/// Sends a claim, and tells what came of it.
pub fn send(request: Request, json: bool, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let lease = lease(request, asked)?;
    if json {
        output::json(&lease)?;
        return Ok(Exit::Done);
    }
    let mut text = format!("{}\n", words::lease(&lease, output::now()));
    text.push_str(&held(&lease.reservation));
    if let Some(token) = &lease.token {
        let token = format!(
            "token {}, for 'freeport heartbeat' and 'freeport release'\n",
            escape(token)
        );
        text.push_str(&output::dim(token));
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

/// What is said of the hold of a port that was asked for.
pub fn held(view: &ReservationView) -> String {
    match (&view.not_held, view.held_by) {
        (Some(why), _) => output::warning(format!("not held: {}\n", escape(why))),
        (None, Some(_)) => format!("{}\n", words::hold(view)),
        (None, None) => String::new(),
    }
}

/// Asks for something that is answered with a lease.
pub fn lease(request: Request, asked: &mut dyn Ask) -> Result<LeaseReply, Failure> {
    match ask(asked, request)? {
        Reply::Lease(lease) => Ok(*lease),
        other => Err(unexpected(&other)),
    }
}
