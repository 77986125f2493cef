//! The command: where its program is, and how it is started.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::told::{RunError, status};
use crate::model::text::escape;
use crate::platform::is_executable;
use crate::platform::started::SpawnError;

/// Where programs are looked for when PATH is not set, as shells do it.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin";

/// The file of a program: as it is named with a slash, else the first in PATH that can be executed.
pub fn find(program: &OsStr) -> Result<PathBuf, RunError> {
    let as_named = Path::new(program);
    if program.as_encoded_bytes().contains(&b'/') {
        return match kind(as_named) {
            Kind::Program => Ok(as_named.to_owned()),
            Kind::Other(why) => Err(not_executable(program, why)),
            Kind::Hidden => Err(not_executable(program, NO_RIGHT)),
            Kind::Folder => Err(not_executable(program, "it is a folder")),
            Kind::Nothing => Err(not_found(program)),
        };
    }
    if program.is_empty() {
        return Err(not_found(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL.into());
    let mut other = None;
    for folder in std::env::split_paths(&path) {
        // An empty entry is the folder that this runs in.
        let file = Path::new(".").join(folder).join(program);
        match kind(&file) {
            Kind::Program => return Ok(file),
            Kind::Other(why) => other = other.or(Some(why)),
            Kind::Folder | Kind::Hidden | Kind::Nothing => {}
        }
    }
    Err(match other {
        Some(why) => not_executable(program, why),
        None => not_found(program),
    })
}

const NO_RIGHT: &str = "you have no right to";

enum Kind {
    Program,
    Other(&'static str),
    Folder,
    /// In a folder that may not be looked into.
    Hidden,
    Nothing,
}

fn kind(file: &Path) -> Kind {
    match std::fs::metadata(file) {
        Ok(found) if found.is_dir() => Kind::Folder,
        Ok(_) if is_executable(file) => Kind::Program,
        Ok(_) => Kind::Other(NO_RIGHT),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Kind::Hidden,
        Err(_) => Kind::Nothing,
    }
}

fn not_found(program: &OsStr) -> RunError {
    RunError::new(
        status::NOT_FOUND,
        format!("there is no command '{}'", shown(program)),
    )
}

fn not_executable(program: &OsStr, why: &str) -> RunError {
    RunError::new(
        status::NOT_EXECUTABLE,
        format!("'{}' cannot be executed: {why}", shown(program)),
    )
}

/// The error of a program that was found and could not be started.
pub fn failed(program: &OsString, error: &SpawnError) -> RunError {
    match error {
        SpawnError::NotFound(_) => not_found(program),
        SpawnError::NotExecutable(why) => not_executable(program, &why.to_string()),
        SpawnError::Failed(why) => RunError::new(
            status::FAILED,
            format!("'{}' cannot be started: {why}", shown(program)),
        ),
    }
}

fn shown(program: &OsStr) -> String {
    escape(&program.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_shells_find_them() {
        let sh = find(OsStr::new("sh")).unwrap();
        assert!(sh.ends_with("sh") && sh.is_file());
        assert_eq!(find(OsStr::new("/bin/sh")).unwrap(), Path::new("/bin/sh"));
        for (program, status) in [
            ("no-such-program", status::NOT_FOUND),
            ("/no/such/program", status::NOT_FOUND),
            ("./Cargo.toml", status::NOT_EXECUTABLE),
            ("/", status::NOT_EXECUTABLE),
            ("", status::NOT_FOUND),
        ] {
            let error = find(OsStr::new(program)).unwrap_err();
            assert_eq!(error.status, status, "{program}: {error}");
        }
    }
}
