//! A desktop without a screen: a private session bus, and on it the parts of a desktop that a tray
//! icon meets. The watcher of a panel ([`Watcher`]), the panel's side of an icon and its menu
//! ([`Item`]), and a notification daemon ([`Notifier`]).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use zbus::blocking::{Connection, Proxy, connection::Builder};
use zbus::zvariant::{OwnedValue, Structure, Value};

/// A `dbus-daemon` of its own, ended when dropped.
pub struct Bus {
    child: Child,
    /// What goes into `DBUS_SESSION_BUS_ADDRESS`.
    pub address: String,
}

impl Bus {
    /// Starts it with its socket in `folder`; `None` where there is no `dbus-daemon`.
    pub fn start(folder: &Path) -> Option<Bus> {
        // A path: an abstract socket could not be reached from another network.
        let mut child = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .arg(format!("--address=unix:path={}/bus", folder.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        let address = address.trim().to_owned();
        Some(Bus { child, address })
    }

    /// The pid of the daemon.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Ends the daemon, and with it the session.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.end();
    }
}

/// An icon that registered.
pub struct Registered {
    /// When it did.
    pub at: Instant,
    service: String,
}

struct WatcherInterface {
    registered: Sender<Registered>,
    answers: bool,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl WatcherInterface {
    async fn register_status_notifier_item(&self, service: &str) {
        let (at, service) = (Instant::now(), service.to_owned());
        let _ = self.registered.send(Registered { at, service });
        if !self.answers {
            std::future::pending::<()>().await;
        }
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

/// The part of a panel at which icons register. Gone from the bus when dropped.
pub struct Watcher {
    connection: Connection,
    registered: Receiver<Registered>,
}

impl Watcher {
    /// A watcher as panels have it.
    pub fn start(bus: &Bus) -> Watcher {
        Watcher::that(true, bus)
    }

    /// A watcher that never answers.
    pub fn that_hangs(bus: &Bus) -> Watcher {
        Watcher::that(false, bus)
    }

    fn that(answers: bool, bus: &Bus) -> Watcher {
        let (sender, registered) = mpsc::channel();
        let interface = WatcherInterface {
            registered: sender,
            answers,
        };
        let connection = Builder::address(bus.address.as_str())
            .and_then(|builder| builder.serve_at("/StatusNotifierWatcher", interface))
            .and_then(|builder| builder.name("org.kde.StatusNotifierWatcher"))
            .and_then(Builder::build)
            .unwrap();
        Watcher {
            connection,
            registered,
        }
    }

    /// Waits for an icon to register.
    pub fn registered(&self, within: Duration) -> Registered {
        self.registered
            .recv_timeout(within)
            .expect("an icon registers")
    }

    /// Waits for an icon, and takes it up as a panel does.
    pub fn item(&self, within: Duration) -> Item {
        Item {
            service: self.registered(within).service,
            connection: self.connection.clone(),
        }
    }
}

/// An icon and its menu, as a panel sees them.
pub struct Item {
    service: String,
    connection: Connection,
}

impl Item {
    /// A property of the icon.
    pub fn property<T>(&self, name: &str) -> T
    where
        T: TryFrom<OwnedValue>,
        T::Error: Into<zbus::Error>,
    {
        self.icon().get_property(name).unwrap()
    }

    /// The text of its tooltip.
    pub fn tooltip(&self) -> String {
        let value: OwnedValue = self.property("ToolTip");
        let fields = Structure::try_from(value).unwrap().into_fields();
        String::try_from(fields.into_iter().nth(3).unwrap()).unwrap()
    }

    /// The side of each of its pictures with their pixels.
    pub fn pictures(&self) -> Vec<(i32, Vec<u8>)> {
        let value: Vec<(i32, i32, Vec<u8>)> = self
            .icon()
            .get_property::<OwnedValue>("IconPixmap")
            .unwrap()
            .try_into()
            .unwrap();
        value
            .into_iter()
            .map(|(width, _, pixels)| (width, pixels))
            .collect()
    }

    /// Clicks on the icon itself.
    pub fn activate(&self) -> zbus::Result<()> {
        self.icon().call("Activate", &(10, 10))
    }

    /// Tells that the menu is about to be shown.
    pub fn about_to_show(&self) {
        let _: bool = self.menu().call("AboutToShow", &0).unwrap();
    }

    /// The entries of the menu.
    pub fn layout(&self) -> Entry {
        let (_, root): (u32, RawEntry) = self
            .menu()
            .call("GetLayout", &(0, -1, Vec::<String>::new()))
            .unwrap();
        Entry::of(root)
    }

    /// Clicks on the entry with this id, however old the id is.
    pub fn click_id(&self, id: i32) -> zbus::Result<()> {
        self.menu()
            .call("Event", &(id, "clicked", Value::from(0), 0u32))
    }

    fn icon(&self) -> Proxy<'_> {
        self.proxy("/StatusNotifierItem", "org.kde.StatusNotifierItem")
    }

    fn menu(&self) -> Proxy<'_> {
        let path: OwnedValue = self.icon().get_property("Menu").unwrap();
        let path = zbus::zvariant::OwnedObjectPath::try_from(path).unwrap();
        self.proxy(path.as_str(), "com.canonical.dbusmenu")
    }

    fn proxy(&self, path: &str, interface: &'static str) -> Proxy<'_> {
        zbus::blocking::proxy::Builder::new(&self.connection)
            .destination(self.service.clone())
            .and_then(|builder| builder.path(path.to_owned()))
            .and_then(|builder| builder.interface(interface))
            .and_then(|builder| {
                builder
                    .cache_properties(zbus::proxy::CacheProperties::No)
                    .build()
            })
            .unwrap()
    }
}

/// An entry as it is on the wire: id, properties, and entries below it.
type RawEntry = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// An entry of a menu.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What a click on it names.
    pub id: i32,
    /// What it says, without marks of shortcuts.
    pub label: String,
    /// Whether it can be clicked.
    pub enabled: bool,
    /// Whether it is shown.
    pub visible: bool,
    /// Whether it is on, when it is something that is on or off.
    pub checked: Option<bool>,
    /// The entries below it.
    pub entries: Vec<Entry>,
}

impl Entry {
    fn of((id, properties, below): RawEntry) -> Entry {
        let text = |name: &str| {
            let value = properties.get(name)?.downcast_ref::<String>();
            value.ok()
        };
        let is = |name: &str| {
            let value = properties
                .get(name)
                .map(|value| value.downcast_ref::<bool>());
            !matches!(value, Some(Ok(false)))
        };
        let state = properties
            .get("toggle-state")
            .and_then(|value| value.downcast_ref::<i32>().ok());
        Entry {
            id,
            label: match text("type").as_deref() {
                Some("separator") => "--".to_owned(),
                _ => without_marks(&text("label").unwrap_or_default()),
            },
            enabled: is("enabled"),
            visible: is("visible"),
            checked: text("toggle-type")
                .filter(|kind| !kind.is_empty())
                .map(|_| state == Some(1)),
            entries: below
                .into_iter()
                .map(|entry| Entry::of(Structure::try_from(entry).unwrap().try_into().unwrap()))
                .collect(),
        }
    }

    /// The first entry, on any level, whose label starts so.
    pub fn find(&self, start: &str) -> Option<&Entry> {
        self.entries.iter().find_map(|entry| {
            if entry.label.starts_with(start) {
                Some(entry)
            } else {
                entry.find(start)
            }
        })
    }

    /// The entries that are shown below it.
    pub fn shown(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.visible)
    }

    /// The form of what is shown below it: a menu in which only labels differ has the same.
    pub fn shape(&self) -> String {
        format!("({})", self.shown().map(Entry::shape).collect::<String>())
    }
}

fn without_marks(label: &str) -> String {
    label
        .replace("__", "\0")
        .replace('_', "")
        .replace('\0', "_")
}

/// What was to be shown as a notification.
#[derive(Clone, Debug)]
pub struct Note {
    /// Its first line.
    pub summary: String,
    /// The text below.
    pub body: String,
}

struct NotifierInterface {
    notes: Sender<Note>,
    answers: bool,
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
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        let _ = self.notes.send(Note { summary, body });
        if !self.answers {
            std::future::pending::<()>().await;
        }
        1
    }

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned()]
    }

    fn get_server_information(&self) -> (&str, &str, &str, &str) {
        ("test", "test", "1", "1.2")
    }
}

/// A notification daemon that shows nothing, and tells what it was given.
pub struct Notifier {
    _connection: Connection,
    notes: Receiver<Note>,
}

impl Notifier {
    /// A daemon as desktops have it.
    pub fn start(bus: &Bus) -> Notifier {
        Notifier::that(true, bus)
    }

    /// A daemon that never answers.
    pub fn that_hangs(bus: &Bus) -> Notifier {
        Notifier::that(false, bus)
    }

    fn that(answers: bool, bus: &Bus) -> Notifier {
        let (sender, notes) = mpsc::channel();
        let interface = NotifierInterface {
            notes: sender,
            answers,
        };
        let connection = Builder::address(bus.address.as_str())
            .and_then(|builder| builder.serve_at("/org/freedesktop/Notifications", interface))
            .and_then(|builder| builder.name("org.freedesktop.Notifications"))
            .and_then(Builder::build)
            .unwrap();
        Notifier {
            _connection: connection,
            notes,
        }
    }

    /// Waits for the next notification.
    pub fn next(&self, within: Duration) -> Note {
        self.notes
            .recv_timeout(within)
            .expect("a notification is shown")
    }

    /// The notifications that nobody has waited for.
    pub fn rest(&self) -> Vec<Note> {
        self.notes.try_iter().collect()
    }
}
