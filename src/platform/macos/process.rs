//! Signals to exactly the process that is meant, and its family.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::event::{EvFlags, Kqueue};
use rustix::process::{Pid, kill_process};

use super::facts::{self, Facts, identity, parent};
use super::{holders, strays, watch};
use crate::model::{Ancestor, Process, ProcessKey, SocketId};
use crate::platform::Signal;
use crate::platform::unix::family;
pub use crate::platform::unix::signal::SignalError;

/// A process whose end is seen at once: a kqueue that waits for it, made before the start time was
/// checked.
///
/// macOS signals pids only. So the end and the start time are checked once more right before a
/// signal; what is left is the time between that and the signal, in which the kernel would have to
/// give the pid to another process. It gives pids out in turn, and each again only after all
/// others.
#[derive(Debug)]
pub struct ProcessHandle {
    key: ProcessKey,
    pid: Pid,
    queue: Kqueue,
    ended: AtomicBool,
}

impl ProcessHandle {
    /// Opens the process with this identity.
    pub fn open(key: ProcessKey) -> Result<ProcessHandle, SignalError> {
        let pid = i32::try_from(key.pid)
            .ok()
            .and_then(Pid::from_raw)
            .filter(|pid| !pid.is_init())
            .ok_or(SignalError::NotPermitted)?;
        let queue = Kqueue::new().map_err(|errno| SignalError::Other(errno.into()))?;
        let exit = watch::exit_of(key.pid, EvFlags::EV_ADD);
        match queue.kevent(&[exit], &mut [], None) {
            Ok(_) => {}
            Err(nix::errno::Errno::ESRCH) => return Err(SignalError::Gone),
            Err(errno) => return Err(SignalError::Other(errno.into())),
        }
        match identity(key.pid) {
            Some(now) if now == key => Ok(ProcessHandle {
                key,
                pid,
                queue,
                ended: AtomicBool::new(false),
            }),
            Some(_) => Err(SignalError::Gone),
            // It is there, and may not be read: another user's.
            None if parent(key.pid).is_some() => Err(SignalError::NotPermitted),
            None => Err(SignalError::Gone),
        }
    }

    /// Whether it has any of these sockets open now.
    pub fn has_any(&self, sockets: &[SocketId]) -> bool {
        holders::has_any(self.key.pid, sockets) && !self.has_ended()
    }

    /// Sends the signal.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        if self.has_ended() || identity(self.key.pid) != Some(self.key) {
            return Err(SignalError::Gone);
        }
        Ok(kill_process(self.pid, signal.into())?)
    }

    /// Waits until it has ended, at most for `timeout`; whether it has.
    pub fn wait(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut events = [watch::exit_of(0, EvFlags::empty())];
        while !self.ended.load(Ordering::Acquire) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self
                .queue
                .kevent(&[], &mut events, Some(watch::timespec(left)))
            {
                Ok(0) if Instant::now() >= deadline => return false,
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                // It is told only once.
                Ok(_) => self.ended.store(true, Ordering::Release),
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.wait(Duration::ZERO)
    }
}

/// Whether the process with this identity runs now. One that has ended, and that its parent has
/// not asked about yet, does not. One that may not be read, another user's, counts as ended.
pub fn is_alive(key: ProcessKey) -> bool {
    holders::bsd_info(key.pid)
        .is_some_and(|info| info.pbi_status != libc::SZOMB && facts::key(&info) == key)
}

/// All processes below `key`, each before its parent; of a guard, those that have lost their parents
/// as well.
pub fn descendants(key: ProcessKey) -> Vec<Arc<Process>> {
    let pids = holders::pids().into_iter();
    let pairs = pids.filter_map(|pid| Some((pid, parent(pid)?)));
    let pairs: Vec<(u32, u32)> = pairs.collect();
    let mut below = family::below(key.pid, pairs.iter().copied());
    for stray in strays::of(key) {
        if stray != key.pid && !below.contains(&stray) {
            below.extend(family::below(stray, pairs.iter().copied()));
            below.push(stray);
        }
    }
    let mut facts = Facts::default();
    let processes = below.into_iter().filter_map(|pid| facts.of(pid));
    processes.collect()
}

/// `pid` and the pids above it, up to launchd.
pub fn lineage(pid: u32) -> Vec<u32> {
    family::lineage(pid, parent)
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
        let key = identity(child.0.id()).unwrap();
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
    fn launchd_is_never_opened() {
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
        assert!(handle.wait(Duration::from_secs(10)) && handle.has_ended());
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
        assert!(!is_alive(key), "not waited for");
        child.0.wait().unwrap();
        assert!(!is_alive(key));
    }

    #[test]
    fn a_family_is_listed_leaves_first() {
        let child = Reaped(
            Command::new("sh")
                .args(["-c", "sh -c 'sleep 60; :'; :"])
                .spawn()
                .unwrap(),
        );
        let key = identity(child.0.id()).unwrap();
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
