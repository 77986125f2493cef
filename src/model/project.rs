//! The project that a process works for.

use std::path::PathBuf;

/// The nearest folder above a process's working folder that looks like a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The name in its manifest, else the folder's name.
    pub name: String,
    /// The folder.
    pub root: PathBuf,
    /// The git branch that is checked out, or the short hash of a detached head.
    pub branch: Option<String>,
    /// Whether the folder is in a linked git worktree.
    pub worktree: bool,
}
