//! Showing a notification: by the Notification Center.

use notify_rust::Notification;
use notify_rust::error::Error;

/// Shows a notification. The Notification Center has no urgency for those of programs without a
/// bundle, so that `problem` changes nothing.
pub fn show(summary: &str, body: &str, problem: bool) -> Result<(), Error> {
    let _ = problem;
    Notification::new()
        .appname("Freeport")
        .summary(summary)
        .body(body)
        .show()
        .map(drop)
}
