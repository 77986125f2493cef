//! `freeport import`: what a text says that is to be reserved.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;

use super::args::ImportArgs;
use super::exit::{Exit, Failure};
use super::{database, output, words};
use crate::model::reservation::ReservationKey;
use crate::model::text::escape;
use crate::model::{Port, Reservation};
use crate::registry::Registry;
use crate::registry::transfer::{
    self, FILE_LIMIT, Import, ImportFailure, Imported, Problem, parse,
};

/// The JSON of `import`.
#[derive(Serialize)]
struct Brought {
    dry_run: bool,
    /// How many reservations the file has.
    reservations: usize,
    /// How many are new; null for a dry run, as all that follow.
    added: Option<usize>,
    updated: Option<usize>,
    unchanged: Option<usize>,
    /// How many were left out because their process has ended.
    ended: Option<usize>,
    /// How many settings have changed.
    settings: Option<usize>,
    /// How many ports of services are remembered that were not before.
    remembered: Option<usize>,
    /// How many pools are new.
    pools: Option<usize>,
    skipped: Vec<Skipped>,
}

/// What cannot be taken over.
#[derive(Serialize)]
struct Skipped {
    port: Option<Port>,
    why: String,
}

pub fn run(args: &ImportArgs) -> Result<Exit, Failure> {
    let text = read(&args.file)?;
    let import = parse(&text).map_err(|error| {
        let message = format!(
            "{} cannot be imported: {error}",
            database::named(&args.file)
        );
        Failure::text(Exit::Failed, &message)
            .hint("nothing was changed; 'freeport export' shows the form")
    })?;
    let (place, clock) = (database::place()?, database::clock());
    if args.dry_run {
        let registry = Registry::open_to_read(&place, database::PATIENCE)?;
        let none = BTreeMap::new();
        let rows = registry.as_ref().map_or(&none, Registry::rows);
        return try_out(args, import, rows, clock.boot);
    }
    let mut registry = Registry::open(&place, database::PATIENCE)?;
    let (reservations, empty) = (import.reservations(), import.is_empty());
    let imported = registry.import(import, args.skip_conflicts, &clock, &database::asker());
    let imported = imported.map_err(refused)?;
    database::tell_app();
    if args.json {
        output::json(&Brought::of(reservations, &imported))?;
        return Ok(Exit::Done);
    }
    warn(&imported.skipped)?;
    output::print(&told(&imported, empty))?;
    Ok(Exit::Done)
}

/// Says what would be in the way.
fn try_out(
    args: &ImportArgs,
    mut import: Import,
    rows: &BTreeMap<ReservationKey, Reservation>,
    boot: &str,
) -> Result<Exit, Failure> {
    let reservations = import.reservations();
    let ended = import.leave_out_ended(boot);
    let problems = transfer::plan(&import, rows);
    let refused = !problems.is_empty() && !args.skip_conflicts;
    if args.json {
        output::json(&Brought {
            dry_run: true,
            reservations,
            added: None,
            updated: None,
            unchanged: None,
            ended: Some(ended),
            settings: None,
            remembered: None,
            pools: None,
            skipped: problems.iter().map(Skipped::of).collect(),
        })?;
        return Ok(if refused { Exit::Conflict } else { Exit::Done });
    }
    if refused {
        return Err(self::refused(ImportFailure::Conflicts(problems)));
    }
    warn(&problems)?;
    let can = import.reservations().saturating_sub(problems.len());
    output::print(&format!(
        "{} of {} can be taken over; nothing was changed\n",
        can,
        words::count(reservations, "reservation")
    ))?;
    Ok(Exit::Done)
}

fn told(imported: &Imported, empty: bool) -> String {
    let parts = [
        (imported.added, "reservation", " added"),
        (imported.updated, "reservation", " updated"),
        (imported.settings, "setting", " changed"),
        (imported.remembered, "earlier port", " remembered"),
        (imported.pools, "pool", " added"),
        (imported.unchanged, "reservation", " there already"),
        (
            imported.ended,
            "claim",
            " left out, as its process has ended",
        ),
        (imported.skipped.len(), "entry", " skipped"),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, done)| format!("{}{done}", words::count(count, what)))
        .collect();
    match (told.is_empty(), empty) {
        (true, true) => "there is nothing in the file\n".to_owned(),
        (true, false) => "all that is in the file is there already\n".to_owned(),
        (false, _) => format!("{}\n", told.join(", ")),
    }
}

fn refused(failure: ImportFailure) -> Failure {
    match failure {
        ImportFailure::Registry(error) => error.into(),
        ImportFailure::TooMany(_) => {
            Failure::new(Exit::Conflict, &failure).hint("release some: 'freeport query' lists them")
        }
        ImportFailure::Conflicts(ref problems) => {
            // Where stderr is closed, the exit status tells.
            let _ = warn(problems);
            Failure::new(Exit::Conflict, &failure).hint(
                "nothing was changed: correct the file, release what is in the way, or use --skip-conflicts",
            )
        }
    }
}

fn warn(problems: &[Problem]) -> io::Result<()> {
    problems
        .iter()
        .try_for_each(|problem| output::warn(&escape(&problem.to_string())))
}

/// The text of a file, or of the standard input.
fn read(file: &Path) -> Result<String, Failure> {
    let most = FILE_LIMIT as u64 + 1;
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|opened| opened.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| database::cannot("read", file, &error))?;
    String::from_utf8(bytes).map_err(|_| {
        let message = format!(
            "{} cannot be imported: it is not text",
            database::named(file)
        );
        Failure::text(Exit::Failed, &message).hint("for a backup, use 'freeport restore FILE'")
    })
}

impl Brought {
    fn of(reservations: usize, imported: &Imported) -> Brought {
        Brought {
            dry_run: false,
            reservations,
            added: Some(imported.added),
            updated: Some(imported.updated),
            unchanged: Some(imported.unchanged),
            ended: Some(imported.ended),
            settings: Some(imported.settings),
            remembered: Some(imported.remembered),
            pools: Some(imported.pools),
            skipped: imported.skipped.iter().map(Skipped::of).collect(),
        }
    }
}

impl Skipped {
    fn of(problem: &Problem) -> Skipped {
        Skipped {
            port: problem.port(),
            why: problem.to_string(),
        }
    }
}
