//! What is known and what is shown of it; what happens to it, and what is to be done then.
//!
//! All of it is values: no terminal, no thread, no clock.

mod acts;
mod details;
mod dialog;
mod filter;
mod keys;
mod kills;
mod lists;
mod mouse;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use ratatui::crossterm::event::{KeyEvent, MouseEvent};

use super::tables::{self, Table};
use crate::ipc::protocol::{Kill, PoolView, Reply, Request};
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::log::Entry;
use crate::model::visibility::Viewer;
use crate::model::{Gap, Port, Timestamp};

pub use details::Details;
pub use dialog::{Confirm, Dialog, Form, Tone};
pub use filter::FilterLine;
pub use keys::{HELP, Hint, hints};
pub use lists::List;

/// Something that has happened.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was pressed, or its wheel was turned.
    Mouse(MouseEvent),
    /// Text was pasted.
    Pasted(String),
    /// The terminal has so many columns and rows.
    Resized((u16, u16)),
    /// There is something new.
    Looked(Box<Looked>),
    /// It is told by somebody else now.
    Source(Source),
    /// What was asked for was answered.
    Told(Purpose, Result<Vec<Reply>, Problem>),
    /// Time has passed.
    Time,
    /// It has to end, with this exit status.
    End(u8),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask for these, one after the other.
    Ask(Purpose, Vec<Request>),
    /// Look now.
    Look,
    /// Draw all of it again.
    Redraw,
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Give the terminal to the shell for a while.
    Pause,
    /// End, with this exit status.
    End(u8),
}

/// What something is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// The story of a port.
    Details(Port),
    /// Whom a kill would end.
    Plan(Kill),
    /// A kill.
    Kill(Kill),
    /// Ports to be set aside, or given back.
    Reserve,
    /// What is reserved, to be given back.
    Release,
    /// The pools.
    Pools,
    /// The log.
    Log,
}

/// What went wrong, safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Who tells what is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody yet.
    Nobody,
    /// The running app.
    App {
        /// Its version.
        version: String,
        /// Its pid.
        pid: u32,
    },
    /// This process; with the reason, where there is an app that cannot be asked.
    Alone(Option<Problem>),
}

/// Everything that is looked at all the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// Who listens, by port.
    pub listeners: Vec<ListenerView>,
    /// What is held, and nobody listens there.
    pub held: Vec<ReservationView>,
    /// What is reserved, by port.
    pub reservations: Result<Vec<ReservationView>, Problem>,
}

/// Something that is asked for where it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Fetched<T> {
    /// It was not asked for.
    #[default]
    Not,
    /// It is this.
    Is(T),
    /// It cannot be had.
    Failed(Problem),
}

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Who listens.
    #[default]
    Ports,
    /// What is reserved.
    Reserved,
    /// What is in conflict.
    Conflicts,
    /// Pools, and who has what of them.
    Pools,
    /// What happened.
    Log,
}

impl Tab {
    /// All, in their order.
    pub const ALL: [Tab; 5] = [
        Tab::Ports,
        Tab::Reserved,
        Tab::Conflicts,
        Tab::Pools,
        Tab::Log,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Tab::Ports => "Ports",
            Tab::Reserved => "Reserved",
            Tab::Conflicts => "Conflicts",
            Tab::Pools => "Pools",
            Tab::Log => "Log",
        }
    }

    /// Its place among all.
    pub fn index(self) -> usize {
        Tab::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }
}

/// What rows are sorted by: the columns of the ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The port.
    #[default]
    Port,
    /// What the process serves.
    Service,
    /// The project.
    Project,
    /// The pid.
    Pid,
    /// The age, youngest first.
    Age,
}

/// How the list is told at the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub tone: Tone,
    /// What happened, and what to do next.
    pub text: String,
    /// When it goes away; it stays until something else is told where that is `None`.
    pub until: Option<Timestamp>,
}

/// Everything.
#[derive(Debug)]
pub struct State {
    /// The columns and rows of the terminal.
    pub size: (u16, u16),
    /// When something happened last.
    pub now: Timestamp,
    /// Who looks.
    pub viewer: Viewer,
    /// The home folder, which is told as `~`.
    pub home: Option<PathBuf>,
    /// Whether colours are wanted.
    pub colours: bool,
    /// Who tells what is new.
    pub source: Source,
    /// What is; nothing before the first look.
    pub looked: Option<Looked>,
    /// The pools.
    pub pools: Fetched<Vec<PoolView>>,
    /// The log, oldest first.
    pub log: Fetched<Vec<Entry>>,
    /// What is shown.
    pub tab: Tab,
    /// Where each tab stands.
    pub lists: [List; 5],
    /// The rows of the tab.
    pub table: Table,
    /// Which rows are chosen.
    pub filter: FilterLine,
    /// What the ports are sorted by, and whether the other way round.
    pub sort: (Sort, bool),
    /// Whether the ports are grouped by project.
    pub grouped: bool,
    /// Whether what is hidden is shown.
    pub all: bool,
    /// Whether the mouse is taken.
    pub mouse: bool,
    /// The story of the selected port, where it is shown.
    pub details: Option<Details>,
    /// What is in front of everything.
    pub dialog: Option<Dialog>,
    /// What is told at the bottom.
    pub message: Option<Message>,
    /// What is waited for: the log and the pools are asked for once at a time.
    fetching: bool,
    /// Whether it has to be drawn.
    changed: bool,
}

impl State {
    /// Nothing is known yet.
    pub fn new(viewer: Viewer, home: Option<PathBuf>, colours: bool, now: Timestamp) -> State {
        let mut state = State {
            size: (0, 0),
            now,
            viewer,
            home,
            colours,
            source: Source::Nobody,
            looked: None,
            pools: Fetched::Not,
            log: Fetched::Not,
            tab: Tab::default(),
            lists: Default::default(),
            table: Table::default(),
            filter: FilterLine::default(),
            sort: (Sort::default(), false),
            grouped: false,
            all: false,
            mouse: true,
            details: None,
            dialog: None,
            message: None,
            fetching: false,
            changed: true,
        };
        state.refresh();
        state
    }

    /// Whether it has changed since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Where the shown tab stands.
    pub fn list(&self) -> &List {
        &self.lists[self.tab.index()]
    }

    fn list_mut(&mut self) -> &mut List {
        &mut self.lists[self.tab.index()]
    }

    /// Who listens, as far as that is known.
    pub fn listeners(&self) -> &[ListenerView] {
        self.looked.as_ref().map_or(&[], |looked| &looked.listeners)
    }

    /// What is reserved, as far as that is known.
    pub fn reservations(&self) -> &[ReservationView] {
        let reservations = self.looked.as_ref().map(|looked| &looked.reservations);
        match reservations {
            Some(Ok(reservations)) => reservations,
            _ => &[],
        }
    }

    /// Makes the rows anew, and keeps the selection at its row.
    fn refresh(&mut self) {
        self.table = tables::of(self);
        let height = super::view::areas(self).rows();
        let table = std::mem::take(&mut self.table);
        self.list_mut().settle(&table, height);
        self.table = table;
        self.changed = true;
    }

    /// After which time something looks different although nothing has happened.
    pub fn wake(&self, now: Timestamp) -> Option<Duration> {
        let message = self.message.as_ref().and_then(|message| message.until);
        let message = message.map(|until| now.age(until));
        // Seconds are shown there.
        let details = self.details.as_ref().map(|_| Duration::from_secs(1));
        let fetched = matches!(self.tab, Tab::Pools | Tab::Log).then(|| Duration::from_secs(5));
        let ages = self.listeners().iter().filter_map(|listener| {
            let age = listener.owner.as_ref()?.started_at.age(now);
            Some(until_older(age))
        });
        let reservations = self.reservations().iter().map(|view| {
            let left = view.expires_at.map(|end| now.age(end));
            // The last minute is told in seconds.
            match left {
                Some(left) if self.tab == Tab::Reserved && left < Duration::from_secs(60) => {
                    Duration::from_secs(1)
                }
                _ => until_older(view.created_at.age(now)),
            }
        });
        let times = [message, details, fetched].into_iter().flatten();
        times.chain(ages).chain(reservations).min()
    }
}

/// After which time an age is told otherwise: as `short_age` tells it.
fn until_older(age: Duration) -> Duration {
    let unit = match age.as_secs() {
        0..3_600 => 60,
        3_600..86_400 => 3_600,
        _ => 86_400,
    };
    let unit = Duration::from_secs(unit);
    let past = Duration::from_nanos((age.as_nanos() % unit.as_nanos()) as u64);
    unit - past
}
