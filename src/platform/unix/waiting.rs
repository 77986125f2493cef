//! Waiting for the first of several sources that has something to be read.

use std::io;
use std::time::Duration;

pub use std::os::fd::AsFd as Source;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Sources that are waited for, numbered as they were added.
#[derive(Default)]
pub struct Waiting<'a>(Vec<PollFd<'a>>);

impl<'a> Waiting<'a> {
    /// None yet, with room for so many.
    pub fn with_room(count: usize) -> Waiting<'a> {
        Waiting(Vec::with_capacity(count))
    }

    /// One more; its number.
    pub fn add(&mut self, source: &'a impl Source) -> usize {
        self.0.push(PollFd::new(source, PollFlags::IN));
        self.0.len() - 1
    }

    /// Waits until one has something to tell, at most for so long; without end where that is `None`.
    /// It may return earlier.
    pub fn wait(&mut self, at_most: Option<Duration>) -> io::Result<()> {
        let time = at_most.map(|time| Timespec {
            tv_sec: time.as_secs().cast_signed(),
            tv_nsec: time.subsec_nanos().into(),
        });
        for source in &mut self.0 {
            // A wait that is interrupted leaves what the one before has found.
            source.clear_revents();
        }
        match poll(&mut self.0, time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether one of them has something to be read, or that it is over.
    pub fn is_any_ready(&self) -> bool {
        self.0.iter().any(|source| !source.revents().is_empty())
    }

    /// Whether this one has something to be read, or that it is over.
    pub fn is_ready(&self, number: usize) -> bool {
        let source = self.0.get(number);
        source.is_some_and(|source| !source.revents().is_empty())
    }

    /// Whether this one has told that there will be nothing more.
    pub fn is_over(&self, number: usize) -> bool {
        let source = self.0.get(number);
        source.is_some_and(|source| source.revents().contains(PollFlags::HUP))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn those_that_have_something_to_tell_are_known() {
        let (mut far, near) = UnixStream::pair().unwrap();
        let (closed, over) = UnixStream::pair().unwrap();
        drop(closed);
        let told = |at_most| {
            let mut waiting = Waiting::with_room(2);
            assert_eq!((waiting.add(&near), waiting.add(&over)), (0, 1));
            waiting.wait(at_most).unwrap();
            let ready = [0, 1, 2].map(|number| waiting.is_ready(number));
            (ready, [0, 1, 2].map(|number| waiting.is_over(number)))
        };
        let over = [false, true, false];
        assert_eq!(told(Some(Duration::ZERO)), (over, over));
        far.write_all(b"x").unwrap();
        assert_eq!(told(None), ([true, true, false], over));
    }
}
