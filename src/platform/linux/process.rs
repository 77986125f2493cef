//! Signals to exactly the process that is meant, and its family.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::facts::{Facts, identity};
use super::holders;
use super::proc_pid::Stat;
use crate::model::{Ancestor, Process, ProcessKey, SocketId};
use crate::platform::Signal;
use crate::platform::unix::family;
pub use crate::platform::unix::signal::SignalError;

/// Whether `/proc`, where `pid` was read, calls the process behind `pidfd` by that number: in a pid
/// namespace that has the `/proc` of another one, one number means two processes.
fn is_numbered(pidfd: &OwnedFd, pid: u32) -> bool {
    let place = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let Ok(text) = std::fs::read_to_string(place) else {
        return false;
    };
    let number = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    // Of a process that has been waited for, the kernel says -1: it has ended, and is harmless.
    number.is_some_and(|number| [pid.to_string().as_str(), "-1"].contains(&number.trim()))
}

/// A process that cannot be confused with another one, however often its pid is reused: a pidfd
/// (pidfd_open(2)) that was checked against the start time after it was opened.
#[derive(Debug)]
pub struct ProcessHandle {
    key: ProcessKey,
    pidfd: OwnedFd,
}

impl ProcessHandle {
    /// Opens the process with this identity.
    pub fn open(key: ProcessKey) -> Result<ProcessHandle, SignalError> {
        let pid = i32::try_from(key.pid)
            .ok()
            .and_then(Pid::from_raw)
            .filter(|pid| !pid.is_init())
            .ok_or(SignalError::NotPermitted)?;
        let is_there = || identity(key.pid).is_some_and(|(now, _)| now == key);
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            // The number may be that of a thread by now, for which there are other errors.
            Err(_) if !is_there() => return Err(SignalError::Gone),
            Err(error) => return Err(error.into()),
        };
        if !is_numbered(&pidfd, key.pid) {
            return Err(SignalError::Other(std::io::Error::other(
                "/proc is that of another pid namespace, where pids mean other processes",
            )));
        }
        // The descriptor is open: if the start time is the right one now, it always was.
        if !is_there() {
            return Err(SignalError::Gone);
        }
        Ok(ProcessHandle { key, pidfd })
    }

    /// Whether it has any of these sockets open now.
    pub fn has_any(&self, sockets: &[SocketId]) -> bool {
        let mut sorted = sockets.to_vec();
        sorted.sort_unstable();
        holders::has_any(self.key.pid, &sorted) && !self.has_ended()
    }

    /// Sends the signal.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        Ok(pidfd_send_signal(&self.pidfd, signal.into())?)
    }

    /// Waits until it has ended, at most for `timeout`; whether it has.
    pub fn wait(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec {
                tv_sec: left.as_secs().min(86_400).cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            };
            match poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&left)) {
                Ok(ready) if ready > 0 => return true,
                Ok(_) if Instant::now() >= deadline => return false,
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.wait(Duration::ZERO)
    }
}

/// Whether the process with this identity runs now. One that has ended, and that its parent has
/// not asked about yet, does not.
pub fn is_alive(key: ProcessKey) -> bool {
    Stat::of(key.pid).is_some_and(|stat| stat.starttime == key.start && !stat.has_ended())
}

/// All processes below `key`, each before its parent.
pub fn descendants(key: ProcessKey) -> Vec<Arc<Process>> {
    let pids = holders::pids().into_iter();
    let pairs = pids.filter_map(|pid| Some((pid, identity(pid)?.1)));
    let mut facts = Facts::default();
    let found = family::below(key.pid, pairs).into_iter();
    still_below(key, found.filter_map(|pid| facts.of(pid)).collect())
}

/// Those of `found`, each before its parent, that are below `key` at one time. They were found by pids
/// that were read one after the other, and pids change hands meanwhile.
fn still_below(key: ProcessKey, mut found: Vec<Arc<Process>>) -> Vec<Arc<Process>> {
    let parent_of = |key: ProcessKey| {
        let (now, parent) = identity(key.pid)?;
        (now == key).then_some(parent)
    };
    // Each is asked for its parent, and the parent is seen after that: it was there at that time.
    let key_and_parent = |one: &Arc<Process>| Some((one.key, parent_of(one.key)?));
    let parents: HashMap<ProcessKey, u32> = found.iter().filter_map(key_and_parent).collect();
    let mut family: HashSet<u32> = parent_of(key).map(|_| key.pid).into_iter().collect();
    for process in found.iter().rev() {
        let parent = parents.get(&process.key);
        if parent.is_some_and(|parent| family.contains(parent)) {
            family.insert(process.key.pid);
        }
    }
    found.retain(|process| family.contains(&process.key.pid));
    found
}

/// `pid` and the pids above it, up to init.
pub fn lineage(pid: u32) -> Vec<u32> {
    family::lineage(pid, |pid| identity(pid).map(|(_, parent)| parent))
}

/// The process `pid` and those above it, nearest first, with their names and command lines.
pub fn ancestors(pid: u32) -> Arc<[Ancestor]> {
    Facts::default().lineage(pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    struct Reaped(Child);
    impl Drop for Reaped {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn sleeper() -> (Reaped, ProcessKey) {
        let child = Reaped(Command::new("sleep").arg("60").spawn().unwrap());
        let key = identity(child.0.id()).unwrap().0;
        (child, key)
    }

    #[test]
    fn a_recycled_pid_is_another_process() {
        let (_child, key) = sleeper();
        assert!(ProcessHandle::open(key).is_ok());
        let recycled = ProcessKey {
            start: key.start - 1,
            ..key
        };
        assert!(matches!(
            ProcessHandle::open(recycled),
            Err(SignalError::Gone)
        ));
    }

    #[test]
    fn a_process_whose_pid_is_that_of_a_thread_now_is_gone() {
        let opened = std::thread::spawn(|| {
            let me = std::fs::read_link("/proc/thread-self").unwrap();
            let tid = me.file_name().unwrap().to_str().unwrap().parse().unwrap();
            ProcessHandle::open(ProcessKey { pid: tid, start: 1 })
        });
        assert!(matches!(opened.join().unwrap(), Err(SignalError::Gone)));
    }

    #[test]
    fn init_is_never_opened() {
        for pid in [0, 1] {
            assert!(matches!(
                ProcessHandle::open(ProcessKey { pid, start: 0 }),
                Err(SignalError::NotPermitted)
            ));
        }
    }

    #[test]
    fn a_signal_ends_it_and_the_end_is_seen() {
        let (mut child, key) = sleeper();
        let handle = ProcessHandle::open(key).unwrap();
        assert!(!handle.wait(Duration::from_millis(1)));
        handle.signal(Signal::Terminate).unwrap();
        assert!(handle.wait(Duration::from_secs(10)));
        child.0.wait().unwrap();
        assert!(matches!(
            handle.signal(Signal::Kill),
            Err(SignalError::Gone)
        ));
    }

    #[test]
    fn a_process_lives_until_it_ends_and_not_until_it_is_waited_for() {
        let (mut child, key) = sleeper();
        assert!(is_alive(key));
        let recycled = ProcessKey {
            start: key.start + 1,
            ..key
        };
        assert!(!is_alive(recycled));
        let handle = ProcessHandle::open(key).unwrap();
        child.0.kill().unwrap();
        assert!(handle.wait(Duration::from_secs(10)));
        assert!(Stat::of(key.pid).is_some(), "nobody has waited for it");
        assert!(!is_alive(key));
        child.0.wait().unwrap();
        assert!(!is_alive(key));
        assert!(!is_alive(ProcessKey { pid: 0, start: 0 }));
    }

    #[test]
    fn who_has_only_the_pid_of_a_child_is_not_below() {
        let (_child, key) = sleeper();
        let (_other, apart) = sleeper();
        let mut facts = Facts::default();
        let me = identity(std::process::id()).unwrap().0;
        let child = facts.of(key.pid).unwrap();
        let earlier = |process: &Arc<Process>| {
            let mut one = Process::clone(process);
            one.key.start -= 1;
            Arc::new(one)
        };
        assert_eq!(
            still_below(me, vec![child.clone()]),
            std::slice::from_ref(&child)
        );
        assert_eq!(still_below(me, vec![earlier(&child)]), [], "recycled");
        assert_eq!(still_below(apart, vec![child.clone()]), [], "another's");
        let recycled = ProcessKey {
            start: me.start - 1,
            ..me
        };
        assert_eq!(still_below(recycled, vec![child]), []);
    }

    #[test]
    fn a_family_is_listed_leaves_first() {
        let child = Reaped(
            Command::new("sh")
                .args(["-c", "sh -c 'sleep 60; :'; :"])
                .spawn()
                .unwrap(),
        );
        let key = identity(child.0.id()).unwrap().0;
        let deadline = Instant::now() + Duration::from_secs(10);
        let family = loop {
            let family = descendants(key);
            if family.len() == 2 && family[0].name == "sleep" {
                break family;
            }
            assert!(Instant::now() < deadline, "{family:?}");
            std::thread::yield_now();
        };
        assert_eq!(
            lineage(family[0].key.pid)[..3],
            [family[0].key.pid, family[1].key.pid, key.pid]
        );
        for process in family {
            let _ = ProcessHandle::open(process.key).map(|handle| handle.signal(Signal::Kill));
        }
    }
}
