//! The tray on macOS: an item of the menu bar, by tray-icon, in the event loop of tao.
//!
//! All of it lives on the main thread, as AppKit demands, and is reached from elsewhere by the
//! loop's events. The app has no place in the Dock, and no menu bar of its own.

mod drawn;
mod picture;

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use tao::event::{Event, StartCause};
use tao::event_loop::{ControlFlow, EventLoop, EventLoopBuilder, EventLoopProxy};
use tao::platform::macos::{ActivationPolicy, EventLoopExtMacOS as _};
use tao::platform::run_return::EventLoopExtRunReturn as _;
use tray_icon::menu::{MenuEvent, MenuId};
use tray_icon::{MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};

use super::actions::{Doer, Done};
use super::board::{Board, FREEZE};
use super::menu::View;
use super::{Links, Quit, States, shape};
use crate::ipc::protocol::TrayStatus;
use crate::model::Timestamp;
use crate::model::visibility::Viewer;
use crate::platform::{limits, paths};
use drawn::Drawn;

/// How often ages are brought up to date.
const AGES: Duration = Duration::from_secs(60);
/// How many menus that were replaced while they may have been open are kept.
const REPLACED: usize = 8;

/// What reaches the main thread.
enum Message {
    State,
    Clicked(MenuId),
    /// The pointer has come to the icon: a menu that was open is closed by now.
    Near,
    Opened,
    Done(Done),
    End(Quit),
}

/// Shows the tray until the app is to end.
pub fn run(links: Links, states: States, rings: Receiver<()>, ended: Receiver<Quit>) {
    let mut events: EventLoop<Message> = EventLoopBuilder::with_user_event().build();
    events.set_activation_policy(ActivationPolicy::Accessory);
    events.set_activate_ignoring_other_apps(false);
    forward(rings, events.create_proxy(), |()| Message::State);
    forward(ended, events.create_proxy(), Message::End);
    let proxy = events.create_proxy();
    MenuEvent::set_event_handler(Some(move |event: MenuEvent| {
        send(&proxy, Message::Clicked(event.id));
    }));
    let proxy = events.create_proxy();
    TrayIconEvent::set_event_handler(Some(move |event| match event {
        TrayIconEvent::Enter { .. } => send(&proxy, Message::Near),
        TrayIconEvent::Click {
            button_state: MouseButtonState::Down,
            ..
        } => send(&proxy, Message::Opened),
        _ => {}
    }));
    let proxy = events.create_proxy();
    let mut desk = Desk::new(links, states, move |done| send(&proxy, Message::Done(done)));
    events.run_return(move |event, _, flow| {
        match event {
            Event::NewEvents(StartCause::Init) => desk.show(),
            Event::NewEvents(StartCause::ResumeTimeReached { .. }) => desk.pass(),
            Event::UserEvent(Message::End(reason)) => {
                log::info!("ending: {reason:?}");
                desk.icon = None;
                *flow = ControlFlow::Exit;
            }
            Event::UserEvent(message) => desk.take(message),
            _ => {}
        }
        if *flow != ControlFlow::Exit {
            *flow = ControlFlow::WaitUntil(Instant::now() + desk.next_wake());
        }
    });
}

/// What the main thread knows.
struct Desk {
    links: Links,
    states: States,
    doer: Doer,
    board: Board,
    icon: Option<TrayIcon>,
    drawn: Drawn,
    /// The epoch of the rows in it.
    epoch: u64,
    /// Menus that were replaced while they may have been open: what is clicked in them still means
    /// what it said.
    replaced: Vec<Drawn>,
    /// What the tooltip says; it tells of conflicts, too.
    headline: String,
    /// When the menu was opened last; macOS does not say when it closes.
    opened: Option<Instant>,
}

impl Desk {
    fn new(links: Links, states: States, done: impl Fn(Done) + Send + Sync + 'static) -> Desk {
        let doer = Doer::new(&links, Arc::new(done));
        doer.read_launch_at_login();
        Desk {
            links,
            states,
            doer,
            board: Board::new(view()),
            icon: None,
            drawn: Drawn::default(),
            epoch: 0,
            replaced: Vec::new(),
            headline: String::new(),
            opened: None,
        }
    }

    /// Puts the icon into the menu bar: not before the loop runs.
    fn show(&mut self) {
        let shown = picture::template()
            .map_err(|error| format!("its picture cannot be used: {error}"))
            .and_then(|picture| {
                TrayIconBuilder::new()
                    .with_icon_templated(picture)
                    .with_autosave_name("freeport")
                    .build()
                    .map_err(|error| format!("the menu bar refuses it: {error}"))
            });
        match shown {
            Ok(icon) => {
                self.icon = Some(icon);
                self.draw();
                (self.links.status)(TrayStatus {
                    shown: true,
                    reason: None,
                    hint: None,
                });
            }
            Err(reason) => {
                log::warn!("no icon in the menu bar: {reason}");
                (self.links.status)(TrayStatus {
                    shown: false,
                    reason: Some(reason),
                    hint: Some("start freeport again; until then use 'freeport list'".to_owned()),
                });
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::State => {
                if let Some(state) = self.states.take() {
                    self.board.set_state(state, Instant::now(), now());
                }
            }
            Message::Clicked(id) => self.clicked(&id),
            Message::Near => {
                self.opened = None;
                self.board.closed();
            }
            Message::Opened => {
                self.opened = Some(Instant::now());
                self.board.opened(Instant::now());
                self.doer.read_launch_at_login();
            }
            Message::Done(Done::Killed(outcome)) => self.board.killed(&outcome),
            Message::Done(Done::LaunchAtLogin(on)) => self.board.set_launch_at_login(on),
            Message::Done(Done::Set { key, value }) => self.board.set(&key, &value),
            Message::End(_) => {}
        }
        self.draw();
    }

    fn clicked(&mut self, id: &MenuId) {
        let all = std::iter::once(&self.drawn).chain(&self.replaced);
        let action = all.into_iter().find_map(|drawn| drawn.action(id)).cloned();
        self.opened = None;
        self.board.closed();
        match action {
            Some(action) if !self.board.take(&action) => self.doer.start(action),
            Some(_) => {}
            None => log::debug!("a click on a menu of long ago: {}", id.0),
        }
    }

    /// Lets time pass.
    fn pass(&mut self) {
        self.board.pass(Instant::now(), now());
        self.draw();
    }

    /// How long nothing needs to be done by itself.
    fn next_wake(&self) -> Duration {
        let thaw = self.opened.map(|at| FREEZE.saturating_sub(at.elapsed()));
        thaw.filter(|left| !left.is_zero())
            .map_or(AGES, |left| AGES.min(left + Duration::from_millis(10)))
    }

    /// Shows what the board says. Other rows, or another shape, are another menu: one that is open
    /// stays as it is, and the next click on the icon opens the new one.
    fn draw(&mut self) {
        let Some(icon) = &self.icon else { return };
        let items = self.board.menu().to_vec();
        let epoch = self.board.epoch();
        if epoch == self.epoch && shape::is_same(self.drawn.items(), &items) {
            self.drawn.update(items);
        } else {
            self.epoch = epoch;
            match Drawn::new(items) {
                Ok(drawn) => {
                    icon.set_menu(Some(Box::new(drawn.menu().clone())));
                    self.replaced
                        .push(std::mem::replace(&mut self.drawn, drawn));
                    let is_open = self.opened.is_some_and(|at| at.elapsed() < FREEZE);
                    let kept = if is_open { REPLACED } else { 1 };
                    let forgotten = self.replaced.len().saturating_sub(kept);
                    self.replaced.drain(..forgotten);
                }
                Err(error) => log::warn!("the menu cannot be made: {error}"),
            }
        }
        let headline = format!("Freeport: {}", self.board.headline());
        if headline == self.headline {
            return;
        }
        if let Err(error) = icon.set_tooltip(Some(&headline)) {
            log::debug!("the tooltip cannot be set: {error}");
        }
        // A template has no colours: a mark beside it tells of a conflict.
        icon.set_title(Some(if self.board.has_conflict() { "!" } else { "" }));
        self.headline = headline;
    }
}

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

fn send(to: &EventLoopProxy<Message>, message: Message) {
    // The loop is gone only when the app ends.
    let _ = to.send_event(message);
}

fn forward<T: Send + 'static>(
    from: Receiver<T>,
    to: EventLoopProxy<Message>,
    wrap: fn(T) -> Message,
) {
    let work = move || {
        for value in from {
            send(&to, wrap(value));
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
