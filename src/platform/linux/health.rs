//! What this system has of what Freeport can use, for who wants to know why something does not work.

use std::sync::mpsc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use zbus::blocking::Connection;
use zbus::{Error, fdo};

use crate::platform::Desktop;

/// What would help where icons are not shown.
pub const TRAY_REMEDY: &str = "on GNOME install and enable the AppIndicator extension; elsewhere add a tray or status notifier plugin to the panel";
/// What would help where notifications are not shown.
pub const NOTIFICATIONS_REMEDY: &str =
    "start a notification daemon: most desktops have one, alone there are dunst and mako";
/// What would help where there is no seam.
pub const SEAM_REMEDY: &str = "Linux 5.6 or newer has it; in a container, its seccomp profile must allow seccomp and pidfd_getfd";
/// What would help where signals are not exact.
pub const SIGNAL_REMEDY: &str = "Linux 5.3 or newer has pidfd_open";

/// How long the bus may take with all of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a signal reaches the very process that was checked (pidfd_open(2)).
pub fn signals_are_exact() -> bool {
    !matches!(
        pidfd_open(getpid(), PidfdFlags::empty()),
        Err(Errno::NOSYS | Errno::PERM)
    )
}

/// Who shows icons and notifications in this session.
pub fn desktop() -> Desktop {
    let (tell, told) = mpsc::channel();
    let look = move || {
        let _ = tell.send(ask());
    };
    let started = std::thread::Builder::new()
        .name("desktop".into())
        .stack_size(256 * 1024)
        .spawn(look);
    let found = started.ok().and_then(|_| told.recv_timeout(PATIENCE).ok());
    found.unwrap_or_else(|| Desktop::none("the session bus does not answer"))
}

fn ask() -> Desktop {
    let bus = match Connection::session() {
        Ok(bus) => bus,
        Err(error) => return Desktop::none(&format!("there is no session bus ({error})")),
    };
    Desktop {
        tray: tray(&bus),
        notifications: notifications(&bus),
    }
}

/// Asks the watcher, as an icon does, whether anybody shows icons.
fn tray(bus: &Connection) -> Result<String, String> {
    let watcher = "org.kde.StatusNotifierWatcher";
    let reply = bus.call_method(
        Some(watcher),
        "/StatusNotifierWatcher",
        Some("org.freedesktop.DBus.Properties"),
        "Get",
        &(watcher, "IsStatusNotifierHostRegistered"),
    );
    let shown = reply.and_then(|reply| {
        let value: zbus::zvariant::OwnedValue = reply.body().deserialize()?;
        Ok(bool::try_from(value)?)
    });
    match shown {
        Ok(true) => Ok("a panel".to_owned()),
        Ok(false) => Err("no panel shows icons".to_owned()),
        Err(error) => Err(because(
            &error,
            "no StatusNotifierWatcher is on the session bus",
        )),
    }
}

fn notifications(bus: &Connection) -> Result<String, String> {
    let daemon = "org.freedesktop.Notifications";
    let reply = bus.call_method(
        Some(daemon),
        "/org/freedesktop/Notifications",
        Some(daemon),
        "GetServerInformation",
        &(),
    );
    let named = reply.and_then(|reply| {
        let (name, _, version, _): (String, String, String, String) = reply.body().deserialize()?;
        Ok(format!("{name} {version}"))
    });
    named.map_err(|error| because(&error, "no notification daemon is on the session bus"))
}

fn because(error: &Error, nobody: &str) -> String {
    let is_nobody = match error {
        Error::MethodError(name, ..) => {
            name.as_str() == "org.freedesktop.DBus.Error.ServiceUnknown"
        }
        Error::FDO(error) => matches!(**error, fdo::Error::ServiceUnknown(_)),
        _ => false,
    };
    match is_nobody {
        true => nobody.to_owned(),
        false => error.to_string(),
    }
}
