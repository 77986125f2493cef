//! Files that appear whole or not at all: written beside their place under another name, synced,
//! and then renamed into it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::model::Timestamp;
use crate::platform::files;

/// How a draft's name begins and ends.
const NAME: (&str, &str) = (".freeport-", ".tmp");
/// What SQLite puts beside a database while it writes to it.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];
/// How many names are tried: those that a killed program with this pid has left are passed over.
const TRIES: u32 = 1000;
/// How old a draft is that nobody works on any more.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// A file on its way. One that is not finished is removed.
pub(super) struct Draft {
    path: PathBuf,
    place: PathBuf,
    finished: bool,
}

impl Draft {
    /// An empty file that only its user can read, in the folder of `place`.
    pub(super) fn beside(place: &Path) -> io::Result<Draft> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let place = target(place)?;
        let folder = folder(&place);
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..TRIES {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let (before, after) = NAME;
            let path = folder.join(format!("{before}{}-{number}{after}", std::process::id()));
            match files::private().write(true).create_new(true).open(&path) {
                Ok(_) => {
                    return Ok(Draft {
                        path,
                        place,
                        finished: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Where it is until it is finished.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place, for good: also when the power fails right after.
    pub(super) fn finish(mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        std::fs::rename(&self.path, &self.place)?;
        self.finished = true;
        sync_folder(&folder(&self.place))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let _ = std::fs::remove_file(&self.path);
        for ending in BESIDE {
            let _ = std::fs::remove_file(beside(&self.path, ending));
        }
    }
}

/// Writes a text to a file that only its user can read, whole or not at all.
pub(super) fn write(place: &Path, text: &str) -> io::Result<()> {
    let draft = Draft::beside(place)?;
    OpenOptions::new()
        .write(true)
        .open(draft.path())?
        .write_all(text.as_bytes())?;
    draft.finish()
}

/// Removes what programs that were killed have left in a folder.
pub(super) fn remove_abandoned(folder: &Path, now: Timestamp) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let (before, after) = NAME;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_draft = name.to_str().is_some_and(|name| {
            let ending = BESIDE.iter().find_map(|ending| name.strip_suffix(ending));
            name.starts_with(before) && ending.unwrap_or(name).ends_with(after)
        });
        let is_old = || {
            let written = entry.metadata().and_then(|found| found.modified()).ok();
            written.is_some_and(|at| Timestamp(at).age(now) >= ABANDONED)
        };
        if is_draft && is_old() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The path with something at its end.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Makes what was done to the names in a folder survive a loss of power.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Not every file system can do that, and not every folder may be read.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput
                    | io::ErrorKind::Unsupported
                    | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// The folder that a path is in.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Where a file really is: what a symbolic link leads to is replaced, not the link. What is there
/// and is no file, such as a terminal, is never replaced.
fn target(place: &Path) -> io::Result<PathBuf> {
    match std::fs::symlink_metadata(place) {
        Ok(found) if found.is_file() => Ok(place.to_owned()),
        Ok(found) if found.is_symlink() && std::fs::metadata(place)?.is_file() => {
            std::fs::canonicalize(place)
        }
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is there, and is not a file",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if place.file_name().is_none() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is not the name of a file",
                ));
            }
            Ok(place.to_owned())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::platform::files::tests::{link as make_link, mode, set_mode};
    use crate::registry::fixture::Folder;

    #[test]
    fn a_file_is_replaced_whole_and_only_its_user_can_read_it() {
        let temporary = Folder::new();
        let folder = temporary.path();
        let file = folder.join("ports.toml");
        std::fs::write(&file, "before").unwrap();
        set_mode(&file, 0o644);
        let reader = File::open(&file).unwrap();
        write(&file, "after").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "after");
        assert_eq!(std::io::read_to_string(reader).unwrap(), "before");
        assert_eq!(mode(&file), 0o600);
        drop(Draft::beside(&file).unwrap());
        assert_eq!(
            temporary.names(""),
            ["ports.toml"],
            "nothing is left behind"
        );
    }

    #[test]
    fn a_link_stays_and_what_is_no_file_is_left_alone() {
        let temporary = Folder::new();
        let folder = temporary.path();
        let (file, link) = (folder.join("real"), folder.join("link"));
        std::fs::write(&file, "before").unwrap();
        make_link(&file, &link);
        write(&link, "after").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "after");
        assert!(link.is_symlink());
        for other in [
            Path::new("/dev/null"),
            folder,
            Path::new("/"),
            Path::new(""),
        ] {
            assert!(write(other, "x").is_err(), "{other:?}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(write(&link, "x").is_err(), "a link that leads nowhere");
    }

    #[test]
    fn what_was_abandoned_is_removed_later() {
        let temporary = Folder::new();
        let folder = temporary.path();
        for name in [
            ".freeport-1-1.tmp",
            ".freeport-1-1.tmp-wal",
            "notes.tmp",
            ".freeport-x",
        ] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let now = Timestamp(SystemTime::now());
        remove_abandoned(folder, now);
        assert_eq!(temporary.names("").len(), 4, "somebody may work on it");
        remove_abandoned(folder, now.after(ABANDONED * 2));
        assert_eq!(temporary.names(""), [".freeport-x", "notes.tmp"]);
    }
}
