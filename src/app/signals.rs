//! Signals that end the app.

use std::io;
use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::tray::Quit;

/// Sends a reason to end for each SIGTERM, SIGINT and SIGHUP. A second signal ends the process at
/// once, should the first one not have.
pub fn forward(quit: Sender<Quit>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let work = move || {
        let mut before = false;
        for signal in signals.forever() {
            let name = match signal {
                SIGTERM => "SIGTERM",
                SIGINT => "SIGINT",
                _ => "SIGHUP",
            };
            if before || quit.send(Quit::Signal(name)).is_err() {
                std::process::exit(128 + signal);
            }
            before = true;
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .stack_size(64 * 1024)
        .spawn(work)?;
    Ok(())
}
