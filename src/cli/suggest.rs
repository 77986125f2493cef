//! `freeport suggest`: ports that are free now.

use super::args::SuggestArgs;
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected};
use crate::ipc::Ask;
use crate::ipc::protocol::{Reply, Request, Suggest};

pub fn run(args: &SuggestArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let suggest = Suggest {
        count: args.count,
        range: args.range,
        block: args.block,
    };
    let reply = match ask(asked, Request::Suggest(suggest))? {
        Reply::Suggest(reply) => reply,
        other => return Err(unexpected(&other)),
    };
    if args.json {
        output::json(&reply)?;
    } else {
        let lines = reply.ports.iter().map(|port| format!("{port}\n"));
        output::print(&lines.collect::<String>())?;
    }
    Ok(Exit::Done)
}
