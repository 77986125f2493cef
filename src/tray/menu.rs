//! What the menu shows: a function of the rows and of how they are viewed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::rows::{Row, Rows};
use crate::model::text::{escape, shorten, tilde};
use crate::model::time::{long_age, short_age};
use crate::model::visibility::{Rank, Viewer, rank};
use crate::model::{Listener, Port, ProcessKey, Protocol, Timestamp};

/// The most rows in one level of the menu: more do not fit on a screen.
const LEVEL: usize = 24;
/// The most characters of a command line.
const COMMAND: usize = 64;

/// An entry of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Text to read.
    Info(String),
    /// A line between groups.
    Separator,
    /// Something to do.
    Button {
        /// What it says.
        label: String,
        /// What it does.
        action: Action,
        /// Whether it can be done now.
        enabled: bool,
    },
    /// Something that is on or off.
    Check {
        /// What it says.
        label: String,
        /// Whether it is on.
        on: bool,
        /// What changes it.
        action: Action,
    },
    /// Entries of their own.
    Sub {
        /// What it says.
        label: String,
        /// The entries.
        items: Vec<Item>,
    },
}

/// What a click does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opens this address in the browser.
    Open(String),
    /// Puts this text into the clipboard.
    Copy(String),
    /// Ends exactly this process, if it still listens on the port.
    Kill {
        /// The port.
        port: Port,
        /// The process that was shown.
        key: ProcessKey,
        /// With SIGKILL.
        force: bool,
    },
    /// Shows the ports of the system and of other users, or not.
    ShowSystem(bool),
    /// Starts Freeport at login, or not.
    LaunchAtLogin(bool),
    /// Ends Freeport.
    Quit,
}

/// How the rows are viewed.
#[derive(Clone, Debug)]
pub struct View {
    /// The time that ages are counted to.
    pub now: Timestamp,
    /// Who looks.
    pub viewer: Viewer,
    /// Whether hidden ports are shown.
    pub show_system: bool,
    /// Whether Freeport starts at login; `None` when that cannot be read.
    pub launch_at_login: Option<bool>,
    /// Processes that outlived a kill.
    pub stubborn: HashSet<ProcessKey>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
}

/// The entries of the menu.
pub fn menu(rows: &Rows, view: &View) -> Vec<Item> {
    let of = |wanted: Rank| -> Vec<&Row> {
        rows.iter()
            .filter(|row| rank(&row.listener.traits(), &view.viewer) == wanted)
            .collect()
    };
    let (development, other, hidden) = (of(Rank::Development), of(Rank::Other), of(Rank::Hidden));
    let mut items = vec![Item::Info(headline(rows, view)), Item::Separator];
    items.extend(level(&development, view));
    if !other.is_empty() {
        items.push(Item::Sub {
            label: format!("Other programs ({})", other.len()),
            items: level(&other, view),
        });
    }
    if view.show_system && !hidden.is_empty() {
        items.push(Item::Sub {
            label: format!("System and other users ({})", hidden.len()),
            items: level(&hidden, view),
        });
    }
    if items.len() > 2 {
        items.push(Item::Separator);
    }
    items.push(Item::Check {
        label: "Show system ports".into(),
        on: view.show_system,
        action: Action::ShowSystem(!view.show_system),
    });
    if let Some(on) = view.launch_at_login {
        items.push(Item::Check {
            label: "Launch at login".into(),
            on,
            action: Action::LaunchAtLogin(!on),
        });
    }
    items.push(Item::Button {
        label: "Quit Freeport".into(),
        action: Action::Quit,
        enabled: true,
    });
    items
}

/// The counts, for the top of the menu and the tooltip.
pub fn headline(rows: &Rows, view: &View) -> String {
    let shown = rows.iter().filter(|row| {
        !row.gone
            && (view.show_system || rank(&row.listener.traits(), &view.viewer) != Rank::Hidden)
    });
    let ports = match shown.count() {
        0 => return "No port in use".to_owned(),
        1 => "1 port in use".to_owned(),
        n => format!("{n} ports in use"),
    };
    match conflicts(rows, view) {
        0 => ports,
        1 => format!("{ports} · 1 conflict"),
        n => format!("{ports} · {n} conflicts"),
    }
}

/// How many port numbers are shared in a way that confuses clients.
pub fn conflicts(rows: &Rows, view: &View) -> usize {
    let shadowed = |row: &&Row| {
        row.shadowed
            && !row.gone
            && (view.show_system || rank(&row.listener.traits(), &view.viewer) != Rank::Hidden)
    };
    let ports: HashSet<Port> = rows
        .iter()
        .filter(shadowed)
        .map(|row| row.listener.port)
        .collect();
    ports.len()
}

fn level(rows: &[&Row], view: &View) -> Vec<Item> {
    let mut items: Vec<Item> = rows
        .iter()
        .take(LEVEL)
        .map(|row| Item::Sub {
            label: label(row, view),
            items: details(row, view),
        })
        .collect();
    if rows.len() > LEVEL {
        items.push(Item::Info(format!(
            "… and {} more: freeport list",
            rows.len() - LEVEL
        )));
    }
    items
}

fn label(row: &Row, view: &View) -> String {
    let listener = &row.listener;
    let mut parts = vec![name(listener)];
    if let Some(owner) = &listener.owner {
        parts.extend(
            owner
                .project
                .as_ref()
                .map(|project| shorten(&escape(&project.name), 32).into_owned()),
        );
        parts.push(short_age(owner.started_at.age(view.now)));
    } else {
        parts.extend(
            listener
                .user
                .as_deref()
                .map(|user| escape(user).into_owned()),
        );
    }
    if row.gone {
        parts.push("closed".to_owned());
    }
    let warning = if row.shadowed && !row.gone {
        "⚠ "
    } else {
        ""
    };
    let udp = if listener.protocol == Protocol::Udp {
        "/udp"
    } else {
        ""
    };
    format!("{warning}{}{udp}   {}", listener.port, parts.join(" · "))
}

fn name(listener: &Listener) -> String {
    shorten(&escape(listener.service()), 40).into_owned()
}

fn details(row: &Row, view: &View) -> Vec<Item> {
    let listener = &row.listener;
    let mut items = Vec::new();
    match &listener.owner {
        Some(owner) => {
            items.push(Item::Info(
                shorten(&escape(without_folder(&owner.command)), COMMAND).into_owned(),
            ));
            items.push(Item::Info(format!(
                "pid {} · running for {}",
                owner.key.pid,
                long_age_words(owner.started_at.age(view.now))
            )));
            items.extend(owner.cwd.as_deref().map(|cwd| {
                Item::Info(place(
                    cwd,
                    owner.project.as_deref().and_then(|p| p.branch.as_deref()),
                    view,
                ))
            }));
        }
        None => {
            let user = listener.user_name();
            let user = escape(&user);
            items.push(Item::Info(format!(
                "A process of {user}, which you may not see"
            )));
        }
    }
    let addresses: Vec<String> = listener.addresses.iter().map(ToString::to_string).collect();
    items.push(Item::Info(format!("listens on {}", addresses.join(", "))));
    if !listener.workers.is_empty() {
        items.push(Item::Info(format!(
            "shared with {} more",
            if listener.workers.len() == 1 {
                "1 process".to_owned()
            } else {
                format!("{} processes", listener.workers.len())
            }
        )));
    }
    if row.shadowed {
        items.push(Item::Info(format!(
            "⚠ another process uses {} too: freeport why {}",
            listener.port, listener.port
        )));
    }
    let enabled = !row.gone;
    if listener.protocol == Protocol::Tcp {
        let url = url(listener);
        items.push(Item::Separator);
        items.push(Item::Button {
            label: format!("Open {url}"),
            action: Action::Open(url.clone()),
            enabled,
        });
        items.push(Item::Button {
            label: "Copy URL".into(),
            action: Action::Copy(url),
            enabled,
        });
    }
    if let Some(owner) = &listener.owner {
        let (port, key) = (listener.port, owner.key);
        let who = format!("{} (pid {}) on {port}", name(listener), key.pid);
        items.push(Item::Separator);
        items.push(Item::Button {
            label: format!("Kill {who}"),
            action: Action::Kill {
                port,
                key,
                force: false,
            },
            enabled,
        });
        if view.stubborn.contains(&key) {
            items.push(Item::Button {
                label: format!("Force kill {who}"),
                action: Action::Kill {
                    port,
                    key,
                    force: true,
                },
                enabled,
            });
        }
    }
    items
}

fn place(cwd: &Path, branch: Option<&str>, view: &View) -> String {
    let folder = tilde(cwd, view.home.as_deref());
    match branch {
        Some(branch) => format!("in {folder} · branch {}", escape(branch)),
        None => format!("in {folder}"),
    }
}

/// The command without the folder of its program, which says less than the arguments behind it.
fn without_folder(command: &str) -> &str {
    let program = command.split(' ').next().unwrap_or(command);
    match program.rfind('/') {
        Some(slash) if slash + 1 < program.len() => &command[slash + 1..],
        _ => command,
    }
}

fn long_age_words(age: std::time::Duration) -> String {
    // Minutes are fine enough: the menu is not to change every second.
    if age.as_secs() < 60 {
        "less than a minute".to_owned()
    } else {
        long_age(std::time::Duration::from_secs(age.as_secs() / 60 * 60))
            .trim_end_matches(" 0s")
            .to_owned()
    }
}

/// The address at which a browser reaches the listener.
fn url(listener: &Listener) -> String {
    let local = listener
        .addresses
        .iter()
        .any(|address| address.serves_localhost_v4() || address.serves_localhost_v6());
    match listener.addresses.first().map(|address| address.ip) {
        Some(std::net::IpAddr::V4(ip)) if !local => format!("http://{ip}:{}", listener.port),
        Some(std::net::IpAddr::V6(ip)) if !local => format!("http://[{ip}]:{}", listener.port),
        _ => format!("http://localhost:{}", listener.port),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::model::attribute::tests::{process, socket};
    use crate::model::service::Kind;
    use crate::model::{Address, Process, attribute};

    fn listener(port: u16, change: impl Fn(&mut Process)) -> Listener {
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

    fn view() -> View {
        View {
            now: Timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(7300)),
            viewer: Viewer {
                uid: 1000,
                ephemeral: (Port::new(32768).unwrap(), Port::new(60999).unwrap()),
            },
            show_system: false,
            launch_at_login: Some(true),
            stubborn: HashSet::new(),
            home: Some("/home/me".into()),
        }
    }

    fn rows(listeners: &[Listener]) -> Rows {
        let mut rows = Rows::default();
        rows.replace(listeners, &vec![false; listeners.len()]);
        rows
    }

    fn text(items: &[Item], depth: usize) -> String {
        let pad = "  ".repeat(depth);
        items
            .iter()
            .map(|item| match item {
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
                Item::Sub { label, items } => format!("{pad}{label} >\n{}", text(items, depth + 1)),
            })
            .collect()
    }

    #[test]
    fn own_servers_come_first_and_others_below() {
        let listeners = [
            listener(3000, |p| {
                p.command = "/usr/bin/node vite.js /etc/hosts".into();
                p.cwd = Some("/home/me/shop".into());
            }),
            listener(6000, |p| p.kind = Kind::Application),
            listener(8022, |p| p.kind = Kind::System),
        ];
        assert_eq!(
            text(&menu(&rows(&listeners), &view()), 0),
            "(2 ports in use)\n--\n\
             3000   vite · 2h >\n  (node vite.js /etc/hosts)\n  (pid 7000 · running for 2h 1m)\n  (in ~/shop)\n  (listens on 127.0.0.1)\n  --\n  \
             Open http://localhost:3000\n  Copy URL\n  --\n  Kill vite (pid 7000) on 3000\n\
             Other programs (1) >\n  6000   vite · 2h >\n    (vite)\n    (pid 10000 · running for 2h 1m)\n    (listens on 127.0.0.1)\n    --\n    \
             Open http://localhost:6000\n    Copy URL\n    --\n    Kill vite (pid 10000) on 6000\n\
             --\n[ ] Show system ports\n[x] Launch at login\nQuit Freeport\n"
        );
    }

    #[test]
    fn a_closed_row_can_do_nothing() {
        let mut shown = rows(&[listener(3000, |_| {})]);
        shown.update_in_place(&[], &[]);
        let text = text(&menu(&shown, &view()), 0);
        assert!(text.contains("3000   vite · 2h · closed"), "{text}");
        assert!(
            text.contains("Kill vite (pid 7000) on 3000 [disabled]"),
            "{text}"
        );
    }

    #[test]
    fn force_is_offered_to_what_outlived_a_kill() {
        let one = listener(3000, |_| {});
        let mut view = view();
        view.stubborn.extend(one.owner_key());
        assert!(
            text(&menu(&rows(&[one]), &view), 0).contains("Force kill vite (pid 7000) on 3000\n")
        );
    }

    #[test]
    fn system_ports_are_shown_on_request() {
        let listeners = [listener(22, |p| p.kind = Kind::System)];
        let mut view = view();
        assert!(!text(&menu(&rows(&listeners), &view), 0).contains("22 "));
        view.show_system = true;
        assert!(
            text(&menu(&rows(&listeners), &view), 0)
                .contains("System and other users (1) >\n  22   vite")
        );
    }

    #[test]
    fn a_long_list_ends_with_a_hint() {
        let listeners: Vec<Listener> = (0..100).map(|n| listener(3000 + n, |_| {})).collect();
        assert!(
            text(&menu(&rows(&listeners), &view()), 0).contains("(… and 76 more: freeport list)")
        );
    }

    #[test]
    fn names_are_escaped_and_addresses_told() {
        let mut one = listener(3000, |p| p.service = "ev\u{1b}[2Jil".into());
        one.addresses = vec![Address::v4([10, 0, 0, 7].into())];
        let text = text(&menu(&rows(&[one]), &view()), 0);
        assert!(
            text.contains("ev\\x1b[2Jil") && text.contains("Open http://10.0.0.7:3000"),
            "{text}"
        );
    }
}
