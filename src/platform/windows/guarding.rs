//! Starting and guarding programs, and being asked to end: not yet. Windows has no signals; the
//! numbers here are those of POSIX, and none of them ever comes.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use super::not_yet;
use super::sockets::Source;
use crate::platform::started::{ChildEnd, Ending, Heard, News, Spawn, SpawnError, Started};
use crate::platform::{Caught, Signal};

/// The signals that are passed on.
pub const PASSED_ON: [i32; 0] = [];
/// The signals that ask for the end.
pub const ENDING: [i32; 0] = [];
/// The one that asks for nothing else.
pub const TERMINATE: i32 = 15;
/// The signal that something became of a child.
pub const OF_CHILDREN: i32 = 17;
/// The signals that keep a process in the background from its terminal.
pub const OF_BACKGROUND: [i32; 0] = [];

/// What would be handed over to a program.
#[derive(Debug)]
pub struct Descriptor(Infallible);

impl Descriptor {
    /// The same one, once more.
    pub fn try_clone(&self) -> io::Result<Descriptor> {
        match self.0 {}
    }
}

impl Spawn {
    /// Starts it: not yet.
    pub fn start(self) -> Result<Started, SpawnError> {
        Err(SpawnError::Failed(not_yet()))
    }
}

/// What is new of the children of this process: it has none.
pub fn news() -> News {
    News::NoneLeft
}

/// Sends a signal to a child: there is none.
pub fn signal_child(_pid: u32, _signal: i32) {}

/// Ends everything below this process: nothing is.
pub fn end_below(_grace: Duration) {}

/// Sends a signal to everything below this process: nothing is.
pub fn signal_below(_: Signal) {}

/// Lets go of standard streams, for the sake of a command that has them, too: there is none.
pub fn leave_streams(_numbers: &[u8]) {}

/// Signals that are caught: there are none.
#[derive(Debug)]
pub struct Signals(Infallible);

impl Source for Signals {}

impl Signals {
    /// Catches signals: not yet.
    pub fn catch(_: &[i32]) -> io::Result<Signals> {
        Err(not_yet())
    }

    /// The next one that came.
    pub fn next(&self) -> Option<Caught> {
        match self.0 {}
    }
}

/// Ignores signals: none comes.
pub fn ignore_signals(_: &[i32]) {}

/// Whether a signal is ignored: none comes.
pub fn is_ignored(_signal: i32) -> bool {
    false
}

/// What asks this process to end.
#[derive(Debug)]
pub struct Endings(Infallible);

impl Endings {
    /// Catches it: not yet.
    pub fn catch() -> io::Result<Endings> {
        Err(not_yet())
    }

    /// Tells of each that comes.
    pub fn each(self, _tell: impl FnMut(Ending)) {
        match self.0 {}
    }
}

/// What connects a guard with the process in front of it.
#[derive(Debug)]
pub struct Front(Infallible);

impl Source for Front {}

impl Front {
    /// Splits this process in two: Windows has nothing for that.
    pub fn split() -> io::Result<Front> {
        Err(not_yet())
    }

    /// Gives the guard a name that is not the front's.
    pub fn part_names(&self) {
        match self.0 {}
    }

    /// What the front has to tell.
    pub fn hear(&mut self) -> Option<Heard> {
        match self.0 {}
    }

    /// The command was stopped by this signal.
    pub fn stop(&mut self, _signal: i32) {
        match self.0 {}
    }

    /// The command goes on.
    pub fn go_on(&mut self) {
        match self.0 {}
    }

    /// Asks the front to say so when it has told all signals that it got.
    pub fn ask(&mut self) {
        match self.0 {}
    }

    /// The command has ended; so does the front.
    pub fn end(&mut self, _: ChildEnd) {
        match self.0 {}
    }

    /// The command has ended; so does this process, and then the front.
    pub fn end_both(self, _: ChildEnd) {
        match self.0 {}
    }
}
