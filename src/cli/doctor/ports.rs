//! What is kept: pools that overlap what they should not, and ports that are to be held and are not.

use super::finding::Finding;
use crate::cli::{Connect, ask, words};
use crate::ipc::protocol::{Pool, PoolView, Reply, Request, StatusReply};
use crate::model::text::escape;
use crate::platform::limits;

const POOLS: &str = "pools";
const HOLDS: &str = "holds";

pub fn check(connect: Connect, app: Option<&StatusReply>) -> Vec<Finding> {
    let mut findings = pools(connect);
    if let Some(app) = app {
        findings.extend(holds(app));
    }
    findings
}

fn pools(connect: Connect) -> Vec<Finding> {
    let asked = connect().map_err(Into::into);
    let pools = match asked.and_then(|mut app| ask(&mut *app, Request::Pool(Pool::List))) {
        Ok(Reply::Pools(reply)) => reply.pools,
        Ok(_) => return Vec::new(),
        // An app or a database that cannot be asked was told already.
        Err(failure) => {
            log::debug!("the pools cannot be read: {}", failure.message);
            return Vec::new();
        }
    };
    let (first, last) = limits::ephemeral_ports();
    let lent = format!("the system gives {first}-{last} to programs that connect");
    if pools.is_empty() {
        return vec![Finding::note(POOLS, format!("none; {lent}"))];
    }
    let warned: Vec<Finding> = pools.iter().flat_map(of_pool).collect();
    if warned.is_empty() {
        let says = format!(
            "{} apart from others; {lent}",
            words::count(pools.len(), "pool")
        );
        return vec![Finding::ok(POOLS, says)];
    }
    warned
}

fn of_pool(pool: &PoolView) -> impl Iterator<Item = Finding> {
    pool.warnings.iter().map(|warning| {
        Finding::warning(POOLS, format!("{}: {warning}", escape(&pool.name))).remedy(format!(
            "'freeport pool create {}' with other ports changes it",
            escape(&pool.name)
        ))
    })
}

fn holds(app: &StatusReply) -> Vec<Finding> {
    let lost = app.not_held.iter().map(|view| {
        let why = view.not_held.as_deref().unwrap_or("not known why");
        let spot = words::spot(view.port, view.protocol);
        Finding::warning(HOLDS, format!("{spot} is to be held, and is not: {why}"))
            .remedy(format!("'freeport why {}' tells who has it", view.port))
    });
    let lost: Vec<Finding> = lost.collect();
    match (lost.is_empty(), app.held) {
        (true, 0) => Vec::new(),
        (true, held) => vec![Finding::ok(
            HOLDS,
            format!("{} held by the app", words::count(held, "port")),
        )],
        (false, _) => lost,
    }
}
