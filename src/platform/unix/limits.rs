//! The user, and the limits that POSIX defines.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The user id that this process acts as.
pub fn user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// How many descriptors this process may have; `None` when there is no limit.
pub fn descriptor_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Raises the number of descriptors that the process may have to `most`, or to what it may have
/// at most when that is less.
pub fn raise_descriptor_limit_to(most: u64) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(most, |maximum| maximum.min(most));
    if limit.current.is_some_and(|current| current < wanted) {
        // Without it, fewer connections and processes can be looked after.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted),
                maximum: limit.maximum,
            },
        );
    }
}
