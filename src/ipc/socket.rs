//! The place where the app listens: its folder, which must be the user's own and closed to others,
//! the lock that makes the app the only one, and the socket file.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::files::{self, FileId};
use crate::platform::local_socket::{Listener, Stream, connect_within};
use crate::platform::{ClosedTo, above, limits, paths};

/// The longest path that the socket can have.
const PATH_LIMIT: usize = limits::SOCKET_PATH_LIMIT;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The folder is a symlink, another user's, or open to others.
    #[error("the folder {folder} is not safe to use: {why}")]
    UnsafeFolder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The path of the socket does not fit into a socket address.
    #[error(
        "the socket's path {path} is too long: {length} bytes, where the system allows {PATH_LIMIT}"
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// Another app of this user runs.
    #[error("freeport is running already (pid {pid})")]
    Taken {
        /// Its pid, as it wrote it into the lock; 0 when it has not yet.
        pid: u32,
    },
    /// The system refused something.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it was refused.
        #[source]
        source: io::Error,
    },
}

impl SocketError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            SocketError::UnsafeFolder { .. } => {
                "remove it, or set FREEPORT_RUNTIME_DIR to a folder of your own with mode 0700"
            }
            SocketError::PathTooLong { .. } => "set FREEPORT_RUNTIME_DIR to a shorter path",
            SocketError::Taken { .. } => "use that one: 'freeport status' asks it",
            SocketError::Io { .. } => {
                "check the folder's permissions and free space, or set FREEPORT_RUNTIME_DIR to another one"
            }
        }
    }
}

/// Where the app of this user listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// The place of this user, by the environment.
    pub fn of_user() -> Place {
        Place {
            folder: paths::runtime_dir(),
        }
    }

    /// The place in this folder.
    pub fn at(folder: impl Into<PathBuf>) -> Place {
        Place {
            folder: folder.into(),
        }
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("freeport.sock")
    }

    fn lock(&self) -> PathBuf {
        self.folder.join("freeport.lock")
    }

    /// Connects to the app; `None` when none runs here.
    ///
    /// Only "no such file" and "nobody accepts" mean that none runs. Everything else (a folder of
    /// another user, a refused permission) is an error, so that it is not mistaken for that.
    pub fn connect(&self) -> Result<Option<Stream>, SocketError> {
        check_length(&self.socket())?;
        if !self.check_folder()? {
            return Ok(None);
        }
        match connect_within(&self.socket(), PATIENCE) {
            Ok(stream) => Ok(Some(stream)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(source) => Err(SocketError::Io {
                what: "connect to",
                path: self.socket(),
                source,
            }),
        }
    }

    /// Makes this process the app of this user, for as long as the result lives.
    ///
    /// The lock is taken before the socket file of an app that has died is removed, so that of two
    /// that start at once one wins and none removes the other's socket.
    pub fn take(&self) -> Result<Taken, SocketError> {
        check_length(&self.socket())?;
        let io = |what, path: &Path| {
            let path = path.to_owned();
            move |source| SocketError::Io { what, path, source }
        };
        if !self.check_folder()? {
            if let Some(why) = above::of_another_user(&self.folder) {
                let folder = self.folder.clone();
                return Err(SocketError::UnsafeFolder { folder, why });
            }
            files::make_private_folder(&self.folder)
                .map_err(io("make the folder", &self.folder))?;
            self.check_folder()?;
        }
        let mut lock = files::private_and_no_link()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.lock())
            .map_err(io("open the lock", &self.lock()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SocketError::Taken {
                    pid: pid_in(&mut lock),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io("lock", &self.lock())(source)),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io("write", &self.lock()))?;
        Ok(Taken {
            socket: Bound::at(self.socket())?,
            place: self.clone(),
            lock,
        })
    }

    /// Whether the folder exists; an error when it exists and is not safe.
    fn check_folder(&self) -> Result<bool, SocketError> {
        let unsafe_because = |why: String| {
            Err(SocketError::UnsafeFolder {
                folder: self.folder.clone(),
                why,
            })
        };
        let found = match std::fs::symlink_metadata(&self.folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => {
                return Err(SocketError::Io {
                    what: "look at the folder",
                    path: self.folder.clone(),
                    source,
                });
            }
        };
        if found.is_symlink() {
            return unsafe_because("it is a symbolic link".to_owned());
        }
        if !found.is_dir() {
            return unsafe_because("it is not a folder".to_owned());
        }
        match files::distrust(&found, limits::user_id(), ClosedTo::Everybody) {
            Some(why) => unsafe_because(why),
            None => Ok(true),
        }
    }
}

fn check_length(path: &Path) -> Result<(), SocketError> {
    let length = path.as_os_str().len();
    if length > PATH_LIMIT {
        let path = path.to_owned();
        return Err(SocketError::PathTooLong { path, length });
    }
    Ok(())
}

fn pid_in(lock: &mut File) -> u32 {
    let mut text = String::new();
    let _ = lock.take(32).read_to_string(&mut text);
    text.trim().parse().unwrap_or(0)
}

/// Whether what has this path now is this file.
fn is_at(path: &Path, file: FileId) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| FileId::of(&found) == file)
}

/// A socket in the folder of the app. When dropped, its file is removed.
#[derive(Debug)]
pub struct Bound {
    /// The socket that clients connect to.
    pub listener: Listener,
    path: PathBuf,
    identity: FileId,
}

impl Bound {
    /// Makes a socket in the place of one whose app has died. The lock is held.
    fn at(path: PathBuf) -> Result<Bound, SocketError> {
        let io = |what| {
            let path = path.clone();
            move |source| SocketError::Io { what, path, source }
        };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io("remove the old socket")(error));
            }
            _ => {}
        }
        let listener = Listener::bind(&path).map_err(io("make the socket"))?;
        files::make_private(&path).map_err(io("protect the socket"))?;
        let made = std::fs::symlink_metadata(&path).map_err(io("look at the socket"))?;
        Ok(Bound {
            listener,
            identity: FileId::of(&made),
            path,
        })
    }

    /// Whether clients find it: its file is where it was made.
    pub fn is_there(&self) -> bool {
        is_at(&self.path, self.identity)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Not the socket of another app, should somebody have emptied the folder meanwhile.
        if self.is_there() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The socket and the lock. When dropped, the socket file is removed and the lock given back.
#[derive(Debug)]
pub struct Taken {
    socket: Bound,
    place: Place,
    lock: File,
}

impl Taken {
    /// The socket that clients connect to.
    pub fn listener(&self) -> &Listener {
        &self.socket.listener
    }

    /// Makes another socket beside it.
    pub fn beside(&self, name: &str) -> Result<Bound, SocketError> {
        let path = self.place.folder.join(name);
        check_length(&path)?;
        Bound::at(path)
    }

    /// Whether the lock and the socket are where they were made: what cleans folders up may have
    /// removed them, and who logs out loses the whole folder.
    pub fn is_whole(&self) -> bool {
        self.has_lock() && self.socket.is_there()
    }

    /// Makes again what is no longer there. An error when that cannot be; of kind
    /// [`SocketError::Taken`] when another app has come in between.
    pub fn restore(&mut self) -> Result<(), SocketError> {
        if self.has_lock() {
            self.socket = Bound::at(self.place.socket())?;
        } else {
            // The lock is a new file, which others could have locked since.
            *self = self.place.take()?;
        }
        Ok(())
    }

    fn has_lock(&self) -> bool {
        let lock = self.lock.metadata();
        lock.is_ok_and(|lock| is_at(&self.place.lock(), FileId::of(&lock)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::files::tests::{link as make_link, mode, set_mode};

    /// A place in a folder that is removed at the end.
    struct Temporary(Place);
    impl Temporary {
        fn new(name: &str) -> Temporary {
            let folder =
                std::env::temp_dir().join(format!("freeport-socket-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            Temporary(Place { folder })
        }
    }
    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0.folder);
        }
    }

    #[test]
    fn one_app_at_a_time() {
        let place = Temporary::new("one");
        assert!(place.0.connect().unwrap().is_none());
        let taken = place.0.take().unwrap();
        assert!(
            matches!(place.0.take(), Err(SocketError::Taken { pid }) if pid == std::process::id())
        );
        assert!(place.0.connect().unwrap().is_some());
        drop(taken);
        assert!(place.0.connect().unwrap().is_none());
        assert!(place.0.take().is_ok());
    }

    #[test]
    fn a_stale_socket_is_replaced() {
        let place = Temporary::new("stale");
        let taken = place.0.take().unwrap();
        std::mem::forget(Listener::bind(place.0.folder.join("other")).unwrap());
        drop(taken);
        drop(Listener::bind(place.0.socket()).unwrap());
        assert!(place.0.socket().exists());
        assert!(place.0.connect().unwrap().is_none(), "nobody accepts");
        let _taken = place.0.take().unwrap();
        assert!(place.0.connect().unwrap().is_some());
        assert_eq!(mode(&place.0.socket()), 0o600);
        assert_eq!(mode(&place.0.folder), 0o700);
    }

    #[test]
    fn what_was_removed_is_made_again_unless_another_app_was_faster() {
        let place = Temporary::new("restored");
        let mut taken = place.0.take().unwrap();
        assert!(taken.is_whole());
        std::fs::remove_file(place.0.socket()).unwrap();
        assert!(!taken.is_whole() && place.0.connect().unwrap().is_none());
        taken.restore().unwrap();
        assert!(taken.is_whole() && place.0.connect().unwrap().is_some());
        assert_eq!(mode(&place.0.socket()), 0o600);
        // The folder with all that is in it.
        std::fs::remove_dir_all(&place.0.folder).unwrap();
        assert!(!taken.is_whole());
        taken.restore().unwrap();
        assert!(taken.is_whole() && place.0.connect().unwrap().is_some());
        assert_eq!(mode(&place.0.folder), 0o700);
        assert!(matches!(place.0.take(), Err(SocketError::Taken { .. })));
        // Another app takes the place, and keeps it.
        std::fs::remove_dir_all(&place.0.folder).unwrap();
        let other = place.0.take().unwrap();
        assert!(matches!(taken.restore(), Err(SocketError::Taken { .. })));
        drop(taken);
        assert!(other.is_whole() && place.0.connect().unwrap().is_some());
        // A folder that others could have made is none to listen in.
        std::fs::remove_dir_all(&place.0.folder).unwrap();
        std::fs::create_dir(&place.0.folder).unwrap();
        set_mode(&place.0.folder, 0o777);
        let mut other = other;
        assert!(matches!(
            other.restore(),
            Err(SocketError::UnsafeFolder { .. })
        ));
    }

    #[test]
    fn a_folder_that_is_not_safe_is_refused() {
        let place = Temporary::new("unsafe");
        std::fs::create_dir(&place.0.folder).unwrap();
        set_mode(&place.0.folder, 0o755);
        assert!(matches!(
            place.0.take(),
            Err(SocketError::UnsafeFolder { .. })
        ));
        assert!(matches!(
            place.0.connect(),
            Err(SocketError::UnsafeFolder { .. })
        ));
        let link = Temporary::new("link");
        make_link(&place.0.folder, &link.0.folder);
        assert!(matches!(
            link.0.connect(),
            Err(SocketError::UnsafeFolder { .. })
        ));
        std::fs::remove_file(&link.0.folder).unwrap();
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let place = Temporary::new(&"x".repeat(120));
        assert!(matches!(
            place.0.take(),
            Err(SocketError::PathTooLong { .. })
        ));
        assert!(matches!(
            place.0.connect(),
            Err(SocketError::PathTooLong { .. })
        ));
    }
}
