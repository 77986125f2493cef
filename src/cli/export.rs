//! `freeport export`: what is reserved as a text, which people can read and write.

use std::path::Path;

use super::args::ExportArgs;
use super::exit::{Exit, Failure};
use super::{database, output, words};
use crate::model::text::escape;
use crate::registry::transfer;

pub fn run(args: &ExportArgs) -> Result<Exit, Failure> {
    let registry = database::read()?;
    let text = transfer::export(&registry)?;
    if args.file == Path::new("-") {
        output::print_raw(&text)?;
        return Ok(Exit::Done);
    }
    database::spare(&registry, &args.file)?;
    transfer::write_atomically(&args.file, &text)
        .map_err(|error| database::cannot("write", &args.file, &error))?;
    let count = words::count(registry.rows().len(), "reservation");
    let file = args.file.display().to_string();
    output::print(&format!("{count} written to {}\n", escape(&file)))?;
    Ok(Exit::Done)
}
