//! Waiting for what somebody does with a notification: presses a button, or closes it.

use zbus::blocking::{Connection, MessageIterator};
use zbus::message::Message;
use zbus::names::OwnedUniqueName;

use super::{DAEMON, Error};

/// The signals of the daemon and, when it leaves the bus, of the bus.
const RULES: [&str; 2] = [
    "type='signal',sender='org.freedesktop.Notifications',\
     interface='org.freedesktop.Notifications'",
    "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',\
     member='NameOwnerChanged',arg0='org.freedesktop.Notifications'",
];
const BUS: &str = "org.freedesktop.DBus";

/// All that comes in on a connection from now on, in its order: also what is sent to it alone, as
/// GNOME does.
pub(super) struct Listener(MessageIterator);

impl Listener {
    /// Begins to listen.
    pub(super) fn new(bus: &Connection) -> Result<Listener, Error> {
        let messages = MessageIterator::from(bus);
        for rule in RULES {
            bus.call_method(
                Some(BUS),
                "/org/freedesktop/DBus",
                Some(BUS),
                "AddMatch",
                &rule,
            )?;
        }
        Ok(Listener(messages))
    }
}

/// A notification that is shown.
pub struct Handle(Option<Asked>);

/// A notification that has buttons.
struct Asked {
    listener: Listener,
    /// Who shows it. Nobody else's signals count.
    daemon: OwnedUniqueName,
    id: u32,
    buttons: Vec<String>,
}

/// The end of a notification.
#[derive(Debug, PartialEq)]
enum End {
    Pressed(String),
    Closed,
}

impl Handle {
    /// One that cannot be answered.
    pub(super) fn without_buttons() -> Handle {
        Handle(None)
    }

    /// One that the daemon has shown with this reply.
    pub(super) fn new(
        listener: Listener,
        reply: &Message,
        buttons: &[(String, String)],
    ) -> Result<Handle, Error> {
        let header = reply.header();
        let daemon = header.sender().ok_or(Error::MissingField)?;
        Ok(Handle(Some(Asked {
            listener,
            daemon: daemon.to_owned().into(),
            id: reply.body().deserialize()?,
            buttons: buttons.iter().map(|(id, _)| id.clone()).collect(),
        })))
    }

    /// Waits until a button is pressed, and tells its id; `None` when the notification was closed,
    /// or can no longer be answered, as the daemon or the bus is gone. One that is shown without
    /// buttons is not waited for.
    pub fn wait(self) -> Option<String> {
        let Asked {
            listener: Listener(messages),
            daemon,
            id,
            buttons,
        } = self.0?;
        for message in messages {
            match end(&message.ok()?, &daemon, id) {
                Some(End::Pressed(button)) if buttons.contains(&button) => return Some(button),
                Some(End::Closed) => return None,
                // Some daemons tell so of a click beside the buttons, and close it then.
                Some(End::Pressed(_)) | None => {}
            }
        }
        None
    }
}

/// What a message means for the notification `id`, which `daemon` shows.
fn end(message: &Message, daemon: &OwnedUniqueName, id: u32) -> Option<End> {
    let header = message.header();
    let sender = header.sender()?.as_str();
    let interface = header.interface()?.as_str();
    let body = message.body();
    match (interface, header.member()?.as_str()) {
        (DAEMON, "ActionInvoked") if sender == daemon.as_str() => {
            let (of, button): (u32, String) = body.deserialize().ok()?;
            (of == id).then_some(End::Pressed(button))
        }
        (DAEMON, "NotificationClosed") if sender == daemon.as_str() => {
            let (of, _reason): (u32, u32) = body.deserialize().ok()?;
            (of == id).then_some(End::Closed)
        }
        // The old owner, as another daemon may have left while this one was being started.
        (BUS, "NameOwnerChanged") if sender == BUS => {
            let (name, old, _new): (String, String, String) = body.deserialize().ok()?;
            (name == DAEMON && old == daemon.as_str()).then_some(End::Closed)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::{self, Receiver, Sender};

    use zbus::blocking::connection::Builder;

    use super::super::{Shown, show_on};
    use super::*;

    const OBJECT: &str = "/org/freedesktop/Notifications";

    /// A session bus of its own.
    struct Bus {
        child: Child,
        folder: PathBuf,
        address: String,
    }
    impl Bus {
        /// `None` where there is no `dbus-daemon`.
        fn start(name: &str) -> Option<Bus> {
            let folder =
                std::env::temp_dir().join(format!("freeport-bus-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let mut child = Command::new("dbus-daemon")
                .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
                .arg(format!("--address=unix:path={}/bus", folder.display()))
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut address = String::new();
            let mut said = BufReader::new(child.stdout.take().unwrap());
            said.read_line(&mut address).unwrap();
            Some(Bus {
                child,
                folder,
                address: address.trim().to_owned(),
            })
        }

        fn connect(&self) -> Builder<'_> {
            Builder::address(self.address.as_str()).unwrap()
        }
    }
    impl Drop for Bus {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    /// What `Notify` was called with.
    #[derive(Debug)]
    struct Notified {
        by: String,
        actions: Vec<String>,
        urgency: u8,
        timeout: i32,
    }

    /// A notification daemon.
    struct Daemon {
        capabilities: Vec<&'static str>,
        /// Sent before the reply.
        early: Option<(&'static str, &'static str)>,
        notified: Sender<Notified>,
    }

    #[zbus::interface(name = "org.freedesktop.Notifications")]
    impl Daemon {
        fn get_capabilities(&self) -> Vec<&'static str> {
            self.capabilities.clone()
        }

        #[allow(
            clippy::too_many_arguments,
            reason = "the specification says which there are"
        )]
        async fn notify(
            &self,
            #[zbus(connection)] bus: &zbus::Connection,
            #[zbus(header)] header: zbus::message::Header<'_>,
            _app: &str,
            _replaces: u32,
            _icon: &str,
            _summary: &str,
            _body: &str,
            actions: Vec<String>,
            hints: std::collections::HashMap<String, zbus::zvariant::OwnedValue>,
            timeout: i32,
        ) -> u32 {
            if let Some((member, button)) = self.early {
                let body = (7u32, button);
                let signal = bus.emit_signal(None::<&str>, OBJECT, DAEMON, member, &body);
                signal.await.unwrap();
            }
            let _ = self.notified.send(Notified {
                by: header.sender().unwrap().to_string(),
                actions,
                urgency: hints["urgency"].downcast_ref().unwrap(),
                timeout,
            });
            7
        }
    }

    fn daemon(
        bus: &Bus,
        capabilities: &[&'static str],
        early: Option<(&'static str, &'static str)>,
    ) -> (Connection, Receiver<Notified>) {
        let (sender, notified) = mpsc::channel();
        let daemon = Daemon {
            capabilities: capabilities.to_vec(),
            early,
            notified: sender,
        };
        let connection = bus.connect().serve_at(OBJECT, daemon);
        let connection = connection.and_then(|builder| builder.name(DAEMON));
        (connection.and_then(Builder::build).unwrap(), notified)
    }

    fn show(bus: &Bus) -> Handle {
        let buttons = [("free", "Free it"), ("keep", "Keep")]
            .map(|(id, label)| (id.to_owned(), label.to_owned()));
        let shown = Shown {
            summary: "Port 3000 is taken",
            body: "By node.",
            problem: true,
            buttons: &buttons,
        };
        show_on(&bus.connect().build().unwrap(), &shown).unwrap()
    }

    fn signal<B>(from: &Connection, to: Option<&str>, member: &str, body: &B)
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        from.emit_signal(to, OBJECT, DAEMON, member, body).unwrap();
    }

    #[test]
    fn a_click_is_told_even_when_it_comes_before_the_reply() {
        let Some(bus) = Bus::start("early") else {
            return;
        };
        let (daemon, notified) = daemon(&bus, &["actions"], Some(("ActionInvoked", "keep")));
        assert_eq!(show(&bus).wait().as_deref(), Some("keep"));
        let notified = notified.recv().unwrap();
        assert_eq!(notified.actions, ["free", "Free it", "keep", "Keep"]);
        assert_eq!((notified.urgency, notified.timeout), (2, 0));
        drop(daemon);
    }

    #[test]
    fn a_click_is_told_when_it_is_sent_to_the_asker_alone() {
        let Some(bus) = Bus::start("alone") else {
            return;
        };
        let (daemon, notified) = daemon(&bus, &["body", "actions"], None);
        let handle = show(&bus);
        let asker = notified.recv().unwrap().by;
        // What is not meant: another notification, a click beside the buttons.
        signal(&daemon, None, "ActionInvoked", &(8u32, "keep"));
        signal(&daemon, None, "NotificationClosed", &(8u32, 2u32));
        signal(&daemon, Some(&asker), "ActionInvoked", &(7u32, "default"));
        signal(&daemon, Some(&asker), "ActionInvoked", &(7u32, "free"));
        assert_eq!(handle.wait().as_deref(), Some("free"));
    }

    #[test]
    fn another_program_presses_no_button() {
        let Some(bus) = Bus::start("other") else {
            return;
        };
        let (daemon, notified) = daemon(&bus, &["actions"], None);
        let handle = show(&bus);
        let asker = notified.recv().unwrap().by;
        let other = bus.connect().build().unwrap();
        for to in [None, Some(asker.as_str())] {
            signal(&other, to, "ActionInvoked", &(7u32, "free"));
            signal(&other, to, "NotificationClosed", &(7u32, 2u32));
        }
        // A question to the bus: what was sent before it has arrived by its reply.
        let _ = other.call_method(Some(BUS), "/", Some(BUS), "GetId", &());
        signal(&daemon, None, "ActionInvoked", &(7u32, "keep"));
        assert_eq!(handle.wait().as_deref(), Some("keep"));
    }

    #[test]
    fn nobody_waits_for_a_notification_that_is_gone() {
        let Some(mut bus) = Bus::start("gone") else {
            return;
        };
        let (first, _notified) = daemon(&bus, &["actions"], None);
        let handle = show(&bus);
        signal(&first, None, "NotificationClosed", &(7u32, 2u32));
        assert_eq!(handle.wait(), None, "closed");
        let handle = show(&bus);
        drop(first);
        assert_eq!(handle.wait(), None, "the daemon is gone");
        let (_second, _notified) = daemon(&bus, &["actions"], None);
        let handle = show(&bus);
        bus.child.kill().unwrap();
        assert_eq!(handle.wait(), None, "the bus is gone");
    }

    #[test]
    fn without_actions_it_is_shown_without_buttons() {
        let Some(bus) = Bus::start("none") else {
            return;
        };
        let (_daemon, notified) = daemon(&bus, &["body"], None);
        assert_eq!(show(&bus).wait(), None, "not waited for");
        let notified = notified.recv().unwrap();
        assert!(notified.actions.is_empty(), "{notified:?}");
        assert_eq!((notified.urgency, notified.timeout), (1, 8000));
    }
}
