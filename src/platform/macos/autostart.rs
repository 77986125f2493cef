//! Starting at login: a launch agent, `~/Library/LaunchAgents/freeport.plist`.
//!
//! The file is all there is to it: launchd reads it at the next login. What the user switches off
//! under Login Items in System Settings is not in the file, and not seen.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{bundle, paths};
pub use crate::platform::at_login::State;
use crate::platform::macos_formats::launch_agent;

/// The label of the agent, and the name of its file.
const NAME: &str = "freeport";

/// What to do when the entry cannot be read or changed.
pub const HINT: &str = "check that ~/Library/LaunchAgents can be written";

/// Where the entry is.
pub fn place() -> io::Result<PathBuf> {
    let home = paths::home().ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "no home folder is known: set HOME")
    })?;
    Ok(home.join(format!("Library/LaunchAgents/{NAME}.plist")))
}

/// Reads whether this program starts at login.
pub fn state() -> io::Result<State> {
    let bytes = match fs::read(place()?) {
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
    let place = place()?;
    if !enabled {
        return match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let exe = std::env::current_exe()?;
    let command = [exe.to_str().unwrap_or("\0"), "app"];
    let text = launch_agent::write(NAME, bundle::id(&exe), &command).ok_or_else(|| {
        let why = format!("the path {} is no text that XML can have", exe.display());
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })?;
    fs::create_dir_all(place.parent().unwrap_or(Path::new("/")))?;
    replace(&place, &text)
}

/// Writes the file as a whole, or leaves it as it was.
fn replace(place: &Path, text: &str) -> io::Result<()> {
    let new = place.with_extension(format!("new-{}", std::process::id()));
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&new, place));
    if done.is_err() {
        let _ = fs::remove_file(&new);
    }
    done
}
