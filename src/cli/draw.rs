//! `freeport reserve --pool`: ports drawn from a pool for a job, waited for where there are too few.

use std::time::{Duration, Instant};

use super::args::{DrawArgs, ReserveArgs};
use super::exit::{Exit, Failure};
use super::{claim, output, unexpected, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{
    ErrorCode, ErrorReply, Pool, PoolDraw, Reply, Request, ReservationsReply,
};
use crate::model::job;
use crate::platform::{self, limits};

/// How often who waits asks again.
const AGAIN: Duration = Duration::from_millis(100);

pub fn run(pool: &str, args: &ReserveArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let of = &args.draw;
    let draw = PoolDraw {
        name: pool.to_owned(),
        job_id: of.job_id.clone().unwrap_or_default(),
        count: of.count.unwrap_or(1),
        block: of.block,
        protocol: claim::protocol(args.udp),
        pid: Some(owner(of)?),
        ttl_s: args.ttl,
        wait: false,
        hold: args.hold,
    };
    let reply = match of.wait {
        Some(wait) => wait_for(draw, wait, asked)?,
        None => ask(draw, asked)?.map_err(Failure::from)?,
    };
    if args.json {
        output::json(&reply)?;
        return Ok(Exit::Done);
    }
    // For scripts: nothing but the ports.
    let ports = reply.reservations.iter();
    output::print(
        &ports
            .map(|view| format!("{}\n", view.port))
            .collect::<String>(),
    )?;
    for view in reply
        .reservations
        .iter()
        .filter(|view| view.not_held.is_some())
    {
        output::warn(claim::held(view).trim_end())?;
    }
    Ok(Exit::Done)
}

/// The process that the ports belong to.
fn owner(args: &DrawArgs) -> Result<u32, Failure> {
    if let Some(pid) = args.pid {
        return Ok(pid);
    }
    let mine =
        |pid: u32| platform::claimant(pid).is_some_and(|found| found.uid == limits::user_id());
    let all = platform::ancestors(std::process::id());
    let above = all.get(1..).unwrap_or_default();
    let found = job::process_of_job(above, mine).filter(|pid| *pid > 1 && mine(*pid));
    found.ok_or_else(|| {
        Failure::text(
            Exit::NotPermitted,
            "the process that calls is not yours, and cannot own ports",
        )
        .hint("name one that is, which lives as long as the job: --pid PID")
    })
}

/// Draws at once; the inner error is a refusal.
fn ask(
    draw: PoolDraw,
    asked: &mut dyn Ask,
) -> Result<Result<ReservationsReply, ErrorReply>, Failure> {
    match asked.ask(Request::Pool(Pool::Draw(draw)))? {
        Reply::Reservations(reply) => Ok(Ok(reply)),
        Reply::Error(error) => Ok(Err(error)),
        other => Err(unexpected(&other)),
    }
}

/// Draws when there are enough, and when it is this job's turn.
fn wait_for(
    draw: PoolDraw,
    wait: Duration,
    asked: &mut dyn Ask,
) -> Result<ReservationsReply, Failure> {
    let deadline = Instant::now() + wait;
    let mut told = false;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // The last one gives the place back.
        let wait_on = !left.is_zero();
        let draw = PoolDraw {
            wait: wait_on,
            ..draw.clone()
        };
        match ask(draw, asked)? {
            Ok(reply) => return Ok(reply),
            Err(error) if error.code == ErrorCode::Exhausted && wait_on => {
                if !told {
                    output::note(&format!("waiting: {}", error.message))?;
                    told = true;
                }
                std::thread::sleep(left.min(AGAIN));
            }
            Err(error) if error.code == ErrorCode::Exhausted => {
                let waited = words::span(wait);
                let message = format!("waited {waited} in vain: {}", error.message);
                let error = ErrorReply { message, ..error };
                return Err(Failure::from(error).hint(
                    "wait longer, or give back what a job has: 'freeport release --job-id ID'",
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
