//! Waiting until a port accepts connections, from the process that it is for.

use std::time::{Duration, Instant};

use super::ready::accepts;
use super::told::who;
use crate::ipc::Ask;
use crate::ipc::protocol::{Query, Reply, Request};
use crate::model::{Listener, Port, Protocol};
use crate::platform;

/// The first time between two looks, and the longest.
const STEPS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// What came of the wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The right one accepts connections.
    Ready,
    /// Somebody else does, who: told as a whole.
    Others(String),
    /// Nobody does.
    Nobody(String),
}

/// Waits until `port` accepts connections from the process `pid`, from what runs below it, or where
/// none is named, from whom the port is claimed for; from anybody where it is not.
pub fn wait(port: Port, pid: Option<u32>, timeout: Duration, asked: &mut dyn Ask) -> Waited {
    let deadline = Instant::now() + timeout;
    let mut step = STEPS.0;
    loop {
        // It may be claimed only now.
        let root = pid.or_else(|| owner(port, asked));
        let listeners = platform::look(&[port]).listeners;
        let there: Vec<&Listener> = listeners
            .iter()
            .filter(|listener| listener.protocol == Protocol::Tcp)
            .collect();
        let is_right = |listener: &&&Listener| root.is_none_or(|root| is_below(listener, root));
        if there.iter().any(|found| is_right(&found)) && accepts(port) {
            return Waited::Ready;
        }
        let now = Instant::now();
        if now >= deadline {
            return late(port, &there, timeout);
        }
        std::thread::sleep(step.min(deadline - now));
        step = (step * 2).min(STEPS.1);
    }
}

fn owner(port: Port, asked: &mut dyn Ask) -> Option<u32> {
    let query = Query {
        port: Some(port),
        ..Query::default()
    };
    let Ok(Reply::Reservations(reply)) = asked.ask(Request::Query(query)) else {
        return None;
    };
    let mut rows = reply.reservations.iter();
    rows.find(|row| row.protocol == Protocol::Tcp)?.pid
}

fn is_below(listener: &Listener, root: u32) -> bool {
    let mut processes = listener.owner.iter().chain(&listener.workers);
    processes.any(|process| {
        process.key.pid == root || process.parents.iter().any(|parent| parent.pid == root)
    })
}

fn late(port: Port, there: &[&Listener], timeout: Duration) -> Waited {
    let timeout = humantime::format_duration(timeout);
    match there.first() {
        Some(other) => Waited::Others(format!(
            "port {port} accepts no connections from whom it is for within {timeout}: {} listens there",
            who(other)
        )),
        None => Waited::Nobody(format!(
            "port {port} accepts no connections within {timeout}: nobody listens there"
        )),
    }
}
