//! Starting at login: the entry `autostart/freeport.desktop` of the XDG autostart specification.
//!
//! Written here and not by the auto-launch crate, which ignores `XDG_CONFIG_HOME`, quotes no
//! paths, and takes every file that exists for an entry that is switched on.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::paths;
use crate::platform::above;
pub use crate::platform::at_login::State;

/// What to do when the entry cannot be read or changed.
pub const HINT: &str =
    "check that your configuration folder (XDG_CONFIG_HOME, or ~/.config) can be written";

/// Where the entry is.
pub fn place() -> io::Result<PathBuf> {
    let config = paths::config_home().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "no home folder is known: set HOME or XDG_CONFIG_HOME",
        )
    })?;
    Ok(config.join("autostart/freeport.desktop"))
}

/// This program; where it was replaced while it runs, what has its place now.
fn program() -> io::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let path = exe
        .to_str()
        .and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(path.map(PathBuf::from).unwrap_or(exe))
}

/// Reads whether this program starts at login.
pub fn state() -> io::Result<State> {
    let exe = program()?;
    match std::fs::read_to_string(place()?) {
        Ok(text) => Ok(read(&text, &exe)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::Disabled),
        Err(error) => Err(error),
    }
}

/// Makes this program start at login, or not.
pub fn set(enabled: bool) -> io::Result<()> {
    let place = place()?;
    if !enabled {
        return match std::fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let folder = place.parent().unwrap_or(Path::new("/"));
    if let Some(why) = above::of_another_user(folder) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    std::fs::create_dir_all(folder)?;
    // Renamed into place, so that a full disk leaves the old entry whole.
    let draft = folder.join(format!(".freeport.desktop.{}", std::process::id()));
    let written = std::fs::File::create(&draft)
        .and_then(|mut file| {
            file.write_all(entry(&program()?).as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| std::fs::rename(&draft, &place));
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written
}

fn entry(exe: &Path) -> String {
    let exe = exe.to_string_lossy();
    // With TryExec, a session says nothing where the program was uninstalled.
    format!(
        "[Desktop Entry]\nType=Application\nName=Freeport\nComment=See who listens on which port, and free it\nTryExec={}\nExec={} app\nIcon=freeport\nTerminal=false\nX-GNOME-Autostart-enabled=true\n",
        string(&exe),
        quote(&exe)
    )
}

/// A value of the type "string" (Desktop Entry Specification, "Possible value types").
fn string(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
        .replace('\r', "\\r")
}

/// Quotes an argument of `Exec` (Desktop Entry Specification, "The Exec key"): quotes and
/// backslashes are escaped once for the argument and backslashes again for the file, `%` is
/// doubled.
fn quote(argument: &str) -> String {
    let mut quoted = String::from("\"");
    for c in argument.chars() {
        match c {
            '"' | '`' | '$' => quoted.extend(['\\', '\\', c]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn read(text: &str, exe: &Path) -> State {
    let mut in_entry = false;
    let mut keys = text.lines().map(str::trim).filter_map(|line| {
        if line.starts_with('[') {
            in_entry = line == "[Desktop Entry]";
        }
        let (key, value) = line
            .split_once('=')
            .filter(|_| in_entry && !line.starts_with('#'))?;
        Some((key.trim(), value.trim()))
    });
    let (mut off, mut command) = (false, None);
    for (key, value) in &mut keys {
        match key {
            "Hidden" => off |= value == "true",
            "X-GNOME-Autostart-enabled" => off |= value == "false",
            "Exec" => command = Some(value.to_owned()),
            _ => {}
        }
    }
    match command {
        Some(_) if off => State::Disabled,
        Some(command) if command == format!("{} app", quote(&exe.to_string_lossy())) => {
            State::Enabled
        }
        Some(command) => State::Elsewhere(command),
        None => State::Disabled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_enabled_by_the_program_that_wrote_it() {
        for exe in [
            "/usr/bin/freeport",
            "/home/me/My Apps/free \"port\" $5 100%\\x/freeport",
            "/home/me/two\nlines\tand\ra tab/freeport",
        ] {
            assert_eq!(
                read(&entry(Path::new(exe)), Path::new(exe)),
                State::Enabled,
                "{exe}"
            );
            assert!(matches!(
                read(&entry(Path::new(exe)), Path::new("/opt/freeport")),
                State::Elsewhere(_)
            ));
        }
    }

    #[test]
    fn an_entry_names_the_program_that_must_be_there() {
        let entry = entry(Path::new("/home/me/My \"Apps\" 100%/a\\b\nc/freeport"));
        let named: Vec<&str> = entry
            .lines()
            .filter_map(|line| line.strip_prefix("TryExec="))
            .collect();
        assert_eq!(
            named,
            [r#"/home/me/My "Apps" 100%/a\\b\nc/freeport"#],
            "escaped, and not quoted as Exec is"
        );
    }

    #[test]
    fn an_entry_can_be_switched_off() {
        let exe = Path::new("/usr/bin/freeport");
        assert_eq!(read(&(entry(exe) + "Hidden=true\n"), exe), State::Disabled);
        assert_eq!(
            read(&entry(exe).replace("enabled=true", "enabled=false"), exe),
            State::Disabled
        );
        assert_eq!(read("", exe), State::Disabled);
        assert_eq!(
            read(&(entry(exe) + "[Desktop Action x]\nHidden=true\n"), exe),
            State::Enabled,
            "another group"
        );
    }
}
