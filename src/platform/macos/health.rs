//! What this system has of what Freeport can use, for who wants to know why something does not work.

use crate::platform::Desktop;

/// What would help where icons are not shown: they always are.
pub const TRAY_REMEDY: &str = "log in on the Mac itself";
/// What would help where notifications are not shown.
pub const NOTIFICATIONS_REMEDY: &str = "allow them in System Settings, Notifications";
/// What would help where there is no seam.
pub const SEAM_REMEDY: &str = "macOS has nothing like it; whether a port was stolen is told";
/// What would help where signals are not exact.
pub const SIGNAL_REMEDY: &str =
    "macOS has nothing better; pids are not given out again for a long time";

/// Whether a signal reaches the very process that was checked.
pub fn signals_are_exact() -> bool {
    false
}

/// Who shows icons and notifications in this session: the system does.
pub fn desktop() -> Desktop {
    Desktop {
        tray: Ok("the menu bar".to_owned()),
        notifications: Ok("the Notification Center".to_owned()),
    }
}
