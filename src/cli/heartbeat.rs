//! `freeport heartbeat`: a claim that goes on.

use super::args::HeartbeatArgs;
use super::exit::{Exit, Failure};
use super::{claim, output, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Heartbeat, Request};

pub fn run(args: &HeartbeatArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let heartbeat = Heartbeat {
        port: args.port,
        protocol: claim::protocol(args.udp),
        token: args.token.clone(),
        as_user: args.token.is_none(),
    };
    let lease = claim::lease(Request::Heartbeat(heartbeat), asked)?;
    if args.json {
        output::json(&lease)?;
    } else {
        output::print(&format!("{}\n", words::lease(&lease, output::now())))?;
    }
    Ok(Exit::Done)
}
