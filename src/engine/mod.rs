//! The one owner of state: snapshots come in, requests are answered.
//!
//! The engine never waits. What needs a fresh look at the system says so ([`Engine::look_for`]),
//! and what takes time (a kill) is handed back as work to be done elsewhere. Who calls it, on
//! which thread, is the business of `app`; a command without the app uses the same engine.

mod kill;
mod timings;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub use timings::Ring;

use crate::ipc::protocol::{
    Autostart, AutostartReply, ErrorCode, ErrorReply, HelloReply, Kill, KillReply, List, ListReply,
    PROTOCOL, PongReply, Reply, Request, StatusReply, TrayStatus,
};
use crate::ipc::view::ListenerView;
use crate::model::diff::{Event, diff};
use crate::model::{Port, Snapshot, Timestamp, conflict};
use crate::platform::{autostart, status};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The pid behind the request, as the kernel gave it.
    pub pid: u32,
}

/// The look at the system that a request needs first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The ports that it is about; all when empty.
    pub ports: Vec<Port>,
    /// Whether their owners must be looked for again, among all processes.
    pub thorough: bool,
}

/// Work that takes time, and ends in a reply.
pub type Work = Box<dyn FnOnce() -> Reply + Send>;

/// How a request is answered.
pub enum Answer {
    /// At once.
    Now(Reply),
    /// By work that must not be done on the engine's thread.
    Later(Work),
}

/// What everybody who shows something is told when it changes.
#[derive(Clone, Debug)]
pub struct State {
    /// Who listens.
    pub snapshot: Arc<Snapshot>,
    /// For each listener, whether it is shadowed by another one.
    pub shadowed: Vec<bool>,
}

/// The state and the requests that read and change it.
pub struct Engine {
    started: (Instant, Timestamp),
    snapshot: Arc<Snapshot>,
    looked_at: Timestamp,
    scans: Arc<Mutex<Ring>>,
    requests: Ring,
    tray: TrayStatus,
}

impl Engine {
    /// An engine that knows no listeners yet. `scans` is filled by whoever scans.
    pub fn new(scans: Arc<Mutex<Ring>>) -> Engine {
        let now = Timestamp(SystemTime::now());
        let snapshot = Arc::new(Snapshot {
            scanned_at: now,
            gaps: Vec::new(),
            listeners: Vec::new(),
        });
        let tray = TrayStatus {
            shown: false,
            reason: Some("it was started without a tray".to_owned()),
            hint: None,
        };
        Engine {
            started: (Instant::now(), now),
            snapshot,
            looked_at: now,
            scans,
            requests: Ring::default(),
            tray,
        }
    }

    /// Takes in a snapshot; returns what changed since the last one.
    pub fn ingest(&mut self, snapshot: Snapshot) -> Vec<Event> {
        let events = diff(&self.snapshot, &snapshot);
        self.looked_at = snapshot.scanned_at;
        self.snapshot = Arc::new(snapshot);
        events
    }

    /// Notes that the system was looked at and nothing had changed.
    pub fn unchanged(&mut self, at: Timestamp) {
        self.looked_at = at;
    }

    /// Notes whether there is a tray icon.
    pub fn set_tray(&mut self, tray: TrayStatus) {
        self.tray = tray;
    }

    /// Notes how long a request took.
    pub fn served(&mut self, took: Duration) {
        self.requests.add(took);
    }

    /// What to show.
    pub fn state(&self) -> State {
        State {
            snapshot: Arc::clone(&self.snapshot),
            shadowed: conflict::shadowed(&self.snapshot.listeners),
        }
    }

    /// The look at the system that must come before [`Engine::handle`] of this request.
    pub fn look_for(request: &Request) -> Option<Look> {
        match request {
            Request::List(list) => Some(Look {
                ports: list.ports.clone(),
                thorough: list.details && !list.ports.is_empty(),
            }),
            Request::Kill(kill) => Some(Look {
                ports: kill.ports.clone(),
                thorough: true,
            }),
            _ => None,
        }
    }

    /// Answers a request.
    pub fn handle(&mut self, request: Request, caller: Caller) -> Answer {
        match request {
            Request::Hello { .. } => Answer::Now(Reply::Hello(HelloReply {
                protocol: PROTOCOL,
                version: VERSION.to_owned(),
                pid: std::process::id(),
            })),
            Request::Ping => Answer::Now(Reply::Pong(PongReply { pong: true })),
            Request::List(list) => Answer::Now(Reply::List(self.list(&list))),
            Request::Status => Answer::Now(Reply::Status(Box::new(self.status()))),
            Request::Kill(kill) => self.kill(kill, caller),
            Request::Autostart(change) => Answer::Later(Box::new(move || set_autostart(&change))),
        }
    }

    fn list(&self, list: &List) -> ListReply {
        let listeners = ListenerView::all(
            &self.snapshot.listeners,
            list.details && !list.ports.is_empty(),
            |l| list.ports.is_empty() || list.ports.contains(&l.port),
        );
        ListReply {
            scanned_at: self.looked_at,
            gaps: self.snapshot.gaps.clone(),
            listeners,
        }
    }

    fn status(&self) -> StatusReply {
        let (since, started_at) = self.started;
        StatusReply {
            pid: std::process::id(),
            version: VERSION.to_owned(),
            protocol: PROTOCOL,
            started_at,
            uptime_s: since.elapsed().as_secs(),
            scan: self
                .scans
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .timings(),
            requests: self.requests.timings(),
            memory_bytes: status::resident_bytes(),
            listeners: self.snapshot.listeners.len(),
            conflicts: conflict::shadowed(&self.snapshot.listeners)
                .into_iter()
                .filter(|&shadowed| shadowed)
                .count(),
            gaps: self.snapshot.gaps.clone(),
            last_cleanup: None,
            tray: self.tray.clone(),
        }
    }

    fn kill(&self, kill: Kill, caller: Caller) -> Answer {
        let snapshot = Arc::clone(&self.snapshot);
        let spared = [std::process::id(), caller.pid];
        Answer::Later(Box::new(move || {
            Reply::Kill(KillReply {
                outcomes: kill::all(&kill, &snapshot.listeners, &spared),
            })
        }))
    }
}

fn set_autostart(change: &Autostart) -> Reply {
    let state = change
        .enable
        .map_or(Ok(()), autostart::set)
        .and_then(|()| Ok((autostart::state()?, autostart::place()?)));
    match state {
        Ok((state, place)) => Reply::Autostart(AutostartReply {
            enabled: state == autostart::State::Enabled,
            entry: place.to_string_lossy().into_owned(),
            elsewhere: match state {
                autostart::State::Elsewhere(command) => Some(command),
                _ => None,
            },
        }),
        Err(error) => Reply::Error(
            ErrorReply::new(
                ErrorCode::Failed,
                format!("cannot read or change the autostart entry: {error}"),
            )
            .hint(autostart::HINT),
        ),
    }
}
