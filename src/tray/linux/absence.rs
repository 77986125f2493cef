//! Why there is no icon, and what would help: what ksni says, in words for the user. The words of
//! other programs in it are escaped.

use ksni::{Error, OfflineReason};

use crate::ipc::protocol::TrayStatus;
use crate::model::text::{escape, shorten};

/// How much of another program's words is told.
const MOST: usize = 200;

/// Why there is no icon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The reason, which follows "no tray icon: ".
    pub reason: String,
    /// What would help, when there is something.
    pub hint: Option<&'static str>,
}

impl Absence {
    /// Nothing is wrong yet.
    pub fn starting() -> Absence {
        Absence {
            reason: "it is on its way to the panel".to_owned(),
            hint: None,
        }
    }

    /// The bus has been asked, and says nothing.
    pub fn silent_bus() -> Absence {
        Absence::new(
            "the session bus does not answer",
            "log out and in again, or look at the bus with 'busctl --user'",
        )
    }

    /// Why a panel does not show the icon that is on the bus.
    pub fn of(reason: &OfflineReason) -> Absence {
        match reason {
            OfflineReason::No => Absence::new(
                "the panel that showed it is gone (StatusNotifierWatcher left the session bus)",
                "it comes back with a panel that shows tray icons; until then use 'freeport list'",
            ),
            OfflineReason::Error(error) => Absence::of_error(error),
            other => Absence::untaken(&format!("{other:?}")),
        }
    }

    /// Why the icon is not on the bus, or not taken from there.
    pub fn of_error(error: &Error) -> Absence {
        match error {
            Error::WontShow | Error::Watcher(zbus::fdo::Error::ServiceUnknown(_)) => Absence::new(
                "no panel shows tray icons here (no StatusNotifierWatcher on the session bus)",
                "on GNOME install and enable the AppIndicator extension; elsewhere add a tray or status notifier plugin to the panel; until then use 'freeport list'",
            ),
            Error::Watcher(error) => Absence::untaken(&error.to_string()),
            // A refusal by a name that D-Bus does not define is told as an error of the bus.
            Error::Dbus(error @ zbus::Error::MethodError(..)) => {
                Absence::untaken(&error.to_string())
            }
            error => Absence::new(
                &format!(
                    "the session bus cannot be used: {}",
                    quoted(&error.to_string())
                ),
                "start freeport in a desktop session, where DBUS_SESSION_BUS_ADDRESS is set",
            ),
        }
    }

    /// What the engine is told.
    pub fn status(&self) -> TrayStatus {
        TrayStatus {
            shown: false,
            reason: Some(self.reason.clone()),
            hint: self.hint.map(str::to_owned),
        }
    }

    fn untaken(why: &str) -> Absence {
        Absence::new(
            &format!("the panel does not take it: {}", quoted(why)),
            "restart the panel, or log out and in again; until then use 'freeport list'",
        )
    }

    fn new(reason: &str, hint: &'static str) -> Absence {
        Absence {
            reason: reason.to_owned(),
            hint: Some(hint),
        }
    }
}

fn quoted(words: &str) -> String {
    shorten(&escape(words), MOST).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::fdo;

    fn watcher(error: fdo::Error) -> OfflineReason {
        OfflineReason::Error(Error::Watcher(error))
    }

    #[test]
    fn every_reason_is_told_with_what_would_help() {
        let gone = "Message recipient disconnected from message bus without replying".to_owned();
        let rows = [
            (OfflineReason::No, "is gone", "comes back"),
            (
                watcher(fdo::Error::ServiceUnknown("x".into())),
                "no StatusNotifierWatcher",
                "AppIndicator",
            ),
            (
                OfflineReason::Error(Error::WontShow),
                "no StatusNotifierWatcher",
                "AppIndicator",
            ),
            (
                watcher(fdo::Error::AccessDenied("not you".into())),
                "does not take it: org.freedesktop.DBus.Error.AccessDenied: not you",
                "restart the panel",
            ),
            (
                watcher(fdo::Error::NoReply(gone)),
                "disconnected",
                "restart the panel",
            ),
            (
                OfflineReason::Error(Error::Dbus(zbus::Error::InvalidReply)),
                "session bus cannot be used",
                "DBUS_SESSION_BUS_ADDRESS",
            ),
        ];
        for (reason, says, helps) in rows {
            let absence = Absence::of(&reason);
            assert!(absence.reason.contains(says), "{absence:?}");
            assert!(absence.hint.unwrap().contains(helps), "{absence:?}");
            assert!(!absence.status().shown);
        }
    }

    #[test]
    fn the_words_of_a_panel_are_escaped_and_not_endless() {
        let words = format!("\x1b[2J\n{}", "no ".repeat(10_000));
        let absence = Absence::of(&watcher(fdo::Error::Failed(words)));
        assert!(!absence.reason.contains(['\x1b', '\n']), "{absence:?}");
        assert!(absence.reason.len() < 2 * MOST, "{absence:?}");
    }
}
