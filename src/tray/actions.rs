//! What a click does: requests to the engine, the browser, the clipboard. Never on the thread that
//! draws the menu.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::menu::{Action, Meant, purpose};
use super::{Links, Quit};
use crate::ipc::protocol::{
    Autostart, Config, ErrorReply, Ignore, Kill, Query, Release, Reply, Request, Reserve,
};
use crate::model::kill::Outcome;
use crate::model::{Port, ProcessKey};
use crate::notify::{self, Note};

/// What came of an action that took time.
pub enum Done {
    /// A kill.
    Killed(Box<Outcome>),
    /// Whether Freeport starts at login now; `None` when that cannot be read.
    LaunchAtLogin(Option<bool>),
    /// A setting that was changed.
    Set {
        /// Its name.
        key: String,
        /// What it is now.
        value: String,
    },
}

/// Asks the engine, and waits for the reply.
type Ask<'a> = &'a dyn Fn(Request) -> Reply;

/// Does actions.
pub struct Doer {
    ask: Arc<dyn Fn(Request) -> Reply + Send + Sync>,
    quit: Sender<Quit>,
    done: Arc<dyn Fn(Done) + Send + Sync>,
    clipboard: Option<arboard::Clipboard>,
}

impl Doer {
    /// Does actions through `links`, and tells `done` what came of them.
    pub fn new(links: &Links, done: Arc<dyn Fn(Done) + Send + Sync>) -> Doer {
        Doer {
            ask: Arc::clone(&links.ask),
            quit: links.quit.clone(),
            done,
            clipboard: None,
        }
    }

    /// Starts an action.
    pub fn start(&mut self, action: Action) {
        match action {
            Action::Open(url) => self.work(move |_, _| {
                if let Err(error) = open::that_detached(&url) {
                    notify::deliver(&Note::problem(
                        "Cannot open the browser",
                        &error.to_string(),
                    ));
                }
            }),
            Action::Copy(text) => {
                if let Err(error) = self.copy(text) {
                    self.work(move |_, _| {
                        notify::deliver(&Note::problem(
                            "Cannot copy the address",
                            &error.to_string(),
                        ))
                    });
                }
            }
            Action::Kill { port, key, force } => {
                let kill = kill_of(port, key, force);
                self.work(move |ask, done| end(kill, ask, done));
            }
            Action::Stop { port, container } => {
                let kill = Kill {
                    container: Some(container),
                    ..Kill::of(vec![port])
                };
                self.work(move |ask, done| end(kill, ask, done));
            }
            Action::Reserve {
                port,
                protocol,
                project,
            } => self.request(
                format!("Cannot reserve port {port}"),
                Request::Reserve(Reserve {
                    ports: vec![port],
                    protocol,
                    project,
                    service: None,
                    ttl_s: None,
                    metadata: None,
                    hold: false,
                }),
            ),
            Action::Release(meant) => self.work(move |ask, _| {
                if let Some(note) = release(&meant, ask) {
                    notify::deliver(&note);
                }
            }),
            Action::Ignore {
                port,
                protocol,
                key,
            } => self.request(
                format!("Cannot ignore the process on port {port}"),
                Request::Ignore(Ignore {
                    port,
                    protocol,
                    key,
                }),
            ),
            Action::Set { key, on } => self.request(
                "Cannot change what is notified".to_owned(),
                Request::Config(Config {
                    key: Some(key.to_owned()),
                    value: Some(on.to_string()),
                    unset: false,
                }),
            ),
            Action::LaunchAtLogin(on) => self.launch_at_login(Some(on)),
            Action::ShowSystem(_) => {}
            Action::Quit => drop(self.quit.send(Quit::Menu)),
        }
    }

    /// Asks for something of which only a failure is told.
    fn request(&self, failed: String, request: Request) {
        self.work(move |ask, done| match ask(request) {
            Reply::Error(error) => notify::deliver(&problem(&failed, &error)),
            Reply::Config(reply) => reply.settings.into_iter().for_each(|one| {
                done(Done::Set {
                    key: one.key,
                    value: one.value,
                });
            }),
            _ => {}
        });
    }

    /// Reads whether Freeport starts at login.
    pub fn read_launch_at_login(&self) {
        self.launch_at_login(None);
    }

    fn launch_at_login(&self, enable: Option<bool>) {
        self.work(move |ask, done| {
            let on = match ask(Request::Autostart(Autostart { enable })) {
                Reply::Autostart(reply) => Some(reply.enabled),
                Reply::Error(error) => {
                    if enable.is_some() {
                        notify::deliver(&Note::problem(
                            "Cannot change what starts at login",
                            &error.message,
                        ));
                    }
                    None
                }
                _ => None,
            };
            done(Done::LaunchAtLogin(on));
        });
    }

    /// The clipboard lives as long as the app: on X11 the text is gone with who set it.
    fn copy(&mut self, text: String) -> Result<(), arboard::Error> {
        let clipboard = match &mut self.clipboard {
            Some(clipboard) => clipboard,
            none => none.insert(arboard::Clipboard::new()?),
        };
        clipboard
            .set_text(text)
            .inspect_err(|_| self.clipboard = None)
    }

    fn work(&self, job: impl FnOnce(Ask<'_>, &dyn Fn(Done)) + Send + 'static) {
        let (ask, done) = (Arc::clone(&self.ask), Arc::clone(&self.done));
        let work = move || job(&*ask, &*done);
        if let Err(error) = std::thread::Builder::new()
            .name("action".into())
            .stack_size(256 * 1024)
            .spawn(work)
        {
            log::warn!("cannot start a thread for a click: {error}");
        }
    }
}

/// The end of exactly this process.
fn kill_of(port: Port, key: ProcessKey, force: bool) -> Kill {
    let usual = Kill::of(vec![port]);
    Kill {
        pid: Some(key.to_string()),
        force,
        grace_ms: if force { 0 } else { usual.grace_ms },
        ..usual
    }
}

/// Ends a process or a container, and tells what came of it.
fn end(kill: Kill, ask: Ask<'_>, done: &dyn Fn(Done)) {
    match ask(Request::Kill(kill)) {
        Reply::Kill(reply) => {
            for outcome in reply.outcomes {
                let note = Note::of_kill(&outcome);
                done(Done::Killed(Box::new(outcome)));
                notify::deliver(&note);
            }
        }
        Reply::Error(error) => notify::deliver(&problem("Cannot kill", &error)),
        _ => {}
    }
}

/// Gives a reservation back, unless the port is reserved for somebody else by now. Gives what is to
/// be told of that; nothing when the port is not reserved any more, which is what was wanted.
fn release(meant: &Meant, ask: Ask<'_>) -> Option<Note> {
    let port = meant.port;
    let failed = format!("Cannot release port {port}");
    let query = Query {
        port: Some(port),
        ..Query::default()
    };
    let now = match ask(Request::Query(query)) {
        Reply::Reservations(reply) => reply.reservations,
        Reply::Error(error) => return Some(problem(&failed, &error)),
        _ => return None,
    };
    let now = now.iter().find(|one| one.protocol == meant.protocol)?;
    if !meant.is(now) {
        return Some(Note::problem(
            &format!("Port {port} was not released"),
            &format!("it is reserved for {} by now", purpose(now)),
        ));
    }
    let release = Release {
        job_id: None,
        ports: vec![port],
        protocol: Some(meant.protocol),
        token: None,
        as_user: true,
        created_at: Some(now.created_at),
    };
    match ask(Request::Release(release)) {
        Reply::Error(error) => Some(problem(&failed, &error)),
        _ => None,
    }
}

/// Tells why something could not be done, and what to do next.
fn problem(failed: &str, error: &ErrorReply) -> Note {
    let hint = error.hint.as_ref().map(|hint| format!("; {hint}"));
    let body = format!("{}{}", error.message, hint.unwrap_or_default());
    Note::problem(failed, &body)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::ipc::protocol::{ErrorCode, ReservationsReply};
    use crate::ipc::view::ReservationView;
    use crate::tray::scene::{claim, reservation};

    /// What is asked for and told when what is shown is released, and `now` is so by then.
    fn released(shown: &ReservationView, now: &[ReservationView]) -> (Vec<Request>, Option<Note>) {
        let asked = RefCell::new(Vec::new());
        let note = release(&Meant::of(shown), &|request| {
            asked.borrow_mut().push(request);
            Reply::Reservations(ReservationsReply {
                reservations: now.to_vec(),
            })
        });
        let asked = asked.into_inner();
        assert!(matches!(&asked[0], Request::Query(query) if query.port == Some(shown.port)));
        (asked, note)
    }

    #[test]
    fn what_was_shown_is_released() {
        let shown = reservation(3000, "web");
        let (asked, note) = released(&shown, std::slice::from_ref(&shown));
        assert_eq!(note, None);
        let [_, Request::Release(release)] = asked.as_slice() else {
            panic!("{asked:?}");
        };
        assert_eq!(release.ports, [shown.port]);
        assert_eq!(release.protocol, Some(shown.protocol));
        assert!(release.as_user);
    }

    #[test]
    fn what_was_not_shown_is_not_released() {
        let shown = reservation(3000, "web");
        let (asked, note) = released(&shown, &[]);
        assert_eq!((asked.len(), note), (1, None), "it is released already");
        let told = |now| {
            let (asked, note) = released(&shown, &[now]);
            assert_eq!(asked.len(), 1, "{asked:?}");
            let note = note.unwrap();
            assert_eq!(note.summary, "Port 3000 was not released");
            note.body
        };
        assert_eq!(
            told(reservation(3000, "a\nb")),
            "It is reserved for shop a\\nb by now."
        );
        assert_eq!(
            told(claim(3000, 42)),
            "It is reserved for node (pid 42) by now."
        );
    }

    #[test]
    fn failures_are_told_with_what_to_do() {
        let meant = Meant::of(&reservation(3000, "web"));
        let note = release(&meant, &|_| {
            let error = ErrorReply::new(ErrorCode::RegistryUnavailable, "the disk is full");
            Reply::Error(error.hint("make room"))
        });
        let expected = Note::problem("Cannot release port 3000", "the disk is full; make room");
        assert_eq!(note, Some(expected));
    }
}
