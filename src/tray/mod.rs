//! The icon and its menu.
//!
//! What the menu shows is decided purely: `menu` is a function of the `contents`, and `board` keeps
//! those as they were while the menu is open. What a click does is in `actions`; one module per
//! platform draws it. Knows the engine only through requests and replies, and gets its states from
//! `app`.

#[cfg_attr(windows, allow(dead_code, reason = "nothing is drawn there yet"))]
mod actions;
#[cfg_attr(windows, allow(dead_code, reason = "nothing is drawn there yet"))]
mod board;
#[cfg_attr(windows, allow(dead_code, reason = "nothing is drawn there yet"))]
mod contents;
#[cfg(target_os = "linux")]
mod icon;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
pub mod menu;
#[cfg(test)]
mod scene;
#[cfg_attr(windows, allow(dead_code, reason = "nothing is drawn there yet"))]
mod shape;
#[cfg(any(target_os = "macos", test))]
mod sketch;
mod states;
#[cfg(windows)]
mod windows;

use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::ipc::protocol::{Reply, Request, TrayStatus};

#[cfg(target_os = "linux")]
pub use linux::run;
#[cfg(target_os = "macos")]
pub use macos::run;
pub use states::{Publisher, States, slot};
#[cfg(windows)]
pub use windows::run;

/// Why the app is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quit {
    /// A signal asked for it.
    Signal(&'static str),
    /// The user chose Quit.
    Menu,
    /// The desktop session is over.
    SessionEnded,
    /// Another app has taken the place of this one.
    Replaced,
    /// The program is no longer installed.
    Uninstalled,
}

/// What the tray needs of the rest.
pub struct Links {
    /// Asks the engine, and waits for the reply.
    pub ask: Arc<dyn Fn(Request) -> Reply + Send + Sync>,
    /// Tells the engine whether there is an icon.
    pub status: Box<dyn Fn(TrayStatus) + Send>,
    /// Ends the app.
    pub quit: Sender<Quit>,
}
