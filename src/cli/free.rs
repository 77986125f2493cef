//! `freeport free`: the ports of a project, given back.

use super::args::FreeArgs;
use super::exit::{Exit, Failure};
use super::{output, query, release};
use crate::ipc::Ask;
use crate::ipc::protocol::{Free, Request};

pub fn run(args: &FreeArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let free = Free {
        project: args.project.clone(),
        service: args.service.clone(),
        as_user: true,
    };
    let reply = query::reservations(Request::Free(free), asked)?;
    if args.json {
        output::json(&reply)?;
    } else {
        release::tell(&reply.reservations, false)?;
    }
    Ok(Exit::Done)
}
