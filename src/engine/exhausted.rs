//! What is said to who draws from a pool and gets nothing: who has what since when, and who waits.

use std::collections::BTreeMap;

use super::draw::Scope;
use super::taken;
use crate::ipc::protocol::{ErrorCode, ErrorReply, PoolDraw};
use crate::model::pool::{Pool, Standing, Waiter, spans};
use crate::model::text::escape;
use crate::model::time::long_age;
use crate::model::{Port, Reservation, Timestamp};
use crate::registry::judge::Scene;

/// How many of those who have ports are named.
const NAMED: usize = 8;

/// A draw that comes to nothing.
pub(super) struct Told<'a> {
    pub(super) pool: &'a Pool,
    pub(super) draw: &'a PoolDraw,
    /// Who waits, and came before.
    pub(super) ahead: &'a [Waiter],
    pub(super) scope: &'a Scope,
    pub(super) now: Timestamp,
}

impl Told<'_> {
    /// So many ports can never be drawn.
    pub(super) fn never(&self) -> ErrorReply {
        let usable = |port: &Port| self.scope.standing(*port) != Standing::Never;
        let usable = self.pool.ports.iter().filter(usable).count();
        let row = if self.draw.block { " in a row" } else { "" };
        let message = format!(
            "the pool {} has {} in all that can be used ({}): it never has {}{row}",
            self.name(),
            ports(usable),
            self.pool.ports,
            ports(self.draw.count),
        );
        ErrorReply::new(ErrorCode::BadRequest, message)
            .hint("ask for fewer, or remove the pool and make it larger")
    }

    /// There are too few now, or others come first.
    pub(super) fn not_now<'r>(
        &self,
        enough: bool,
        rows: impl Iterator<Item = &'r Reservation>,
        scene: &Scene<'_>,
    ) -> ErrorReply {
        let free = |port: &Port| matches!(self.scope.standing(*port), Standing::Free(_));
        let free = self.pool.ports.iter().filter(free).count();
        let row = if self.draw.block { " in a row" } else { "" };
        let mut message = format!(
            "the pool {} has {free} of {} free, and {} wanted{row} for the job {}",
            self.name(),
            ports(self.pool.ports.size()),
            match self.draw.count {
                1 => "1 is".to_owned(),
                n => format!("{n} are"),
            },
            escape(&self.draw.job_id),
        );
        if !enough {
            let holders = self.holders(rows, scene);
            let more = holders.len().saturating_sub(NAMED);
            let mut named: Vec<String> = holders.into_iter().take(NAMED).collect();
            if more > 0 {
                named.push(format!("and {more} more"));
            }
            if !named.is_empty() {
                message.push_str(": ");
                message.push_str(&named.join("; "));
            }
        }
        if let Some(first) = self.ahead.first() {
            let jobs = match self.ahead.len() {
                1 => "1 job waits before this one".to_owned(),
                n => format!("{n} jobs wait before this one, first"),
            };
            message.push_str(&format!(
                "; {jobs}: {}, for {}, for {} so far",
                escape(&first.job_id),
                ports(first.count),
                long_age(first.since.age(self.now)),
            ));
        }
        ErrorReply::new(ErrorCode::Exhausted, message).hint(
            "wait for them with --wait 60s, or give back what a job has: 'freeport release --job-id ID'",
        )
    }

    fn name(&self) -> String {
        escape(&self.pool.name).into_owned()
    }

    /// Who has which ports of the pool, by the first of them.
    fn holders<'r>(
        &self,
        rows: impl Iterator<Item = &'r Reservation>,
        scene: &Scene<'_>,
    ) -> Vec<String> {
        let mut held: BTreeMap<Who, (Vec<Port>, Option<Timestamp>)> = BTreeMap::new();
        let mut known: Vec<Port> = Vec::new();
        let here = |row: &&Reservation| {
            self.pool.ports.contains(row.port) && !self.scope.is_over(row.key())
        };
        for row in rows.filter(here) {
            let (ports, since) = held.entry(who(row)).or_default();
            ports.push(row.port);
            known.push(row.port);
            *since = Some(since.map_or(row.created_at, |since| since.min(row.created_at)));
        }
        for listener in &scene.snapshot.listeners {
            if self.pool.ports.contains(listener.port) && !known.contains(&listener.port) {
                known.push(listener.port);
                let who = Who(format!("{} listens", taken::holder(listener)));
                held.entry(who).or_default().0.push(listener.port);
            }
        }
        let bound = |port: &Port| self.scope.bound.contains(*port);
        let bound: Vec<Port> = self.pool.ports.iter().filter(bound).collect();
        if !bound.is_empty() {
            let who = Who("a program that does not listen has it bound".to_owned());
            held.entry(who).or_default().0.extend(bound);
        }
        let mut told: Vec<(Port, String)> = Vec::new();
        for (Who(who), (mut ports, since)) in held {
            ports.sort_unstable();
            ports.dedup();
            let since = since.map(|since| format!(", for {}", long_age(since.age(self.now))));
            let Some(&first) = ports.first() else {
                continue;
            };
            told.push((
                first,
                format!("{}: {who}{}", spans(&ports), since.unwrap_or_default()),
            ));
        }
        told.sort_by_key(|(first, _)| *first);
        told.into_iter().map(|(_, text)| text).collect()
    }
}

/// Somebody who has ports, for a person.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Who(String);

fn who(row: &Reservation) -> Who {
    let owner = row.owner.as_ref();
    let owner = owner.map(|owner| format!("{} (pid {})", escape(&owner.name), owner.key.pid));
    let purpose = row.purpose().map(|purpose| escape(&purpose).into_owned());
    Who(match (&row.drawn, owner, purpose) {
        (Some(drawn), Some(owner), _) => format!("job {}, {owner}", escape(&drawn.job_id)),
        (Some(drawn), None, _) => format!("job {}", escape(&drawn.job_id)),
        (None, Some(owner), _) => format!("claimed by {owner}"),
        (None, None, Some(purpose)) => format!("reserved for {purpose}"),
        (None, None, None) => "reserved".to_owned(),
    })
}

fn ports(count: usize) -> String {
    match count {
        1 => "1 port".to_owned(),
        n => format!("{n} ports"),
    }
}
