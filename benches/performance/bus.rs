//! A session bus with a panel on it, for the tray: as much of one as it takes to be registered
//! with (the StatusNotifierWatcher of the StatusNotifierItem specification).

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use anyhow::Context as _;
use zbus::blocking::{Connection, connection};
use zbus::message::Header;
use zbus::zvariant::OwnedValue;

use crate::app::PATIENCE;

/// A running bus with its panel.
pub struct Bus {
    daemon: Child,
    /// Where it is.
    pub address: String,
    connection: Option<Connection>,
    items: Receiver<(Instant, String)>,
}

struct Watcher(Sender<(Instant, String)>);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, item: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map_or(item, |name| name.as_str());
        let _ = self.0.send((Instant::now(), sender.to_owned()));
    }

    fn register_status_notifier_host(&self, _host: &str) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        Vec::new()
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

impl Bus {
    /// Starts it, with its socket in `folder`.
    pub fn start(folder: &Path) -> anyhow::Result<Bus> {
        let socket = format!("--address=unix:path={}/bus", folder.display());
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1", &socket])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("dbus-daemon cannot be started")?;
        let output = daemon.stdout.take();
        let (sender, items) = mpsc::channel();
        let mut bus = Bus {
            daemon,
            address: String::new(),
            connection: None,
            items,
        };
        BufReader::new(output.context("no output")?).read_line(&mut bus.address)?;
        bus.address.truncate(bus.address.trim_end().len());
        let panel = connection::Builder::address(bus.address.as_str())?
            .serve_at("/StatusNotifierWatcher", Watcher(sender))?
            .name("org.kde.StatusNotifierWatcher")?
            .build()?;
        bus.connection = Some(panel);
        Ok(bus)
    }

    /// Waits for an icon; when it came, and whose it is.
    pub fn icon(&self) -> anyhow::Result<(Instant, String)> {
        self.items
            .recv_timeout(PATIENCE)
            .context("no icon was registered")
    }

    /// Asks for the whole menu of an icon, as a panel does when it is opened.
    pub fn open_menu(&self, icon: &str) -> anyhow::Result<()> {
        type Layout = (
            u32,
            (
                i32,
                std::collections::HashMap<String, OwnedValue>,
                Vec<OwnedValue>,
            ),
        );
        let connection = self.connection.as_ref().context("no connection")?;
        let reply = connection.call_method(
            Some(icon),
            "/MenuBar",
            Some("com.canonical.dbusmenu"),
            "GetLayout",
            &(0i32, -1i32, Vec::<&str>::new()),
        )?;
        let (_, (_, _, rows)) = reply.body().deserialize::<Layout>()?;
        anyhow::ensure!(!rows.is_empty(), "the menu is empty");
        Ok(())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        drop(self.connection.take());
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
