//! Signals that ask a program to end.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::platform::started::Ending;

/// SIGTERM, SIGINT and SIGHUP, which end this process no more from now on.
#[derive(Debug)]
pub struct Endings(Signals);

impl Endings {
    /// Catches them.
    pub fn catch() -> io::Result<Endings> {
        Ok(Endings(Signals::new([SIGTERM, SIGINT, SIGHUP])?))
    }

    /// Tells of each that comes, for as long as the process lives.
    pub fn each(mut self, mut tell: impl FnMut(Ending)) {
        for signal in self.0.forever() {
            let name = match signal {
                SIGTERM => "SIGTERM",
                SIGINT => "SIGINT",
                _ => "SIGHUP",
            };
            tell(Ending {
                name,
                status: 128 + signal,
            });
        }
    }
}
