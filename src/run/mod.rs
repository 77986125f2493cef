//! The wrapper: a command is started on a port that is really held for it.
//!
//! Asks through [`crate::ipc::Ask`], as every verb does, and knows neither the engine nor the app.

pub mod asking;
pub mod binds;
pub mod claims;
pub mod command;
pub mod docker;
pub mod framework;
pub mod frameworks;
pub mod guard;
pub mod known;
pub mod manifest;
pub mod moved;
pub mod nested;
pub mod options;
pub mod passing;
pub mod plan;
pub mod ready;
pub mod replace;
pub mod resolve;
pub mod restart;
pub mod start;
pub mod told;
pub mod variables;
pub mod verify;
pub mod wait;
pub mod words;
