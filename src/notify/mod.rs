//! Desktop notifications: which news are shown and when, what they say, and how they are delivered.

mod delivery;
mod gathered;
mod memory;
mod note;
mod pace;
mod policy;
mod texts;

pub use delivery::{deliver, deliver_with};
pub use note::{Button, Note, Press};
pub use policy::{Policy, Wanted};
