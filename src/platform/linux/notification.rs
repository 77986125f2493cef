//! Showing a notification: by the Desktop Notifications Specification.

use std::path::PathBuf;
use std::sync::OnceLock;

use notify_rust::error::Error;
use notify_rust::{Hint, Notification, Timeout, Urgency};

/// The picture in a notification.
const PICTURE: &[u8] = include_bytes!("../../../icons/hicolor/48x48/apps/freeport.png");

/// Where the picture is, for the daemon to read: next to the app's socket, as the icon theme has it
/// only where Freeport was installed as a package.
fn picture() -> String {
    static PLACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let place = PLACE.get_or_init(|| {
        let place = super::paths::runtime_dir().join("freeport.png");
        std::fs::write(&place, PICTURE).ok().map(|()| place)
    });
    let path = place.as_ref().and_then(|place| place.to_str());
    path.unwrap_or("freeport").to_owned()
}

/// Shows a notification. `problem` makes it harder to miss.
pub fn show(summary: &str, body: &str, problem: bool) -> Result<(), Error> {
    let urgency = if problem {
        Urgency::Normal
    } else {
        Urgency::Low
    };
    Notification::new()
        .appname("Freeport")
        .icon(&picture())
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
