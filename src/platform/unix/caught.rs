//! Signals that are told instead of acted upon: which one, and who sent it.

#![allow(
    unsafe_code,
    reason = "no safe wrapper tells who sent a signal; each block says why it holds"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::pipe;

use crate::platform::Caught;

/// Where the handler writes what came; below zero when nobody reads it.
static TOLD: AtomicI32 = AtomicI32::new(-1);

/// How many bytes the handler writes for a signal: its number, and the pid of its sender.
const RECORD: usize = 8;

/// Signals that are caught. There is one set of them in a process: another one replaces it.
#[derive(Debug)]
pub struct Signals {
    read: OwnedFd,
    /// Stays open for as long as the handler may write.
    write: OwnedFd,
}

impl Signals {
    /// Catches these signals, by number; of those that are ignored, as below `nohup`, none.
    pub fn catch(signals: &[i32]) -> io::Result<Signals> {
        let (read, write) = pipe()?;
        for end in [&read, &write] {
            fcntl_setfd(end, FdFlags::CLOEXEC)?;
            fcntl_setfl(end, fcntl_getfl(end)? | OFlags::NONBLOCK)?;
        }
        TOLD.store(write.as_raw_fd(), Ordering::SeqCst);
        for &signal in signals {
            if !is_ignored(signal) {
                act(signal, Action::Tell)?;
            }
        }
        Ok(Signals { read, write })
    }

    /// The next one that came, if any has.
    pub fn next(&self) -> Option<Caught> {
        let mut record = [0; RECORD];
        // Records are shorter than what a pipe takes at once, so they are whole.
        let read = rustix::io::retry_on_intr(|| rustix::io::read(&self.read, &mut record));
        if read.ok()? != RECORD {
            return None;
        }
        let [a, b, c, d, e, f, g, h] = record;
        Some(Caught {
            signal: i32::from_ne_bytes([a, b, c, d]),
            sender: u32::try_from(i32::from_ne_bytes([e, f, g, h])).ok(),
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mine = self.write.as_raw_fd();
        let _ = TOLD.compare_exchange(mine, -1, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

/// What a signal does.
#[derive(Clone, Copy)]
pub(super) enum Action {
    /// It is told.
    Tell,
    /// It is ignored.
    Ignore,
    /// What it does by itself.
    Default,
}

/// Says what a signal does from now on.
pub(super) fn act(signal: i32, action: Action) -> io::Result<()> {
    let mut new = MaybeUninit::<libc::sigaction>::zeroed();
    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = tell;
    // SAFETY: all fields of the struct may be zero, which means no flags and an empty mask; only
    // fields of it are written. The handler has the form that SA_SIGINFO asks for, and does nothing
    // but what signal-safety(7) allows.
    let done = unsafe {
        let fields = &mut *new.as_mut_ptr();
        match action {
            Action::Tell => {
                fields.sa_sigaction = handler as libc::sighandler_t;
                fields.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            }
            Action::Ignore => fields.sa_sigaction = libc::SIG_IGN,
            Action::Default => fields.sa_sigaction = libc::SIG_DFL,
        }
        libc::sigaction(signal, new.as_ptr(), std::ptr::null_mut())
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Ignores signals, by number.
pub fn ignore_signals(signals: &[i32]) {
    for &signal in signals {
        // Only a number that is no signal is refused.
        let _ = act(signal, Action::Ignore);
    }
}

/// Whether a signal is ignored now.
pub fn is_ignored(signal: i32) -> bool {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is changed where the new action is null; the old one is written as a whole
    // where the call succeeds, and may be zero where it does not.
    let old = unsafe {
        libc::sigaction(signal, std::ptr::null(), old.as_mut_ptr());
        old.assume_init()
    };
    old.sa_sigaction == libc::SIG_IGN
}

/// Lets a signal through, if it was blocked when this process was started.
pub(super) fn unblock(signal: i32) {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is made empty before it is used, and lives for as long as it is.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
    }
}

/// Writes down what came. Runs in the middle of anything, so it only calls what is safe then, and
/// leaves `errno` as it was.
extern "C" fn tell(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let to = TOLD.load(Ordering::SeqCst);
    if to < 0 {
        return;
    }
    let before = Errno::last_raw();
    let mut record = [0; RECORD];
    let (number, sender) = record.split_at_mut(4);
    number.copy_from_slice(&signal.to_ne_bytes());
    // SAFETY: with SA_SIGINFO the kernel passes a siginfo, and sender and code are in each that is
    // about a process; in any other they are numbers all the same.
    let (code, pid) = unsafe { ((*info).si_code, (*info).si_pid()) };
    // Codes above zero are the kernel's own; macOS has such for processes too, but then with a pid.
    let by: i32 = if code > 0 && pid == 0 { -1 } else { pid };
    sender.copy_from_slice(&by.to_ne_bytes());
    // SAFETY: the buffer is as long as is said. A descriptor that was closed meanwhile is refused.
    // A full pipe drops what nobody reads.
    unsafe {
        libc::write(to, record.as_ptr().cast(), RECORD);
    }
    Errno::set_raw(before);
}
