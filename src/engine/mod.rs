//! The one owner of state: snapshots come in, requests are answered.
//!
//! The engine never waits. What needs a fresh look at the system says so ([`Engine::look_for`]),
//! and what takes time (a kill) is handed back as work to be done elsewhere. Who calls it, on
//! which thread, is the business of `app`; a command without the app uses the same engine.

mod allocate;
mod caller;
mod claim;
mod conflicts;
mod containers;
mod draw;
mod exhausted;
mod holds;
mod judgement;
mod kill;
mod lease;
mod ledger;
mod leftovers;
mod owners;
mod pools;
mod portserver;
mod records;
mod reserve;
mod settle;
mod shown;
mod state;
mod stop;
mod taken;
mod timings;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

pub use caller::{Caller, Subject};
pub use ledger::Use;
pub use state::{Effects, State};
pub use timings::Ring;

use crate::ipc::protocol::{
    Autostart, AutostartReply, ErrorCode, ErrorReply, Event, HelloReply, IgnoreReply, Kill,
    KillReply, PROTOCOL, PongReply, Pool, Reply, Request, TrayStatus,
};
use crate::ipc::view::ListenerView;
use crate::model::diff::{self, diff};
use crate::model::leftover::Leftover;
use crate::model::log::Happened;
use crate::model::news::News;
use crate::model::reservation::ReservationKey;
use crate::model::visibility::Viewer;
use crate::model::{Listener, Port, ProcessKey, Reservation, Snapshot, Timestamp};
use crate::platform::{self, autostart, limits};
use crate::registry::{Place, Registry, RegistryError};
use conflicts::Conflicts;
use containers::Containers;
use ledger::Ledger;
use owners::Owners;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

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

/// The state and the requests that read and change it.
pub struct Engine {
    started: (Instant, Timestamp),
    snapshot: Arc<Snapshot>,
    looked_at: Timestamp,
    /// Whether the system has been looked at: before that, nobody is known not to listen.
    looked: bool,
    scans: Arc<Mutex<Ring>>,
    requests: Ring,
    tray: TrayStatus,
    ledger: Ledger,
    viewer: Viewer,
    lives: Box<dyn Fn(ProcessKey) -> bool + Send>,
    /// Since when heartbeats could be heard.
    heard_since: Timestamp,
    owners: Owners,
    conflicts: Conflicts,
    containers: Containers,
    leftovers: HashMap<ProcessKey, Leftover>,
    /// The ports that are bound; none without the app.
    holds: Option<holds::Table>,
    /// What subscribers were told of.
    known: BTreeMap<ReservationKey, Reservation>,
    /// Reservations as a command sees them, where that differs from what is written.
    observed: BTreeMap<ReservationKey, Reservation>,
    /// Whether reservations have to be judged anew.
    unsettled: bool,
    /// Whether what is shown of listeners has changed since it was told.
    resnapped: bool,
    /// Whether what has run out is to be removed.
    cleaning: bool,
    cleanup_at: Instant,
    /// When the next lease runs out.
    due: Option<Timestamp>,
    last_cleanup: Option<Timestamp>,
    /// The port that the portserver gave out last.
    served: Option<Port>,
    /// The first port that this user may bind, where that was asked.
    first_usable: Option<u16>,
    pruned: Instant,
    pruned_never: bool,
    news: Vec<News>,
    events: Vec<Event>,
}

impl Engine {
    /// An engine that knows no listeners yet. `scans` is filled by whoever scans.
    pub fn new(scans: Arc<Mutex<Ring>>, used_by: Use) -> Engine {
        let now = Timestamp(SystemTime::now());
        let snapshot = Arc::new(Snapshot {
            scanned_at: now,
            gaps: Vec::new(),
            listeners: Vec::new(),
            elsewhere: Vec::new(),
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
            looked: false,
            scans,
            requests: Ring::default(),
            tray,
            ledger: Ledger::of_user(used_by),
            viewer: Viewer {
                uid: limits::user_id(),
                ephemeral: limits::ephemeral_ports(),
            },
            lives: Box::new(platform::is_alive),
            heard_since: now,
            owners: Owners::default(),
            conflicts: Conflicts::default(),
            containers: Containers::default(),
            leftovers: HashMap::new(),
            holds: (used_by == Use::App).then(holds::Table::new),
            known: BTreeMap::new(),
            observed: BTreeMap::new(),
            unsettled: false,
            resnapped: false,
            cleaning: true,
            cleanup_at: Instant::now(),
            due: None,
            last_cleanup: None,
            served: None,
            first_usable: None,
            pruned: Instant::now(),
            pruned_never: true,
            news: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Takes the registry that was opened for it, or why it could not be.
    pub fn set_registry(&mut self, opened: Result<Registry, RegistryError>) {
        self.ledger.set(opened);
    }

    /// Where the registry is.
    pub fn place(&self) -> Option<&Place> {
        self.ledger.place().ok()
    }

    /// Whether the registry is open.
    pub fn has_registry(&self) -> bool {
        self.ledger.seen().is_some()
    }

    /// Lets what is written from now on be committed together.
    pub fn begin(&mut self) {
        if let Some(registry) = self.ledger.registry_mut() {
            registry.begin_batch();
        }
    }

    /// Commits what was written since [`Engine::begin`]; when that fails, none of it has happened.
    /// Gives whether there was anything.
    pub fn commit(&mut self) -> Result<bool, ErrorReply> {
        let Some(registry) = self.ledger.registry_mut() else {
            return Ok(false);
        };
        match registry.end_batch() {
            Ok(written) => {
                if written {
                    self.ledger.works();
                }
                Ok(written)
            }
            Err(error) => {
                self.ledger.fails(&error);
                Err(error.into())
            }
        }
    }

    /// How long the log of the registry is that has not been brought into its file, in bytes.
    pub fn log_length(&self) -> u64 {
        self.ledger.seen().map_or(0, Registry::log_length)
    }

    /// Something that the user has to hear of.
    pub fn tell(&mut self, news: News) {
        self.news.push(news);
    }

    /// Takes in a snapshot.
    pub fn ingest(&mut self, mut snapshot: Snapshot) {
        snapshot
            .listeners
            .retain(|listener| !holds::is_hold(listener));
        self.look_at_containers(&mut snapshot);
        if self.looked && self.is_app() {
            for event in diff(&self.snapshot, &snapshot) {
                log::debug!("{event:?}");
                let of = |listener: &Listener| {
                    let mut view = ListenerView::of(listener, false, false);
                    self.complete(&mut view, listener);
                    Box::new(view)
                };
                let told = match &event {
                    diff::Event::Opened(listener) => Event::Opened {
                        listener: of(listener),
                    },
                    diff::Event::Closed(listener) => Event::Closed {
                        listener: of(listener),
                    },
                    diff::Event::OwnerChanged { from, to } => Event::OwnerChanged {
                        from: of(from),
                        to: of(to),
                    },
                };
                self.events.push(told);
            }
        }
        self.looked_at = snapshot.scanned_at;
        self.snapshot = Arc::new(snapshot);
        self.looked = true;
        self.unsettled = true;
        self.resnapped = true;
        self.conflicts.look_again();
        self.look_at_holds();
    }

    /// Notes that the system was looked at and nothing had changed.
    pub fn unchanged(&mut self, at: Timestamp) {
        self.looked_at = at;
        // Where nobody listens at all, the first look is one, too.
        self.unsettled |= !self.looked;
        self.looked = true;
    }

    /// Notes whether there is a tray icon.
    pub fn set_tray(&mut self, tray: TrayStatus) {
        self.tray = tray;
    }

    /// Notes how long a request took.
    pub fn served(&mut self, took: Duration) {
        self.requests.add(took);
    }

    /// The look at the system that must come before [`Engine::handle`] of this request.
    pub fn look_for(request: &Request) -> Option<Look> {
        let at = |ports: &[Port], thorough| {
            Some(Look {
                ports: ports.to_vec(),
                thorough,
            })
        };
        match request {
            Request::List(list) => at(&list.ports, list.details && !list.ports.is_empty()),
            Request::Kill(kill) => at(&kill.ports, true),
            Request::Register(claim) | Request::Claim(claim) => match claim.fallback {
                Some(_) => at(&[], false),
                None => at(&[claim.port], false),
            },
            Request::Hold(hold) => at(&[hold.port], false),
            Request::Pool(Pool::Create(_) | Pool::List | Pool::Draw(_)) => at(&[], false),
            Request::Reserve(reserve) => at(&reserve.ports, false),
            Request::Heartbeat(heartbeat) => at(&[heartbeat.port], false),
            Request::Allocate(_)
            | Request::Suggest(_)
            | Request::Query(_)
            | Request::Cleanup(_)
            | Request::Subscribe => at(&[], false),
            _ => None,
        }
    }

    /// Answers a request.
    pub fn handle(&mut self, request: Request, caller: &Caller) -> Answer {
        let result = match request {
            Request::Hello { .. } => Ok(Reply::Hello(HelloReply {
                protocol: PROTOCOL,
                version: VERSION.to_owned(),
                pid: std::process::id(),
            })),
            Request::Ping => Ok(Reply::Pong(PongReply { pong: true })),
            Request::List(list) => Ok(Reply::List(self.list(&list))),
            Request::Status => Ok(Reply::Status(Box::new(self.status()))),
            Request::Kill(kill) => return self.kill(kill, caller),
            Request::Autostart(change) => {
                return Answer::Later(Box::new(move || set_autostart(&change)));
            }
            Request::Register(claim) => self.claim(&claim, Happened::Register, caller),
            Request::Claim(claim) => self.claim(&claim, Happened::Claim, caller),
            Request::Reserve(reserve) => self.reserve(&reserve, caller),
            Request::Hold(hold) => self.hold(&hold, caller),
            Request::Pool(pool) => {
                let result = self.pool(&pool, caller);
                self.hold_now();
                result
            }
            Request::Release(release) => self.release(&release, caller),
            Request::Heartbeat(heartbeat) => self.heartbeat(&heartbeat, caller),
            Request::Allocate(allocate) => self.allocate(&allocate, caller),
            Request::Free(free) => self.free(&free, caller),
            Request::Suggest(suggest) => self.suggest(&suggest),
            Request::Query(query) => self.query(&query),
            Request::Cleanup(cleanup) => self.clean_up(&cleanup, caller),
            Request::Log(log) => self.log(&log),
            Request::Config(config) => self.config(&config, caller),
            Request::Ignore(ignore) => {
                self.conflicts
                    .ignore((ignore.port, ignore.protocol, ignore.key));
                Ok(Reply::Ignore(IgnoreReply { ignored: true }))
            }
            Request::Subscribe => Ok(Reply::State(Box::new(self.everything()))),
        };
        Answer::Now(result.map_or_else(Reply::Error, |reply| self.with_holds(reply)))
    }

    fn kill(&self, kill: Kill, caller: &Caller) -> Answer {
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
