//! The tray on Windows: none yet. The app says so, and goes on without.

use std::sync::mpsc::Receiver;

use super::{Links, Quit, States};
use crate::ipc::protocol::TrayStatus;

/// Tells that there is no tray, and waits until the app is to end.
pub fn run(links: Links, _: States, _: Receiver<()>, ended: Receiver<Quit>) {
    (links.status)(TrayStatus {
        shown: false,
        reason: Some("freeport has no tray on Windows yet".to_owned()),
        hint: Some("use freeport on Linux or macOS".to_owned()),
    });
    if let Ok(reason) = ended.recv() {
        log::info!("ending: {reason:?}");
    }
}
