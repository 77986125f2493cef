//! Showing a notification: by the Desktop Notifications Specification.

use notify_rust::error::Error;
use notify_rust::{Hint, Notification, Timeout, Urgency};

/// Shows a notification. `problem` makes it harder to miss.
pub fn show(summary: &str, body: &str, problem: bool) -> Result<(), Error> {
    let urgency = if problem {
        Urgency::Normal
    } else {
        Urgency::Low
    };
    Notification::new()
        .appname("Freeport")
        .icon("freeport")
        .summary(summary)
        .body(&markup(body))
        .hint(Hint::Category("network".into()))
        .hint(Hint::DesktopEntry("freeport".into()))
        .urgency(urgency)
        .timeout(Timeout::Milliseconds(8000))
        .show()
        .map(drop)
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
