//! `freeport env`: the ports of a project, for shells and other programs.

use super::args::{EnvArgs, FormatArg};
use super::exit::{Exit, Failure};
use super::{output, query};
use crate::ipc::Ask;
use crate::ipc::protocol::{Query, Request};
use crate::ipc::view::ReservationView;
use crate::model::reservation::Status;
use crate::model::text::escape;
use crate::run::variables::{self, Format, Named};
use crate::run::{known, manifest};

pub fn run(args: &EnvArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let (project, order) = project(args)?;
    let query = Query {
        project: Some(project.clone()),
        ..Query::default()
    };
    let reply = query::reservations(Request::Query(query), asked)?;
    let ports = named(reply.reservations, &order);
    if ports.is_empty() {
        let message = format!("the project {} has no ports now", escape(&project));
        return Err(Failure::text(Exit::Nothing, &message)
            .hint("'freeport run' and 'freeport reserve' give it some"));
    }
    let told = variables::variables(&ports).map_err(|error| Failure::new(Exit::Usage, &error))?;
    let format = match args.format {
        FormatArg::Sh => Format::Sh,
        FormatArg::Dotenv => Format::Dotenv,
        FormatArg::Json => Format::Json,
        FormatArg::Direnv => Format::Direnv,
    };
    output::print(&variables::render(&told, format))?;
    Ok(Exit::Done)
}

/// The project that is meant, and its services in the order in which it names them.
fn project(args: &EnvArgs) -> Result<(String, Vec<String>), Failure> {
    let folder = std::env::current_dir()?;
    let manifest = manifest::find(&folder).map_err(|error| Failure::new(Exit::Usage, &error))?;
    let (named, services) = manifest.map_or((None, Vec::new()), |manifest| {
        (manifest.project, manifest.services)
    });
    let project = args.project.clone();
    let project = project
        .or_else(|| known::project_of(&folder, named))
        .ok_or_else(|| Failure::text(Exit::Usage, "this folder belongs to no project: name one"))?;
    let names = services.into_iter().map(|service| service.name);
    Ok((project, names.collect()))
}

/// The ports with their services, first those that the project names, then by port. Of several of
/// one service the one in use, the newest, so that every shell says the same.
fn named(mut rows: Vec<ReservationView>, order: &[String]) -> Vec<Named> {
    rows.retain(|row| row.status != Status::Stale);
    let place = |row: &ReservationView| {
        let at = order
            .iter()
            .position(|name| Some(name) == row.service.as_ref());
        at.unwrap_or(order.len())
    };
    let rank = |row: &ReservationView| match row.status {
        Status::Active => 0,
        Status::Claimed => 1,
        Status::Reserved | Status::Stale => 2,
    };
    rows.sort_by_key(|row| (rank(row), std::cmp::Reverse(row.created_at)));
    let mut seen = std::collections::HashSet::new();
    rows.retain(|row| row.service.is_none() || seen.insert(row.service.clone()));
    rows.sort_by_key(|row| (place(row), row.port));
    let named = |row: ReservationView| (row.service, row.port, row.protocol);
    rows.into_iter().map(named).collect()
}
