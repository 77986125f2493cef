//! What a run has started and lost sight of: processes whose parent has ended belong to launchd on
//! macOS, and to nobody else. They are known by the mark in the environment that each run gives to
//! its command: the identity of its guard, which no other value is equal to.
//!
//! The environment of most programs that came with the system cannot be read (`cs_restricted` in
//! xnu's kern_sysctl.c), so that a shell that is left over is not found; what it has started is, once
//! it has ended.

use std::sync::{Mutex, PoisonError};

use super::facts::{self, identity};
use super::{holders, kernel};
use crate::model::ProcessKey;
use crate::platform::macos_formats::arguments::environment_has;

/// The process that adopts what others leave.
const LAUNCHD: u32 = 1;

/// Guards for whose strays this process stands in when they are gone.
static WARDS: Mutex<Vec<ProcessKey>> = Mutex::new(Vec::new());

/// From now on, the strays of the children of this process count as its own, too.
pub(super) fn stand_in_for_children() {
    let children = holders::children(std::process::id());
    let keys = children.into_iter().filter_map(identity);
    let mut wards = WARDS.lock().unwrap_or_else(PoisonError::into_inner);
    wards.extend(keys);
}

/// The pids of what these processes have started and lost sight of.
pub(super) fn of(guard: ProcessKey) -> Vec<u32> {
    let mut guards = vec![guard];
    if guard.pid == std::process::id() {
        let wards = WARDS.lock().unwrap_or_else(PoisonError::into_inner);
        guards.extend(wards.iter());
    }
    let marks: Vec<String> = guards.iter().map(ProcessKey::to_string).collect();
    let orphans = holders::children(LAUNCHD).into_iter();
    orphans
        .filter(|&pid| {
            // Most belong to launchd since before there was a guard, and are not read.
            let started = holders::bsd_info(pid).map(|info| facts::key(&info).start);
            started.is_some_and(|at| guards.iter().any(|guard| at >= guard.start))
        })
        .filter(|&pid| {
            let bytes = kernel::process_arguments(pid).unwrap_or_default();
            let is_marked = |mark: &String| environment_has(&bytes, mark.as_bytes());
            marks.iter().any(is_marked)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::platform::{ProcessHandle, Signal, descendants};

    /// Ends it when the test is over.
    struct Ended(ProcessKey);
    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = ProcessHandle::open(self.0).map(|handle| handle.signal(Signal::Kill));
        }
    }

    /// A program of the system's would not show its environment, so this test is the program.
    #[test]
    fn what_has_lost_its_parent_is_found() {
        if std::env::var_os("FREEPORT_TEST_STRAY").is_some() {
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        let me = identity(std::process::id()).unwrap();
        let name = "platform::macos::strays::tests::what_has_lost_its_parent_is_found";
        // The shell ends at once, and leaves what it has started.
        let script = format!(
            "'{}' --exact {name} >/dev/null 2>&1 & echo $!",
            std::env::current_exe().unwrap().display()
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .env("FREEPORT_TEST_STRAY", me.to_string())
            .output()
            .unwrap();
        let pid: u32 = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let stray = Ended(identity(pid).unwrap());
        let deadline = Instant::now() + Duration::from_secs(10);
        while !of(me).contains(&pid) {
            assert!(Instant::now() < deadline, "pid {pid} is not found");
            std::thread::yield_now();
        }
        assert!(descendants(me).iter().any(|process| process.key == stray.0));
        let other = ProcessKey {
            start: me.start + 1,
            ..me
        };
        assert!(!of(other).contains(&pid), "it is another run's");
    }
}
