//! `freeport tui`: the live list on a whole terminal, with what can be done about it.
//!
//! What is shown is a function of [`state::State`] (`view`), what happens is an [`Event`], and what is
//! to be done about it an [`Effect`] (`state`): these know no terminal, no thread and no clock. Around
//! them are the threads that make events: keys (`input`), what is new (`feed`), replies (`work`), and
//! the end (`ending`). Nothing here acts on a port but by a [`Request`](crate::ipc::Request).

mod ending;
mod feed;
mod input;
mod state;
mod tables;
mod terminal;
mod view;
mod work;

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime};

use crate::ipc::{Ask, ClientError};
use crate::model::Timestamp;
use crate::model::visibility::Viewer;
use crate::platform::{limits, paths};
use feed::Feed;
use state::{Effect, Event, State};
use terminal::Screen;

/// Gives whoever answers requests.
pub type Connect = fn() -> Result<Box<dyn Ask>, ClientError>;

/// Where answers come from.
#[derive(Clone, Copy, Debug)]
pub struct Answers {
    /// From the running app, or from this process where none runs.
    pub connect: Connect,
    /// From this process, whatever runs.
    pub local: Connect,
}

/// Why the terminal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// There is none.
    #[error("the standard input and output are no terminal")]
    NoTerminal,
    /// It cannot be used.
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// How long the end is waited for where the terminal takes nothing any more.
const A_MOMENT: Duration = Duration::from_millis(200);
/// How many events are taken in before it is drawn again.
const AT_ONCE: usize = 256;

/// Shows it until the user, or a signal, says that it is enough. Gives the exit status.
pub fn run(answers: Answers) -> Result<u8, TuiError> {
    terminal::check()?;
    let (tell, events) = mpsc::channel();
    // Before the terminal is changed, so that no signal leaves it so.
    ending::start(tell.clone()).map_err(TuiError::Thread)?;
    let viewer = Viewer {
        uid: limits::user_id(),
        ephemeral: limits::ephemeral_ports(),
    };
    let mut screen = Screen::enter().map_err(TuiError::Terminal)?;
    let mut state = State::new(viewer, paths::home(), terminal::has_colours(), now());
    let feed = feed::start(answers.local, tell.clone()).map_err(TuiError::Thread)?;
    input::start(tell.clone()).map_err(TuiError::Thread)?;
    let result = turn(
        &mut screen,
        &mut state,
        &events,
        &Doer {
            answers,
            tell,
            feed,
        },
    );
    drop(screen);
    match result {
        Ok(status) => Ok(status),
        // A terminal that is gone is found out in more than one way.
        Err(error) => told_to_end(&events).ok_or(TuiError::Terminal(error)),
    }
}

/// The exit status, where the end is told now.
fn told_to_end(events: &Receiver<Event>) -> Option<u8> {
    let told = std::iter::from_fn(|| events.recv_timeout(A_MOMENT).ok());
    told.into_iter().find_map(|event| match event {
        Event::End(status) => Some(status),
        _ => None,
    })
}

/// Does what follows from events.
struct Doer {
    answers: Answers,
    tell: Sender<Event>,
    feed: Feed,
}

/// Takes events in and draws, until it ends.
fn turn(
    screen: &mut Screen,
    state: &mut State,
    events: &Receiver<Event>,
    doer: &Doer,
) -> io::Result<u8> {
    loop {
        let size = screen.size()?;
        if size != state.size
            && let Some(status) = doer.all(state.update(Event::Resized(size), now()), screen)?
        {
            return Ok(status);
        }
        if state.take_changed() {
            screen.draw(|frame| view::view(state, frame))?;
        }
        let event = match state.wake(now()) {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(after) => events.recv_timeout(after.max(Duration::from_millis(1))),
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::Time,
            Err(RecvTimeoutError::Disconnected) => return Ok(0),
        };
        let more = events.try_iter().take(AT_ONCE);
        for event in std::iter::once(event).chain(more) {
            if let Some(status) = doer.all(state.update(event, now()), screen)? {
                return Ok(status);
            }
        }
    }
}

impl Doer {
    /// Does all of it; gives the exit status where that is the end.
    fn all(&self, effects: Vec<Effect>, screen: &mut Screen) -> io::Result<Option<u8>> {
        for effect in effects {
            match effect {
                Effect::End(status) => return Ok(Some(status)),
                Effect::Pause => screen.pause()?,
                Effect::Redraw => screen.clear()?,
                Effect::Mouse(on) => screen.mouse(on)?,
                Effect::Look => self.feed.look(),
                Effect::Ask(purpose, requests) => {
                    work::start(self.answers.connect, purpose, requests, self.tell.clone())?;
                }
            }
        }
        Ok(None)
    }
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now())
}
