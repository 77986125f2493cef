//! The tray on Linux: a StatusNotifierItem with its menu, by ksni.
//!
//! ksni keeps the ids of entries while the menu's shape is the same, even when a row has become
//! another port. An invisible entry that comes or goes with every epoch changes the shape, so that
//! a click on what was shown before is refused by its id.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ksni::blocking::{Handle, TrayMethods as _};
use ksni::menu::{CheckmarkItem, StandardItem, SubMenu};

use super::actions::{Doer, Done};
use super::board::{Board, FREEZE};
use super::icon::{CONFLICT, NORMAL, Picture};
use super::menu::{Action, Item, View};
use super::{Links, Quit};
use crate::engine::State;
use crate::ipc::protocol::TrayStatus;
use crate::model::Timestamp;
use crate::model::visibility::Viewer;
use crate::notify::{self, Note};
use crate::platform::{limits, paths};

/// How often ages are brought up to date.
const AGES: Duration = Duration::from_secs(60);
/// How long the session bus may take.
const BUS_PATIENCE: Duration = Duration::from_secs(3);
/// How long after the start a panel may come before the user is told that there is none.
const PANEL_PATIENCE: Duration = Duration::from_secs(10);

/// What reaches the thread that owns the tray.
enum Message {
    State(State),
    Clicked(Action),
    Opened,
    Done(Done),
    Panel(bool),
    Spawned(Result<Handle<Icon>, ksni::Error>),
    End(Quit),
}

/// The tray as ksni sees it.
struct Icon {
    board: Board,
    messages: Sender<Message>,
}

impl Icon {
    fn send(&self, message: Message) {
        // The receiver is gone only when the app ends.
        let _ = self.messages.send(message);
    }

    fn entry(item: Item) -> ksni::MenuItem<Icon> {
        match item {
            Item::Info(label) => StandardItem {
                label: literal(&label),
                enabled: false,
                ..Default::default()
            }
            .into(),
            Item::Separator => ksni::MenuItem::Separator,
            Item::Button {
                label,
                action,
                enabled,
            } => StandardItem {
                label: literal(&label),
                enabled,
                activate: Box::new(move |tray: &mut Icon| tray.clicked(action.clone())),
                ..Default::default()
            }
            .into(),
            Item::Check { label, on, action } => CheckmarkItem {
                label: literal(&label),
                checked: on,
                activate: Box::new(move |tray: &mut Icon| tray.clicked(action.clone())),
                ..Default::default()
            }
            .into(),
            Item::Sub { label, items } => SubMenu {
                label: literal(&label),
                submenu: items.into_iter().map(Icon::entry).collect(),
                ..Default::default()
            }
            .into(),
        }
    }

    fn clicked(&mut self, action: Action) {
        self.board.closed();
        if !self.board.take(&action) {
            self.send(Message::Clicked(action));
        }
    }
}

/// A single underscore would mark the next letter as a shortcut.
fn literal(label: &str) -> String {
    label.replace('_', "__")
}

impl ksni::Tray for Icon {
    const MENU_ON_ACTIVATE: bool = true;

    fn id(&self) -> String {
        "freeport".into()
    }

    fn title(&self) -> String {
        format!("Freeport: {}", self.board.headline())
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        let pictures = if self.board.has_conflict() {
            &CONFLICT
        } else {
            &NORMAL
        };
        pictures
            .iter()
            .map(|Picture { size, argb }| ksni::Icon {
                width: *size,
                height: *size,
                data: argb.to_vec(),
            })
            .collect()
    }

    fn tool_tip(&self) -> ksni::ToolTip {
        ksni::ToolTip {
            title: "Freeport".into(),
            description: self.board.headline(),
            ..Default::default()
        }
    }

    fn menu(&self) -> Vec<ksni::MenuItem<Icon>> {
        let mut entries: Vec<_> = self.board.menu().into_iter().map(Icon::entry).collect();
        if self.board.epoch() % 2 == 1 {
            entries.push(
                StandardItem {
                    visible: false,
                    ..Default::default()
                }
                .into(),
            );
        }
        entries
    }

    fn menu_about_to_show(&mut self) {
        self.board.opened(Instant::now());
        self.send(Message::Opened);
    }

    fn watcher_online(&self) {
        self.send(Message::Panel(true));
    }

    fn watcher_offline(&self, _: ksni::OfflineReason) -> bool {
        self.send(Message::Panel(false));
        true
    }
}

/// Shows the tray until the app is to end.
pub fn run(links: Links, states: Receiver<State>, ended: Receiver<Quit>) {
    let (messages, inbox) = mpsc::channel();
    forward(states, messages.clone(), Message::State);
    forward(ended, messages.clone(), Message::End);
    follow_session(links.quit.clone());
    spawn(
        Icon {
            board: Board::new(view()),
            messages: messages.clone(),
        },
        messages.clone(),
    );
    let messages = Mutex::new(messages);
    let done = Arc::new(move |done| {
        drop(
            messages
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .send(Message::Done(done)),
        )
    });
    let doer = Doer::new(&links, done);
    doer.read_launch_at_login();
    let mut desk = Desk {
        links,
        doer,
        tray: None,
        latest: None,
        launch_at_login: None,
        panel: None,
        missing: Some(Instant::now()),
        told: false,
        thaw: None,
    };
    loop {
        match inbox.recv_timeout(desk.next_wake()) {
            Ok(Message::End(reason)) => {
                log::info!("ending: {reason:?}");
                break;
            }
            Ok(message) => desk.take(message),
            Err(RecvTimeoutError::Timeout) => desk.pass(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Some(tray) = desk.tray {
        // The icon goes at once, not when the bus notices; but a bus that hangs holds nobody up.
        let (gone, wait) = mpsc::channel();
        std::thread::spawn(move || {
            tray.shutdown().wait();
            drop(gone);
        });
        let _: Result<(), _> = wait.recv_timeout(Duration::from_millis(500));
    }
}

/// What the thread that owns the tray knows.
struct Desk {
    links: Links,
    doer: Doer,
    tray: Option<Handle<Icon>>,
    latest: Option<State>,
    launch_at_login: Option<bool>,
    /// Whether a panel shows the icon; `None` while that is not known.
    panel: Option<bool>,
    /// Since when there has been no panel, or no bus.
    missing: Option<Instant>,
    /// Whether the user has been told that there is no icon.
    told: bool,
    thaw: Option<Instant>,
}

impl Desk {
    fn take(&mut self, message: Message) {
        match message {
            Message::State(state) => {
                self.latest = Some(state.clone());
                self.update(|board| board.set_state(state, Instant::now(), now()));
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
            Message::Panel(shown) => self.panel_came(shown),
            Message::Spawned(Ok(tray)) => self.spawned(tray),
            Message::Spawned(Err(error)) => self.tell_missing(
                &format!("the session bus cannot be used: {error}"),
                "start freeport in a desktop session, where DBUS_SESSION_BUS_ADDRESS is set",
            ),
            Message::End(_) => {}
        }
    }

    fn spawned(&mut self, tray: Handle<Icon>) {
        self.tray = Some(tray);
        let (latest, on) = (self.latest.clone(), self.launch_at_login);
        self.update(|board| {
            board.set_launch_at_login(on);
            if let Some(state) = latest {
                board.set_state(state, Instant::now(), now());
            }
        });
        // ksni tells only when the panel goes, or comes later.
        if self.panel.is_none() {
            self.panel_came(true);
        }
    }

    fn panel_came(&mut self, shown: bool) {
        self.panel = Some(shown);
        if shown {
            self.missing = None;
            (self.links.status)(TrayStatus {
                shown: true,
                reason: None,
                hint: None,
            });
        } else {
            self.missing = Some(Instant::now());
            self.report_missing(NO_PANEL.0, NO_PANEL.1);
        }
    }

    fn report_missing(&self, reason: &str, hint: &str) {
        let (reason, hint) = (Some(reason.to_owned()), Some(hint.to_owned()));
        (self.links.status)(TrayStatus {
            shown: false,
            reason,
            hint,
        });
    }

    /// Says, once, that there is no icon and what would help.
    fn tell_missing(&mut self, reason: &str, hint: &str) {
        self.told = true;
        self.report_missing(reason, hint);
        log::warn!("no tray icon: {reason}; {hint}");
    }

    fn pass(&mut self) {
        if self.thaw.is_some_and(|at| at <= Instant::now()) {
            self.thaw = None;
        }
        self.update(|board| board.pass(Instant::now(), now()));
        let Some(missing) = self
            .missing
            .filter(|since| !self.told && since.elapsed() >= self.patience())
        else {
            return;
        };
        log::debug!("without an icon since {missing:?}");
        if self.tray.is_none() {
            self.tell_missing(
                "the session bus does not answer",
                "log out and in again, or look at the bus with 'busctl --user'",
            );
        } else {
            self.tell_missing(NO_PANEL.0, NO_PANEL.1);
            let note = Note::problem("Freeport runs, but no panel shows its icon", NO_PANEL.1);
            let told = std::thread::Builder::new()
                .name("notify".into())
                .spawn(move || notify::deliver(&note));
            if let Err(error) = told {
                log::warn!("cannot start a thread for a notification: {error}");
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.tray.is_none() {
            BUS_PATIENCE
        } else {
            PANEL_PATIENCE
        }
    }

    /// How long nothing needs to be done by itself.
    fn next_wake(&self) -> Duration {
        let slack = Duration::from_millis(10);
        let thaw = self
            .thaw
            .map(|at| at.saturating_duration_since(Instant::now()) + slack);
        let tell = self
            .missing
            .filter(|_| !self.told)
            .map(|since| self.patience().saturating_sub(since.elapsed()) + slack);
        [thaw, tell].into_iter().flatten().fold(AGES, Duration::min)
    }

    fn update(&self, change: impl FnOnce(&mut Board)) {
        if let Some(tray) = &self.tray {
            tray.update(|item| change(&mut item.board));
        }
    }
}

/// Why no panel shows the icon, and what would help.
const NO_PANEL: (&str, &str) = (
    "no panel shows tray icons here (no StatusNotifierWatcher on the session bus)",
    "on GNOME install and enable the AppIndicator extension; elsewhere add a tray or status notifier plugin to the panel; until then use 'freeport list'",
);

fn view() -> View {
    View {
        now: now(),
        viewer: Viewer {
            uid: limits::user_id(),
            ephemeral: limits::ephemeral_ports(),
        },
        show_system: false,
        launch_at_login: None,
        stubborn: Default::default(),
        home: paths::home(),
    }
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now())
}

/// Makes the icon on a thread of its own: a bus that does not answer blocks it.
fn spawn(item: Icon, messages: Sender<Message>) {
    let work = move || {
        let spawned = item.assume_sni_available(true).spawn();
        let _ = messages.send(Message::Spawned(spawned));
    };
    if let Err(error) = std::thread::Builder::new().name("tray".into()).spawn(work) {
        log::warn!("cannot start a thread for the tray: {error}");
    }
}

fn forward<T: Send + 'static>(from: Receiver<T>, to: Sender<Message>, wrap: fn(T) -> Message) {
    let work = move || {
        for value in from {
            if to.send(wrap(value)).is_err() {
                return;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("forward".into())
        .stack_size(64 * 1024)
        .spawn(work)
    {
        log::warn!("cannot start a thread for the tray: {error}");
    }
}

/// Ends the app when the session bus goes: the session is over then.
fn follow_session(quit: Sender<Quit>) {
    let work = move || {
        // Without a bus there is no session to follow; the tray tells of that.
        let Ok(connection) = zbus::blocking::Connection::session() else {
            return;
        };
        for message in zbus::blocking::MessageIterator::from(connection) {
            if message.is_err() {
                break;
            }
        }
        let _ = quit.send(Quit::SessionEnded);
    };
    if let Err(error) = std::thread::Builder::new()
        .name("session".into())
        .stack_size(256 * 1024)
        .spawn(work)
    {
        log::warn!("cannot follow the session: {error}");
    }
}
