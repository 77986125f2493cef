//! Handing a notification to the desktop, without ever waiting for it for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::{Button, Note, Press};
use crate::platform::notification::{self, Handle, Shown};

/// How long the notification daemon may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the daemon has let a notification hang: no further thread is risked then.
static HANGS: AtomicBool = AtomicBool::new(false);

/// How many notifications may wait for a press at one time: each has a thread.
const WAITING: usize = 8;

/// How many wait.
static WAITS: Waits = Waits(AtomicUsize::new(0));

/// Shows a notification, without its buttons. Waits for at most a few seconds, so never call it
/// where that matters. Without a notification daemon, the note goes to the log.
pub fn deliver(note: &Note) {
    hand_over(note, Vec::new(), drop);
}

/// Shows a notification as [`deliver`] does, with its buttons. When one is pressed, however much
/// later, `pressed` is called with what that means, on a thread of its own.
pub fn deliver_with(note: &Note, pressed: impl FnOnce(Press) + Send + 'static) {
    if note.buttons.is_empty() {
        return deliver(note);
    }
    let Some(wait) = WAITS.one_more() else {
        log::debug!(
            "{WAITING} notifications wait for a press; shown without buttons: {}",
            note.summary
        );
        return deliver(note);
    };
    let buttons = note.buttons.clone();
    let shown = buttons.iter().map(|button| {
        let Button { id, label, .. } = *button;
        (id.to_owned(), label.to_owned())
    });
    hand_over(note, shown.collect(), move |handle| {
        let id = handle.wait();
        drop(wait);
        let button = buttons
            .into_iter()
            .find(|button| id.as_deref() == Some(button.id));
        if let Some(button) = button {
            log::info!("pressed: {:?}", button.press);
            pressed(button.press);
        }
    });
}

/// Shows a notification on a thread of its own, which then does `then`.
fn hand_over(
    note: &Note,
    buttons: Vec<(String, String)>,
    then: impl FnOnce(Handle) + Send + 'static,
) {
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
        let result = notification::show(&Shown {
            summary: &wanted.summary,
            body: &wanted.body,
            problem: wanted.problem,
            buttons: &buttons,
        });
        if was_late.swap(true, Ordering::AcqRel) {
            HANGS.store(false, Ordering::Release);
        }
        match result {
            Ok(handle) => {
                let _ = sender.send(Ok(()));
                then(handle);
            }
            Err(error) => drop(sender.send(Err(error))),
        }
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

/// How many notifications wait for a press.
struct Waits(AtomicUsize);

/// One that waits; gives its place back when it is dropped.
struct Wait<'a>(&'a Waits);

impl Waits {
    /// Lets one more wait, when there are not too many.
    fn one_more(&self) -> Option<Wait<'_>> {
        let more = |n: usize| (n < WAITING).then_some(n + 1);
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()
            .map(|_| Wait(self))
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_wait_and_no_more() {
        let waits = Waits(AtomicUsize::new(0));
        let mut all: Vec<Wait<'_>> = (0..WAITING).filter_map(|_| waits.one_more()).collect();
        assert_eq!(all.len(), WAITING);
        assert!(waits.one_more().is_none());
        all.pop();
        let again = waits.one_more();
        assert!(again.is_some() && waits.one_more().is_none());
    }
}
