//! `freeport backup`: a copy of the whole database.

use std::path::Path;

use serde::Serialize;

use super::args::BackupArgs;
use super::exit::{Exit, Failure};
use super::{database, output, words};
use crate::model::text::escape;

/// The JSON of `backup` and `restore`.
#[derive(Serialize)]
struct Copied<'a> {
    file: &'a Path,
    /// How many reservations it has.
    reservations: usize,
}

pub fn run(args: &BackupArgs) -> Result<Exit, Failure> {
    let registry = database::read()?;
    database::spare(&registry, &args.file)?;
    registry
        .back_up_to(&args.file)
        .map_err(|error| database::or_of_file(error, &args.file))?;
    tell(args.json, &args.file, registry.rows().len(), "are saved in")
}

/// Tells what was copied, and where to or from.
pub fn tell(json: bool, file: &Path, count: usize, what: &str) -> Result<Exit, Failure> {
    if json {
        output::json(&Copied {
            file,
            reservations: count,
        })?;
    } else {
        let shown = file.display().to_string();
        let reservations = words::count(count, "reservation");
        let what = match count {
            1 => what.replacen("are", "is", 1),
            _ => what.to_owned(),
        };
        output::print(&format!("{reservations} {what} {}\n", escape(&shown)))?;
    }
    Ok(Exit::Done)
}
