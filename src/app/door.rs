//! The door of the app: its sockets and its lock are where clients look for them, for as long as the
//! app runs.
//!
//! What cleans temporary folders up removes a socket that was made long ago, and who logs out loses the
//! folder it was in. Then both are made again. An app in whose place another one was started meanwhile
//! ends, and so does one whose program was uninstalled: nobody could ask it any more to give back the
//! ports that it holds.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::portserver::Beside;
use crate::ipc::server::{self, Handler};
use crate::ipc::socket::{SocketError, Taken};
use crate::model::text::escape;
use crate::platform::limits;
use crate::platform::local_socket::Stream;
use crate::tray::Quit;

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(5);
/// For so many looks the program has to be missing: an upgrade may remove it before it puts the new
/// one there.
const MISSING: u32 = 4;

/// What looks after the sockets, and removes them when it is dropped.
pub struct Door {
    ending: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Answers who comes, and looks after the sockets from now on.
    pub fn open(
        taken: Taken,
        beside: Option<Beside>,
        handler: Handler,
        quit: Sender<Quit>,
    ) -> io::Result<Door> {
        let mut keeper = Keeper {
            serving: serve(&taken, &handler)?,
            taken,
            beside,
            handler,
            programs: programs(),
            missing: 0,
            warned: false,
        };
        let (ending, ended) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("door".into())
            .stack_size(64 * 1024)
            .spawn(move || keeper.work(&ended, &quit))?;
        Ok(Door {
            ending: Some(ending),
            thread: Some(thread),
        })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        drop(self.ending.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Keeper {
    /// Its other end is with who accepts connections, which ends when this is dropped.
    serving: Stream,
    taken: Taken,
    beside: Option<Beside>,
    handler: Handler,
    /// Where the program was when it was started.
    programs: Vec<PathBuf>,
    /// For how many looks it has not been there.
    missing: u32,
    /// Whether it was said that the sockets cannot be made again.
    warned: bool,
}

impl Keeper {
    fn work(&mut self, ended: &Receiver<()>, quit: &Sender<Quit>) {
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(PERIOD) {
            if let Some(reason) = self.look() {
                let _ = quit.send(reason);
                // What is there is removed when the app ends, as always.
                let _ = ended.recv();
                return;
            }
        }
    }

    /// Looks once; gives why the app is to end.
    fn look(&mut self) -> Option<Quit> {
        match self.keep() {
            Ok(()) => self.warned = false,
            Err(SocketError::Taken { pid }) => {
                log::warn!("another freeport (pid {pid}) runs in the place of this one");
                return Some(Quit::Replaced);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.warned, true) {
                    let hint = error.hint();
                    log::warn!("commands cannot reach this freeport: {error}; {hint}");
                }
            }
        }
        let is_missing = |program: &PathBuf| matches!(program.try_exists(), Ok(false));
        if self.programs.is_empty() || !self.programs.iter().all(is_missing) {
            self.missing = 0;
            return None;
        }
        self.missing += 1;
        (self.missing >= MISSING).then(|| {
            if let Some(program) = self.programs.first() {
                log::warn!(
                    "there is no {} any more",
                    escape(&program.to_string_lossy())
                );
            }
            Quit::Uninstalled
        })
    }

    /// Makes again what is gone.
    fn keep(&mut self) -> Result<(), SocketError> {
        if !self.taken.is_whole() {
            self.taken.restore()?;
            match serve(&self.taken, &self.handler) {
                Ok(serving) => self.serving = serving,
                Err(error) => log::warn!("cannot serve the new socket: {error}"),
            }
            log::warn!("the socket was removed: there is a new one");
        }
        match &mut self.beside {
            Some(beside) => beside.keep(&self.taken),
            None => Ok(()),
        }
    }
}

/// Where the program is, and by which name it was called: of one that is linked to, an upgrade may
/// remove the file and change the link.
fn programs() -> Vec<PathBuf> {
    let called = std::env::args_os().next().map(PathBuf::from);
    let called = called.and_then(|name| match name.parent() {
        Some(folder) if folder.as_os_str().is_empty() => {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).find_map(|folder| {
                std::path::absolute(folder.join(&name))
                    .ok()
                    .filter(|file| file.is_file())
            })
        }
        _ => std::path::absolute(name).ok(),
    });
    let mut programs: Vec<PathBuf> = std::env::current_exe()
        .ok()
        .into_iter()
        .chain(called)
        .filter(|program| program.exists())
        .collect();
    programs.dedup();
    programs
}

/// Answers who comes to the socket until what is given is dropped.
fn serve(taken: &Taken, handler: &Handler) -> io::Result<Stream> {
    let listener = taken.listener().try_clone()?;
    let handler = Handler::clone(handler);
    let uid = limits::user_id();
    let (serving, until) = Stream::pair()?;
    std::thread::Builder::new()
        .name("socket".into())
        .stack_size(64 * 1024)
        .spawn(move || server::serve(&listener, uid, &handler, &until))?;
    Ok(serving)
}
