//! The terminal that a program fills: when it is gone, and a pause of the program.

use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

/// Waits until the terminal behind the standard input is gone; `false` where that cannot be told.
/// What is typed does not wake it up.
pub fn wait_until_gone() -> bool {
    let input = io::stdin();
    loop {
        let mut terminal = [PollFd::new(&input, PollFlags::empty())];
        match poll(&mut terminal, None) {
            Err(Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) => {
                let [terminal] = terminal;
                return terminal
                    .revents()
                    .intersects(PollFlags::HUP | PollFlags::ERR);
            }
        }
    }
}

/// Stops this process, as Ctrl-Z does, until it is continued. Where no shell would continue it, the
/// system does not stop it (the group of the process is orphaned).
pub fn pause() {
    // A process may always signal itself.
    let _ = kill_process(getpid(), Signal::TSTP);
}
