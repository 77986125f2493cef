//! Starting at login: a launch agent, `~/Library/LaunchAgents/freeport.plist`.
//!
//! It is written by the auto-launch crate and read here: the crate takes every file that exists
//! for an agent that is switched on, and escapes no paths, so that what it wrote is checked. What
//! the user switches off under Login Items in System Settings is not in the file, and not seen.

use std::io;
use std::path::{Path, PathBuf};

use auto_launch::{AutoLaunch, MacOSLaunchMode};

use super::paths;
use crate::platform::macos_formats::launch_agent;

/// The label of the agent, and the name of its file.
const NAME: &str = "freeport";

/// What to do when the entry cannot be read or changed.
pub const HINT: &str = "check that ~/Library/LaunchAgents can be written";

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

/// Where the entry is.
pub fn place() -> io::Result<PathBuf> {
    let home = paths::home().ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "no home folder is known: set HOME")
    })?;
    Ok(home.join(format!("Library/LaunchAgents/{NAME}.plist")))
}

/// Reads whether this program starts at login.
pub fn state() -> io::Result<State> {
    let bytes = match std::fs::read(place()?) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Disabled),
        Err(error) => return Err(error),
    };
    let agent = launch_agent::read(&String::from_utf8_lossy(&bytes)).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "it is no property list in XML: 'plutil -convert xml1' makes it one",
        )
    })?;
    let exe = std::env::current_exe()?;
    Ok(
        if agent.disabled || !agent.at_login || agent.command.is_empty() {
            State::Disabled
        } else if agent.command == [&*exe.to_string_lossy(), "app"] {
            State::Enabled
        } else {
            State::Elsewhere(agent.command.join(" "))
        },
    )
}

/// Makes this program start at login, or not.
pub fn set(enabled: bool) -> io::Result<()> {
    let exe = std::env::current_exe()?;
    let agent = agent(&exe)?;
    if !enabled {
        return agent.disable().map_err(io_error);
    }
    let place = place()?;
    std::fs::create_dir_all(place.parent().unwrap_or(Path::new("/")))?;
    agent.enable().map_err(io_error)?;
    match state() {
        Ok(State::Enabled) => Ok(()),
        // The disk is full, or the path has characters that mean something in XML.
        _ => {
            let _ = std::fs::remove_file(&place);
            Err(io::Error::other(format!(
                "{} cannot be started at login: its path has one of the characters < > &, or the disk is full",
                exe.display()
            )))
        }
    }
}

fn agent(exe: &Path) -> io::Result<AutoLaunch> {
    let exe = exe.to_str().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the path {} is no text", exe.display()),
        )
    })?;
    Ok(AutoLaunch::new(
        NAME,
        exe,
        MacOSLaunchMode::LaunchAgent,
        &["app"],
        &[] as &[&str],
        // What the user waits for is not slowed down as background work.
        "<key>ProcessType</key>\n  <string>Interactive</string>",
    ))
}

fn io_error(error: auto_launch::Error) -> io::Error {
    match error {
        auto_launch::Error::Io(error) => error,
        other => io::Error::other(other),
    }
}
