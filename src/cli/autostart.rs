//! `freeport autostart`: whether Freeport starts at login.

use super::args::{AutostartArgs, Change};
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected};
use crate::ipc::Ask;
use crate::ipc::protocol::{Autostart, Reply, Request};
use crate::model::text::escape;

pub fn run(args: &AutostartArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let enable = match args.change {
        Change::Enable => Some(true),
        Change::Disable => Some(false),
        Change::Status => None,
    };
    let state = match ask(asked, Request::Autostart(Autostart { enable }))? {
        Reply::Autostart(state) => state,
        other => return Err(unexpected(&other)),
    };
    if args.json {
        output::json(&state)?;
        return Ok(Exit::Done);
    }
    let entry = escape(&state.entry).into_owned();
    let text = match (&state.elsewhere, state.enabled) {
        (Some(command), _) => format!(
            "another program starts at login: {}\n{}\n",
            escape(command),
            output::dim(format!(
                "{entry}; 'freeport autostart enable' makes it this one"
            ))
        ),
        (None, true) => format!("Freeport starts at login\n{}\n", output::dim(entry)),
        (None, false) => "Freeport does not start at login\n".to_owned(),
    };
    output::print(&text)?;
    Ok(Exit::Done)
}
