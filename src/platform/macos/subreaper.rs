//! Keeping what is left of a tree of processes: macOS gives orphans to launchd, and to nobody else.
//! They are looked for instead, and their ends are told as those of children are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::facts::identity;
use super::strays;
use super::watch::Watch;
use crate::model::ProcessKey;

/// How often it is looked for orphans whose end is waited for, as more may have come.
const AGAIN: Duration = Duration::from_secs(2);

/// Whether the ends of orphans are being waited for.
static WAITS: AtomicBool = AtomicBool::new(false);

/// Whether this process looks after a command.
static GUARDS: AtomicBool = AtomicBool::new(false);

/// Processes below this one, or below a child that it has now, whose parent ends are looked for from
/// now on. They do not become children of this one.
pub fn keep_orphans() -> bool {
    GUARDS.store(true, Ordering::SeqCst);
    strays::stand_in_for_children();
    false
}

/// Whether this process looks after a command, and starts it.
pub(super) fn guards() -> bool {
    GUARDS.load(Ordering::SeqCst)
}

/// Whether there are orphans of this one. Where there are, this process gets SIGCHLD when one ends,
/// as for a child.
pub fn has_orphans() -> bool {
    let orphans = orphans();
    if !orphans.is_empty() && !WAITS.swap(true, Ordering::SeqCst) {
        let thread = std::thread::Builder::new().name("orphans".into());
        if let Err(error) = thread.stack_size(256 * 1024).spawn(await_orphans) {
            WAITS.store(false, Ordering::SeqCst);
            log::warn!("cannot wait for what is left over: {error}");
            return false;
        }
    }
    !orphans.is_empty()
}

fn orphans() -> Vec<ProcessKey> {
    let me = identity(std::process::id());
    let pids = me.map(strays::of).unwrap_or_default();
    pids.into_iter().filter_map(identity).collect()
}

/// Tells of the end of each, until there are none.
fn await_orphans() {
    if let Ok(mut watch) = Watch::new() {
        loop {
            let orphans = orphans();
            if orphans.is_empty() {
                break;
            }
            let mut has_ended = !watch.follow(orphans.into_iter()).is_empty();
            has_ended |= !watch.wait(AGAIN).dead.is_empty();
            if has_ended {
                tell();
            }
        }
    }
    // Whoever is told now finds none, or starts to wait anew.
    WAITS.store(false, Ordering::SeqCst);
    tell();
}

fn tell() {
    // This process is there to be told.
    let _ = kill_process(getpid(), Signal::CHILD);
}

/// Gives this process a name of its own, which macOS has no way for.
pub fn rename(_: &str) {}
