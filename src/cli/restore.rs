//! `freeport restore`: the content of a backup in the place of what there is.

use super::args::RestoreArgs;
use super::exit::{Exit, Failure};
use super::{backup, database, output};
use crate::model::text::escape;
use crate::registry::open_sound;

pub fn run(args: &RestoreArgs) -> Result<Exit, Failure> {
    let place = database::place()?;
    let clock = database::clock();
    // What is damaged is no reason not to restore.
    let (mut registry, repair) = open_sound(&place, database::PATIENCE, clock.now)?;
    if let Some(repair) = repair {
        let aside = repair.set_aside.display().to_string();
        output::warn(&format!(
            "the database was damaged, and is set aside: {}",
            escape(&aside)
        ))?;
    }
    let count = registry
        .restore_from(&args.file, &clock, &database::asker())
        .map_err(|error| database::or_of_file(error, &args.file))?;
    database::tell_app();
    backup::tell(args.json, &args.file, count, "are restored from")?;
    if !args.json {
        let before = place.backups().display().to_string();
        output::note(&format!("what there was is kept in {}", escape(&before)))?;
    }
    Ok(Exit::Done)
}
