//! Showing a notification: by the Notification Center.

use std::sync::Once;

use mac_notification_sys::{MainButton, Notification, NotificationResponse, set_application};

use super::bundle;
use crate::platform::macos_formats::notification::{MORE, pressed, titles};
pub use crate::platform::shown::Shown;
pub use mac_notification_sys::error::Error;

/// Whose notifications those of a program without an app are shown as: there have to be some.
const TERMINAL: &str = "com.apple.Terminal";

/// Shows a notification; one with buttons as soon as [`Handle::wait`] is called. The Notification
/// Center has no urgency for those of programs without a bundle, so that `problem` changes nothing.
pub fn show(shown: &Shown<'_>) -> Result<Handle, Error> {
    introduce();
    if shown.buttons.is_empty() {
        let mut notification = Notification::new();
        notification.title(shown.summary).message(shown.body);
        notification.asynchronous(true).send()?;
        return Ok(Handle(None));
    }
    Ok(Handle(Some(Waiting {
        summary: shown.summary.to_owned(),
        body: shown.body.to_owned(),
        buttons: shown.buttons.to_vec(),
    })))
}

/// A notification that is shown.
pub struct Handle(Option<Waiting>);

/// One with buttons.
struct Waiting {
    summary: String,
    body: String,
    buttons: Vec<(String, String)>,
}

impl Handle {
    /// Waits until a button is pressed, and tells its id; `None` when the notification was closed.
    /// One that is shown without buttons is not waited for. The main thread must run its loop.
    pub fn wait(self) -> Option<String> {
        let waiting = self.0?;
        let titles = titles(&waiting.buttons);
        let list: Vec<&str> = titles.iter().map(String::as_str).collect();
        let button = match list.as_slice() {
            [one] => MainButton::SingleAction(one),
            more => MainButton::DropdownActions(MORE, more),
        };
        let mut notification = Notification::new();
        notification
            .title(&waiting.summary)
            .message(&waiting.body)
            .main_button(button);
        match notification.send() {
            Ok(NotificationResponse::ActionButton(title)) => {
                pressed(&waiting.buttons, &title).map(str::to_owned)
            }
            Ok(_) => None,
            Err(error) => {
                log::info!(
                    "no notification can be shown ({error}): {}: {}",
                    waiting.summary,
                    waiting.body
                );
                None
            }
        }
    }
}

/// Says once whose notifications these are. Without that it would be looked for by asking the
/// user where an application is.
fn introduce() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let exe = std::env::current_exe().unwrap_or_default();
        let id = bundle::id(&exe).unwrap_or(TERMINAL);
        if let Err(error) = set_application(id) {
            log::debug!("notifications cannot be shown as those of {id}: {error}");
        }
    });
}
