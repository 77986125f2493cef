//! Waiting for the next tick, or for a request to look now. The end of a process is not waited for
//! yet.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use crate::model::ProcessKey;
use crate::platform::Woken;

/// Sleeps until something happens.
pub struct Watch {
    asked: Receiver<()>,
    waker: Waker,
}

/// Wakes a [`Watch`] from another thread.
#[derive(Clone)]
pub struct Waker(SyncSender<()>);

impl Waker {
    /// Makes the current or the next [`Watch::wait`] return.
    pub fn wake(&self) {
        // Where one waits already, it is woken by that.
        let _ = self.0.try_send(());
    }
}

impl Watch {
    /// A watch of nothing.
    pub fn new() -> io::Result<Watch> {
        let (ask, asked) = mpsc::sync_channel(1);
        Ok(Watch {
            asked,
            waker: Waker(ask),
        })
    }

    /// What wakes this watch.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Watches these processes: none of them. Returns those that have ended already: none is known.
    pub fn follow(&mut self, _: impl Iterator<Item = ProcessKey>) -> Vec<ProcessKey> {
        Vec::new()
    }

    /// Whether the end of this process is waited for: it must be asked for.
    pub fn is_watching(&self, _: ProcessKey) -> bool {
        false
    }

    /// Sleeps until a waker is used, or `timeout` is over.
    pub fn wait(&mut self, timeout: Duration) -> Woken {
        Woken {
            dead: Vec::new(),
            asked: self.asked.recv_timeout(timeout).is_ok(),
        }
    }
}
