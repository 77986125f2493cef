//! Waiting for the next tick, for the death of an owner, or for a request to look now: one kqueue.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};

use super::facts::identity;
use crate::model::ProcessKey;
use crate::platform::Woken;

/// Sleeps until something happens. Without CPU use while nothing does.
pub struct Watch {
    queue: Arc<Kqueue>,
    watched: HashMap<u32, ProcessKey>,
}

/// Wakes a [`Watch`] from another thread.
#[derive(Clone)]
pub struct Waker(Arc<Kqueue>);

impl Waker {
    /// Makes the current or the next [`Watch::wait`] return.
    pub fn wake(&self) {
        let trigger = asked(EvFlags::empty(), FilterFlag::NOTE_TRIGGER);
        // It can only fail without memory; the next tick comes then all the same.
        let _ = self.0.kevent(&[trigger], &mut [], None);
    }
}

impl Watch {
    /// A watch of nothing yet.
    pub fn new() -> io::Result<Watch> {
        let queue = Kqueue::new()?;
        let add = asked(EvFlags::EV_ADD | EvFlags::EV_CLEAR, FilterFlag::empty());
        queue.kevent(&[add], &mut [], None)?;
        Ok(Watch {
            queue: Arc::new(queue),
            watched: HashMap::new(),
        })
    }

    /// What wakes this watch.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.queue))
    }

    /// Watches exactly these processes from now on. Returns those that have ended already.
    pub fn follow(&mut self, keys: impl Iterator<Item = ProcessKey>) -> Vec<ProcessKey> {
        let wanted: HashSet<ProcessKey> = keys.collect();
        let queue = &self.queue;
        self.watched.retain(|&pid, key| {
            let keep = wanted.contains(key);
            if !keep {
                // It is gone from the queue when the process has ended.
                let _ = queue.kevent(&[exit_of(pid, EvFlags::EV_DELETE)], &mut [], None);
            }
            keep
        });
        let mut ended = Vec::new();
        for key in wanted {
            if !self.watched.contains_key(&key.pid) && !self.add(key) {
                ended.push(key);
            }
        }
        ended
    }

    /// Whether the end of this process is waited for. It is not when the system refuses to, or there
    /// are too many: then it must be asked for.
    pub fn is_watching(&self, key: ProcessKey) -> bool {
        self.watched.get(&key.pid) == Some(&key)
    }

    /// Sleeps until a watched process ends, a waker is used, or `timeout` is over.
    pub fn wait(&mut self, timeout: Duration) -> Woken {
        let mut events = [exit_of(0, EvFlags::empty()); 64];
        let mut woken = Woken::default();
        let Ok(count) = self.queue.kevent(&[], &mut events, Some(timespec(timeout))) else {
            return woken;
        };
        for event in &events[..count.min(events.len())] {
            match event.filter() {
                Ok(EventFilter::EVFILT_USER) => woken.asked = true,
                Ok(EventFilter::EVFILT_PROC) => {
                    let pid = u32::try_from(event.ident()).unwrap_or(0);
                    woken.dead.extend(self.watched.remove(&pid));
                }
                _ => {}
            }
        }
        woken
    }

    /// False when the process has ended.
    fn add(&mut self, key: ProcessKey) -> bool {
        match self
            .queue
            .kevent(&[exit_of(key.pid, EvFlags::EV_ADD)], &mut [], None)
        {
            Ok(_) => {}
            Err(Errno::ESRCH) => return false,
            // Refused: its end is seen at a tick.
            Err(_) => return true,
        }
        if identity(key.pid) != Some(key) {
            let _ = self
                .queue
                .kevent(&[exit_of(key.pid, EvFlags::EV_DELETE)], &mut [], None);
            return false;
        }
        self.watched.insert(key.pid, key);
        true
    }
}

/// The change that adds or deletes the wait for the end of a process. Its event comes once.
pub(super) fn exit_of(pid: u32, flags: EvFlags) -> KEvent {
    let pid = usize::try_from(pid).unwrap_or(0);
    let exit = FilterFlag::NOTE_EXIT;
    KEvent::new(pid, EventFilter::EVFILT_PROC, flags, exit, 0, 0)
}

fn asked(flags: EvFlags, what: FilterFlag) -> KEvent {
    KEvent::new(0, EventFilter::EVFILT_USER, flags, what, 0, 0)
}

pub(super) fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: time.as_secs().min(86_400).cast_signed(),
        tv_nsec: time.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Instant;

    #[test]
    fn the_end_of_a_process_is_seen_at_once() {
        let mut watch = Watch::new().unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let key = identity(child.id()).unwrap();
        assert!(!watch.is_watching(key));
        assert!(watch.follow([key].into_iter()).is_empty());
        assert!(watch.is_watching(key));
        assert!(watch.wait(Duration::ZERO).dead.is_empty());
        child.kill().unwrap();
        let start = Instant::now();
        assert_eq!(watch.wait(Duration::from_secs(20)).dead, [key]);
        assert!(start.elapsed() < Duration::from_secs(10));
        child.wait().unwrap();
        assert_eq!(
            watch.follow([key].into_iter()),
            [key],
            "it has ended already"
        );
        assert!(watch.wait(Duration::ZERO).dead.is_empty(), "told once");
    }

    #[test]
    fn a_waker_wakes_once() {
        let mut watch = Watch::new().unwrap();
        let waker = watch.waker();
        waker.wake();
        waker.wake();
        assert!(watch.wait(Duration::from_secs(20)).asked);
        assert!(!watch.wait(Duration::ZERO).asked);
    }
}
