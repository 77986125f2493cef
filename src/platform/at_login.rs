//! What the entry that starts Freeport at login says, on any system.

/// What the entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It starts this program.
    Enabled,
    /// There is none, or it is switched off.
    Disabled,
    /// It starts another program (an older copy, as a rule).
    Elsewhere(String),
}
