//! A notification daemon.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use zbus::blocking::{Connection, connection::Builder};
use zbus::zvariant::OwnedValue;

use super::Bus;
use crate::support::PATIENCE;

const OBJECT: &str = "/org/freedesktop/Notifications";
const NAME: &str = "org.freedesktop.Notifications";

/// What was to be shown as a notification.
#[derive(Clone, Debug)]
pub struct Note {
    /// What a press of its buttons names.
    pub id: u32,
    /// When it came.
    pub at: Instant,
    /// Its first line.
    pub summary: String,
    /// The text below.
    pub body: String,
    /// The ids of its buttons, and what they say.
    pub buttons: Vec<(String, String)>,
    /// How long it is to stay, in milliseconds; 0 until it is closed.
    pub timeout: i32,
}

impl Note {
    /// What its buttons say.
    pub fn labels(&self) -> Vec<&str> {
        self.buttons
            .iter()
            .map(|(_, label)| label.as_str())
            .collect()
    }
}

struct NotifierInterface {
    notes: Sender<Note>,
    answers: bool,
    capabilities: &'static [&'static str],
    next: AtomicU32,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl NotifierInterface {
    #[allow(
        clippy::too_many_arguments,
        reason = "the specification says which there are"
    )]
    async fn notify(
        &self,
        _app: &str,
        _replaces: u32,
        _icon: &str,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        timeout: i32,
    ) -> u32 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let buttons = actions
            .chunks_exact(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect();
        let _ = self.notes.send(Note {
            id,
            at: Instant::now(),
            summary,
            body,
            buttons,
            timeout,
        });
        if !self.answers {
            std::future::pending::<()>().await;
        }
        id
    }

    fn get_capabilities(&self) -> &[&str] {
        self.capabilities
    }

    fn get_server_information(&self) -> (&str, &str, &str, &str) {
        ("test", "test", "1", "1.2")
    }
}

/// A notification daemon that shows nothing, and tells what it was given.
pub struct Notifier {
    connection: Connection,
    notes: Receiver<Note>,
}

impl Notifier {
    /// A daemon as desktops have it.
    pub fn start(bus: &Bus) -> Notifier {
        Notifier::that(true, &["body", "actions"], bus)
    }

    /// A daemon that has no buttons.
    pub fn without_buttons(bus: &Bus) -> Notifier {
        Notifier::that(true, &["body"], bus)
    }

    /// A daemon that never answers.
    pub fn that_hangs(bus: &Bus) -> Notifier {
        Notifier::that(false, &["body"], bus)
    }

    fn that(answers: bool, capabilities: &'static [&'static str], bus: &Bus) -> Notifier {
        let (sender, notes) = mpsc::channel();
        let interface = NotifierInterface {
            notes: sender,
            answers,
            capabilities,
            next: AtomicU32::new(1),
        };
        let connection = Builder::address(bus.address.as_str())
            .and_then(|builder| builder.serve_at(OBJECT, interface))
            .and_then(|builder| builder.name(NAME))
            .and_then(Builder::build)
            .unwrap();
        Notifier { connection, notes }
    }

    /// Waits for the next notification.
    pub fn next(&self, within: Duration) -> Note {
        self.notes
            .recv_timeout(within)
            .expect("a notification is shown")
    }

    /// Waits for the next notification whose first line starts so; gives those before it, too.
    #[track_caller]
    pub fn wait(&self, start: &str) -> (Note, Vec<Note>) {
        let deadline = Instant::now() + PATIENCE;
        let mut before = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.notes.recv_timeout(left) {
                Ok(note) if note.summary.starts_with(start) => return (note, before),
                Ok(note) => before.push(note),
                Err(_) => panic!("waited in vain for {start:?}; shown were {before:#?}"),
            }
        }
    }

    /// The notifications that come within some time.
    pub fn within(&self, time: Duration) -> Vec<Note> {
        let deadline = Instant::now() + time;
        std::iter::from_fn(|| {
            let left = deadline.saturating_duration_since(Instant::now());
            self.notes.recv_timeout(left).ok()
        })
        .collect()
    }

    /// The notifications that nobody has waited for.
    pub fn rest(&self) -> Vec<Note> {
        self.notes.try_iter().collect()
    }

    /// Presses the button of a notification that says this, as a daemon tells of it, and closes it.
    #[track_caller]
    pub fn press(&self, note: &Note, label: &str) {
        let button = note.buttons.iter().find(|(_, says)| says == label);
        let (button, _) = button.unwrap_or_else(|| panic!("no button {label:?}: {note:?}"));
        self.signal("ActionInvoked", &(note.id, button));
        self.signal("NotificationClosed", &(note.id, 2u32));
    }

    fn signal<B>(&self, member: &str, body: &B)
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        self.connection
            .emit_signal(None::<&str>, OBJECT, NAME, member, body)
            .unwrap();
    }
}
