//! Where things are kept, by the XDG base directory specification.

use std::env;
use std::path::PathBuf;

/// `$FREEPORT_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/freeport`, else a folder of this user under the
/// temporary folder.
pub fn runtime_dir() -> PathBuf {
    own("FREEPORT_RUNTIME_DIR")
        .or_else(|| Some(absolute("XDG_RUNTIME_DIR")?.join("freeport")))
        .unwrap_or_else(|| env::temp_dir().join(format!("freeport-{}", super::limits::user_id())))
}

/// `$FREEPORT_DATA_DIR`, else `$XDG_DATA_HOME/freeport`, else `~/.local/share/freeport`.
pub fn data_dir() -> Option<PathBuf> {
    own("FREEPORT_DATA_DIR")
        .or_else(|| Some(base("XDG_DATA_HOME", ".local/share")?.join("freeport")))
}

/// `$XDG_CONFIG_HOME`, else `~/.config`.
pub fn config_home() -> Option<PathBuf> {
    base("XDG_CONFIG_HOME", ".config")
}

/// The user's home folder.
pub fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| home.is_absolute())
}

/// Whether a desktop is there to show a tray on.
pub fn in_desktop_session() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn base(variable: &str, below_home: &str) -> Option<PathBuf> {
    absolute(variable).or_else(|| Some(home()?.join(below_home)))
}

/// A folder that is set for Freeport itself; a relative one counts from the working folder.
fn own(variable: &str) -> Option<PathBuf> {
    let value = env::var_os(variable).filter(|value| !value.is_empty())?;
    std::path::absolute(value).ok()
}

/// The specification says to ignore relative paths.
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}
