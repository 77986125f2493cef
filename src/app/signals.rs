//! Signals that end the app.

use std::io;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::platform::Endings;
use crate::tray::Quit;

/// How long the app may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a reason to end for each SIGTERM, SIGINT and SIGHUP. A second signal ends the process at
/// once, should the first one not have.
pub fn forward(quit: Sender<Quit>) -> io::Result<()> {
    let endings = Endings::catch()?;
    let work = move || {
        let mut before = false;
        endings.each(|ending| {
            if before || quit.send(Quit::Signal(ending.name)).is_err() {
                std::process::exit(ending.status);
            }
            before = true;
            // Whatever hangs (a panel, a bus) does not keep the app from ending.
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                log::warn!("ending took too long");
                std::process::exit(ending.status);
            });
        });
    };
    std::thread::Builder::new()
        .name("signals".into())
        .stack_size(64 * 1024)
        .spawn(work)?;
    Ok(())
}
