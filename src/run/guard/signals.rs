//! What is told by signals: by those that this process gets, by those that the front got, and by what
//! becomes of the command.

use std::time::Instant;

use super::{GRACE, Guard};
use crate::platform::children::{news, signal_child};
use crate::platform::front::{ENDING, OF_CHILDREN, TERMINATE};
use crate::platform::started::{Change, Heard, News};
use crate::platform::{Signal, tree};

impl Guard {
    pub(super) fn serve_signals(&mut self) {
        while let Some(caught) = self.signals.next() {
            if ENDING.contains(&caught.signal) && !self.child.told {
                self.child.ending = true;
            }
            if caught.signal == OF_CHILDREN || caught.sender.is_none() {
                continue;
            }
            if self.child.told {
                self.pass_on(caught.signal);
            } else if self.passing.own(caught.signal, Instant::now()) {
                self.front.ask();
            }
        }
    }

    pub(super) fn serve_front(&mut self) {
        while let Some(heard) = self.front.hear() {
            match heard {
                Heard::Signal(signal) => self.passing.front(signal, Instant::now()),
                Heard::Runs => self.child.going_on = None,
                Heard::ToldAll => {
                    // Somebody means to end this, and does not know of the front.
                    let alone = self.passing.told_all().into_iter();
                    for signal in alone.filter(|signal| ENDING.contains(signal)) {
                        self.pass_on(signal);
                    }
                }
                Heard::Gone => {
                    // It was killed, and nobody waits for the command any more.
                    self.child.told = true;
                    self.child.ending = true;
                    tree::end_below(GRACE);
                    return;
                }
            }
        }
    }

    pub(super) fn pass_on(&mut self, signal: i32) {
        if ENDING.contains(&signal) {
            self.child.ending = true;
            self.child.told_to_end |= self.child.end.is_none();
        }
        match self.child.end {
            None => signal_child(self.child.pid, signal),
            // Only what it has left behind is there to be ended.
            Some(_) if signal == TERMINATE => tree::signal_below(Signal::Terminate),
            Some(_) => {}
        }
    }

    pub(super) fn serve_children(&mut self) {
        loop {
            match news() {
                News::Of(pid, change) if pid == self.child.pid => match change {
                    Change::Ended(end) => self.child.end = Some(end),
                    Change::Stopped(signal) => {
                        self.child.going_on = None;
                        self.front.stop(signal);
                    }
                    Change::Continued => {
                        self.front.go_on();
                        self.child.going_on = Some(Instant::now());
                    }
                },
                News::Of(..) => {}
                News::Nothing => return,
                News::NoneLeft => {
                    self.child.gone = true;
                    return;
                }
            }
        }
    }
}
