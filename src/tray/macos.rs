//! The tray on macOS: an item of the menu bar, by tray-icon, in the event loop of tao.
//!
//! All of it lives on the main thread, as AppKit demands, and is reached from elsewhere by the
//! loop's events. The app has no place in the Dock, and no menu bar of its own.
//!
//! While the menu is open, AppKit runs the loop in another mode: events come all the same, and the
//! mode tells that the menu is open. Its texts may change then, and nothing else does: a menu that is
//! replaced would close under the pointer.

mod drawn;
mod picture;

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use objc2_core_foundation::CFRunLoop;
use objc2_foundation::{NSActivityOptions, NSProcessInfo, NSString};
use tao::event::{Event, StartCause};
use tao::event_loop::{ControlFlow, EventLoop, EventLoopBuilder, EventLoopProxy};
use tao::platform::macos::{ActivationPolicy, EventLoopExtMacOS as _};
use tao::platform::run_return::EventLoopExtRunReturn as _;
use tray_icon::menu::{MenuEvent, MenuId};
use tray_icon::{MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};

use super::actions::{Doer, Done};
use super::board::Board;
use super::menu::View;
use super::sketch::{changes, sketch};
use super::{Links, Quit, States};
use crate::ipc::protocol::TrayStatus;
use crate::model::Timestamp;
use crate::model::visibility::Viewer;
use crate::platform::{limits, paths};
use drawn::Drawn;

/// How often ages are brought up to date.
const AGES: Duration = Duration::from_secs(60);
/// The mode of the main loop while nothing is open.
const AT_REST: &str = "kCFRunLoopDefaultMode";

/// What reaches the main thread.
enum Message {
    State,
    Clicked(MenuId),
    /// The pointer has come to the icon, maybe to open the menu.
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
    // Without it, the system lets an app without windows nap, and looks at ports come late.
    let _awake = NSProcessInfo::processInfo().beginActivityWithOptions_reason(
        NSActivityOptions::UserInitiatedAllowingIdleSystemSleep,
        &NSString::from_str("looks at ports"),
    );
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
            Event::MainEventsCleared => desk.settle(),
            Event::LoopDestroyed if desk.icon.is_some() => {
                // The system ends the app with the session, and does not come back from here. What
                // was acknowledged is written down, and what was held is free when it is gone.
                log::info!("ending: {:?}", Quit::SessionEnded);
                desk.icon = None;
            }
            _ => {}
        }
        if *flow != ControlFlow::Exit {
            // Another time at each event: the timer of the loop is by the clock on the wall, and goes
            // off early when the machine has slept. It would do so for ever if it were not set anew.
            *flow = ControlFlow::WaitUntil(Instant::now() + AGES);
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
    /// The epoch of what it was drawn from.
    epoch: u64,
    /// The menu before this one: a click on it may be on its way, and still means what it said.
    before: Option<Drawn>,
    /// What the tooltip says; it tells of conflicts, too.
    headline: String,
    /// Whether the menu is open.
    is_open: bool,
    /// Whether there is something to show that must wait until the menu is closed.
    is_late: bool,
    /// When ages are brought up to date at the latest, should nothing else do it.
    due: Instant,
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
            before: None,
            headline: String::new(),
            is_open: false,
            is_late: false,
            due: Instant::now() + AGES,
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
            Message::Near => self.board.pass(Instant::now(), now()),
            Message::Opened => {
                self.doer.read_launch_at_login();
                // A click that was too short to leave it open has closed it already.
                self.is_open = is_tracking();
                if self.is_open {
                    self.board.opened(Instant::now());
                }
            }
            Message::Done(Done::Killed(outcome)) => self.board.killed(&outcome),
            Message::Done(Done::LaunchAtLogin(on)) => self.board.set_launch_at_login(on),
            Message::Done(Done::Set { key, value }) => self.board.set(&key, &value),
            Message::End(_) => {}
        }
        self.draw();
    }

    fn clicked(&mut self, id: &MenuId) {
        let of_before = || self.before.as_ref().and_then(|menu| menu.action(id));
        let action = self.drawn.action(id).or_else(of_before).cloned();
        self.close();
        match action {
            Some(action) if !self.board.take(&action) => self.doer.start(action),
            Some(_) => {}
            None => log::debug!("a click on a menu of long ago: {}", id.0),
        }
    }

    /// Lets time pass.
    fn pass(&mut self) {
        self.board.pass(Instant::now(), now());
        self.due = Instant::now() + AGES;
        self.draw();
    }

    /// Everything that came was taken: what had to wait for the menu to be closed is done.
    fn settle(&mut self) {
        if Instant::now() >= self.due {
            self.pass();
        }
        if (self.is_open || self.is_late) && !is_tracking() {
            self.close();
            self.draw();
        }
    }

    /// The menu has closed.
    fn close(&mut self) {
        if std::mem::replace(&mut self.is_open, false) {
            self.board.closed();
        }
    }

    /// Shows what the board says. Where the menu has another shape, it is another menu, for which one
    /// that is open has to close first.
    fn draw(&mut self) {
        let Some(icon) = &self.icon else { return };
        let entries = sketch(self.board.menu());
        let epoch = self.board.epoch();
        let changes = changes(self.drawn.entries(), &entries).filter(|_| epoch == self.epoch);
        let headline = format!("Freeport: {}", self.board.headline());
        let must_be_closed = changes.is_none() || headline != self.headline;
        self.is_late = must_be_closed && is_tracking();
        match changes {
            Some(changes) => self.drawn.change(&changes, entries),
            None if self.is_late => {}
            None => match Drawn::new(entries) {
                Ok(drawn) => {
                    icon.set_menu(Some(Box::new(drawn.menu().clone())));
                    self.before = Some(std::mem::replace(&mut self.drawn, drawn));
                    self.epoch = epoch;
                }
                Err(error) => log::warn!("the menu cannot be made: {error}"),
            },
        }
        if self.is_late || headline == self.headline {
            return;
        }
        if let Err(error) = icon.set_tooltip(Some(&headline)) {
            log::debug!("the tooltip cannot be set: {error}");
        }
        // A template has no colours: a mark beside it tells of a conflict. It makes the icon wider,
        // which would move a menu that is open.
        icon.set_title(Some(if self.board.has_conflict() { "!" } else { "" }));
        self.headline = headline;
    }
}

/// Whether a menu is open, as the main loop tells by its mode.
fn is_tracking() -> bool {
    let mode = CFRunLoop::main().and_then(|main| main.current_mode());
    mode.is_some_and(|mode| mode.to_string() != AT_REST)
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
