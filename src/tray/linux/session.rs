//! The desktop session, which lasts as long as its bus. Knows nothing of the icon.

use std::sync::mpsc::Sender;

use crate::tray::Quit;

/// Ends the app when the session bus goes: the session is over then.
pub fn follow(quit: Sender<Quit>) {
    let work = move || {
        // Without a bus there is no session to follow; the tray tells of that.
        let Ok(connection) = zbus::blocking::Connection::session() else {
            return;
        };
        for message in zbus::blocking::MessageIterator::from(connection) {
            if message.is_err() {
                break;
            }
        }
        let _ = quit.send(Quit::SessionEnded);
    };
    if let Err(error) = std::thread::Builder::new()
        .name("session".into())
        .stack_size(256 * 1024)
        .spawn(work)
    {
        log::warn!("cannot follow the session: {error}");
    }
}
