//! Freeport shows which process listens on which port, and frees exactly the right one.
//!
//! # The shape
//!
//! One process per user, `freeport`, owns the tray icon, the scanner, the registry and a Unix socket.
//! Every other command asks it over the socket; where it does not run, the command does the same work
//! by itself, with the same engine.
//!
//! ```text
//!  kernel ── platform ── Snapshot ──▶ engine ── State ──▶ tray menu
//!             (scanner thread)       (engine thread) ── News ──▶ notifications
//!                                     ▲   ▲  │    └─── Event ──▶ subscribers
//!                     Request / Reply │   │  │ work
//!                  socket, menu clicks    │  ▼
//!                             registry ───┘  kill, on threads of its own ──▶ platform (pidfd)
//!                             (SQLite)
//! ```
//!
//! # The layers
//!
//! | module | what it owns | may use |
//! |---|---|---|
//! | [`model`] | pure values and decisions: listener, process, reservation, whom a kill means | nothing |
//! | [`platform`] | what the system says and does; the only place that knows which system | model |
//! | [`registry`] | reservations in SQLite, and what becomes of them | model, platform |
//! | [`ipc`] | the wire: requests, replies, events, socket, client, server | model, platform |
//! | [`notify`] | desktop notifications: which, when, and how | model, platform |
//! | [`engine`] | the one owner of state | model, platform, registry, ipc |
//! | [`tray`] | the menu as a function of the state, and its clicks as requests | all above |
//! | [`run`] | the wrapper: which framework, which port, hold and hand-over | model, platform, ipc |
//! | [`tui`] | the screens of `freeport tui`, over the client | model, platform, ipc |
//! | [`cli`] | one file per verb, over [`Ask`] | model, platform, registry, ipc, run, tui |
//! | [`app`] | the wiring: threads, queue, signals, shutdown | everything |
//!
//! `tests/layers.rs` keeps it so.
//!
//! # What always holds
//!
//! - A process is a [`model::ProcessKey`], pid and start time, never a bare pid.
//! - A socket whose owner cannot be seen is shown without owner; it never looks like a free port.
//! - A signal goes to a process that has the port's socket open at that moment: on Linux through a
//!   pidfd whose start time was checked after it was opened, on macOS right after that check.
//! - The engine never waits for a client: looks are made by the scanner, kills on threads of their
//!   own, and a subscriber that does not read is dropped. It waits for SQLite, for two seconds at most.
//! - A change of the registry is one `BEGIN IMMEDIATE` transaction, and it is answered after the
//!   commit: of several that claim a port one wins, and what was acknowledged outlives a `kill -9`.
//! - A reservation is never called stale while whom it is for listens.
//! - Nothing is derived from what could not be seen ([`model::Gap`]).
//! - Text from other programs is escaped wherever a person reads it.
//!
//! # Where to add things
//!
//! A verb is a file in `cli/`, a variant of [`Request`] and an arm in [`engine`]. A known service is
//! a row in `model/service/table.rs`, a framework that `run` tells its port one in `run/frameworks.rs`, a setting one in `model/settings.rs`. A migration is a new file in
//! `registry/migrations/`; those that were released are never changed. A system is a folder in
//! `platform/` and one in `tray/`.

pub mod app;
pub mod cli;
pub mod engine;
pub mod ipc;
pub mod model;
pub mod notify;
pub mod platform;
pub mod registry;
pub mod run;
pub mod tray;
pub mod tui;

pub use ipc::client::Subscription;
pub use ipc::{Ask, Client, ClientError, Reply, Request};

/// Runs the program with the arguments of the process.
pub fn run() -> std::process::ExitCode {
    app::main()
}
