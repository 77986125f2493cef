//! What is read of a project: a few small files, and no more of each than a limit.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ResolveError;
use crate::model::text::escape;
use crate::platform::files::open_at_once;

/// The longest file that is read.
const LIMIT: u64 = 1024 * 1024;
/// How many folders up a package.json is looked for.
pub const DEPTH: usize = 32;

/// What reads files.
pub trait Files {
    /// The text of a file; `None` where there is none that can be read.
    fn read(&self, file: &Path) -> Option<String>;
}

impl<F: Fn(&Path) -> Option<String>> Files for F {
    fn read(&self, file: &Path) -> Option<String> {
        self(file)
    }
}

/// The files of this machine. Only regular ones are read, and none that is longer than 1 MiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, file: &Path) -> Option<String> {
        let opened = open_at_once(file).ok()?;
        let about = opened.metadata().ok()?;
        if !about.is_file() || about.len() > LIMIT {
            return None;
        }
        let mut bytes = Vec::new();
        opened.take(LIMIT).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The scripts of a project.
#[derive(Clone, Debug)]
pub struct Scripts {
    /// The file that they are in.
    pub file: PathBuf,
    /// Its folder, in which they run.
    pub folder: PathBuf,
    scripts: Value,
}

impl Scripts {
    /// Those of the nearest file with this name, in this folder or above it. What is not JSON, and
    /// what has no scripts, has none.
    pub fn near(
        folder: &Path,
        name: &str,
        table: &str,
        files: &dyn Files,
    ) -> Result<Option<Scripts>, ResolveError> {
        let found = folder.ancestors().take(DEPTH).find_map(|folder| {
            let file = folder.join(name);
            files.read(&file).map(|text| (folder, file, text))
        });
        let Some((folder, file, text)) = found else {
            return Ok(None);
        };
        let text = text.trim_start_matches('\u{feff}');
        let mut whole: Value =
            serde_json::from_str(text).map_err(|error| ResolveError::Broken {
                line: error.line(),
                // At the end of the file it has none.
                column: error.column().max(1),
                why: reason(&error),
                file: file.clone(),
            })?;
        Ok(Some(Scripts {
            folder: folder.to_owned(),
            file,
            scripts: whole.get_mut(table).map(Value::take).unwrap_or_default(),
        }))
    }

    /// The text of a script.
    pub fn get(&self, name: &str) -> Option<&str> {
        let script = self.scripts.get(name)?;
        // Those of Deno may be objects with more about them.
        let script = script.get("command").unwrap_or(script);
        script.as_str().filter(|text| !text.trim().is_empty())
    }
}

/// What is wrong, without the place, which is told on its own.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    escape(text).into_owned()
}
