//! The desktop: starting at login, notifications, and what there is of either. Nothing yet.

/// Starting at login.
pub mod autostart {
    use std::io;
    use std::path::PathBuf;

    pub use crate::platform::at_login::State;
    use crate::platform::windows::not_yet;

    /// What to do when the entry cannot be read or changed.
    pub const HINT: &str = "start it by hand";

    /// Where the entry is: not yet.
    pub fn place() -> io::Result<PathBuf> {
        Err(not_yet())
    }

    /// Reads whether this program starts at login: not yet.
    pub fn state() -> io::Result<State> {
        Err(not_yet())
    }

    /// Makes this program start at login, or not: not yet.
    pub fn set(_enabled: bool) -> io::Result<()> {
        Err(not_yet())
    }
}

/// Notifications.
pub mod notification {
    use std::convert::Infallible;

    use crate::platform::windows::not_yet;

    pub use crate::platform::shown::Shown;
    pub use std::io::Error;

    /// Shows a notification: not yet.
    pub fn show(_: &Shown<'_>) -> Result<Handle, Error> {
        Err(not_yet())
    }

    /// A notification that is shown.
    pub struct Handle(Infallible);

    impl Handle {
        /// Waits until a button is pressed.
        pub fn wait(self) -> Option<String> {
            match self.0 {}
        }
    }
}

/// What this system has of what Freeport can use.
pub mod health {
    use crate::platform::Desktop;

    /// What would help, with all of it.
    const REMEDY: &str = "use freeport on Linux or macOS";
    /// What would help where icons are not shown.
    pub const TRAY_REMEDY: &str = REMEDY;
    /// What would help where notifications are not shown.
    pub const NOTIFICATIONS_REMEDY: &str = REMEDY;
    /// What would help where there is no seam.
    pub const SEAM_REMEDY: &str = REMEDY;
    /// What would help where signals are not exact.
    pub const SIGNAL_REMEDY: &str = REMEDY;

    /// Whether a signal reaches the very process that was checked: none is sent yet.
    pub fn signals_are_exact() -> bool {
        false
    }

    /// Who shows icons and notifications: nobody, for Freeport.
    pub fn desktop() -> Desktop {
        Desktop::none("freeport shows nothing on Windows yet")
    }
}
