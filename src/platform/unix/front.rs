//! The process in front of a guarded command: what the shell sees of it.
//!
//! A wrapper that has to stay above all that its command starts, for as long as any of it runs, is
//! split in two. The front keeps the pid that the shell waits for: it passes on the signals that
//! were sent to it, stops when the command stops, and ends as the command ended. The guard does
//! everything else.

#![allow(
    unsafe_code,
    reason = "fork has no safe wrapper; the block says why it holds"
)]

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, getppid, getrlimit, kill_process, setrlimit,
    waitpid,
};

use super::caught::{Action, Signals, act, unblock};
use super::children::{ChildEnd, end_of};
use crate::platform::imp::subreaper;
use crate::platform::tree;

pub use crate::platform::started::Heard;

/// The signals that are passed on, by number.
pub const PASSED_ON: [i32; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
    libc::SIGCONT,
    libc::SIGTSTP,
];

/// The signals among them that ask for the end.
pub const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// The one among them that asks for nothing else.
pub const TERMINATE: i32 = libc::SIGTERM;

/// The signal by which the system tells that something became of a child.
pub const OF_CHILDREN: i32 = libc::SIGCHLD;

/// The signals that keep a process in the background from its terminal.
pub const OF_BACKGROUND: [i32; 2] = [libc::SIGTTIN, libc::SIGTTOU];

/// How long the rest of a tree may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(3);

/// What the guard tells the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The command was stopped by this signal.
    Stopped(i32),
    /// It goes on.
    Continued,
    /// The front is to say so when it has told all signals that it got.
    Tell,
    /// It ended, and the front is to end in the same way.
    Ended(ChildEnd),
    /// The same, and the guard ends, too: it is not to be left to whoever comes next.
    Over(ChildEnd),
}

const LENGTH: usize = 5;

/// What the front says that is no signal.
const RUNS: u8 = 0;
const TOLD_ALL: u8 = 255;

impl Told {
    fn bytes(self) -> [u8; LENGTH] {
        let (kind, number) = match self {
            Told::Stopped(signal) => (b's', signal),
            Told::Continued => (b'c', 0),
            Told::Tell => (b't', 0),
            Told::Ended(ChildEnd::Exited(status)) => (b'e', status),
            Told::Ended(ChildEnd::Signalled(signal)) => (b'k', signal),
            Told::Over(ChildEnd::Exited(status)) => (b'E', status),
            Told::Over(ChildEnd::Signalled(signal)) => (b'K', signal),
        };
        let [a, b, c, d] = number.to_ne_bytes();
        [kind, a, b, c, d]
    }

    fn of([kind, a, b, c, d]: [u8; LENGTH]) -> Option<Told> {
        let number = i32::from_ne_bytes([a, b, c, d]);
        Some(match kind {
            b's' => Told::Stopped(number),
            b'c' => Told::Continued,
            b't' => Told::Tell,
            b'e' => Told::Ended(ChildEnd::Exited(number)),
            b'k' => Told::Ended(ChildEnd::Signalled(number)),
            b'E' => Told::Over(ChildEnd::Exited(number)),
            b'K' => Told::Over(ChildEnd::Signalled(number)),
            _ => return None,
        })
    }
}

/// The guard's end of what connects it with the front. Can be polled for something to hear.
#[derive(Debug)]
pub struct Front {
    stream: UnixStream,
    pid: Option<Pid>,
}

impl AsFd for Front {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Front {
    /// Splits this process in two; only the guard returns from it. To be called while the process
    /// has a single thread.
    pub fn split() -> io::Result<Front> {
        let (front, guard) = UnixStream::pair()?;
        // SAFETY: the process has one thread, so that what the new one finds in its memory is
        // whole; both go on from here as after any other call.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(front);
                guard.set_nonblocking(true)?;
                subreaper::keep_orphans();
                Ok(Front {
                    stream: guard,
                    pid: getppid(),
                })
            }
            pid => {
                drop(guard);
                let pid = Pid::from_raw(pid);
                let code = pid.map_or(1, |pid| stand(&front, pid));
                std::process::exit(code)
            }
        }
    }

    /// Gives the guard a name that is not the front's, so that what is sent to all of that name
    /// reaches one of them, and is passed on.
    pub fn part_names(&self) {
        subreaper::rename("port-guard");
    }

    /// What the front has to tell, if anything.
    pub fn hear(&mut self) -> Option<Heard> {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => Some(Heard::Gone),
            Ok(_) if byte == [RUNS] => Some(Heard::Runs),
            Ok(_) if byte == [TOLD_ALL] => Some(Heard::ToldAll),
            Ok(_) => Some(Heard::Signal(byte[0].into())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.hear(),
            Err(_) => Some(Heard::Gone),
        }
    }

    /// The command was stopped by this signal; so is the front, until it says that it runs.
    pub fn stop(&mut self, signal: i32) {
        self.tell(Told::Stopped(signal));
    }

    /// The command goes on. To be said again for as long as the front does not say that it runs.
    pub fn go_on(&mut self) {
        self.tell(Told::Continued);
        // Its pid is no other's for as long as it is the parent.
        if let Some(pid) = self.pid.filter(|pid| getppid() == Some(*pid)) {
            let _ = kill_process(pid, Signal::CONT);
        }
    }

    /// Asks the front to say so when it has told all signals that it got.
    pub fn ask(&mut self) {
        self.tell(Told::Tell);
    }

    /// The command has ended; so does the front, while this process stays.
    pub fn end(&mut self, end: ChildEnd) {
        self.tell(Told::Ended(end));
    }

    /// The command has ended; so does this process, and then the front.
    pub fn end_both(mut self, end: ChildEnd) {
        self.tell(Told::Over(end));
    }

    fn tell(&mut self, told: Told) {
        // Where the front is gone, that is heard.
        let _ = self.stream.write_all(&told.bytes());
    }
}

/// Stands in front until there is nothing to stand for; the exit status.
fn stand(guard: &UnixStream, pid: Pid) -> i32 {
    subreaper::keep_orphans();
    tree::leave_streams(&[0, 1]);
    let caught: Vec<i32> = PASSED_ON.into_iter().chain(OF_BACKGROUND).collect();
    let Ok(signals) = Signals::catch(&caught) else {
        return outlive(pid);
    };
    let mut stopping = None;
    loop {
        let mut ready = [
            PollFd::new(guard, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
        ];
        // What is to stop may have been told to go on already.
        let at_once = Timespec::default();
        if poll(&mut ready, stopping.map(|_| &at_once)).is_err() {
            continue;
        }
        let heard = !ready[0].revents().is_empty();
        pass_on(&signals, guard, pid);
        if !heard {
            if let Some(signal) = stopping.take() {
                stop(signal);
                say(guard, RUNS);
            }
            continue;
        }
        match next(guard) {
            Some(Told::Stopped(signal)) => stopping = Some(signal),
            Some(Told::Continued) => {
                stopping = None;
                say(guard, RUNS);
            }
            Some(Told::Tell) => say(guard, TOLD_ALL),
            Some(Told::Ended(end)) => return end_as(end),
            Some(Told::Over(end)) => {
                await_end(pid);
                return end_as(end);
            }
            None => return outlive(pid),
        }
    }
}

fn say(mut guard: &UnixStream, byte: u8) {
    // Where the guard is gone, that is seen.
    let _ = guard.write_all(&[byte]);
}

/// Tells the guard which signals processes have sent.
fn pass_on(signals: &Signals, guard: &UnixStream, pid: Pid) {
    while let Some(caught) = signals.next() {
        let by = caught.sender.map(u32::cast_signed);
        // What is typed on a terminal has reached the command by itself.
        if by.is_none() || by == Some(pid.as_raw_nonzero().get()) {
            continue;
        }
        if let Ok(number) = u8::try_from(caught.signal) {
            say(guard, number);
        }
    }
}

fn next(mut guard: &UnixStream) -> Option<Told> {
    let mut bytes = [0; LENGTH];
    guard.read_exact(&mut bytes).ok()?;
    Told::of(bytes)
}

/// Stops this process as the command was stopped, until somebody continues it.
fn stop(signal: i32) {
    let stopping = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    let signal = if stopping.contains(&signal) {
        signal
    } else {
        libc::SIGSTOP
    };
    let _ = act(signal, Action::Default);
    raise(signal);
    let _ = act(signal, Action::Tell);
}

fn raise(signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = kill_process(rustix::process::getpid(), signal);
    }
}

/// Ends this process as another one ended, or gives the status to end with.
fn end_as(end: ChildEnd) -> i32 {
    match end {
        ChildEnd::Exited(status) => status,
        ChildEnd::Signalled(signal) => {
            // The command has left a core, if that was wanted; another one would help nobody.
            let _ = setrlimit(
                Resource::Core,
                Rlimit {
                    current: Some(0),
                    maximum: getrlimit(Resource::Core).maximum,
                },
            );
            let _ = act(signal, Action::Default);
            unblock(signal);
            raise(signal);
            128 + signal
        }
    }
}

/// Waits for the guard, which is about to end.
fn await_end(pid: Pid) -> Option<ChildEnd> {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return end_of(status),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// The guard is gone without a word: ends what it has left, and gives the status to end with.
fn outlive(pid: Pid) -> i32 {
    let status = await_end(pid);
    if let Some(ChildEnd::Exited(status)) = status {
        return status;
    }
    tree::end_below(GRACE);
    status.map_or(1, end_as)
}
