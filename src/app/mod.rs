//! The wiring: which thread does what, and how the parts reach each other.
//!
//! Three threads and a few short-lived ones: the scanner makes snapshots, the engine owns the
//! state, the main thread runs the tray (or waits). All reach the engine through one bounded
//! queue.

mod backups;
mod checkpoints;
mod containers;
mod door;
mod engine_thread;
mod entry;
mod feeds;
mod local;
mod notifier;
mod portserver;
mod scan_thread;
mod signals;

use std::sync::{Arc, Mutex, mpsc};

use crate::engine::{Engine, Ring, Use};
use crate::ipc::protocol::{Reply, Request, TrayStatus};
use crate::ipc::server::{Handler, Served};
use crate::ipc::socket::{Place, SocketError};
use crate::ipc::{Ask, Client, ClientError};
use crate::platform::limits;
use crate::tray::{self, Quit};
use checkpoints::Checkpoints;
use door::Door;
use engine_thread::{EngineHandle, Listeners};
use notifier::Notifier;

pub use entry::main;
pub use local::Local;

/// Whoever answers requests now: the running app, or this process where none runs.
pub fn connect() -> Result<Box<dyn Ask>, ClientError> {
    match Client::connect() {
        Ok(client) => Ok(Box::new(client)),
        Err(ClientError::NotRunning) => Ok(Box::new(Local::new())),
        Err(error) => Err(error),
    }
}

/// Why the app ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The place of the socket cannot be used, or another app has it.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The system refused something that the app cannot do without.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it was refused.
        #[source]
        source: std::io::Error,
    },
}

/// Runs the app until it is told to end. Without a tray when `headless`.
pub fn run(headless: bool) -> Result<(), AppError> {
    let system = |what| move |source| AppError::System { what, source };
    limits::raise_descriptor_limit();
    limits::share_memory();
    // Before the socket is there, so that no signal leaves it behind.
    let (quit, ended) = mpsc::channel();
    signals::forward(quit.clone()).map_err(system("handle signals"))?;
    let taken = Place::of_user().take()?;
    let scans = Arc::new(Mutex::new(Ring::default()));
    let (engine, inbox) = engine_thread::channel();
    let scanner = scan_thread::start(engine.clone(), Arc::clone(&scans))
        .map_err(system("start the scanner"))?;
    let (portserver, beside) = portserver::start(&taken, &engine);
    let (publisher, states, rings) = tray::slot();
    let mut state = Engine::new(scans, Use::App);
    backups::open(&mut state);
    let listeners = Listeners {
        engine: engine.clone(),
        scanner,
        tray: (!headless).then_some(publisher),
        notifier: Notifier::start(asker(&engine)).map_err(system("start the notifier"))?,
        portserver,
        checkpoints: Checkpoints::start(state.place().cloned())
            .map_err(system("start the checkpoints"))?,
    };
    engine_thread::start(inbox, state, listeners).map_err(system("start the engine"))?;
    let door = Door::open(taken, beside, handler(&engine), quit.clone())
        .map_err(system("serve the socket"))?;
    log::info!(
        "freeport {} runs (pid {})",
        crate::engine::VERSION,
        std::process::id()
    );
    if headless {
        wait(&ended);
    } else {
        let links = tray::Links {
            ask: asker(&engine),
            status: reporter(&engine),
            quit,
        };
        tray::run(links, states, rings, ended);
    }
    log::info!("freeport ends");
    drop(door);
    Ok(())
}

fn wait(ended: &mpsc::Receiver<Quit>) {
    if let Ok(reason) = ended.recv() {
        log::info!("ending: {reason:?}");
    }
}

/// Who answers what comes over the socket.
fn handler(engine: &EngineHandle) -> Handler {
    let engine = engine.clone();
    Arc::new(move |peer, request| match request {
        Request::Subscribe => {
            let (reply, lines) = engine.subscribe(peer.pid, peer.uid);
            Served::Feed(reply, lines)
        }
        request => Served::Reply(engine.ask(peer.pid, peer.uid, request)),
    })
}

fn asker(engine: &EngineHandle) -> Arc<dyn Fn(Request) -> Reply + Send + Sync> {
    let engine = engine.clone();
    Arc::new(move |request| engine.ask(std::process::id(), limits::user_id(), request))
}

fn reporter(engine: &EngineHandle) -> Box<dyn Fn(TrayStatus) + Send> {
    let engine = engine.clone();
    Box::new(move |status| engine.set_tray(status))
}
