//! What is known of a command before it is started: its project, its service, how it takes its port.

use std::ffi::OsString;
use std::path::Path;

use super::manifest::{self, ManifestError, Service};
use super::options::Options;
use super::plan::Known;
use super::resolve::{self, Disk, PlaceholderError, ResolveError, Resolved, Telling};
use super::told::{RunError, Voice, status};
use super::variables::{self, Named, VariableError};
use crate::model::Port;
use crate::model::project::base;
use crate::model::reservation::check_name;
use crate::platform::project;

/// A variable that is set for the command, or removed.
pub type Change = (OsString, Option<OsString>);

/// What is known of a command.
#[derive(Debug)]
pub struct Knowledge {
    /// The project that it is of.
    pub project: Option<String>,
    /// The services that the project describes; `None` where it has no file that does.
    pub described: Option<Vec<Service>>,
    /// What the command says of itself.
    pub known: Known,
    /// Whether it becomes another user.
    pub gains_rights: bool,
    resolved: Resolved,
}

impl Knowledge {
    /// Finds out about a command that is started in the current folder.
    pub fn of(options: &Options, voice: Voice) -> Result<Knowledge, RunError> {
        let folder = std::env::current_dir().unwrap_or_default();
        let manifest = manifest::find(&folder)?;
        let resolved = resolve::resolve(&options.command, &folder, &Disk)?;
        for note in &resolved.notes {
            voice.note(&note.to_string());
        }
        let named = manifest
            .as_ref()
            .and_then(|manifest| manifest.project.clone());
        let project = options
            .project
            .clone()
            .or_else(|| project_of(&folder, named));
        Ok(Knowledge {
            project,
            described: manifest.map(|manifest| manifest.services),
            known: Known {
                service: resolved.service.clone(),
                named: resolved.named,
                default: resolved.default_port(),
            },
            gains_rights: resolved.gains_rights,
            resolved,
        })
    }

    /// The command with its arguments, told its ports.
    pub fn arguments(&self, ports: &[Named]) -> Result<Vec<OsString>, RunError> {
        Ok(self.resolved.arguments(ports)?)
    }

    /// What is different in the environment of the command.
    pub fn variables(&self, ports: &[Named]) -> Result<Vec<Change>, RunError> {
        let mut all = variables::variables(ports)?;
        if let Some((port, _)) = variables::first(ports) {
            all.extend(self.resolved.variables(port));
        }
        let set = |(name, value): (String, String)| (name.into(), Some(value.into()));
        Ok(all.into_iter().map(set).collect())
    }

    /// The port that the command asks for whatever it is told, where that is known.
    pub fn fixed(&self) -> Option<Port> {
        match self.resolved.telling {
            Telling::NamedInScript => self.resolved.named,
            Telling::OutOfReach => self.resolved.named.or(self.resolved.default_port()),
            Telling::Placeholder
            | Telling::Words
            | Telling::Variable
            | Telling::PerhapsVariable => None,
        }
    }
}

/// The project of a folder, by the name that its own file gives it. Working copies of it have names
/// of their own all the same.
pub fn project_of(folder: &Path, named: Option<String>) -> Option<String> {
    let found = project::of(folder);
    let copy = found
        .as_ref()
        .filter(|found| found.worktree)
        .and_then(|found| {
            let copy = found.name.strip_prefix(base(&found.name))?;
            (!copy.is_empty()).then(|| copy.to_owned())
        });
    let name = match (named, copy) {
        (Some(named), Some(copy)) => Some(named + &copy),
        (named, _) => named.or(found.map(|found| found.name)),
    };
    // A manifest may call it anything.
    name.filter(|name| check_name(name).is_ok())
}

fn usage(error: &dyn std::error::Error) -> RunError {
    RunError::new(status::USAGE, error.to_string())
}

impl From<ManifestError> for RunError {
    fn from(error: ManifestError) -> RunError {
        usage(&error)
    }
}

impl From<ResolveError> for RunError {
    fn from(error: ResolveError) -> RunError {
        usage(&error)
    }
}

impl From<PlaceholderError> for RunError {
    fn from(error: PlaceholderError) -> RunError {
        usage(&error)
    }
}

impl From<VariableError> for RunError {
    fn from(error: VariableError) -> RunError {
        usage(&error)
    }
}
