//! What is new: told by the running app, and found out by looking where none runs.
//!
//! A subscription says that something has changed; what there is then is asked for, as `list` does.
//! Where the app ends, this goes on looking by itself, and follows the app again when it is back.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::Connect;
use super::state::{Event, Looked, Source};
use super::work::{ask, problem};
use crate::ipc::protocol::{List, Query, Reply, Request};
use crate::ipc::{Ask, Client, ClientError};

/// How often this looks where no app runs, as `list --watch` does.
const ALONE: Duration = Duration::from_millis(800);
/// How often the app is asked although it has told of no change: what only gets older is no change.
const SLOWLY: Duration = Duration::from_secs(30);
/// The shortest time between two looks.
const APART: Duration = Duration::from_millis(100);
/// How often an app that is there and cannot be followed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The thread that looks.
pub struct Feed(Sender<Nudge>);

impl Feed {
    /// Has it look now.
    pub fn look(&self) {
        // Where it has ended, so has everything else.
        let _ = self.0.send(Nudge::Look);
    }
}

/// Why to look.
enum Nudge {
    /// It was asked for.
    Look,
    /// The app has told of a change.
    Changed,
    /// The app has told that it ends: to the subscription with this number.
    Lost(u64),
}

struct Follower {
    tell: Sender<Event>,
    nudges: Receiver<Nudge>,
    nudge: Sender<Nudge>,
    /// The number of the subscription.
    number: u64,
    /// What was told last.
    told: Option<Looked>,
}

/// Nobody wants to know any more.
struct Over;

/// Starts to look.
pub fn start(local: Connect, tell: Sender<Event>) -> io::Result<Feed> {
    let (nudge, nudges) = mpsc::channel();
    let mut follower = Follower {
        tell,
        nudges,
        nudge: nudge.clone(),
        number: 0,
        told: None,
    };
    let work = move || {
        let mut app = Client::connect();
        loop {
            let found = match app {
                Ok(client) => follower.follow(client).map(Err),
                Err(error) => follower.alone(local, error).map(Ok),
            };
            match found {
                Ok(found) => app = found,
                Err(Over) => return,
            }
        }
    };
    thread::Builder::new()
        .name("feed".into())
        .stack_size(1024 * 1024)
        .spawn(work)?;
    Ok(Feed(nudge))
}

impl Follower {
    /// Follows the app for as long as that goes well; gives why it does not any more.
    fn follow(&mut self, mut client: Client) -> Result<ClientError, Over> {
        let subscription = match Client::connect().and_then(Client::subscribe) {
            Ok(subscription) => subscription,
            Err(error) => return Ok(error),
        };
        self.number += 1;
        let (nudge, number) = (self.nudge.clone(), self.number);
        let read = move || {
            for change in subscription {
                let known = match change {
                    Ok(_) => Nudge::Changed,
                    Err(_) => Nudge::Lost(number),
                };
                if nudge.send(known).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new()
            .name("changes".into())
            .stack_size(256 * 1024);
        if let Err(error) = thread.spawn(read) {
            return Ok(ClientError::Io(error));
        }
        let app = client.app();
        self.tell(Event::Source(Source::App {
            version: app.version.clone(),
            pid: app.pid,
        }))?;
        loop {
            if let Err(error) = self.look(&mut client)? {
                return Ok(error);
            }
            let looked = Instant::now();
            match self.next(SLOWLY)? {
                Nudge::Lost(number) if number == self.number => return Ok(ClientError::NotRunning),
                _ => {}
            }
            // Several changes that come together are looked at once.
            loop {
                let left = APART.saturating_sub(looked.elapsed());
                match self.nudges.recv_timeout(left) {
                    Ok(Nudge::Lost(number)) if number == self.number => {
                        return Ok(ClientError::NotRunning);
                    }
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return Err(Over),
                }
            }
        }
    }

    /// Looks without an app until there is one that can be followed.
    fn alone(&mut self, local: Connect, error: ClientError) -> Result<Client, Over> {
        let why = |error: &ClientError| match error {
            ClientError::NotRunning => None,
            error => Some(problem(error)),
        };
        let mut known = why(&error);
        self.tell(Event::Source(Source::Alone(known.clone())))?;
        let mut tried = Instant::now();
        let mut eyes = match local() {
            Ok(eyes) => Some(eyes),
            Err(error) => {
                self.tell(Event::Source(Source::Alone(Some(problem(&error)))))?;
                None
            }
        };
        loop {
            if let Some(eyes) = &mut eyes {
                // What goes wrong is in what is told.
                let _ = self.look(&mut **eyes)?;
            }
            self.next(ALONE)?;
            if known.is_some() && tried.elapsed() < AGAIN {
                continue;
            }
            tried = Instant::now();
            match Client::connect() {
                Ok(client) => return Ok(client),
                Err(error) if why(&error) != known => {
                    known = why(&error);
                    self.tell(Event::Source(Source::Alone(known.clone())))?;
                }
                Err(_) => {}
            }
        }
    }

    /// Asks for everything, and tells it where it differs from what was told.
    fn look(&mut self, asked: &mut dyn Ask) -> Result<Result<(), ClientError>, Over> {
        let list = match asked.ask(Request::List(List::default())) {
            Ok(Reply::List(list)) => list,
            Ok(Reply::Error(error)) => return Ok(Err(ClientError::Refused(error))),
            Ok(_) => return Ok(Err(ClientError::NotRunning)),
            // It ended between two looks.
            Err(ClientError::Io(_)) => return Ok(Err(ClientError::NotRunning)),
            Err(error) => return Ok(Err(error)),
        };
        let reservations = match ask(asked, Request::Query(Query::default())) {
            Ok(Reply::Reservations(reply)) => Ok(reply.reservations),
            Ok(_) => Ok(Vec::new()),
            Err(problem) => Err(problem),
        };
        let looked = Looked {
            gaps: list.gaps,
            listeners: list.listeners,
            held: list.held,
            reservations,
        };
        if self.told.as_ref() != Some(&looked) {
            self.told = Some(looked.clone());
            self.tell(Event::Looked(Box::new(looked)))?;
        }
        Ok(Ok(()))
    }

    /// What comes within some time; a reason to look where nothing does.
    fn next(&self, within: Duration) -> Result<Nudge, Over> {
        match self.nudges.recv_timeout(within) {
            Ok(nudge) => Ok(nudge),
            Err(RecvTimeoutError::Timeout) => Ok(Nudge::Look),
            Err(RecvTimeoutError::Disconnected) => Err(Over),
        }
    }

    fn tell(&self, event: Event) -> Result<(), Over> {
        self.tell.send(event).map_err(|_| Over)
    }
}
