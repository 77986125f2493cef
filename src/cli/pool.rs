//! `freeport pool`: sets of ports that jobs draw from.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};

use super::args::{PoolAction, PoolArgs};
use super::columns::{Cell, lay_out};
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Pool, PoolCreate, PoolDelete, PoolView, PoolsReply, Reply, Request};
use crate::ipc::view::ReservationView;
use crate::model::pool::spans;
use crate::model::text::escape;
use crate::model::{Port, Timestamp};

pub fn run(args: &PoolArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    match &args.action {
        PoolAction::Create { name, ports, json } => {
            let create = PoolCreate {
                name: name.clone(),
                ports: ports.clone(),
            };
            let reply = pools(Pool::Create(create), asked)?;
            let line = |pool: &PoolView| {
                let name = escape(&pool.name);
                let size = words::count(pool.size, "port");
                format!("the pool {name} has {size}: {}\n", pool.ports)
            };
            if *json {
                output::json(&reply)?;
            } else {
                output::print(&reply.pools.iter().map(line).collect::<String>())?;
                warn(&reply)?;
            }
        }
        PoolAction::List { name, json } => return list(name.as_deref(), *json, asked),
        PoolAction::Delete { name, json } => {
            let delete = PoolDelete { name: name.clone() };
            let reply = pools(Pool::Delete(delete), asked)?;
            let line = |pool: &PoolView| {
                let stays = match pool.drawn.len() {
                    0 => String::new(),
                    1 => "; the port that was drawn from it stays".to_owned(),
                    n => format!("; the {n} ports that were drawn from it stay"),
                };
                format!("the pool {} is removed{stays}\n", escape(&pool.name))
            };
            if *json {
                output::json(&reply)?;
            } else {
                output::print(&reply.pools.iter().map(line).collect::<String>())?;
            }
        }
    }
    Ok(Exit::Done)
}

fn list(name: Option<&str>, json: bool, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let mut reply = pools(Pool::List, asked)?;
    if let Some(name) = name {
        reply.pools.retain(|pool| pool.name == name);
    }
    let found = name.is_none() || !reply.pools.is_empty();
    if json {
        output::json(&reply)?;
        return Ok(if found { Exit::Done } else { Exit::Nothing });
    }
    if let (Some(name), false) = (name, found) {
        let message = format!("there is no pool '{}'", escape(name));
        return Err(Failure::text(Exit::Nothing, &message)
            .hint("'freeport pool list' shows which there are"));
    }
    if reply.pools.is_empty() {
        output::print("there are no pools: 'freeport pool create NAME --ports A-B' makes one\n")?;
        return Ok(Exit::Done);
    }
    let rows = rows(&reply.pools, output::now());
    output::print(&lay_out(&rows, output::width(), 1, output::colours()))?;
    warn(&reply)?;
    Ok(Exit::Done)
}

fn pools(pool: Pool, asked: &mut dyn Ask) -> Result<PoolsReply, Failure> {
    match ask(asked, Request::Pool(pool))? {
        Reply::Pools(reply) => Ok(reply),
        other => Err(unexpected(&other)),
    }
}

fn warn(reply: &PoolsReply) -> std::io::Result<()> {
    let warnings = reply
        .pools
        .iter()
        .flat_map(|pool| pool.warnings.iter().map(move |text| (pool, text)));
    for (pool, text) in warnings {
        output::warn(&format!("pool {}: {}", escape(&pool.name), escape(text)))?;
    }
    Ok(())
}

/// Who has something of a pool: the job, and its process.
type Holder<'a> = (&'a str, Option<u32>);

/// A row for each pool, and below it one for each job that has something of it.
fn rows(pools: &[PoolView], now: Timestamp) -> Vec<[Cell<'static>; 5]> {
    let headers = ["POOL", "PORTS", "FREE", "WAITING", "WHO, SINCE WHEN"];
    let mut rows = vec![headers.map(|header| Cell::new(header).style(Style::new().bold()))];
    for pool in pools {
        let waiting = match pool.waiting {
            0 => String::new(),
            n => n.to_string(),
        };
        rows.push([
            Cell::new(escape(&pool.name).into_owned()).style(Style::new().bold()),
            Cell::new(pool.ports.to_string()).style(AnsiColor::Cyan.on_default()),
            Cell::new(format!("{} of {}", pool.free, pool.size)),
            Cell::new(waiting),
            Cell::new(""),
        ]);
        let mut jobs: BTreeMap<Holder<'_>, Vec<&ReservationView>> = BTreeMap::new();
        for view in &pool.drawn {
            let job = view.job_id.as_deref().unwrap_or_default();
            jobs.entry((job, view.pid)).or_default().push(view);
        }
        let mut jobs: Vec<_> = jobs.into_iter().collect();
        jobs.sort_by_key(|(_, views)| views.iter().map(|view| view.port).min());
        for ((job, _), views) in jobs {
            let ports: Vec<Port> = views.iter().map(|view| view.port).collect();
            let since = views.iter().map(|view| view.created_at).min();
            let since = since.map(|since| format!(", for {}", words::span(since.age(now))));
            let owner = views.first().and_then(|view| words::claimant(view));
            let owner = owner.map(|owner| format!(", {owner}"));
            rows.push([
                Cell::new(""),
                Cell::new(spans(&ports)),
                Cell::new(""),
                Cell::new(""),
                Cell::new(format!(
                    "job {}{}{}",
                    escape(job),
                    owner.unwrap_or_default(),
                    since.unwrap_or_default()
                )),
            ]);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::words::tests::reserved;

    #[test]
    fn who_has_what_since_when() {
        let drawn = |port: u16, job: &str, pid| ReservationView {
            port: Port::new(port).unwrap(),
            pool: Some("ci".into()),
            job_id: Some(job.into()),
            pid: Some(pid),
            name: Some("bash".into()),
            ..reserved()
        };
        let pool = PoolView {
            name: "ci".into(),
            ports: "15000-15003".parse().unwrap(),
            size: 4,
            free: 1,
            created_at: Timestamp::of_millis(0),
            drawn: vec![
                drawn(15000, "b\u{7}", 7),
                drawn(15001, "b\u{7}", 7),
                drawn(15003, "a", 8),
            ],
            waiting: 2,
            warnings: Vec::new(),
        };
        let rows = rows(&[pool], Timestamp::of_millis(720_000));
        assert_eq!(
            lay_out(&rows, None, 1, false),
            "POOL  PORTS        FREE    WAITING  WHO, SINCE WHEN\n\
             ci    15000-15003  1 of 4  2\n      \
             15000-15001                   job b\\x07, bash (pid 7), for 12m\n      \
             15003                         job a, bash (pid 8), for 12m\n"
        );
    }
}
