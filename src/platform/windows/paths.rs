//! Where things are kept, by Microsoft's guidelines, and the limits that std or the manuals tell.

use std::env;
use std::path::PathBuf;

use crate::model::Port;

/// The longest path that a socket can have (afunix.h: 108 bytes with the closing zero).
pub const SOCKET_PATH_LIMIT: usize = 107;

/// Stands for the user of this process. Windows has no numbers for users, and 0 means root.
const USER: u32 = 1;

/// `$FREEPORT_DATA_DIR`, else `Freeport` in the folder for local data of programs.
pub fn data_dir() -> Option<PathBuf> {
    absolute("FREEPORT_DATA_DIR").or_else(|| Some(absolute("LOCALAPPDATA")?.join("Freeport")))
}

/// `$FREEPORT_RUNTIME_DIR`, else `freeport` in the folder for temporary files, which is the user's.
pub fn runtime_dir() -> PathBuf {
    absolute("FREEPORT_RUNTIME_DIR").unwrap_or_else(|| env::temp_dir().join("freeport"))
}

/// The user's home folder.
pub fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| home.is_absolute())
}

/// Whether a desktop is there to show a tray on: there is no tray to be shown.
pub fn in_desktop_session() -> bool {
    false
}

/// The user that this process acts as.
pub fn user_id() -> u32 {
    USER
}

/// How many descriptors this process may have: Windows has no limit of that kind.
pub fn descriptor_limit() -> Option<u64> {
    None
}

/// Nothing, as there is no such limit.
pub fn raise_descriptor_limit() {}

/// Has the threads share what they allocate from: they do.
pub fn share_memory() {}

/// The first and last port that the system gives to sockets that do not ask for one: the default
/// since Windows Vista. What `netsh` has set is not asked yet.
pub fn ephemeral_ports() -> (Port, Port) {
    const DEFAULT: (Port, Port) = match (Port::new(49152), Port::new(65535)) {
        (Some(first), Some(last)) => (first, last),
        _ => panic!("both are ports"),
    };
    DEFAULT
}

/// The first port that a program may listen on without a right of its own: any.
pub fn first_unprivileged_port() -> u16 {
    0
}

fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}
