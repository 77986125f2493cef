//! `freeport wait`: until a port accepts connections, from the right process.

use super::args::WaitArgs;
use super::exit::{Exit, Failure};
use crate::ipc::Ask;
use crate::run::wait::{self, Waited};

pub fn run(args: &WaitArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    match wait::wait(args.port, args.pid, args.timeout, asked) {
        Waited::Ready => Ok(Exit::Done),
        Waited::Others(message) => Err(Failure::text(Exit::Conflict, &message)
            .hint(&format!("'freeport why {}' tells more", args.port))),
        Waited::Nobody(message) => Err(Failure::text(Exit::Failed, &message)),
    }
}
