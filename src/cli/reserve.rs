//! `freeport reserve`: ports that are set aside for a project.

use super::args::ReserveArgs;
use super::exit::{Exit, Failure};
use super::{claim, draw, output, query, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Request, Reserve};
use crate::ipc::view::ReservationView;
use crate::model::reservation::Status;

pub fn run(args: &ReserveArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    if let Some(pool) = &args.draw.pool {
        return draw::run(pool, args, asked);
    }
    let mut ports = args.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    let reserve = Reserve {
        ports,
        protocol: claim::protocol(args.udp),
        project: args.project.clone().unwrap_or_default(),
        service: args.service.clone(),
        ttl_s: args.ttl,
        metadata: None,
        hold: args.hold,
    };
    let reply = query::reservations(Request::Reserve(reserve), asked)?;
    if args.json {
        output::json(&reply)?;
        return Ok(Exit::Done);
    }
    let now = output::now();
    let line = |view: &ReservationView| {
        let spot = words::spot(view.port, view.protocol);
        // Where it was claimed before, that goes on, and how long is known to who claimed it.
        let term = match view.status {
            Status::Reserved => words::term(view, now),
            _ => String::new(),
        };
        let held = claim::held(view);
        format!("port {spot} is {}{term}\n{held}", words::standing(view))
    };
    output::print(&reply.reservations.iter().map(line).collect::<String>())?;
    Ok(Exit::Done)
}
