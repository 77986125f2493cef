//! `freeport release`: ports that are given back.

use super::args::ReleaseArgs;
use super::exit::{Exit, Failure};
use super::{output, query, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Release, Request};
use crate::ipc::view::ReservationView;
use crate::model::{Port, Protocol};

pub fn run(args: &ReleaseArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let mut ports = args.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    let protocol = match (args.tcp, args.udp) {
        (true, _) => Some(Protocol::Tcp),
        (_, true) => Some(Protocol::Udp),
        _ => None,
    };
    let release = Release {
        job_id: args.job_id.clone(),
        ports: ports.clone(),
        protocol,
        token: args.token.clone(),
        // Who types it is the user; who shows a token means that claim.
        as_user: args.token.is_none(),
        created_at: None,
    };
    let reply = query::reservations(Request::Release(release), asked)?;
    let released = |port: &Port| reply.reservations.iter().any(|view| view.port == *port);
    ports.retain(|port| !released(port));
    if args.json {
        output::json(&reply)?;
    } else {
        tell(&reply.reservations, args.token.is_some())?;
        for port in &ports {
            let failure = Failure::text(Exit::Nothing, &format!("port {port} is not reserved"));
            output::report(&failure);
        }
    }
    Ok(if ports.is_empty() {
        Exit::Done
    } else {
        Exit::Nothing
    })
}

/// Tells what was given back; of what was reserved and claimed, perhaps only the claim.
pub fn tell(released: &[ReservationView], only_claims: bool) -> Result<(), Failure> {
    let line = |view: &ReservationView| {
        let spot = words::spot(view.port, view.protocol);
        let was = words::for_whom(view).map(|was| format!("; it was {was}"));
        let stays = if only_claims && view.kept {
            "; it stays reserved"
        } else {
            ""
        };
        format!(
            "port {spot} is released{}{stays}\n",
            was.unwrap_or_default()
        )
    };
    output::print(&released.iter().map(line).collect::<String>())?;
    Ok(())
}
