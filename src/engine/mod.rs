//! The one owner of state: snapshots come in, requests are answered.
//!
//! The engine never waits. What needs a fresh look at the system says so ([`Engine::look_for`]),
//! and what takes time (a kill) is handed back as work to be done elsewhere. Who calls it, on
//! which thread, is the business of `app`; a command without the app uses the same engine.

mod allocate;
mod caller;
mod conflicts;
mod kill;
mod lease;
mod ledger;
mod records;
mod settle;
mod taken;
mod timings;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub use caller::{Caller, Subject};
pub use ledger::Use;
pub use timings::Ring;

use crate::ipc::protocol::{
    Autostart, AutostartReply, ErrorCode, ErrorReply, Event, HelloReply, IgnoreReply, Kill,
    KillReply, List, ListReply, PROTOCOL, PongReply, Reply, Request, StateReply, StatusReply,
    TrayStatus,
};
use crate::ipc::view::{ConflictView, ListenerView, ReservationView};
use crate::model::diff::{self, diff};
use crate::model::leftover::Leftover;
use crate::model::log::Happened;
use crate::model::news::News;
use crate::model::reservation::ReservationKey;
use crate::model::settings::Settings;
use crate::model::visibility::Viewer;
use crate::model::{
    Conflict, Listener, Port, ProcessKey, Reservation, Snapshot, Timestamp, conflict,
};
use crate::platform::{self, autostart, limits, status};
use crate::registry::{Place, Registry, RegistryError};
use conflicts::Conflicts;
use ledger::Ledger;
use settle::Owners;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The most reservations that are told to whoever shows a state.
const SHOWN: usize = 256;

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
    /// What is reserved, by port: the first of them.
    pub reservations: Arc<[ReservationView]>,
    /// How many reservations there are.
    pub reserved: usize,
    /// What is in conflict, by port.
    pub conflicts: Arc<[ConflictView]>,
    /// Which processes look left over, and why.
    pub leftovers: Arc<HashMap<ProcessKey, Leftover>>,
    /// The settings.
    pub settings: Settings,
}

impl State {
    /// Who listens, and nothing besides.
    pub fn of(snapshot: Arc<Snapshot>) -> State {
        State {
            shadowed: conflict::shadowed(&snapshot.listeners),
            snapshot,
            reservations: Arc::default(),
            reserved: 0,
            conflicts: Arc::default(),
            leftovers: Arc::default(),
            settings: Settings::default(),
        }
    }
}

/// What others are to be told and to do, after something has changed.
#[derive(Debug, Default)]
pub struct Effects {
    /// What the user may want to hear of.
    pub news: Vec<News>,
    /// What subscribers are told.
    pub events: Vec<Event>,
    /// The processes whose end has to be told, where they are others than before.
    pub watch: Option<Vec<ProcessKey>>,
    /// Whether what is shown has changed.
    pub shown: bool,
}

impl Effects {
    /// Adds what came later.
    pub fn add(&mut self, later: Effects) {
        self.news.extend(later.news);
        self.events.extend(later.events);
        self.watch = later.watch.or_else(|| self.watch.take());
        self.shown |= later.shown;
    }
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
    leftovers: HashMap<ProcessKey, Leftover>,
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
            leftovers: HashMap::new(),
            known: BTreeMap::new(),
            observed: BTreeMap::new(),
            unsettled: false,
            resnapped: false,
            cleaning: true,
            cleanup_at: Instant::now(),
            due: None,
            last_cleanup: None,
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
    pub fn ingest(&mut self, snapshot: Snapshot) {
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
        let rows = || {
            self.ledger
                .seen()
                .into_iter()
                .flat_map(|registry| registry.rows().values())
        };
        State {
            reservations: rows().take(SHOWN).map(ReservationView::of).collect(),
            reserved: rows().count(),
            conflicts: self.conflicts.told().into(),
            leftovers: Arc::new(self.leftovers.clone()),
            settings: self.current_settings(),
            ..State::of(Arc::clone(&self.snapshot))
        }
    }

    /// The settings, as they were read last.
    pub fn current_settings(&self) -> Settings {
        self.ledger
            .seen()
            .map(|registry| registry.settings().clone())
            .unwrap_or_default()
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
            Request::Register(claim) | Request::Claim(claim) => at(&[claim.port], false),
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
        Answer::Now(result.unwrap_or_else(Reply::Error))
    }

    fn list(&mut self, list: &List) -> ListReply {
        if !self.is_app() {
            self.observe();
            self.look_for_leftovers(self.looked_at);
        }
        let wanted =
            |listener: &Listener| list.ports.is_empty() || list.ports.contains(&listener.port);
        ListReply {
            scanned_at: self.looked_at,
            gaps: self.snapshot.gaps.clone(),
            listeners: self.views(wanted, list.details && !list.ports.is_empty()),
        }
    }

    /// The listeners as clients see them.
    fn views(&self, keep: impl Fn(&Listener) -> bool, details: bool) -> Vec<ListenerView> {
        let mut views = ListenerView::all(&self.snapshot.listeners, details, &keep);
        let kept = self
            .snapshot
            .listeners
            .iter()
            .filter(|listener| keep(listener));
        for (view, listener) in views.iter_mut().zip(kept) {
            self.complete(view, listener);
        }
        views
    }

    /// Adds to a view what is known beside who listens.
    fn complete(&self, view: &mut ListenerView, listener: &Listener) {
        let key = (listener.port, listener.protocol);
        let row = self
            .observed
            .get(&key)
            .or_else(|| self.ledger.seen()?.rows().get(&key));
        view.reservation = row.map(ReservationView::of);
        view.hold = row.map(|row| row.hold);
        view.leftover = self.leftover(listener);
        if self.conflicts.is_intruder(listener) {
            view.conflict = Some(Conflict::Intruder);
        }
    }

    fn everything(&self) -> StateReply {
        let rows = self
            .ledger
            .seen()
            .into_iter()
            .flat_map(|registry| registry.rows().values());
        StateReply {
            scanned_at: self.looked_at,
            gaps: self.snapshot.gaps.clone(),
            listeners: self.views(|_| true, false),
            reservations: rows.map(ReservationView::of).collect(),
            conflicts: self.conflicts.told().to_vec(),
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
            conflicts: self.conflicts.told().len(),
            reservations: self
                .ledger
                .seen()
                .map_or(0, |registry| registry.rows().len()),
            registry_problem: self.ledger.problem().map(str::to_owned),
            gaps: self.snapshot.gaps.clone(),
            last_cleanup: self.last_cleanup,
            tray: self.tray.clone(),
        }
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
