//! A panel: the watcher at which icons register, and what a panel does with an icon.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use zbus::blocking::{Connection, Proxy, connection::Builder};
use zbus::zvariant::{OwnedValue, Structure, Value};

use super::menu::RawEntry;
use super::{Bus, Entry, row};
use crate::support::wait_for;

/// An icon that registered.
pub struct Registered {
    /// When it did.
    pub at: Instant,
    service: String,
}

/// What a watcher does with an icon.
#[derive(Clone)]
enum Answer {
    Takes,
    Refuses(&'static str),
    Nothing,
}

/// A refusal by a name that only this panel knows.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.example.Panel")]
enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    NoRoom(String),
}

struct WatcherInterface {
    registered: Sender<Registered>,
    answer: Answer,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl WatcherInterface {
    async fn register_status_notifier_item(&self, service: &str) -> Result<(), Refusal> {
        let (at, service) = (Instant::now(), service.to_owned());
        let _ = self.registered.send(Registered { at, service });
        match self.answer {
            Answer::Takes => Ok(()),
            Answer::Refuses(why) => Err(Refusal::NoRoom(why.to_owned())),
            Answer::Nothing => std::future::pending().await,
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
        Watcher::that(Answer::Takes, bus)
    }

    /// A watcher that never answers.
    pub fn that_hangs(bus: &Bus) -> Watcher {
        Watcher::that(Answer::Nothing, bus)
    }

    /// A watcher that takes no icon, and says why.
    pub fn that_refuses(why: &'static str, bus: &Bus) -> Watcher {
        Watcher::that(Answer::Refuses(why), bus)
    }

    fn that(answer: Answer, bus: &Bus) -> Watcher {
        let (sender, registered) = mpsc::channel();
        let interface = WatcherInterface {
            registered: sender,
            answer,
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

    /// Waits until the menu is so.
    pub fn wait_menu<T>(&self, what: &str, look: impl Fn(&Entry) -> Option<T>) -> T {
        wait_for(what, || look(&self.layout()))
    }

    /// Waits for the row of a port.
    pub fn wait_row(&self, port: u16) -> Entry {
        self.wait_menu("the row", |menu| menu.find(&row(port)).cloned())
    }

    /// Opens the menu and clicks on an entry, as a user does.
    pub fn click(&self, start: &str) {
        self.about_to_show();
        wait_for("a click", || {
            let id = self.layout().find(start)?.id;
            self.click_id(id).ok()
        });
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
