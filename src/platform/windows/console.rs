//! The terminal that a program fills. What std and the console do by themselves is all there is yet.

/// Waits until the terminal is gone: it cannot be told yet. Windows ends the programs of a console
/// that is closed.
pub fn wait_until_gone() -> bool {
    false
}

/// Stops this process until it is continued: Windows has nothing for that.
pub fn pause() {}
