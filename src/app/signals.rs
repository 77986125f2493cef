//! Signals that end the app.

use std::io;
use std::sync::mpsc::Sender;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::tray::Quit;

/// How long the app may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

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
            // Whatever hangs (a panel, a bus) does not keep the app from ending.
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                log::warn!("ending took too long");
                std::process::exit(128 + signal);
            });
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .stack_size(64 * 1024)
        .spawn(work)?;
    Ok(())
}
