//! The tray on Linux: a StatusNotifierItem with its menu, by ksni.
//!
//! ksni keeps the ids of entries while the menu's shape is the same, even when a row has become
//! another port. Invisible entries, whose number goes with the epoch, give every epoch a shape of
//! its own, so that a click on what was shown before is refused by its id.
//!
//! What the panel and the bus are asked for may take forever, so the thread that does it is not
//! the one that waits for the end of the app.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ksni::blocking::{Handle, TrayMethods as _};
use ksni::menu::{CheckmarkItem, StandardItem, SubMenu};

use super::actions::{Doer, Done};
use super::board::{Board, FREEZE};
use super::icon::{CONFLICT, NORMAL, Picture};
use super::menu::{Action, Item, View};
use super::{Links, Quit, States};
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

/// How long the icon may take to go when the app ends.
const FAREWELL: Duration = Duration::from_millis(500);
/// How many epochs have a shape of their own: more than can pass between two looks of the panel.
const EPOCHS: u64 = 8;

/// What reaches the thread that owns the tray.
enum Message {
    State,
    Clicked(Action),
    Opened,
    Done(Done),
    Panel(bool),
    Spawned(Result<Handle<Icon>, ksni::Error>),
    End,
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
        // In front of the first row: what comes after a row could be made up for by fewer rows.
        let marks = self.board.epoch() % EPOCHS;
        let mark = |_| {
            StandardItem {
                visible: false,
                ..Default::default()
            }
            .into()
        };
        let entries = self.board.menu().into_iter().map(Icon::entry);
        (0..marks).map(mark).chain(entries).collect()
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
pub fn run(links: Links, states: States, rings: Receiver<()>, ended: Receiver<Quit>) {
    let (messages, inbox) = mpsc::channel();
    forward(rings, messages.clone());
    follow_session(links.quit.clone());
    spawn(
        Icon {
            board: Board::new(view()),
            messages: messages.clone(),
        },
        messages.clone(),
    );
    let (gone, farewell) = mpsc::channel::<()>();
    let desk = Desk::new(links, states, messages.clone());
    let work = move || {
        desk.work(&inbox);
        drop(gone);
    };
    if let Err(error) = std::thread::Builder::new()
        .name("desk".into())
        .stack_size(512 * 1024)
        .spawn(work)
    {
        log::warn!("cannot start a thread for the tray: {error}");
    }
    if let Ok(reason) = ended.recv() {
        log::info!("ending: {reason:?}");
    }
    // The icon goes at once, not when the bus notices; but a bus that hangs holds nobody up.
    let _ = messages.send(Message::End);
    let _: Result<(), _> = farewell.recv_timeout(FAREWELL);
}

/// What the thread that owns the tray knows.
struct Desk {
    links: Links,
    states: States,
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
    fn new(links: Links, states: States, messages: Sender<Message>) -> Desk {
        (links.status)(TrayStatus {
            shown: false,
            reason: Some("it is on its way to the panel".to_owned()),
            hint: None,
        });
        let messages = Mutex::new(messages);
        let done = move |done| {
            let messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
            drop(messages.send(Message::Done(done)));
        };
        let doer = Doer::new(&links, Arc::new(done));
        doer.read_launch_at_login();
        Desk {
            links,
            states,
            doer,
            tray: None,
            latest: None,
            launch_at_login: None,
            panel: None,
            missing: Some(Instant::now()),
            told: false,
            thaw: None,
        }
    }

    /// Works until the app ends, and then takes the icon away.
    fn work(mut self, inbox: &Receiver<Message>) {
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
            Message::Panel(shown) => self.panel_came(shown),
            Message::Spawned(Ok(tray)) => self.spawned(tray),
            Message::Spawned(Err(error)) => self.tell_missing(
                &format!("the session bus cannot be used: {error}"),
                "start freeport in a desktop session, where DBUS_SESSION_BUS_ADDRESS is set",
            ),
            Message::End => {}
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

fn forward(rings: Receiver<()>, to: Sender<Message>) {
    let work = move || {
        for () in rings {
            if to.send(Message::State).is_err() {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ksni::{MenuItem, Tray as _};

    use super::*;
    use crate::model::attribute::tests::{process, socket};
    use crate::model::service::Kind;
    use crate::model::{Snapshot, attribute};

    fn shape(entries: &[MenuItem<Icon>]) -> String {
        let one = |entry: &MenuItem<Icon>| match entry {
            MenuItem::SubMenu(below) => format!("({})", shape(&below.submenu)),
            _ => ".".to_owned(),
        };
        entries.iter().map(one).collect()
    }

    fn state(ports: std::ops::Range<u16>) -> State {
        let listeners: Vec<_> = ports
            .map(|port| {
                let mut owner = Arc::unwrap_or_clone(process(u32::from(port), "vite", &[1]));
                owner.kind = Kind::Development;
                let holder = [Arc::new(owner)];
                attribute::listeners(&[socket(port, u64::from(port))], |_| &holder, |_| None)
                    .remove(0)
            })
            .collect();
        State {
            shadowed: vec![false; listeners.len()],
            snapshot: Arc::new(Snapshot {
                scanned_at: now(),
                gaps: vec![],
                listeners,
            }),
        }
    }

    /// Else ksni would give the ids of one row to another one.
    #[test]
    fn rows_that_changed_give_the_menu_another_shape() {
        let mut view = view();
        view.viewer.uid = state(1..2).snapshot.listeners[0].uid;
        let mut icon = Icon {
            board: Board::new(view),
            messages: mpsc::channel().0,
        };
        let mut before = String::new();
        for first in 3000..3040 {
            for last in [first + 2, first + 3, first + 24, first + 25] {
                icon.board
                    .set_state(state(first..last), Instant::now(), now());
                let shape = shape(&icon.menu());
                assert!(shape.contains('('), "rows are shown: {shape}");
                assert_ne!(shape, before, "{first}..{last}");
                before = shape;
            }
        }
    }
}
