//! What an import comes to, entry by entry, and where it cannot be done because a port is meant for
//! somebody else. Pure.

use std::collections::BTreeMap;

use super::entry::Entry;
use super::read::Import;
use crate::model::reservation::{ReservationKey, Status};
use crate::model::text::escape;
use crate::model::{Port, Protocol, Reservation, Timestamp};

/// Why something in a file cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The port is reserved for something else.
    #[error("{} cannot be for {}: it is reserved for {}", port_of(.port, .protocol), shown(.wanted), shown(.holder))]
    Reserved {
        /// The port.
        port: Port,
        /// Its protocol.
        protocol: Protocol,
        /// What it is for in the file.
        wanted: Option<String>,
        /// What it is for now.
        holder: Option<String>,
    },
    /// The port is claimed by somebody else.
    #[error("{} cannot be for {}: {who} has claimed it for {}", port_of(.port, .protocol), shown(.wanted), shown(.holder))]
    Claimed {
        /// The port.
        port: Port,
        /// Its protocol.
        protocol: Protocol,
        /// What it is for in the file.
        wanted: Option<String>,
        /// What it is claimed for.
        holder: Option<String>,
        /// By whom: `node (pid 42)`.
        who: String,
    },
    /// The port is in the file twice.
    #[error("{} is in the file twice: for {} and for {}", port_of(.port, .protocol), shown(.one), shown(.other))]
    Twice {
        /// The port.
        port: Port,
        /// Its protocol.
        protocol: Protocol,
        /// What it is for in the entry that counts.
        one: Option<String>,
        /// What it is for in the other one.
        other: Option<String>,
    },
    /// The service has another port.
    #[error("port {port} cannot be for {project} {service}: that has port {has}")]
    Elsewhere {
        /// The port in the file.
        port: Port,
        /// The project.
        project: String,
        /// The service.
        service: String,
        /// The port that it has.
        has: Port,
    },
    /// There is a pool with this name that has other ports.
    #[error("the pool {name} cannot have the ports {wanted}: it has {has}")]
    Pool {
        /// Its name.
        name: String,
        /// Its ports in the file.
        wanted: String,
        /// Its ports.
        has: String,
    },
}

fn port_of(port: &Port, protocol: &Protocol) -> String {
    match protocol {
        Protocol::Tcp => format!("port {port}"),
        Protocol::Udp => format!("UDP port {port}"),
    }
}

fn shown(purpose: &Option<String>) -> String {
    purpose.as_deref().map_or_else(
        || "nothing that is named".to_owned(),
        |text| escape(text).into_owned(),
    )
}

impl Problem {
    /// The port that it is about; a pool has many.
    pub fn port(&self) -> Option<Port> {
        match self {
            Problem::Reserved { port, .. }
            | Problem::Claimed { port, .. }
            | Problem::Twice { port, .. }
            | Problem::Elsewhere { port, .. } => Some(*port),
            Problem::Pool { .. } => None,
        }
    }
}

/// What stands in the way of an import where these are the reservations; pools aside.
pub fn plan(import: &Import, rows: &BTreeMap<ReservationKey, Reservation>) -> Vec<Problem> {
    settle(import, rows).problems
}

/// What becomes of an entry that can be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Nothing is reserved there, or what is there is over.
    Take(&'a Entry),
    /// What is there becomes this.
    Update(Box<Reservation>),
    /// It is there already.
    Unchanged,
}

/// What an import comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled<'a> {
    pub(super) steps: Vec<Step<'a>>,
    pub(super) problems: Vec<Problem>,
}

type Services<'a> = BTreeMap<(&'a str, &'a str), Port>;

/// Decides for each entry of an import, where these are the reservations.
pub(super) fn settle<'a>(
    import: &'a Import,
    rows: &BTreeMap<ReservationKey, Reservation>,
) -> Settled<'a> {
    let elsewhere = services(import, rows);
    let mut settled = Settled::default();
    let mut seen: BTreeMap<ReservationKey, &Entry> = BTreeMap::new();
    for entry in &import.entries {
        if let Some(earlier) = seen.get(&entry.key) {
            // Both forms may say the same.
            if !(entry.is_plain && entry.names() == earlier.names()) {
                settled.problems.push(twice(earlier, entry));
            }
            continue;
        }
        seen.insert(entry.key, entry);
        match step(entry, rows.get(&entry.key), &elsewhere) {
            Ok(step) => settled.steps.push(step),
            Err(problem) => settled.problems.push(problem),
        }
    }
    settled
}

/// The services that have a port, by the registry or by the full form in the file, each with one.
fn services<'a>(
    import: &'a Import,
    rows: &'a BTreeMap<ReservationKey, Reservation>,
) -> Services<'a> {
    let entries = import.entries.iter().filter(|entry| !entry.is_plain);
    let of_file = entries.filter_map(|entry| named(&entry.project, &entry.service, entry.key));
    let lasting = rows.values().filter(|row| !is_over(row));
    let of_rows = lasting.filter_map(|row| named(&row.project, &row.service, row.key()));
    of_file.chain(of_rows).collect()
}

fn named<'a>(
    project: &'a Option<String>,
    service: &'a Option<String>,
    (port, protocol): ReservationKey,
) -> Option<((&'a str, &'a str), Port)> {
    let names = (project.as_deref()?, service.as_deref()?);
    (protocol == Protocol::Tcp).then_some((names, port))
}

fn step<'a>(
    entry: &'a Entry,
    existing: Option<&Reservation>,
    elsewhere: &Services<'_>,
) -> Result<Step<'a>, Problem> {
    if existing.is_some_and(|row| entry.row(row.uid, row.created_at) == *row) {
        return Ok(Step::Unchanged);
    }
    let existing = existing.filter(|row| !is_over(row));
    let Some(existing) = existing else {
        if let Some((names, _)) =
            named(&entry.project, &entry.service, entry.key).filter(|_| entry.is_plain)
            && let Some(has) = elsewhere.get(&names)
        {
            return Err(Problem::Elsewhere {
                port: entry.key.0,
                project: names.0.to_owned(),
                service: names.1.to_owned(),
                has: *has,
            });
        }
        return Ok(Step::Take(entry));
    };
    let service =
        existing.service.is_none() || entry.service.is_none() || existing.service == entry.service;
    if existing.project != entry.project || !service {
        return Err(refused(entry, existing));
    }
    let mut updated = match (&entry.token, &existing.token) {
        // What was reserved is claimed; the other way round, the claim goes on.
        (Some(_), None) => claimed(entry, existing),
        (Some(token), Some(other)) if token != other => return Err(refused(entry, existing)),
        _ => existing.clone(),
    };
    updated.service = existing.service.clone().or_else(|| entry.service.clone());
    if entry.kept && !existing.kept {
        updated.kept = true;
        if updated.token.is_none() {
            updated.lease = None;
        }
    }
    if existing.token.is_none() {
        updated.metadata = entry.metadata.clone().or(updated.metadata);
    }
    Ok(if updated == *existing {
        Step::Unchanged
    } else {
        Step::Update(Box::new(updated))
    })
}

/// A claim of what was set aside for just that.
fn claimed(entry: &Entry, existing: &Reservation) -> Reservation {
    Reservation {
        kept: entry.kept || existing.kept,
        ..entry.row(existing.uid, existing.created_at)
    }
}

/// Whether a reservation is over and leaves nothing.
fn is_over(row: &Reservation) -> bool {
    row.status == Status::Stale && !row.kept
}

fn refused(entry: &Entry, existing: &Reservation) -> Problem {
    let (port, protocol) = entry.key;
    let (wanted, holder) = (entry.purpose(), existing.purpose());
    if existing.token.is_none() {
        return Problem::Reserved {
            port,
            protocol,
            wanted,
            holder,
        };
    }
    let who = match &existing.owner {
        Some(owner) => format!("{} (pid {})", escape(&owner.name), owner.key.pid),
        None => "the user".to_owned(),
    };
    Problem::Claimed {
        port,
        protocol,
        wanted,
        holder,
        who,
    }
}

fn twice(one: &Entry, other: &Entry) -> Problem {
    Problem::Twice {
        port: one.key.0,
        protocol: one.key.1,
        one: one.purpose(),
        other: other.purpose(),
    }
}

impl Entry {
    fn names(&self) -> (Option<&str>, Option<&str>) {
        (self.project.as_deref(), self.service.as_deref())
    }

    fn purpose(&self) -> Option<String> {
        // The same words as those of what is reserved.
        self.row(0, Timestamp::of_millis(0)).purpose()
    }
}
