//! The engine's thread: one queue in, replies and states out.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Instant;

use super::scan_thread::{ScanHandle, Scanned};
use crate::engine::{Answer, Caller, Engine};
use crate::ipc::protocol::{ErrorCode, ErrorReply, Reply, Request, TrayStatus};
use crate::tray::Publisher;

/// How many messages may wait for the engine; who sends more waits.
const QUEUE: usize = 1024;

/// A message to the engine.
pub enum Message {
    /// The scanner looked.
    Scanned(Scanned),
    /// Somebody asks.
    Asked(Asked),
    /// The tray came or went.
    Tray(TrayStatus),
}

/// A request on its way.
pub struct Asked {
    caller: Caller,
    request: Request,
    reply: SyncSender<Reply>,
    since: Instant,
}

/// The way to the engine.
#[derive(Clone)]
pub struct EngineHandle(SyncSender<Message>);

impl EngineHandle {
    /// Asks, and waits for the reply.
    pub fn ask(&self, caller: Caller, request: Request) -> Reply {
        let (reply, replies) = mpsc::sync_channel(1);
        let asked = Message::Asked(Asked {
            caller,
            request,
            reply,
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

/// Starts the thread. The tray gets every new state.
pub fn start(
    inbox: Receiver<Message>,
    engine: Engine,
    scanner: ScanHandle,
    tray: Option<Publisher>,
) -> io::Result<()> {
    let mut desk = Desk {
        engine,
        scanner,
        tray,
        ticket: 0,
        parked: Vec::new(),
    };
    let work = move || inbox.into_iter().for_each(|message| desk.take(message));
    std::thread::Builder::new()
        .name("engine".into())
        .stack_size(512 * 1024)
        .spawn(work)?;
    Ok(())
}

/// The engine with the requests that wait for a look.
struct Desk {
    engine: Engine,
    scanner: ScanHandle,
    tray: Option<Publisher>,
    ticket: u64,
    parked: Vec<(u64, Asked)>,
}

impl Desk {
    fn take(&mut self, message: Message) {
        match message {
            Message::Scanned(scanned) => self.scanned(scanned),
            Message::Tray(status) => self.engine.set_tray(status),
            Message::Asked(asked) => match Engine::look_for(&asked.request) {
                Some(look) => {
                    self.ticket += 1;
                    self.scanner.look(self.ticket, &look);
                    self.parked.push((self.ticket, asked));
                }
                None => self.answer(asked),
            },
        }
    }

    fn scanned(&mut self, scanned: Scanned) {
        match scanned.snapshot {
            Some(snapshot) => {
                for event in self.engine.ingest(snapshot) {
                    log::debug!("{event:?}");
                }
                if let Some(tray) = &self.tray {
                    tray.publish(self.engine.state());
                }
            }
            None => self.engine.unchanged(scanned.at),
        }
        let ready = self
            .parked
            .iter()
            .take_while(|(ticket, _)| *ticket <= scanned.ticket)
            .count();
        for (_, asked) in self.parked.drain(..ready).collect::<Vec<_>>() {
            self.answer(asked);
        }
    }

    fn answer(&mut self, asked: Asked) {
        let Asked {
            caller,
            request,
            reply,
            since,
        } = asked;
        match self.engine.handle(request, caller) {
            Answer::Now(answer) => {
                self.engine.served(since.elapsed());
                let _ = reply.send(answer);
            }
            Answer::Later(work) => {
                let refused = reply.clone();
                let done = move || drop(reply.send(work()));
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
        }
    }
}
