//! Ending all that runs below this process, and letting go of the streams that it shares with it.

use std::fs::OpenOptions;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::children::{News, news};
use crate::model::ProcessKey;
use crate::platform::{ProcessHandle, Signal, claimant, descendants};

/// How long to wait between two looks at a tree that is asked to end.
const STEP: Duration = Duration::from_millis(20);

/// Asks everything below this process to end, and ends what has not after the grace. Nothing is
/// below it afterwards, but what the system does not let it end.
pub fn end_below(grace: Duration) {
    let deadline = Instant::now() + grace;
    signal_below(Signal::Terminate);
    let patience = deadline + grace;
    loop {
        while matches!(news(), News::Of(..)) {}
        if news() == News::NoneLeft || Instant::now() > patience {
            return;
        }
        if Instant::now() >= deadline {
            // What starts others meanwhile is met again.
            signal_below(Signal::Kill);
        }
        std::thread::sleep(STEP);
    }
}

/// Sends a signal to everything below this process, by its identity.
pub fn signal_below(signal: Signal) {
    for process in below() {
        if let Ok(handle) = ProcessHandle::open(process) {
            // One that has ended meanwhile, or is another user's, cannot be helped.
            let _ = handle.signal(signal);
        }
    }
}

/// Everything below this process, each before its parent.
pub fn below() -> Vec<ProcessKey> {
    let me = claimant(std::process::id()).map(|me| me.key);
    let below = me.map(descendants).unwrap_or_default();
    below.iter().map(|process| process.key).collect()
}

/// Lets go of standard streams, by number, so that who reads or writes at their other ends sees the
/// command's end and not this process's.
pub fn leave_streams(numbers: &[u8]) {
    let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") else {
        return;
    };
    for number in numbers {
        // Where one cannot be left, it is kept.
        let _ = match number {
            0 => dup2_stdin(null.as_fd()),
            1 => dup2_stdout(null.as_fd()),
            _ => dup2_stderr(null.as_fd()),
        };
    }
}
