//! The thread that owns the tray: what it knows, and what it does about each message. Its wait on a
//! bus that hangs is the reason why it is no other thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ksni::blocking::Handle;

use super::absence::Absence;
use super::item::Icon;
use super::presence::{News, Presence};
use super::{Message, now};
use crate::engine::State;
use crate::notify::{self, Note};
use crate::tray::actions::{Doer, Done};
use crate::tray::board::{Board, FREEZE};
use crate::tray::{Links, States};

/// How often ages are brought up to date.
const AGES: Duration = Duration::from_secs(60);

/// What the thread that owns the tray knows.
pub struct Desk {
    links: Links,
    states: States,
    doer: Doer,
    tray: Option<Handle<Icon>>,
    latest: Option<State>,
    launch_at_login: Option<bool>,
    presence: Presence,
    thaw: Option<Instant>,
}

impl Desk {
    /// A desk whose icon is still being made; `messages` go to its inbox.
    pub fn new(links: Links, states: States, messages: Sender<Message>) -> Desk {
        let messages = Mutex::new(messages);
        let done = move |done| {
            let messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
            drop(messages.send(Message::Done(done)));
        };
        let doer = Doer::new(&links, Arc::new(done));
        let desk = Desk {
            links,
            states,
            doer,
            tray: None,
            latest: None,
            launch_at_login: None,
            presence: Presence::new(Instant::now()),
            thaw: None,
        };
        desk.report();
        desk.doer.read_launch_at_login();
        desk
    }

    /// Works until the app ends, and then takes the icon away.
    pub fn work(mut self, inbox: &Receiver<Message>) {
        loop {
            match inbox.recv_timeout(self.next_wake()) {
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => self.pass(),
            }
        }
        if let Some(tray) = self.tray {
            tray.shutdown().wait();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::State => {
                if let Some(state) = self.states.take() {
                    self.latest = Some(state.clone());
                    self.update(|board| board.set_state(state, Instant::now(), now()));
                }
            }
            Message::Clicked(action) => self.doer.start(action),
            Message::Opened => {
                self.thaw = Some(Instant::now() + FREEZE);
                self.doer.read_launch_at_login();
            }
            Message::Done(Done::Killed(outcome)) => self.update(|board| board.killed(&outcome)),
            Message::Done(Done::LaunchAtLogin(on)) => {
                self.launch_at_login = on;
                self.update(|board| board.set_launch_at_login(on));
            }
            Message::Done(Done::Set { key, value }) => self.update(|board| board.set(&key, &value)),
            Message::PanelCame => {
                self.presence.came();
                self.report();
            }
            Message::PanelLeft(reason) => {
                log::debug!("no panel shows the icon: {reason:?}");
                self.presence.left(Absence::of(&reason), Instant::now());
                self.report();
            }
            Message::Spawned(Ok(tray)) => self.spawned(tray),
            Message::Spawned(Err(error)) => {
                let absence = Absence::of_error(&error);
                let news = self.presence.failed(absence, Instant::now());
                self.tell(&news);
            }
            Message::End => {}
        }
    }

    /// The icon is made: it shows what has come in the meantime.
    fn spawned(&mut self, tray: Handle<Icon>) {
        self.tray = Some(tray);
        let (latest, on) = (self.latest.clone(), self.launch_at_login);
        self.update(|board| {
            board.set_launch_at_login(on);
            if let Some(state) = latest {
                board.set_state(state, Instant::now(), now());
            }
        });
        self.presence.spawned();
        self.report();
    }

    /// Lets time pass.
    fn pass(&mut self) {
        if self.thaw.is_some_and(|at| at <= Instant::now()) {
            self.thaw = None;
        }
        self.update(|board| board.pass(Instant::now(), now()));
        if let Some(news) = self.presence.news(Instant::now()) {
            self.tell(&news);
        }
    }

    /// How long nothing needs to be done by itself.
    fn next_wake(&self) -> Duration {
        let now = Instant::now();
        let thaw = self.thaw.map(|at| at.saturating_duration_since(now));
        let tell = self.presence.wait(now);
        let slack = Duration::from_millis(10);
        let soon = [thaw, tell].into_iter().flatten();
        soon.fold(AGES, |least, wait| least.min(wait + slack))
    }

    fn update(&self, change: impl FnOnce(&mut Board)) {
        if let Some(tray) = &self.tray {
            tray.update(|item| change(item.board()));
        }
    }

    /// Tells the engine whether there is an icon.
    fn report(&self) {
        (self.links.status)(self.presence.status());
    }

    /// Tells the user that there is no icon, and what would help.
    fn tell(&self, News { absence, notify }: &News) {
        self.report();
        let hint = absence.hint.unwrap_or_default();
        log::warn!("no tray icon: {}; {hint}", absence.reason);
        if !notify {
            return;
        }
        let note = Note::problem("Freeport runs, but no panel shows its icon", hint);
        if let Err(error) = std::thread::Builder::new()
            .name("notify".into())
            .spawn(move || notify::deliver(&note))
        {
            log::warn!("cannot start a thread for a notification: {error}");
        }
    }
}
