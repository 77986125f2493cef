//! Showing a notification: by the Notification Center.

use notify_rust::{Notification, NotificationHandle};

pub use crate::platform::unix::notification::Shown;
pub use notify_rust::error::Error;

/// Shows a notification; one with buttons as soon as [`Handle::wait`] is called, or the handle is
/// dropped. The Notification Center has no urgency for those of programs without a bundle, so that
/// `problem` changes nothing.
pub fn show(shown: &Shown<'_>) -> Result<Handle, Error> {
    let mut notification = Notification::new();
    notification
        .appname("Freeport")
        .summary(shown.summary)
        .body(shown.body);
    for (id, label) in shown.buttons {
        notification.action(id, label);
    }
    let handle = notification.show()?;
    let buttons: Vec<String> = shown.buttons.iter().map(|(id, _)| id.clone()).collect();
    // Without buttons, it is dropped here.
    Ok(Handle((!buttons.is_empty()).then_some((handle, buttons))))
}

/// A notification that is shown.
pub struct Handle(Option<(NotificationHandle, Vec<String>)>);

impl Handle {
    /// Waits until a button is pressed, and tells its id; `None` when the notification was closed.
    /// One that is shown without buttons is not waited for. The main thread must run its loop.
    pub fn wait(self) -> Option<String> {
        let (handle, buttons) = self.0?;
        let mut pressed = None;
        handle.wait_for_action(|action| pressed = Some(action.to_owned()));
        pressed.filter(|action| buttons.contains(action))
    }
}
