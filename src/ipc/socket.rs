//! The place where the app listens: its folder, which must be the user's own and closed to others,
//! the lock that makes the app the only one, and the socket file.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};

use crate::platform::{limits, paths};

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
    pub fn connect(&self) -> Result<Option<UnixStream>, SocketError> {
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
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.folder)
                .map_err(io("make the folder", &self.folder))?;
            self.check_folder()?;
        }
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(self.lock())
            .map_err(io("open the lock", &self.lock()))?;
        if let Err(errno) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if errno == rustix::io::Errno::WOULDBLOCK {
                return Err(SocketError::Taken {
                    pid: pid_in(&mut lock),
                });
            }
            return Err(io("lock", &self.lock())(errno.into()));
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io("write", &self.lock()))?;
        Ok(Taken {
            socket: Bound::at(self.socket())?,
            folder: self.folder.clone(),
            _lock: lock,
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
        if found.uid() != limits::user_id() {
            return unsafe_because(format!(
                "it belongs to uid {}, not to you (uid {})",
                found.uid(),
                limits::user_id()
            ));
        }
        if found.mode() & 0o077 != 0 {
            return unsafe_because(format!(
                "others may use it (mode {:04o})",
                found.mode() & 0o7777
            ));
        }
        Ok(true)
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

/// Connects, and gives up after `patience`: an app that has been stopped accepts nobody.
fn connect_within(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

fn pid_in(lock: &mut File) -> u32 {
    let mut text = String::new();
    let _ = lock.take(32).read_to_string(&mut text);
    text.trim().parse().unwrap_or(0)
}

/// A socket in the folder of the app. When dropped, its file is removed.
#[derive(Debug)]
pub struct Bound {
    /// The socket that clients connect to.
    pub listener: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
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
        let listener = UnixListener::bind(&path).map_err(io("make the socket"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .map_err(io("protect the socket"))?;
        let made = std::fs::symlink_metadata(&path).map_err(io("look at the socket"))?;
        Ok(Bound {
            listener,
            identity: (made.dev(), made.ino()),
            path,
        })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Not the socket of another app, should somebody have emptied the folder meanwhile.
        let found = std::fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The socket and the lock. When dropped, the socket file is removed and the lock given back.
#[derive(Debug)]
pub struct Taken {
    socket: Bound,
    folder: PathBuf,
    _lock: File,
}

impl Taken {
    /// The socket that clients connect to.
    pub fn listener(&self) -> &UnixListener {
        &self.socket.listener
    }

    /// Makes another socket beside it.
    pub fn beside(&self, name: &str) -> Result<Bound, SocketError> {
        let path = self.folder.join(name);
        check_length(&path)?;
        Bound::at(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        std::mem::forget(UnixListener::bind(place.0.folder.join("other")).unwrap());
        drop(taken);
        drop(UnixListener::bind(place.0.socket()).unwrap());
        assert!(place.0.socket().exists());
        assert!(place.0.connect().unwrap().is_none(), "nobody accepts");
        let _taken = place.0.take().unwrap();
        assert!(place.0.connect().unwrap().is_some());
        assert_eq!(
            std::fs::metadata(place.0.socket()).unwrap().mode() & 0o777,
            0o600
        );
        assert_eq!(
            std::fs::metadata(&place.0.folder).unwrap().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn a_folder_that_is_not_safe_is_refused() {
        let place = Temporary::new("unsafe");
        std::fs::create_dir(&place.0.folder).unwrap();
        std::fs::set_permissions(&place.0.folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            place.0.take(),
            Err(SocketError::UnsafeFolder { .. })
        ));
        assert!(matches!(
            place.0.connect(),
            Err(SocketError::UnsafeFolder { .. })
        ));
        let link = Temporary::new("link");
        std::os::unix::fs::symlink(&place.0.folder, &link.0.folder).unwrap();
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
