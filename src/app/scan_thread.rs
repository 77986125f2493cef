//! The scanner's thread: a look at every tick, when an owner ends, and whenever one is asked for.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use super::engine_thread::EngineHandle;
use crate::engine::{Look, Ring};
use crate::model::{Port, Snapshot, Timestamp};
use crate::platform::{Focus, Scanner, Waker, Watch, Woken};

/// The time between two looks. A listener is shown within it and the time of one look.
const TICK: Duration = Duration::from_millis(800);

/// What a look found.
pub struct Scanned {
    /// How many requested looks it answers: all up to this number.
    pub ticket: u64,
    /// When it was.
    pub at: Timestamp,
    /// What it found; `None` when nothing had changed.
    pub snapshot: Option<Snapshot>,
}

/// Asks the scanner to look now.
#[derive(Clone)]
pub struct ScanHandle {
    requests: mpsc::Sender<(u64, Vec<Port>)>,
    waker: Waker,
}

impl ScanHandle {
    /// Asks for a look that will be answered with this ticket or a later one.
    pub fn look(&self, ticket: u64, look: &Look) {
        let ports = if look.thorough {
            look.ports.clone()
        } else {
            Vec::new()
        };
        if self.requests.send((ticket, ports)).is_ok() {
            self.waker.wake();
        }
    }
}

/// Starts the thread. It ends when the engine is gone.
pub fn start(engine: EngineHandle, timings: Arc<Mutex<Ring>>) -> io::Result<ScanHandle> {
    let mut watch = Watch::new()?;
    let waker = watch.waker();
    let (requests, asked) = mpsc::channel::<(u64, Vec<Port>)>();
    let work = move || {
        let mut scanner = Scanner::new();
        let mut woken = Woken::default();
        let mut ticket = 0;
        let mut first = true;
        loop {
            let mut thorough = Vec::new();
            let before = ticket;
            for (number, ports) in asked.try_iter() {
                ticket = number;
                thorough.extend(ports);
            }
            let start = Instant::now();
            let snapshot = scanner.scan(Focus {
                dead: &woken.dead,
                ports: &thorough,
            });
            let took = start.elapsed();
            // What `status` tells of are the steady looks.
            if snapshot.is_none() {
                timings
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .add(took);
            }
            let mut dead = Vec::new();
            if snapshot.is_some() {
                dead = watch.follow(scanner.owners());
            }
            if snapshot.is_some() || first || ticket != before {
                first = false;
                let scanned = Scanned {
                    ticket,
                    at: Timestamp(SystemTime::now()),
                    snapshot,
                };
                if !engine.scanned(scanned) {
                    return;
                }
            }
            // An owner that ended while it was looked at is looked at once more, without a wait.
            woken = if dead.is_empty() {
                watch.wait(TICK)
            } else {
                watch.wait(Duration::ZERO)
            };
            woken.dead.extend(dead);
        }
    };
    std::thread::Builder::new()
        .name("scanner".into())
        .stack_size(512 * 1024)
        .spawn(work)?;
    Ok(ScanHandle { requests, waker })
}
