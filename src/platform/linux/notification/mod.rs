//! Showing a notification: by the Desktop Notifications Specification, version 1.2, on a connection
//! of its own.

mod answer;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use zbus::blocking::Connection;
use zbus::message::Message;
use zbus::zvariant::{DynamicType, Value};

pub use crate::platform::shown::Shown;
pub use answer::Handle;
use answer::Listener;
pub use zbus::Error;

/// The name of the notification daemon, and of its interface.
const DAEMON: &str = "org.freedesktop.Notifications";
/// The picture in a notification.
const PICTURE: &[u8] = include_bytes!("../../../../icons/hicolor/128x128/apps/freeport.png");
/// How long a notification without buttons stays, in milliseconds.
const SECONDS_8: i32 = 8000;
/// One with buttons stays until somebody closes it: it asks something.
const UNTIL_CLOSED: i32 = 0;

/// Shows a notification. Waits for the session bus and the notification daemon for as long as they
/// take.
///
/// One with buttons stays, and as a problem it is critical: it shows its buttons at once, and is
/// shown in spite of a wish for quiet. A daemon that has no buttons shows it without.
pub fn show(shown: &Shown<'_>) -> Result<Handle, Error> {
    show_on(&Connection::session()?, shown)
}

fn show_on(bus: &Connection, shown: &Shown<'_>) -> Result<Handle, Error> {
    if shown.buttons.is_empty() || !has_buttons(bus) {
        notify(bus, shown, &[])?;
        return Ok(Handle::without_buttons());
    }
    // Before it is shown: the answer may come before the reply.
    let listener = Listener::new(bus)?;
    let reply = notify(bus, shown, shown.buttons)?;
    Handle::new(listener, &reply, shown.buttons)
}

/// Whether the daemon has buttons.
fn has_buttons(bus: &Connection) -> bool {
    let reply = call(bus, "GetCapabilities", &());
    let capabilities = reply.and_then(|reply| reply.body().deserialize::<Vec<String>>());
    capabilities.is_ok_and(|all| all.iter().any(|one| one == "actions"))
}

fn notify(
    bus: &Connection,
    shown: &Shown<'_>,
    buttons: &[(String, String)],
) -> Result<Message, Error> {
    let stays = !buttons.is_empty();
    let hints = HashMap::from([
        ("category", Value::from("network")),
        ("desktop-entry", Value::from("freeport")),
        ("urgency", Value::from(urgency(shown.problem, stays))),
    ]);
    let actions: Vec<&str> = buttons
        .iter()
        .flat_map(|(id, label)| [id.as_str(), label.as_str()])
        .collect();
    let arguments = (
        "Freeport",
        0u32,
        picture(),
        shown.summary,
        markup(shown.body),
        actions,
        hints,
        if stays { UNTIL_CLOSED } else { SECONDS_8 },
    );
    call(bus, "Notify", &arguments)
}

fn call<A>(bus: &Connection, method: &str, arguments: &A) -> Result<Message, Error>
where
    A: serde::Serialize + DynamicType,
{
    let object = "/org/freedesktop/Notifications";
    bus.call_method(Some(DAEMON), object, Some(DAEMON), method, arguments)
}

/// The urgency level: 0 is low, 1 normal, 2 critical.
fn urgency(problem: bool, buttons: bool) -> u8 {
    u8::from(problem) + u8::from(buttons)
}

/// Where the picture is, for the daemon to read: next to the app's socket, as the icon theme has it
/// only where Freeport was installed as a package.
fn picture() -> &'static str {
    static PLACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let place = PLACE.get_or_init(|| {
        let place = crate::platform::paths::runtime_dir().join("freeport.png");
        std::fs::write(&place, PICTURE).ok().map(|()| place)
    });
    let path = place.as_ref().and_then(|place| place.to_str());
    path.unwrap_or("freeport")
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

    #[test]
    fn what_asks_is_more_urgent_than_what_tells() {
        let levels = [(false, false), (true, false), (false, true), (true, true)];
        assert_eq!(levels.map(|(p, b)| urgency(p, b)), [0, 1, 1, 2]);
    }
}
