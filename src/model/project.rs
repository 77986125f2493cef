//! The project that a process works for.

use std::path::PathBuf;

/// The nearest folder above a process's working folder that looks like a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The name in its manifest, else the folder's name; in a linked git worktree with the
    /// worktree's name: `shop@login`.
    pub name: String,
    /// The folder.
    pub root: PathBuf,
    /// The git branch that is checked out, or the short hash of a detached head.
    pub branch: Option<String>,
    /// Whether the folder is in a linked git worktree.
    pub worktree: bool,
}

/// What a project is called in all of its working copies: `shop` of `shop@login`.
pub fn base(name: &str) -> &str {
    match name.rsplit_once('@') {
        Some((base, _)) if !base.is_empty() => base,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn working_copies_of_a_project_have_one_base() {
        for (name, expected) in [
            ("shop", "shop"),
            ("shop@login", "shop"),
            ("@team/shop", "@team/shop"),
            ("@team/shop@login", "@team/shop"),
            ("", ""),
            ("@", "@"),
        ] {
            assert_eq!(base(name), expected, "{name}");
        }
    }
}
