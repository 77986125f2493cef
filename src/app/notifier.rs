//! The notifier's thread: news in, notifications out, and what is pressed on them as requests.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::Instant;

use crate::ipc::protocol::{Ignore, Kill, Release, Reply, Request};
use crate::model::news::News;
use crate::notify::{self, Note, Policy, Press, Wanted};

/// How many messages may wait for the notifier; what comes then is dropped.
const QUEUE: usize = 256;

/// Asks the engine.
pub type Asker = Arc<dyn Fn(Request) -> Reply + Send + Sync>;

/// The way to the notifier.
#[derive(Clone)]
pub struct Notifier(SyncSender<(Vec<News>, Wanted)>);

impl Notifier {
    /// Starts the thread. It ends when all the ways to it are gone.
    pub fn start(ask: Asker) -> io::Result<Notifier> {
        let show = move |note: &Note| {
            let ask = Arc::clone(&ask);
            notify::deliver_with(note, move |press| {
                obey(press, &*ask).iter().for_each(notify::deliver);
            });
        };
        Notifier::showing(show)
    }

    fn showing(show: impl Fn(&Note) + Send + 'static) -> io::Result<Notifier> {
        let (sender, inbox) = mpsc::sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("notifier".into())
            .stack_size(256 * 1024)
            .spawn(move || work(&inbox, show))?;
        Ok(Notifier(sender))
    }

    /// Tells news to the user, as far as they are wanted. Never waits.
    pub fn tell(&self, news: Vec<News>, wanted: Wanted) {
        if news.is_empty() {
            return;
        }
        match self.0.try_send((news, wanted)) {
            Ok(()) => {}
            Err(TrySendError::Full((news, _))) => {
                log::warn!("too many news: {} are not told", news.len());
            }
            Err(TrySendError::Disconnected(_)) => log::warn!("the notifier is gone"),
        }
    }
}

/// Waits for news, and for the time to show them.
fn work(inbox: &Receiver<(Vec<News>, Wanted)>, show: impl Fn(&Note)) {
    let mut policy = Policy::default();
    loop {
        let received = match policy.due() {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let now = Instant::now();
        match received {
            Ok((news, wanted)) => {
                for one in news {
                    policy.take(one, &wanted, now);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        policy.flush(now).iter().for_each(&show);
    }
}

/// Does what was pressed. Gives what is to be told of it.
fn obey(press: Press, ask: &dyn Fn(Request) -> Reply) -> Vec<Note> {
    let (request, failed) = match press {
        Press::Kill { port, key } => {
            let kill = Kill {
                pid: Some(key.to_string()),
                ..Kill::of(vec![port])
            };
            (Request::Kill(kill), "Cannot kill".to_owned())
        }
        Press::Release {
            port,
            protocol,
            made,
        } => {
            let release = Release {
                job_id: None,
                ports: vec![port],
                protocol: Some(protocol),
                token: None,
                as_user: true,
                created_at: Some(made),
            };
            let failed = format!("Port {port} was not released");
            (Request::Release(release), failed)
        }
        Press::Ignore {
            port,
            protocol,
            key,
        } => {
            let ignore = Ignore {
                port,
                protocol,
                key,
            };
            let failed = format!("Cannot ignore the process on port {port}");
            (Request::Ignore(ignore), failed)
        }
    };
    match ask(request) {
        Reply::Kill(reply) => reply.outcomes.iter().map(Note::of_kill).collect(),
        Reply::Error(error) => vec![Note::problem(&failed, &error.message)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ipc::protocol::{ErrorCode, ErrorReply, IgnoreReply, KillReply};
    use crate::model::kill::{KillResult, Outcome, Party};
    use crate::model::{Port, ProcessKey, Protocol, Timestamp};

    const KEY: ProcessKey = ProcessKey {
        pid: 42,
        start: 777,
    };
    const ALL: Wanted = Wanted {
        intruder: true,
        shadowed: true,
        refused: true,
        cleanup: true,
    };

    fn port(number: u16) -> Port {
        Port::new(number).unwrap()
    }

    fn intruder(number: u16) -> News {
        News::Intruder {
            port: port(number),
            protocol: Protocol::Tcp,
            who: Some(Party {
                pid: KEY.pid,
                key: KEY,
                name: "node".into(),
                service: "vite".into(),
                command: "node".into(),
            }),
            user: "me".into(),
            other_user: false,
            purpose: None,
            made: Timestamp::of_millis(7),
        }
    }

    #[test]
    fn news_become_notes_and_idle_is_idle() {
        let (sender, notes) = mpsc::channel();
        let notifier = Notifier::showing(move |note: &Note| {
            let _ = sender.send((Instant::now(), note.clone()));
        })
        .unwrap();
        let start = Instant::now();
        notifier.tell(Vec::new(), ALL);
        notifier.tell(vec![intruder(3000)], ALL);
        notifier.tell(vec![intruder(3000)], ALL);
        let (at, note) = notes.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(note.summary, "Port 3000 is reserved");
        assert!(at - start >= Duration::from_millis(300));
        let none = Wanted {
            intruder: false,
            ..ALL
        };
        notifier.tell(vec![intruder(3001)], none);
        // The thread ends with the last way to it, and shows nothing more.
        drop(notifier);
        assert_eq!(notes.iter().count(), 0);
    }

    #[test]
    fn whoever_tells_never_waits() {
        let (let_go, held) = mpsc::channel::<()>();
        let notifier = Notifier::showing(move |_: &Note| {
            let _ = held.recv();
        })
        .unwrap();
        for number in 1..=1000 {
            notifier.tell(vec![intruder(number)], ALL);
        }
        drop(let_go);
    }

    #[test]
    fn a_press_is_a_request() {
        let (port, protocol, key) = (port(3000), Protocol::Udp, KEY);
        let asked = |press| {
            let seen = std::cell::RefCell::new(Vec::new());
            let told = obey(press, &|request| {
                seen.borrow_mut().push(request);
                Reply::Ignore(IgnoreReply { ignored: true })
            });
            assert_eq!(told, [], "nothing to be told");
            seen.into_inner()
        };
        let kill = asked(Press::Kill { port, key });
        let [Request::Kill(kill)] = kill.as_slice() else {
            panic!("{kill:?}");
        };
        let expected = Kill {
            pid: Some("42@777".into()),
            ..Kill::of(vec![port])
        };
        assert_eq!(*kill, expected);
        let made = Timestamp::of_millis(7);
        assert_eq!(
            asked(Press::Release {
                port,
                protocol,
                made
            }),
            [Request::Release(Release {
                job_id: None,
                ports: vec![port],
                protocol: Some(protocol),
                token: None,
                as_user: true,
                created_at: Some(made),
            })]
        );
        let ignore = Press::Ignore {
            port,
            protocol,
            key,
        };
        assert_eq!(
            asked(ignore.clone()),
            [Request::Ignore(Ignore {
                port,
                protocol,
                key
            })]
        );
        let refused = obey(ignore, &|_| {
            Reply::Error(ErrorReply::new(ErrorCode::Failed, "freeport is ending"))
        });
        let expected = Note::problem(
            "Cannot ignore the process on port 3000",
            "freeport is ending",
        );
        assert_eq!(refused, [expected]);
    }

    #[test]
    fn what_came_of_a_kill_is_told() {
        let outcome = Outcome::refused(port(3000), KillResult::NothingThere, &[]).told();
        let told = obey(
            Press::Kill {
                port: port(3000),
                key: KEY,
            },
            &|_| {
                Reply::Kill(KillReply {
                    outcomes: vec![outcome.clone()],
                })
            },
        );
        assert_eq!(told, [Note::of_kill(&outcome)]);
    }
}
