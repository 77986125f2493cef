//! Waiting for the next tick, for the death of an owner, or for a request to look now: one epoll.

use std::collections::{HashMap, HashSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::process::{Pid, PidfdFlags, Resource, getrlimit, pidfd_open};

use super::facts::identity;
use crate::model::ProcessKey;
use crate::platform::Woken;

const ASKED: u64 = 0;

/// Sleeps until something happens. Without CPU use while nothing does.
pub struct Watch {
    epoll: OwnedFd,
    asked: Arc<OwnedFd>,
    watched: HashMap<ProcessKey, (u64, OwnedFd)>,
    tokens: HashMap<u64, ProcessKey>,
    next_token: u64,
    limit: usize,
}

/// Wakes a [`Watch`] from another thread.
#[derive(Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Makes the current or the next [`Watch::wait`] return.
    pub fn wake(&self) {
        // It can only fail when the counter is full, and then the watch wakes up anyway.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

impl Watch {
    /// A watch of nothing yet.
    pub fn new() -> io::Result<Watch> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let asked = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(
            &epoll,
            &*asked,
            epoll::EventData::new_u64(ASKED),
            epoll::EventFlags::IN,
        )?;
        // Half of the descriptors that the process may have: the end of a process that is not
        // watched is still seen at the next tick, by its sockets.
        let limit = getrlimit(Resource::Nofile)
            .current
            .map_or(4096, |limit| usize::try_from(limit / 2).unwrap_or(4096));
        Ok(Watch {
            epoll,
            asked,
            watched: HashMap::new(),
            tokens: HashMap::new(),
            next_token: ASKED + 1,
            limit,
        })
    }

    /// What wakes this watch.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.asked))
    }

    /// Watches exactly these processes from now on. Returns those that have ended already.
    pub fn follow(&mut self, keys: impl Iterator<Item = ProcessKey>) -> Vec<ProcessKey> {
        let wanted: HashSet<ProcessKey> = keys.collect();
        let unwanted: Vec<ProcessKey> = self
            .watched
            .keys()
            .filter(|key| !wanted.contains(key))
            .copied()
            .collect();
        for key in unwanted {
            self.drop_watch(key);
        }
        let mut ended = Vec::new();
        for key in wanted {
            if self.watched.len() >= self.limit {
                break;
            }
            if !self.watched.contains_key(&key) && !self.add(key) {
                ended.push(key);
            }
        }
        ended
    }

    /// Whether the end of this process is waited for. It is not when the system refuses to, or there
    /// are too many: then it must be asked for.
    pub fn is_watching(&self, key: ProcessKey) -> bool {
        self.watched.contains_key(&key)
    }

    /// Sleeps until a watched process ends, a waker is used, or `timeout` is over.
    pub fn wait(&mut self, timeout: Duration) -> Woken {
        let timeout = Timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut events = [const { MaybeUninit::uninit() }; 64];
        let mut woken = Woken::default();
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut events, Some(&timeout)) else {
            return woken;
        };
        for event in events {
            match event.data.u64() {
                ASKED => {
                    woken.asked = true;
                    let _ = rustix::io::read(&*self.asked, &mut [0u8; 8]);
                }
                token => {
                    if let Some(&key) = self.tokens.get(&token) {
                        self.drop_watch(key);
                        woken.dead.push(key);
                    }
                }
            }
        }
        woken
    }

    /// False when the process has ended.
    fn add(&mut self, key: ProcessKey) -> bool {
        let Some(pid) = i32::try_from(key.pid).ok().and_then(Pid::from_raw) else {
            return true;
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return false,
            // No descriptors left, or refused: its end is seen at a tick.
            Err(_) => return true,
        };
        if identity(key.pid).is_none_or(|(now, _)| now != key) {
            return false;
        }
        let token = self.next_token;
        self.next_token += 1;
        if epoll::add(
            &self.epoll,
            &pidfd,
            epoll::EventData::new_u64(token),
            epoll::EventFlags::IN,
        )
        .is_ok()
        {
            self.tokens.insert(token, key);
            self.watched.insert(key, (token, pidfd));
        }
        true
    }

    fn drop_watch(&mut self, key: ProcessKey) {
        if let Some((token, pidfd)) = self.watched.remove(&key) {
            self.tokens.remove(&token);
            let _ = epoll::delete(&self.epoll, &pidfd);
        }
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
        let key = identity(child.id()).unwrap().0;
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
    fn the_end_of_a_process_that_nobody_has_waited_for_is_seen() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let key = identity(child.id()).unwrap().0;
        child.kill().unwrap();
        while crate::platform::is_alive(key) {
            std::thread::yield_now();
        }
        let mut watch = Watch::new().unwrap();
        assert!(watch.follow([key].into_iter()).is_empty());
        assert_eq!(watch.wait(Duration::from_secs(20)).dead, [key]);
        child.wait().unwrap();
    }

    #[test]
    fn what_is_over_the_limit_is_not_watched_and_says_so() {
        let mut children: Vec<_> = (0..2)
            .map(|_| Command::new("sleep").arg("60").spawn().unwrap())
            .collect();
        let keys: Vec<ProcessKey> = children
            .iter()
            .map(|child| identity(child.id()).unwrap().0)
            .collect();
        let mut watch = Watch::new().unwrap();
        watch.limit = 1;
        assert!(watch.follow(keys.iter().copied()).is_empty());
        let watched = keys.iter().filter(|key| watch.is_watching(**key));
        assert_eq!(watched.count(), 1);
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
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
