//! Subscribers: each gets what changes as lines, and is dropped when it does not read them.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

use crate::ipc::protocol::Event;

/// How many lines may wait for a subscriber.
const WAITING: usize = 1024;

/// Lines on their way to a subscriber.
pub type Line = Arc<[u8]>;

/// Where the lines of one subscriber are put.
pub type Feed = SyncSender<Line>;

/// A feed, and where its lines come out.
pub fn feed() -> (Feed, Receiver<Line>) {
    mpsc::sync_channel(WAITING)
}

/// All subscribers.
#[derive(Default)]
pub struct Feeds(Vec<Feed>);

impl Feeds {
    /// Adds a subscriber.
    pub fn add(&mut self, feed: Feed) {
        self.0.push(feed);
    }

    /// Tells all of them. Who has not read what was told before, or is gone, is dropped: the engine
    /// waits for nobody.
    pub fn tell(&mut self, events: &[Event]) {
        if self.0.is_empty() {
            return;
        }
        for event in events {
            match event.to_line() {
                Ok(line) => {
                    let line: Line = line.into();
                    self.0
                        .retain(|feed| feed.try_send(Arc::clone(&line)).is_ok());
                }
                Err(error) => log::warn!("an event cannot be written: {error}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Port, Protocol};

    #[test]
    fn who_does_not_read_is_dropped_and_the_others_go_on() {
        let mut feeds = Feeds::default();
        let ((slow, kept), (quick, read)) = (feed(), feed());
        feeds.add(slow);
        feeds.add(quick);
        let released = Event::Released {
            port: Port::MAX,
            protocol: Protocol::Tcp,
        };
        for _ in 0..=WAITING {
            feeds.tell(std::slice::from_ref(&released));
            assert_eq!(&*read.recv().unwrap(), released.to_line().unwrap());
        }
        assert_eq!(feeds.0.len(), 1);
        assert_eq!(
            kept.iter().count(),
            WAITING,
            "what was told is still there, and then it ends"
        );
        drop(read);
        feeds.tell(&[released]);
        assert!(feeds.0.is_empty());
    }
}
