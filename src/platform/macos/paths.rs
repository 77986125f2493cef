//! Where things are kept, by Apple's File System Programming Guide.

use std::env;
use std::path::PathBuf;

use super::kernel;

/// `$FREEPORT_DATA_DIR`, else `~/Library/Application Support/Freeport`.
pub fn data_dir() -> Option<PathBuf> {
    absolute("FREEPORT_DATA_DIR")
        .or_else(|| Some(home()?.join("Library/Application Support/Freeport")))
}

/// `$FREEPORT_RUNTIME_DIR`, else `freeport` in the user's own folder below `/var/folders`, else a
/// folder of this user under the temporary folder.
///
/// Not `$TMPDIR`: macOS removes files there that nobody opened for three days, the lock among them,
/// and shells and build tools that change it would not find the app.
pub fn runtime_dir() -> PathBuf {
    absolute("FREEPORT_RUNTIME_DIR")
        .or_else(|| Some(kernel::user_folder()?.join("freeport")))
        .unwrap_or_else(|| env::temp_dir().join(format!("freeport-{}", super::limits::user_id())))
}

/// The user's home folder.
pub fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| home.is_absolute())
}

/// Whether a desktop is there to show a tray on: not for who comes from afar, and not in a session
/// that has no screen, as a daemon's.
pub fn in_desktop_session() -> bool {
    let from_here = ["SSH_CONNECTION", "SSH_TTY"]
        .iter()
        .all(|name| env::var_os(name).is_none_or(|value| value.is_empty()));
    from_here && kernel::has_graphics().unwrap_or(true)
}

fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}
