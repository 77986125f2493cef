//! A desktop without a screen: a private session bus, and on it the parts of a desktop that a tray
//! icon meets. The watcher of a panel ([`Watcher`]), the panel's side of an icon and its menu
//! ([`Item`], [`Entry`]), a notification daemon ([`Notifier`]), and the real program among them
//! ([`Desktop`], [`App`]).
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test file uses a part of it, and a test that cannot go on fails"
)]

mod bus;
mod desktop;
mod menu;
mod network;
mod notifier;
mod panel;
mod relay;

pub use bus::Bus;
pub use desktop::{App, Desktop, PROMPT};
pub use menu::{Entry, row};
pub use notifier::{Note, Notifier};
pub use panel::{Item, Registered, Watcher};
pub use relay::Relay;
