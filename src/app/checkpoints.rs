//! Bringing what was written from SQLite's log into its file, on a thread of its own: the engine does
//! not wait for the disk.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use crate::registry::{Place, Registry};

/// How long the log may become before it is brought into the file, in bytes.
pub const LONG: u64 = 4 * 1024 * 1024;
/// How long it may become before writers have to wait until it is empty again.
const TOO_LONG: u64 = 64 * 1024 * 1024;
/// How long other writers are waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way to the thread.
pub struct Checkpoints(SyncSender<()>);

impl Checkpoints {
    /// Starts the thread. It ends when the way to it is gone.
    pub fn start(place: Option<Place>) -> io::Result<Checkpoints> {
        // One that waits is enough: it looks at all that was written until it begins.
        let (sender, calls) = mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("checkpoint".into())
            .stack_size(256 * 1024)
            .spawn(move || work(place.as_ref(), &calls))?;
        Ok(Checkpoints(sender))
    }

    /// Asks for a checkpoint. Never waits.
    pub fn call(&self) {
        let _ = self.0.try_send(());
    }
}

fn work(place: Option<&Place>, calls: &Receiver<()>) {
    for () in calls {
        let Some(place) = place else { return };
        if let Err(error) = Registry::bring_in(place, PATIENCE, TOO_LONG) {
            log::debug!("no checkpoint: {error}");
        }
    }
}
