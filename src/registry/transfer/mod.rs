//! Taking reservations and settings along in a text file (TOML): to another machine, into a
//! repository, or through a hand that edits them.
//!
//! `export` writes all that a registry holds, the log aside; `read` reads that, and the shorter
//! form that people write by hand; `plan` compares it with what is reserved, purely; `import` makes
//! the change.
//!
//! ```toml
//! [projects.shop]
//! web = 3000
//! api = 3001
//! ```

mod entry;
mod export;
mod field;
mod import;
mod plan;
mod quote;
mod read;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

pub use export::export;
pub use import::{ImportFailure, Imported};
pub use plan::{Problem, plan};
pub use read::{Import, ImportError, parse};

/// The most bytes of a file that is read.
pub const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// Writes a text to a file that only its user can read: whole, or not at all. What is there and is
/// no file, such as a folder or a terminal, is left alone, and so is the registry.
pub fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = real.file_name().and_then(|name| name.to_str());
    if name.is_some_and(|name| name.starts_with("freeport.db")) {
        let why = "it has the name of the registry";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    super::draft::write(path, text)
}
