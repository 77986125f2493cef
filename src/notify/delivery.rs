//! Handing a notification to the desktop, without ever waiting for it for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::Note;
use crate::platform::notification;

/// How long the notification daemon may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the daemon has let a notification hang: no further thread is risked then.
static HANGS: AtomicBool = AtomicBool::new(false);

/// Shows a notification. Waits for at most a few seconds, so never call it where that matters.
/// Without a notification daemon, the note goes to the log.
pub fn deliver(note: &Note) {
    if HANGS.load(Ordering::Acquire) {
        log::info!(
            "not shown, as the notification daemon hangs: {}: {}",
            note.summary,
            note.body
        );
        return;
    }
    let (sender, shown) = mpsc::channel();
    let wanted = note.clone();
    let late = Arc::new(AtomicBool::new(false));
    let was_late = Arc::clone(&late);
    let work = move || {
        let result = notification::show(&wanted.summary, &wanted.body, wanted.problem);
        if was_late.swap(true, Ordering::AcqRel) {
            HANGS.store(false, Ordering::Release);
        }
        let _ = sender.send(result);
    };
    if let Err(error) = std::thread::Builder::new()
        .name("notification".into())
        .stack_size(512 * 1024)
        .spawn(work)
    {
        log::warn!("cannot start a thread for a notification: {error}");
        return;
    }
    match shown.recv_timeout(PATIENCE) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::info!(
            "no notification can be shown ({error}): {}: {}",
            note.summary,
            note.body
        ),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            // Unless it has answered in this very moment.
            HANGS.store(true, Ordering::Release);
            if late.swap(true, Ordering::AcqRel) {
                HANGS.store(false, Ordering::Release);
            }
            log::warn!(
                "the notification daemon does not answer: {}: {}",
                note.summary,
                note.body
            );
        }
    }
}
