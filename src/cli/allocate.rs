//! `freeport allocate`: the port of a service, for `PORT=$(freeport allocate shop web)`.

use super::args::AllocateArgs;
use super::exit::{Exit, Failure};
use super::{ask, claim, output, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Allocate, List, Reply, Request};
use crate::model::Port;

pub fn run(args: &AllocateArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let allocate = Allocate {
        project: args.project.clone(),
        service: args.service.clone(),
        port: args.port,
    };
    let lease = claim::lease(Request::Allocate(allocate), asked)?;
    if args.json {
        output::json(&lease)?;
    } else {
        output::print(&format!("{}\n", lease.port))?;
        if lease.renewed {
            warn(lease.port, asked)?;
        }
    }
    Ok(Exit::Done)
}

/// Who has had its port for long may find somebody else on it.
fn warn(port: Port, asked: &mut dyn Ask) -> Result<(), Failure> {
    let list = List {
        ports: vec![port],
        details: false,
    };
    if let Reply::List(list) = ask(asked, Request::List(list))? {
        for told in list.listeners.iter().filter_map(words::intruder) {
            output::warn(&told)?;
        }
    }
    Ok(())
}
