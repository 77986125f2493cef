//! Sockets between the processes of one machine: std has none on Windows yet, so that there never is
//! one here.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use super::not_yet;

/// A place where clients connect.
#[derive(Debug)]
pub struct Listener(Infallible);

/// As on other systems, one that is dropped is closed.
impl Drop for Listener {
    fn drop(&mut self) {}
}

impl Listener {
    /// Listens at a path: not yet.
    pub fn bind(_: impl AsRef<Path>) -> io::Result<Listener> {
        Err(not_yet())
    }

    /// The next client.
    pub fn accept(&self) -> io::Result<(Stream, ())> {
        match self.0 {}
    }

    /// All clients, one after the other.
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<Stream>> {
        std::iter::from_fn(|| match self.0 {})
    }

    /// The same one, once more.
    pub fn try_clone(&self) -> io::Result<Listener> {
        match self.0 {}
    }

    /// Whether [`Listener::accept`] waits for a client.
    pub fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        match self.0 {}
    }
}

/// A connection.
#[derive(Debug)]
pub struct Stream(Infallible);

impl Stream {
    /// Both ends of one: not yet.
    pub fn pair() -> io::Result<(Stream, Stream)> {
        Err(not_yet())
    }

    /// Whether it is waited for what is not there yet.
    pub fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        match self.0 {}
    }

    /// How long it is waited for something to be read.
    pub fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        match self.0 {}
    }

    /// How long it is waited until something is written.
    pub fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        match self.0 {}
    }
}

impl Read for Stream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl Write for Stream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}

/// Connects: nobody listens, as nobody can.
pub fn connect_within(_: &Path, _patience: Duration) -> io::Result<Stream> {
    Err(not_yet())
}

/// Listens at a name: not yet.
pub fn listen(_name: &str) -> io::Result<Listener> {
    Err(not_yet())
}

/// Sends what can be sent without a wait.
pub fn send_at_once(stream: &Stream, _: &[u8]) -> io::Result<usize> {
    match stream.0 {}
}

/// Receives what is there without a wait.
pub fn receive_at_once(stream: &Stream, _: &mut [u8]) -> io::Result<usize> {
    match stream.0 {}
}

/// Whether the other end has been closed.
pub fn has_gone(stream: &Stream) -> bool {
    match stream.0 {}
}

/// The user and process that opened the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its pid when it connected.
    pub pid: u32,
}

/// Reads who opened the other end.
pub fn of(stream: &Stream) -> io::Result<Peer> {
    match stream.0 {}
}

/// What can be waited for.
pub trait Source {}

impl Source for Listener {}
impl Source for Stream {}

/// Sources that are waited for. There are none that could be added.
#[derive(Default)]
pub struct Waiting<'a>(PhantomData<&'a ()>);

impl<'a> Waiting<'a> {
    /// None.
    pub fn with_room(_count: usize) -> Waiting<'a> {
        Waiting::default()
    }

    /// One more; its number.
    pub fn add(&mut self, _: &'a impl Source) -> usize {
        0
    }

    /// Waits until one has something to tell: not yet.
    pub fn wait(&mut self, _at_most: Option<Duration>) -> io::Result<()> {
        Err(not_yet())
    }

    /// Whether one of them has something to be read.
    pub fn is_any_ready(&self) -> bool {
        false
    }

    /// Whether this one has something to be read.
    pub fn is_ready(&self, _number: usize) -> bool {
        false
    }

    /// Whether this one has told that there will be nothing more.
    pub fn is_over(&self, _number: usize) -> bool {
        false
    }
}
