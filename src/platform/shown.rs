//! What a notification shows, on any system.

/// A notification, as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The first line.
    pub summary: &'a str,
    /// The text below.
    pub body: &'a str,
    /// Whether something is wrong: it is harder to miss.
    pub problem: bool,
    /// Buttons: what [`Handle::wait`](crate::platform::notification::Handle::wait) tells when it is
    /// pressed, and what it says. Desktops show about three.
    pub buttons: &'a [(String, String)],
}
