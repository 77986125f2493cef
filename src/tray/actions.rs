//! What a click does: requests to the engine, the browser, the clipboard. Never on the thread that
//! draws the menu.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::menu::Action;
use super::{Links, Quit};
use crate::ipc::protocol::{Autostart, Kill, Reply, Request};
use crate::model::kill::Outcome;
use crate::notify::{self, Note};

/// What came of an action that took time.
pub enum Done {
    /// A kill.
    Killed(Box<Outcome>),
    /// Whether Freeport starts at login now; `None` when that cannot be read.
    LaunchAtLogin(Option<bool>),
}

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
            Action::Kill { port, key, force } => self.work(move |ask, done| {
                let grace_ms = if force {
                    0
                } else {
                    Kill::of(vec![port]).grace_ms
                };
                let kill = Kill {
                    pid: Some(key.to_string()),
                    force,
                    grace_ms,
                    ..Kill::of(vec![port])
                };
                match ask(Request::Kill(kill)) {
                    Reply::Kill(reply) => {
                        for outcome in reply.outcomes {
                            let note = Note::of_kill(&outcome);
                            done(Done::Killed(Box::new(outcome)));
                            notify::deliver(&note);
                        }
                    }
                    Reply::Error(error) => {
                        notify::deliver(&Note::problem("Cannot kill", &error.message))
                    }
                    _ => {}
                }
            }),
            Action::LaunchAtLogin(on) => self.launch_at_login(Some(on)),
            Action::ShowSystem(_) => {}
            Action::Quit => drop(self.quit.send(Quit::Menu)),
        }
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

    fn work(&self, job: impl FnOnce(&dyn Fn(Request) -> Reply, &dyn Fn(Done)) + Send + 'static) {
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
