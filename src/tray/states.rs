//! The way of the state from the engine to the tray: only the newest waits, so that a panel that
//! hangs costs no memory.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::State;

/// Where the engine puts states.
pub struct Publisher {
    slot: Arc<Mutex<Option<State>>>,
    bell: Sender<()>,
}

/// Where the tray takes them.
#[derive(Clone)]
pub struct States(Arc<Mutex<Option<State>>>);

/// A slot for states, and a bell that rings when something was put into an empty slot.
pub fn slot() -> (Publisher, States, Receiver<()>) {
    let slot = Arc::new(Mutex::new(None));
    let (bell, rings) = mpsc::channel();
    let publisher = Publisher {
        slot: Arc::clone(&slot),
        bell,
    };
    (publisher, States(slot), rings)
}

impl Publisher {
    /// Puts a state into the slot, in the place of one that has not been taken.
    pub fn publish(&self, state: State) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.replace(state).is_none() {
            // The tray is gone only when the app ends.
            let _ = self.bell.send(());
        }
    }
}

impl States {
    /// Takes the newest state.
    pub fn take(&self) -> Option<State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::{Snapshot, Timestamp};

    #[test]
    fn only_the_newest_waits_and_the_bell_rings_once() {
        let (publisher, states, rings) = slot();
        let state = |shadowed: usize| State {
            shadowed: vec![false; shadowed],
            ..State::of(Arc::new(Snapshot {
                scanned_at: Timestamp(SystemTime::UNIX_EPOCH),
                gaps: vec![],
                listeners: vec![],
                elsewhere: vec![],
            }))
        };
        publisher.publish(state(1));
        publisher.publish(state(2));
        assert_eq!(rings.try_iter().count(), 1);
        assert_eq!(states.take().map(|state| state.shadowed.len()), Some(2));
        assert!(states.take().is_none());
        publisher.publish(state(3));
        assert_eq!(rings.try_iter().count(), 1);
    }
}
