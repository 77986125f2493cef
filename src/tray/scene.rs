//! States, and what is in them, for the tests of the tray.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::contents::Contents;
use super::menu::{self, Item, View};
use crate::engine::State;
use crate::ipc::view::{ConflictView, ReservationView};
use crate::model::attribute::tests::{process, socket};
use crate::model::kill::Party;
use crate::model::reservation::{Lease, LeaseOwner, Status, tests::reserved};
use crate::model::service::Kind;
use crate::model::visibility::Viewer;
use crate::model::{
    Conflict, Listener, Port, Process, ProcessKey, Project, Protocol, Snapshot, Timestamp,
    attribute,
};

/// The time in all tests: two hours and a bit after everything started.
pub fn now() -> Timestamp {
    Timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(7300))
}

/// A view of the user with the id 1000.
pub fn view() -> View {
    View {
        now: now(),
        viewer: Viewer {
            uid: 1000,
            ephemeral: (port(32768), port(60999)),
        },
        show_system: false,
        launch_at_login: Some(true),
        stubborn: HashSet::new(),
        home: Some("/home/me".into()),
    }
}

pub fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

/// A server of that user, whose process has the pid 4000 + its port.
pub fn listener(port: u16, change: impl Fn(&mut Process)) -> Listener {
    let mut owner = Arc::unwrap_or_clone(process(4000 + u32::from(port), "vite", &[1]));
    owner.kind = Kind::Development;
    change(&mut owner);
    let holder = [Arc::new(owner)];
    attribute::listeners(
        &[socket(port, u64::from(port))],
        |_| &holder,
        |_| Some("me".into()),
    )
    .remove(0)
}

/// Puts a process into a project.
pub fn in_project(name: &str) -> impl Fn(&mut Process) {
    move |process: &mut Process| {
        process.cwd = Some(format!("/home/me/{name}").into());
        process.project = Some(Arc::new(Project {
            name: name.into(),
            root: format!("/home/me/{name}").into(),
            branch: Some("main".into()),
            worktree: false,
        }));
    }
}

/// A port reserved for a service of the project "shop".
pub fn reservation(port: u16, service: &str) -> ReservationView {
    let mut one = reserved(port, "shop");
    one.service = Some(service.into());
    ReservationView::of(&one)
}

/// A port claimed by a process, for an hour since a bit before now.
pub fn claim(port: u16, pid: u32) -> ReservationView {
    let mut one = reserved(port, "shop");
    one.project = None;
    one.kept = false;
    one.status = Status::Claimed;
    one.owner = Some(LeaseOwner {
        key: ProcessKey { pid, start: 9 },
        boot: "boot".into(),
        name: "node".into(),
    });
    let since = now().before(Duration::from_secs(480));
    one.created_at = since;
    one.lease = Some(Lease::from(since, Duration::from_secs(3600)));
    ReservationView::of(&one)
}

/// The conflict of a listener with a reservation.
pub fn intruder(listener: &Listener, reservation: &ReservationView) -> ConflictView {
    ConflictView {
        kind: Conflict::Intruder,
        port: listener.port,
        protocol: listener.protocol,
        listener: listener.owner.as_deref().map(Party::of),
        project: None,
        uid: listener.uid,
        user: listener.user_name(),
        reservation: Some(reservation.clone()),
        others: Vec::new(),
    }
}

/// The conflict of listeners with each other.
pub fn shared(listeners: &[&Listener]) -> ConflictView {
    let mut parties = listeners
        .iter()
        .filter_map(|listener| listener.owner.as_deref())
        .map(Party::of);
    ConflictView {
        kind: Conflict::Shadowed,
        port: listeners[0].port,
        protocol: Protocol::Tcp,
        listener: parties.next(),
        project: None,
        uid: listeners[0].uid,
        user: listeners[0].user_name(),
        reservation: None,
        others: parties.collect(),
    }
}

/// What is so when these listen, and these ports are reserved.
pub fn state(listeners: &[Listener], reservations: &[ReservationView]) -> State {
    State {
        reservations: reservations.into(),
        reserved: reservations.len(),
        ..State::of(Arc::new(Snapshot {
            scanned_at: now(),
            gaps: vec![],
            listeners: listeners.to_vec(),
            elsewhere: vec![],
        }))
    }
}

/// The same with conflicts.
pub fn in_conflict(state: State, conflicts: &[ConflictView]) -> State {
    State {
        conflicts: conflicts.into(),
        ..state
    }
}

/// A menu as text, an entry a line.
pub fn text(items: &[Item]) -> String {
    indented(items, 0)
}

fn indented(items: &[Item], depth: usize) -> String {
    let pad = "  ".repeat(depth);
    let line = |item: &Item| match item {
        Item::Info(label) => format!("{pad}({label})\n"),
        Item::Separator => format!("{pad}--\n"),
        Item::Button {
            label,
            enabled: true,
            ..
        } => format!("{pad}{label}\n"),
        Item::Button { label, .. } => format!("{pad}{label} [disabled]\n"),
        Item::Check { label, on, .. } => {
            format!("{pad}[{}] {label}\n", if *on { "x" } else { " " })
        }
        Item::Sub { label, items } => {
            format!("{pad}{label} >\n{}", indented(items, depth + 1))
        }
    };
    items.iter().map(line).collect()
}

/// The menu of a state as text, when it is opened in it.
pub fn menu_of(state: &State) -> String {
    text(&menu::menu(Contents::of(state), &view()))
}

/// What is below an entry, as text.
#[track_caller]
pub fn below(items: &[Item], start: &str) -> String {
    fn find<'a>(items: &'a [Item], start: &str) -> Option<&'a [Item]> {
        items.iter().find_map(|item| match item {
            Item::Sub { label, items } if label.starts_with(start) => Some(items.as_slice()),
            Item::Sub { items, .. } => find(items, start),
            _ => None,
        })
    }
    let found = find(items, start);
    text(found.unwrap_or_else(|| panic!("no entry {start:?}:\n{}", text(items))))
}
