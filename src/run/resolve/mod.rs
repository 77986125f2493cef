//! Which framework a command starts, looked for through launchers and scripts, and the command as it
//! has to be for a given port.
//!
//! Pure, but for the files that [`Files`] reads. Nothing is started, and nothing that a shell would
//! fill in is guessed.

mod files;
mod launchers;
mod layers;
mod manager_table;
mod managers;
mod options;
mod placeholder;
mod runtimes;
mod shell;
mod tell;
mod walk;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use files::{Disk, Files};
pub use placeholder::PlaceholderError;

use super::framework::Framework;
use super::variables::{Named, first};
use crate::model::text::escape;
use crate::model::{Port, reservation};
use layers::Layers;
use tell::Target;

/// What is known of a command.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The framework that it starts, as far as that can be seen.
    pub framework: Option<&'static Framework>,
    /// What the service is called where nobody says: the script's name, else the framework's, else
    /// the program's.
    pub service: String,
    /// The port that the command names itself, in its arguments or in a script.
    pub named: Option<Port>,
    /// How it is told another one.
    pub telling: Telling,
    /// Whether `sudo` or its like can be seen in it.
    pub gains_rights: bool,
    /// Whether it runs Freeport itself, which then does all this on its own.
    pub is_nested: bool,
    /// What could not be followed.
    pub notes: Vec<Note>,
    layers: Layers,
    target: Option<Target>,
}

/// How a command is told its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Its arguments say where, with `{port}`.
    Placeholder,
    /// It is written into the command.
    Words,
    /// By a variable that the framework looks at, or that a script uses.
    Variable,
    /// By the variable `PORT`; whether the program looks at it is not known.
    PerhapsVariable,
    /// It cannot be: a script names its port.
    NamedInScript,
    /// It cannot be: the framework looks at no variable, and nothing can be added to its command.
    OutOfReach,
}

/// Something that could not be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A script that leads back to itself.
    Loop {
        /// The script.
        script: String,
        /// The file that it is in.
        file: PathBuf,
    },
    /// Scripts of other packages of a workspace.
    Workspace {
        /// The option or the command that leads there.
        word: String,
    },
    /// Several servers, of which one at most is told its port as its framework wants it.
    Several {
        /// The one that is, or would be.
        told: &'static str,
        /// Another one.
        other: &'static str,
    },
    /// Scripts within scripts, too many to follow.
    TooDeep,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Note::Loop { script, file } => write!(
                f,
                "the script '{}' in {} runs itself",
                escape(script),
                escape(&file.to_string_lossy())
            ),
            Note::Workspace { word } => write!(
                f,
                "scripts of other packages ('{}') are not looked into: start it in the package's folder, or say the port with {{port}}",
                escape(word)
            ),
            Note::Several { told, other } => write!(
                f,
                "the command starts {told} and {other}: wrap them one by one, for a port each"
            ),
            Note::TooDeep => write!(f, "the scripts call each other too deeply to be followed"),
        }
    }
}

/// Why a command cannot be looked into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A file that it needs cannot be read.
    #[error("{}:{line}:{column}: {why}", escape(&file.to_string_lossy()))]
    Broken {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        why: String,
    },
}

/// Looks into a command that is started in this folder.
pub fn resolve(
    command: &[OsString],
    folder: &Path,
    files: &dyn Files,
) -> Result<Resolved, ResolveError> {
    let mut layers = Layers::new(command);
    let seen = walk::walk(&mut layers, folder, files)?;
    let (target, other) = tell::choose(seen.found);
    let mut notes = seen.notes;
    let framework = target.as_ref().and_then(|target| target.framework);
    if let (Some(framework), Some(other)) = (framework, other) {
        notes.push(Note::Several {
            told: framework.name,
            other: other.name,
        });
    }
    let named = target.as_ref().and_then(Target::named);
    let telling = match &target {
        _ if placeholder::is_in(command) => Telling::Placeholder,
        Some(target) => target.telling(),
        None => Telling::PerhapsVariable,
    };
    let service = [seen.script.as_deref(), framework.map(|f| f.name)]
        .into_iter()
        .flatten()
        .chain([seen.program.as_str(), "app"])
        .find(|name| reservation::check_name(name).is_ok())
        .unwrap_or("app");
    Ok(Resolved {
        framework,
        service: service.to_owned(),
        named,
        telling,
        gains_rights: seen.gains_rights,
        is_nested: seen.is_nested,
        notes,
        layers,
        target,
    })
}

impl Resolved {
    /// The port that the framework takes by itself.
    pub fn default_port(&self) -> Option<Port> {
        self.framework.and_then(Framework::port)
    }

    /// The command with its arguments, told its ports. The first one of TCP is the framework's.
    pub fn arguments(&self, ports: &[Named]) -> Result<Vec<OsString>, PlaceholderError> {
        let changes = match (&self.target, first(ports)) {
            (Some(target), Some((port, _))) => target.changes(port, self.telling),
            _ => Vec::new(),
        };
        placeholder::fill(self.layers.with(changes), ports)
    }

    /// The framework's own variables, beside those that every command gets.
    pub fn variables(&self, port: Port) -> Vec<(String, String)> {
        self.framework
            .map(|framework| framework.variables_for(port))
            .unwrap_or_default()
    }
}
