//! What becomes of the children of this process: the one it started, and those it was left.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};

use crate::platform::imp::subreaper;

pub use crate::platform::started::{Change, ChildEnd, News};

/// How a process ended that was waited for; `None` where it has not.
pub(super) fn end_of(status: WaitStatus) -> Option<ChildEnd> {
    let exited = status.exit_status().map(ChildEnd::Exited);
    exited.or_else(|| status.terminating_signal().map(ChildEnd::Signalled))
}

/// What is new of the children of this process; one that has ended is waited for by this.
pub fn news() -> News {
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
    loop {
        match wait(options) {
            Ok(Some((pid, status))) => {
                let Ok(pid) = u32::try_from(pid.as_raw_nonzero().get()) else {
                    continue;
                };
                if let Some(change) = change(status) {
                    return News::Of(pid, change);
                }
            }
            Ok(None) => return News::Nothing,
            Err(Errno::INTR) => {}
            // Where orphans are not children, their ends are told by SIGCHLD all the same.
            Err(_) if subreaper::has_orphans() => return News::Nothing,
            Err(_) => return News::NoneLeft,
        }
    }
}

fn change(status: WaitStatus) -> Option<Change> {
    if status.continued() {
        return Some(Change::Continued);
    }
    let stopped = status.stopping_signal().map(Change::Stopped);
    stopped.or_else(|| end_of(status).map(Change::Ended))
}

/// Sends a signal, by number, to a child that was not waited for yet: nobody else has its pid.
pub fn signal_child(pid: u32, signal: i32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
        // It has ended, or has become another user's: nothing more can be done about it.
        let _ = kill_process(pid, signal);
    }
}
