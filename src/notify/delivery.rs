//! Handing a notification to the desktop, without ever waiting for it for long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use notify_rust::{Hint, Notification, Timeout, Urgency};

use super::Note;

/// How long the notification daemon may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the daemon has let a notification hang: no further thread is risked then.
static HANGS: AtomicBool = AtomicBool::new(false);

/// Shows a notification. Waits for at most a few seconds, so never call it where that matters.
/// Without a notification daemon, the note goes to the log.
pub fn deliver(note: &Note) {
    if HANGS.load(Ordering::Relaxed) {
        log::info!(
            "not shown, as the notification daemon hangs: {}: {}",
            note.summary,
            note.body
        );
        return;
    }
    let (sender, shown) = mpsc::channel();
    let wanted = note.clone();
    let work = move || {
        let result = show(&wanted);
        HANGS.store(false, Ordering::Relaxed);
        let _ = sender.send(result);
    };
    if let Err(error) = std::thread::Builder::new()
        .name("notification".into())
        .stack_size(256 * 1024)
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
            HANGS.store(true, Ordering::Relaxed);
            log::warn!(
                "the notification daemon does not answer: {}: {}",
                note.summary,
                note.body
            );
        }
    }
}

fn show(note: &Note) -> Result<(), notify_rust::error::Error> {
    let mut notification = Notification::new();
    notification
        .appname("Freeport")
        .icon("freeport")
        .summary(&note.summary)
        .body(&markup(&note.body))
        .hint(Hint::Category("network".into()))
        .hint(Hint::DesktopEntry("freeport".into()))
        .timeout(Timeout::Milliseconds(8000));
    if note.problem {
        notification.urgency(Urgency::Normal);
    } else {
        notification.urgency(Urgency::Low);
    }
    notification.show().map(drop)
}

/// Daemons may read the body as markup.
fn markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(markup("<b>a & b</b>"), "&lt;b&gt;a &amp; b&lt;/b&gt;");
    }
}
