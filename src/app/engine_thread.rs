//! The engine's thread: one queue in, replies and states out.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Instant;

use super::backups::Backups;
use super::checkpoints::{self, Checkpoints};
use super::containers;
use super::feeds::{self, Feed, Feeds, Line};
use super::notifier::Notifier;
use super::portserver::Portserver;
use super::scan_thread::{ScanHandle, Scanned};
use crate::engine::{Answer, Caller, Effects, Engine, Subject, Work};
use crate::ipc::portserver;
use crate::ipc::protocol::{ErrorCode, ErrorReply, Reply, Request, TrayStatus};
use crate::model::Port;
use crate::model::container::Seen;
use crate::model::kill::Outcome;
use crate::notify::Wanted;
use crate::tray::Publisher;

/// How many messages may wait for the engine; who sends more waits.
const QUEUE: usize = 1024;

/// How many messages are taken together at most.
const BATCH: usize = 256;

/// After how many commits the registry's log is looked at.
const COMMITS: u32 = 32;

/// A message to the engine.
pub enum Message {
    /// The scanner looked.
    Scanned(Scanned),
    /// Somebody asks.
    Asked(Asked),
    /// The tray came or went.
    Tray(TrayStatus),
    /// The portserver wants ports for these processes.
    Serve(Vec<portserver::Asked>),
    /// What the container engines said.
    Containers(Seen),
    /// A kill is over.
    Killed(Caller, Vec<Outcome>),
}

/// A request on its way.
pub struct Asked {
    caller: Caller,
    request: Request,
    reply: SyncSender<Reply>,
    /// Where changes are told from the reply on.
    feed: Option<Feed>,
    since: Instant,
}

/// The way to the engine.
#[derive(Clone)]
pub struct EngineHandle(SyncSender<Message>);

impl EngineHandle {
    /// Asks, and waits for the reply. Reads first what must be known of who asks.
    pub fn ask(&self, pid: u32, uid: u32, request: Request) -> Reply {
        self.send(pid, uid, request, None)
    }

    /// Asks for everything, and for every change from then on.
    pub fn subscribe(&self, pid: u32, uid: u32) -> (Reply, Receiver<Line>) {
        let (feed, lines) = feeds::feed();
        (self.send(pid, uid, Request::Subscribe, Some(feed)), lines)
    }

    fn send(&self, pid: u32, uid: u32, request: Request, feed: Option<Feed>) -> Reply {
        let caller = match Caller::of(pid, uid, &request) {
            Ok(caller) => caller,
            Err(error) => return Reply::Error(error),
        };
        let (reply, replies) = mpsc::sync_channel(1);
        let asked = Message::Asked(Asked {
            caller,
            request,
            reply,
            feed,
            since: Instant::now(),
        });
        let sent = self.0.send(asked).is_ok();
        let answer = if sent { replies.recv().ok() } else { None };
        answer.unwrap_or_else(|| {
            Reply::Error(
                ErrorReply::new(ErrorCode::Failed, "freeport is ending")
                    .hint("try again when it runs"),
            )
        })
    }

    /// Asks for a port for each of these.
    pub fn serve_ports(&self, asked: Vec<portserver::Asked>) {
        let _ = self.0.send(Message::Serve(asked));
    }

    /// Hands in what the container engines said.
    pub fn engines_said(&self, seen: Seen) {
        let _ = self.0.send(Message::Containers(seen));
    }

    /// Hands in what the scanner found; false when the engine is gone.
    pub fn scanned(&self, scanned: Scanned) -> bool {
        self.0.send(Message::Scanned(scanned)).is_ok()
    }

    /// Tells whether there is a tray.
    pub fn set_tray(&self, status: TrayStatus) {
        let _ = self.0.send(Message::Tray(status));
    }
}

/// The queue.
pub fn channel() -> (EngineHandle, Receiver<Message>) {
    let (sender, receiver) = mpsc::sync_channel(QUEUE);
    (EngineHandle(sender), receiver)
}

/// Whom the engine's thread tells what has changed.
pub struct Listeners {
    /// The engine, for work that ends elsewhere.
    pub engine: EngineHandle,
    /// The scanner.
    pub scanner: ScanHandle,
    /// The tray, if there is one.
    pub tray: Option<Publisher>,
    /// Notifications.
    pub notifier: Notifier,
    /// The portserver, if there is one.
    pub portserver: Option<Portserver>,
    /// The registry's log.
    pub checkpoints: Checkpoints,
}

/// Starts the thread.
pub fn start(inbox: Receiver<Message>, engine: Engine, listeners: Listeners) -> io::Result<()> {
    let mut desk = Desk {
        engine,
        listeners,
        feeds: Feeds::default(),
        backups: Backups::default(),
        ticket: 0,
        parked: VecDeque::new(),
        waiting: Vec::new(),
        effects: Effects::default(),
        replies: Vec::new(),
        served: Vec::new(),
        committed: 0,
        awake_until: None,
    };
    let work = move || {
        loop {
            match desk.next(&inbox) {
                Ok(message) => {
                    desk.work(std::iter::once(message).chain(inbox.try_iter().take(BATCH)))
                }
                Err(RecvTimeoutError::Timeout) => desk.work(std::iter::empty()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    };
    std::thread::Builder::new()
        .name("engine".into())
        .stack_size(512 * 1024)
        .spawn(work)?;
    Ok(())
}

/// The engine with the requests that wait for a look, and the replies that wait for the commit.
struct Desk {
    engine: Engine,
    listeners: Listeners,
    feeds: Feeds,
    backups: Backups,
    ticket: u64,
    parked: VecDeque<(u64, Asked)>,
    /// Lists that wait for what the container engines say.
    waiting: Vec<Asked>,
    effects: Effects,
    replies: Vec<Answered>,
    served: Vec<Served>,
    /// How many commits there were since the log was looked at.
    committed: u32,
    /// Until when it does not sleep.
    awake_until: Option<Instant>,
}

/// A reply that waits for what it says to be committed.
struct Answered {
    to: SyncSender<Reply>,
    reply: Reply,
    since: Instant,
}

/// Ports for the portserver, which wait for their commit.
struct Served {
    to: Vec<portserver::Asked>,
    ports: Vec<Option<Port>>,
}

impl Desk {
    /// Waits for a message; without sleep for a moment after the portserver asked.
    fn next(&self, inbox: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        let is_awake = || self.awake_until.is_some_and(|until| until > Instant::now());
        while is_awake() {
            if let Ok(message) = inbox.try_recv() {
                return Ok(message);
            }
            std::thread::yield_now();
        }
        inbox.recv_timeout(self.engine.rest())
    }

    /// Takes messages; what they change is committed together, and only then acknowledged.
    fn work(&mut self, messages: impl Iterator<Item = Message>) {
        self.engine.begin();
        for message in messages {
            self.take(message);
        }
        self.engine.pass();
        containers::ask(&mut self.engine, &self.listeners.engine);
        self.finish();
        self.backups.keep_up(&self.engine);
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Scanned(scanned) => self.scanned(scanned),
            Message::Tray(status) => self.engine.set_tray(status),
            Message::Serve(to) => {
                let subject = |asked: &portserver::Asked| Subject {
                    key: asked.process.key,
                    name: asked.process.name.clone(),
                    project: None,
                };
                let subjects: Vec<Subject> = to.iter().map(subject).collect();
                let ports = self.engine.serve_ports(&subjects);
                self.served.push(Served { to, ports });
            }
            Message::Containers(seen) => {
                self.engine.engines_said(seen);
                self.effects.add(self.engine.settle());
                for asked in std::mem::take(&mut self.waiting) {
                    self.answer(asked);
                }
            }
            Message::Killed(caller, outcomes) => self.engine.killed(&outcomes, &caller),
            Message::Asked(asked) => match Engine::look_for(&asked.request) {
                Some(look) => {
                    self.ticket += 1;
                    self.listeners.scanner.look(self.ticket, &look);
                    self.parked.push_back((self.ticket, asked));
                }
                None => self.answer(asked),
            },
        }
    }

    fn scanned(&mut self, scanned: Scanned) {
        self.engine.ended(&scanned.dead);
        match scanned.snapshot {
            Some(snapshot) => self.engine.ingest(snapshot),
            None => self.engine.unchanged(scanned.at),
        }
        let is_ready = |(ticket, _): &&(u64, Asked)| *ticket <= scanned.ticket;
        let ready = self.parked.iter().take_while(is_ready).count();
        if ready > 0 {
            // Replies tell what follows from this look.
            self.effects.add(self.engine.settle());
        }
        for (_, asked) in self.parked.drain(..ready).collect::<Vec<_>>() {
            if containers::concern(&asked.request, &mut self.engine, &self.listeners.engine) {
                self.waiting.push(asked);
            } else {
                self.answer(asked);
            }
        }
    }

    fn answer(&mut self, asked: Asked) {
        let Asked {
            caller,
            request,
            reply: to,
            feed,
            since,
        } = asked;
        if feed.is_some() {
            // What was before is in the reply, and what comes after it is told.
            self.finish();
            self.engine.begin();
        }
        match self.engine.handle(request, &caller) {
            Answer::Now(reply) => {
                self.replies.push(Answered { to, reply, since });
                if let Some(feed) = feed {
                    self.feeds.add(feed);
                }
            }
            Answer::Later(work) => self.start(work, caller, to),
        }
    }

    /// Does work elsewhere.
    fn start(&self, work: Work, caller: Caller, to: SyncSender<Reply>) {
        let (refused, engine) = (to.clone(), self.listeners.engine.clone());
        let done = move || {
            let reply = work();
            let killed = match &reply {
                Reply::Kill(kill) => kill.outcomes.clone(),
                _ => Vec::new(),
            };
            let _ = to.send(reply);
            if !killed.is_empty() {
                let _ = engine.0.send(Message::Killed(caller, killed));
            }
        };
        if let Err(error) = std::thread::Builder::new()
            .name("work".into())
            .stack_size(256 * 1024)
            .spawn(done)
        {
            let _ = refused.send(Reply::Error(ErrorReply::new(
                ErrorCode::Busy,
                format!("no thread can be started: {error}"),
            )));
        }
    }

    /// Brings everything in line, commits, and tells whom it concerns.
    fn finish(&mut self) {
        self.effects.add(self.engine.settle());
        let failed = match self.engine.commit() {
            Ok(written) => {
                self.committed += u32::from(written);
                None
            }
            Err(error) => {
                // What was not committed has not happened.
                self.effects.unwritten();
                self.effects.add(self.engine.settle());
                Some(error)
            }
        };
        if self.committed >= COMMITS {
            self.committed = 0;
            if self.engine.log_length() >= checkpoints::LONG {
                self.listeners.checkpoints.call();
            }
        }
        for Answered { to, reply, since } in self.replies.drain(..) {
            self.engine.served(since.elapsed());
            let _ = to.send(match &failed {
                Some(error) if reply.promises() => Reply::Error(error.clone()),
                _ => reply,
            });
        }
        if !self.served.is_empty() {
            self.awake_until = Some(Instant::now() + portserver::AWAKE);
        }
        for Served { to, ports } in self.served.drain(..) {
            for (asked, port) in to.into_iter().zip(ports) {
                match port.filter(|_| failed.is_none()) {
                    Some(port) => asked.give(port),
                    None => drop(asked),
                }
            }
        }
        self.tell();
    }

    fn tell(&mut self) {
        let effects = std::mem::take(&mut self.effects);
        if let Some(owners) = effects.watch {
            self.listeners.scanner.watch_also(owners);
        }
        if let (Some(portserver), Some(address)) = (
            &mut self.listeners.portserver,
            self.engine.portserver_address(),
        ) {
            portserver.listen_at(address);
        }
        self.feeds.tell(&effects.events);
        if !effects.news.is_empty() {
            let wanted = Wanted::of(&self.engine.current_settings());
            self.listeners.notifier.tell(effects.news, wanted);
        }
        if effects.shown
            && let Some(tray) = &self.listeners.tray
        {
            tray.publish(self.engine.state());
        }
    }
}
