//! The pools, and below each who has what of it.

use std::collections::BTreeMap;

use super::{Row, RowId, Table, cell, columns, instead_of_rows};
use crate::ipc::protocol::PoolView;
use crate::ipc::view::{ReservationView, words};
use crate::model::pool::spans;
use crate::model::text::escape;
use crate::model::{Port, Protocol, Timestamp};
use crate::tui::state::{State, Tone};

/// The rows.
pub fn table(state: &State) -> Table {
    let pools = state.pools.get().map_or(&[][..], Vec::as_slice);
    let chosen = |pool: &&PoolView| {
        let has = |port: Port| pool.ports.contains(port);
        let drawn = |view: &ReservationView| {
            let job = view.job_id.as_deref().unwrap_or_default();
            state.filter.matches_named(job, |_| false)
        };
        state.filter.matches_named(&pool.name, has) || pool.drawn.iter().any(drawn)
    };
    let chosen: Vec<&PoolView> = pools.iter().filter(chosen).collect();
    let none = vec![
        (Tone::Plain, "there are no pools".to_owned()),
        (
            Tone::Dim,
            "'freeport pool create ci --ports 15000-15999' makes one".to_owned(),
        ),
    ];
    let empty = instead_of_rows(state, &state.pools, none);
    Table {
        columns: columns(
            &["POOL", "PORTS", "FREE", "WAITING", "WHO, SINCE WHEN"],
            &[3],
        ),
        cuttable: 1,
        summary: words::count(chosen.len(), "pool"),
        rows: chosen
            .iter()
            .flat_map(|pool| rows(pool, state.now))
            .collect(),
        empty,
    }
}

/// How many there are, where that is known.
pub fn count(state: &State) -> Option<usize> {
    state.pools.get().map(Vec::len)
}

/// The row of a pool, and those of the jobs that have something of it.
fn rows(pool: &PoolView, now: Timestamp) -> Vec<Row> {
    let waiting = match pool.waiting {
        0 => String::new(),
        n => n.to_string(),
    };
    let free = if pool.free == 0 {
        Tone::Warn
    } else {
        Tone::Plain
    };
    let mut rows = vec![Row {
        id: Some(RowId::Pool(pool.name.clone())),
        cells: vec![
            cell(escape(&pool.name)).tone(Tone::Strong),
            cell(pool.ports.to_string()).tone(Tone::Spot),
            cell(format!("{} of {}", pool.free, pool.size)).tone(free),
            cell(waiting),
            cell(escape(&pool.warnings.join("; "))).tone(Tone::Warn),
        ],
    }];
    let mut jobs: BTreeMap<(&str, Option<u32>), Vec<&ReservationView>> = BTreeMap::new();
    for view in &pool.drawn {
        let job = view.job_id.as_deref().unwrap_or_default();
        jobs.entry((job, view.pid)).or_default().push(view);
    }
    let mut jobs: Vec<_> = jobs.into_iter().collect();
    jobs.sort_by_key(|(_, views)| views.iter().map(|view| view.port).min());
    for ((job, pid), views) in jobs {
        rows.push(drawn(pool, job, pid, &views, now));
    }
    rows
}

fn drawn(
    pool: &PoolView,
    job: &str,
    pid: Option<u32>,
    views: &[&ReservationView],
    now: Timestamp,
) -> Row {
    let ports: Vec<Port> = views.iter().map(|view| view.port).collect();
    let since = views.iter().map(|view| view.created_at).min();
    let since = since.map(|since| format!(", for {}", words::span(since.age(now))));
    let first = views.first();
    let owner = first.and_then(|view| words::claimant(view));
    let owner = owner.map(|owner| format!(", {owner}"));
    let who = format!(
        "job {}{}{}",
        escape(job),
        owner.unwrap_or_default(),
        since.unwrap_or_default()
    );
    Row {
        id: Some(RowId::Drawn {
            pool: pool.name.clone(),
            job: job.to_owned(),
            pid,
            port: ports.first().copied(),
            protocol: first.map_or(Protocol::Tcp, |view| view.protocol),
        }),
        cells: vec![cell(""), cell(spans(&ports)), cell(""), cell(""), cell(who)],
    }
}
