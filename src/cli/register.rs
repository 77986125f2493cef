//! `freeport register`: a port for a service.

use super::args::RegisterArgs;
use super::claim;
use super::exit::{Exit, Failure};
use crate::ipc::Ask;
use crate::ipc::protocol::{Claim, Request};

pub fn run(args: &RegisterArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let claim = Claim {
        service: Some(args.service.clone()),
        ..claim::of(args.port, args.project.as_ref(), &args.lease)
    };
    claim::send(Request::Register(claim), args.json, asked)
}
