//! The tray as a panel meets it: the real program on a session bus of its own, real servers, and
//! clicks over D-Bus. Most of all, that a click ends the process that was shown, or none.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod dbus;
mod support;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dbus::{Bus, Entry, Item, Notifier, Watcher};
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use support::processes::{Process, Server, has_ipv6, is_alive};
use support::{Home, PATIENCE, fixture, python, skipped, wait_for};

/// How long the app may take to end.
const PROMPT: Duration = Duration::from_secs(4);

/// A network of its own for the app and its servers, so that no other program's ports get into the
/// menu. Where there can be none, one test after the other uses the network that is there.
enum Network {
    Own { keeper: Process, as_root: bool },
    Shared { _turn: MutexGuard<'static, ()> },
}

impl Network {
    fn new(home: &Home) -> Network {
        static TURN: Mutex<()> = Mutex::new(());
        let as_root = support::is_root();
        let mut unshare = home.command("unshare");
        unshare.arg("--net");
        if !as_root {
            unshare.args(["--user", "--map-current-user", "--keep-caps"]);
        }
        unshare.arg(python()).arg(fixture("network.py"));
        let keeper = Process::start(unshare.stderr(Stdio::null()));
        let ready = wait_for("a network, or that there is none", || {
            match keeper.line_within(Duration::from_millis(20)) {
                Some(line) => Some(line == "ready"),
                None => keeper.has_ended().then_some(false),
            }
        });
        if ready {
            return Network::Own { keeper, as_root };
        }
        Network::Shared {
            _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// A home, a network, a session bus.
struct Desktop {
    bus: Bus,
    network: Network,
    home: Home,
}

impl Desktop {
    /// A desktop without a panel; `None`, and said so, where there is no session bus to have.
    fn new() -> Option<Desktop> {
        let home = Home::new();
        let Some(bus) = Bus::start(&home.path("")) else {
            skipped("there is no dbus-daemon (Debian's package dbus)");
            return None;
        };
        let network = Network::new(&home);
        Some(Desktop { bus, network, home })
    }

    /// A program in this home and this network.
    fn command(&self, program: &str) -> Command {
        let Network::Own { keeper, as_root } = &self.network else {
            return self.home.command(program);
        };
        let mut command = self.home.command("nsenter");
        command.args(["--target", &keeper.pid().to_string(), "--net"]);
        if !as_root {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    fn freeport(&self) -> Command {
        let program = std::env::var("FREEPORT_BINARY");
        let program = program.unwrap_or(env!("CARGO_BIN_EXE_freeport").to_owned());
        let mut command = self.command(&program);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus.address)
            .env("XDG_RUNTIME_DIR", self.home.path("run"))
            .env("FREEPORT_LOG", "debug");
        command
    }

    /// Starts the app.
    fn app(&self) -> App<'_> {
        self.app_by(self.freeport().arg("app"))
    }

    fn app_by(&self, command: &mut Command) -> App<'_> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.home.path("app.log"));
        let process = Process::start(command.stderr(log.unwrap()));
        App {
            process,
            desktop: self,
        }
    }

    /// Starts a listener in the project "shop"; the words of `line` are its options.
    fn server(&self, line: &str) -> Server {
        let mut command = self.command(python().to_str().unwrap());
        command
            .arg(fixture("listener.py"))
            .args(line.split_ascii_whitespace())
            .current_dir(self.home.project("shop"));
        Server::of(Process::start(&mut command))
    }

    /// Starts `python3 -m http.server` in the project "shop"; gives its port, too.
    fn web_server(&self) -> (Process, u16) {
        let mut command = self.command(python().to_str().unwrap());
        command
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"])
            .current_dir(self.home.project("shop"));
        let process = Process::start(&mut command);
        let line = process.line();
        let mut words = line.split(' ').skip_while(|word| *word != "port");
        let port = words.nth(1).unwrap().parse().unwrap();
        (process, port)
    }

    /// Waits until the app answers, and gives what it says of its tray.
    fn tray_status(&self) -> Option<Value> {
        let ran = support::finish(self.freeport().args(["status", "--json"]));
        (ran.code == 0).then(|| ran.json()["tray"].clone())
    }
}

/// The running app; what it said is shown when a test fails.
struct App<'a> {
    process: Process,
    desktop: &'a Desktop,
}

impl App<'_> {
    /// Waits for its end, which must be near; gives its exit status.
    fn ends(&self) -> i32 {
        let start = Instant::now();
        let status = self.process.status();
        assert!(start.elapsed() < PROMPT, "it took {:?}", start.elapsed());
        status
    }
}

impl Drop for App<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = support::app::App::log(&self.desktop.home);
            let _ = writeln!(std::io::stderr(), "the app said:\n{log}");
        }
    }
}

/// The label with which a row of a port starts.
fn row(port: u16) -> String {
    format!("{port}   ")
}

/// Waits until the menu is so.
fn wait_menu<T>(item: &Item, what: &str, look: impl Fn(&Entry) -> Option<T>) -> T {
    wait_for(what, || look(&item.layout()))
}

/// Waits for the row of a port.
fn wait_row(item: &Item, port: u16) -> Entry {
    wait_menu(item, "the row", |menu| menu.find(&row(port)).cloned())
}

/// Opens the menu and clicks on an entry, as a user does.
fn click(item: &Item, start: &str) {
    item.about_to_show();
    wait_for("a click", || {
        let id = item.layout().find(start)?.id;
        item.click_id(id).ok()
    });
}

/// The id of the entry that kills what was shown on a port.
fn kill_id(menu: &Entry, port: u16) -> i32 {
    menu.find(&row(port)).unwrap().find("Kill ").unwrap().id
}

#[test]
fn the_icon_tells_counts_and_opens_its_menu_by_a_left_click() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let (first, second) = (desktop.server(""), desktop.server(""));
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    assert_eq!(item.property::<String>("Id"), "freeport");
    assert_eq!(item.property::<String>("Status"), "Active");
    assert!(item.property::<bool>("ItemIsMenu"));
    let refused = item.activate().unwrap_err().to_string();
    assert!(refused.contains("UnknownMethod"), "{refused}");
    for (side, pixels) in item.pictures() {
        assert_eq!(pixels.len(), usize::try_from(side * side * 4).unwrap());
        assert!(pixels.iter().any(|byte| *byte != 0), "nothing is drawn");
    }
    wait_row(&item, first.port);
    wait_row(&item, second.port);
    wait_for("the counts to be the same everywhere", || {
        let menu = item.layout();
        let headline = menu.shown().next().unwrap();
        let rows = count_rows(&menu);
        let told = format!("{rows} ports in use");
        (headline.label == told
            && !headline.enabled
            && item.tooltip() == told
            && item.property::<String>("Title") == format!("Freeport: {told}"))
        .then_some(())
    });
}

fn count_rows(menu: &Entry) -> usize {
    let folders = menu
        .entries
        .iter()
        .filter(|entry| !entry.entries.is_empty());
    let rows = folders.map(|entry| {
        if entry.label.starts_with(|c: char| c.is_ascii_digit()) {
            1
        } else {
            count_rows(entry)
        }
    });
    rows.sum()
}

#[test]
fn a_row_tells_what_listens_and_what_can_be_done() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let (server, port) = desktop.web_server();
    let _app = desktop.app();
    let shown = wait_row(&watcher.item(PATIENCE), port);
    assert_eq!(shown.label, format!("{port}   http.server · shop · now"));
    let pid = server.pid();
    let labels: Vec<&str> = shown.shown().map(|entry| entry.label.as_str()).collect();
    assert!(
        labels[0].ends_with(" -u -m http.server 0 --bind 127.0.0.1"),
        "{labels:?}"
    );
    assert_eq!(
        labels[1..],
        [
            &format!("pid {pid} · running for less than a minute"),
            "in ~/shop",
            "listens on 127.0.0.1",
            "--",
            &format!("Open http://localhost:{port}"),
            "Copy URL",
            "--",
            &format!("Kill http.server (pid {pid}) on {port}"),
        ]
    );
    for entry in &shown.entries[..4] {
        assert!(!entry.enabled, "text is only to be read: {entry:?}");
    }
    for entry in shown.entries[5..]
        .iter()
        .filter(|entry| entry.label != "--")
    {
        assert!(entry.enabled, "{entry:?}");
    }
}

#[test]
fn kill_ends_the_server_and_says_so() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let (server, port) = desktop.web_server();
    let bystander = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    wait_row(&item, port);
    let pid = server.pid();
    click(&item, &format!("Kill http.server (pid {pid}) on {port}"));
    assert_eq!(server.status(), 128 + 15, "SIGTERM ended it");
    let note = notifier.next(PATIENCE);
    assert_eq!(note.summary, format!("Port {port} is free"));
    assert_eq!(note.body, format!("Ended http.server (pid {pid})."));
    wait_menu(&item, "the row to go", |menu| {
        menu.find(&row(port)).is_none().then_some(())
    });
    assert!(bystander.is_alive());
    assert!(notifier.rest().is_empty());
}

/// A server that hands over to a child of its at SIGUSR1, so fast that no look falls in between:
/// at the same port, or with the argument `elsewhere` at another one.
const RELAY: &str = r#"
import os, signal, socket, sys

def tell():
    print(server.getsockname()[1], os.getpid(), flush=True)

def hand_over(*_):
    global server
    done, say = os.pipe()
    if os.fork():
        os.read(done, 1)
        os._exit(0)
    if "elsewhere" in sys.argv:
        server = socket.create_server(("127.0.0.1", 0))
    tell()
    os.write(say, b"x")

signal.signal(signal.SIGUSR1, hand_over)
server = socket.create_server(("127.0.0.1", 0))
tell()
while True:
    signal.pause()
"#;

struct Relay {
    process: Process,
    port: u16,
    pid: i32,
}

impl Relay {
    fn start(desktop: &Desktop, argument: &str) -> Relay {
        let mut command = desktop.command(python().to_str().unwrap());
        command
            .args(["-c", RELAY, argument])
            .current_dir(desktop.home.project("shop"));
        let process = Process::start(&mut command);
        let (port, pid) = Relay::told(&process);
        Relay { process, port, pid }
    }

    fn told(process: &Process) -> (u16, i32) {
        let line = process.line();
        let (port, pid) = line.split_once(' ').unwrap();
        (port.parse().unwrap(), pid.parse().unwrap())
    }

    fn hand_over(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.pid).unwrap();
        kill_process(pid, Signal::USR1).unwrap();
        (self.port, self.pid) = Relay::told(&self.process);
    }

    fn is_alive(&self) -> bool {
        is_alive(self.pid.try_into().unwrap())
    }

    /// Waits until the menu shows the process that it is now.
    fn wait_row(&self, item: &Item) -> Entry {
        wait_menu(item, "the row of the child", |menu| {
            let row = menu.find(&row(self.port))?;
            row.find(&format!("pid {} ", self.pid))?;
            Some(menu.clone())
        })
    }
}

/// Hands over several times, as whether an id is still good may depend on what came before, and
/// clicks on what was shown before.
fn stale_clicks_are_refused(argument: &str) {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let mut relay = Relay::start(&desktop, argument);
    let bystander = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    wait_row(&item, bystander.port);
    for _ in 0..5 {
        let old = relay.wait_row(&item);
        let shown = relay.port;
        relay.hand_over();
        let new = relay.wait_row(&item);
        if let Network::Own { .. } = desktop.network {
            assert_eq!(old.shape(), new.shape(), "only labels differ");
        }
        for port in [shown, bystander.port] {
            let refused = item.click_id(kill_id(&old, port)).unwrap_err();
            assert!(refused.to_string().contains("id not found"), "{refused}");
        }
    }
    // Who is alive when a later click has done its work was not meant by an earlier one.
    let last = desktop.server("");
    wait_row(&item, last.port);
    click(
        &item,
        &format!("Kill python listener.py (pid {})", last.pid),
    );
    notifier.next(PATIENCE);
    assert!(last.process.has_ended());
    assert!(relay.is_alive() && bystander.is_alive());
}

#[test]
fn a_click_on_a_row_that_became_another_port_is_refused() {
    stale_clicks_are_refused("elsewhere");
}

#[test]
fn a_click_on_a_row_whose_process_was_replaced_is_refused() {
    stale_clicks_are_refused("");
}

#[test]
fn a_click_in_an_open_menu_never_means_a_process_that_came_later() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let server = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    wait_row(&item, server.port);
    item.about_to_show();
    let shown = item.layout();
    server.process.signal(Signal::KILL);
    server.process.status();
    let heir = desktop.server(&format!("--port {}", server.port));
    // The row may say by now that it has closed; a panel that was slower clicks all the same.
    item.click_id(kill_id(&shown, server.port)).unwrap();
    let note = notifier.next(PATIENCE);
    assert_eq!(
        note.summary,
        format!("Nothing was killed on port {}", server.port)
    );
    assert!(heir.is_alive());
}

#[test]
fn rows_stay_where_they_are_while_the_menu_is_open() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let mut servers = [desktop.server(""), desktop.server("")];
    servers.sort_by_key(|server| server.port);
    let [closing, staying] = servers;
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    wait_row(&item, closing.port);
    wait_row(&item, staying.port);
    item.about_to_show();
    let before = item.layout();
    let late = desktop.server("");
    let later = desktop.server("");
    closing.process.signal(Signal::KILL);
    let closed = wait_menu(&item, "the row to say that it has closed", |menu| {
        let shown = menu.find(&row(closing.port))?;
        shown.label.ends_with(" · closed").then(|| menu.clone())
    });
    assert!(closed.find(&row(late.port)).is_none(), "nothing appears");
    let ids = |menu: &Entry| {
        menu.entries
            .iter()
            .map(|entry| entry.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&before), ids(&closed), "nothing moves");
    let shown = closed.find(&row(closing.port)).unwrap();
    for start in ["Open ", "Copy ", "Kill "] {
        assert!(!shown.find(start).unwrap().enabled, "{start}");
    }
    let other = closed.find(&row(staying.port)).unwrap();
    assert!(other.find("Kill ").unwrap().enabled);
    // The icon tells what is there, though.
    assert_eq!(
        item.tooltip(),
        format!("{} ports in use", count_rows(&closed) + 1)
    );
    // Who opens the menu again sees it there, too, and so does who clicks.
    item.about_to_show();
    let again = item.layout();
    assert!(again.find(&row(late.port)).is_some());
    assert!(again.find(&row(later.port)).is_some());
    assert!(again.find(&row(closing.port)).is_none());
    staying.process.signal(Signal::KILL);
    wait_menu(&item, "the other row to say so", |menu| {
        let shown = menu.find(&row(staying.port))?;
        shown.label.ends_with(" · closed").then_some(())
    });
    click(&item, "Show system ports");
    assert!(item.layout().find(&row(staying.port)).is_none());
}

#[test]
fn what_outlives_a_kill_can_be_forced() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let server = desktop.server("--ignore-term");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    assert!(wait_row(&item, server.port).find("Force kill ").is_none());
    click(
        &item,
        &format!("Kill python listener.py (pid {})", server.pid),
    );
    let note = notifier.next(PATIENCE);
    assert_eq!(note.summary, format!("Port {} is not free", server.port));
    assert!(server.is_alive());
    let force = format!(
        "Force kill python listener.py (pid {}) on {}",
        server.pid, server.port
    );
    wait_menu(&item, "force to be offered", |menu| {
        menu.find(&force).map(drop)
    });
    click(&item, &force);
    assert_eq!(server.process.status(), 128 + 9);
    let note = notifier.next(PATIENCE);
    assert_eq!(note.summary, format!("Port {} is free", server.port));
}

#[test]
fn ports_of_the_system_are_shown_on_request() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let hidden = desktop.server("--udp --at 0.0.0.0");
    let server = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    let label = format!("{}/udp   ", hidden.port);
    wait_row(&item, server.port);
    let menu = item.layout();
    assert!(menu.find(&label).is_none());
    assert_eq!(menu.find("Show system ports").unwrap().checked, Some(false));
    click(&item, "Show system ports");
    wait_menu(&item, "the hidden row", |menu| {
        let on = menu.find("Show system ports")?.checked == Some(true);
        let shown = menu.find("System and other users")?.find(&label).is_some();
        (on && shown).then_some(())
    });
    click(&item, "Show system ports");
    wait_menu(&item, "the row to be hidden again", |menu| {
        let off = menu.find("Show system ports")?.checked == Some(false);
        (off && menu.find(&label).is_none()).then_some(())
    });
}

#[test]
fn launch_at_login_is_what_the_entry_says() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    let wait_until = |on: bool| {
        wait_menu(&item, "launch at login to change", |menu| {
            (menu.find("Launch at login")?.checked == Some(on)).then_some(())
        });
    };
    let entry = desktop.home.path("config/autostart/freeport.desktop");
    wait_until(false);
    click(&item, "Launch at login");
    wait_until(true);
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(text.contains(env!("CARGO_BIN_EXE_freeport")), "{text}");
    // Switched off by a settings dialog of the desktop.
    std::fs::write(&entry, text + "Hidden=true\n").unwrap();
    item.about_to_show();
    wait_until(false);
    click(&item, "Launch at login");
    wait_until(true);
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(!text.contains("Hidden"), "{text}");
    click(&item, "Launch at login");
    wait_until(false);
    assert!(!entry.exists());
}

#[test]
fn open_opens_the_browser() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let server = desktop.server("");
    let opened = desktop.home.path("opened");
    let browser = desktop.home.write(
        "bin/xdg-open",
        &format!("#!/bin/sh\necho \"$1\" > '{}'\n", opened.display()),
    );
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", browser.parent().unwrap().display());
    let _app = desktop.app_by(desktop.freeport().arg("app").env("PATH", path));
    let item = watcher.item(PATIENCE);
    wait_row(&item, server.port);
    click(&item, &format!("Open http://localhost:{}", server.port));
    let url = wait_for("the browser", || {
        std::fs::read_to_string(&opened)
            .ok()
            .filter(|text| text.ends_with('\n'))
    });
    assert_eq!(url, format!("http://localhost:{}\n", server.port));
}

#[test]
fn the_icon_changes_while_a_port_is_ambiguous() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    if !has_ipv6() {
        return;
    }
    let watcher = Watcher::start(&desktop.bus);
    let server = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    wait_row(&item, server.port);
    let calm = item.pictures();
    let other = desktop.server(&format!("--at ::1 --port {}", server.port));
    wait_for("another icon", || (item.pictures() != calm).then_some(()));
    let menu = item.layout();
    let headline = menu.shown().next().unwrap();
    assert!(headline.label.ends_with(" · 1 conflict"), "{headline:?}");
    let shown = menu.find(&format!("⚠ {}", row(server.port))).unwrap();
    assert!(shown.find("⚠ another process uses").is_some(), "{shown:?}");
    other.process.signal(Signal::KILL);
    wait_for("the first icon", || (item.pictures() == calm).then_some(()));
}

#[test]
fn quit_ends_the_app() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let app = desktop.app();
    let item = watcher.item(PATIENCE);
    let socket = desktop.home.runtime().join("freeport.sock");
    assert!(socket.exists());
    click(&item, "Quit Freeport");
    assert_eq!(app.ends(), 0);
    assert!(!socket.exists());
}

#[test]
fn the_icon_comes_back_with_the_panel() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let server = desktop.server("");
    let _app = desktop.app();
    for _ in 0..3 {
        let watcher = Watcher::start(&desktop.bus);
        wait_row(&watcher.item(PATIENCE), server.port);
        wait_for("the status to say that it is shown", || {
            (desktop.tray_status()?["shown"] == true).then_some(())
        });
        drop(watcher);
        wait_for("the status to say that it is not", || {
            (desktop.tray_status()?["shown"] == false).then_some(())
        });
    }
}

#[test]
fn without_a_panel_the_app_goes_on_and_says_so_once() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let notifier = Notifier::start(&desktop.bus);
    let start = Instant::now();
    let app = desktop.app();
    let status = wait_for("the reason", || {
        let status = desktop.tray_status()?;
        status["hint"].is_string().then_some(status)
    });
    assert_eq!(status["shown"], false);
    let says = |field: &str, text: &str| status[field].as_str().unwrap().contains(text);
    assert!(says("reason", "StatusNotifierWatcher"), "{status}");
    assert!(says("hint", "AppIndicator"), "{status}");
    let note = notifier.next(PATIENCE);
    assert!(note.summary.contains("no panel"), "{note:?}");
    assert!(note.body.contains("AppIndicator"), "{note:?}");
    assert!(
        start.elapsed() > Duration::from_secs(8),
        "a panel may be late"
    );
    // A panel that comes and goes is no news.
    Watcher::start(&desktop.bus).registered(PATIENCE);
    wait_for("the panel to be gone", || {
        (desktop.tray_status()?["shown"] == false).then_some(())
    });
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
    assert!(notifier.rest().is_empty());
}

#[test]
fn without_a_session_bus_the_app_goes_on() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let nowhere = format!("unix:path={}", desktop.home.path("nothing").display());
    let mut command = desktop.freeport();
    command.arg("app").env("DBUS_SESSION_BUS_ADDRESS", nowhere);
    let app = desktop.app_by(&mut command);
    let status = wait_for("the reason", || {
        let status = desktop.tray_status()?;
        status["hint"].is_string().then_some(status)
    });
    assert_eq!(status["shown"], false);
    let reason = status["reason"].as_str().unwrap();
    assert!(reason.contains("session bus"), "{reason}");
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn the_app_ends_with_the_session() {
    let Some(mut desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let app = Process::start(desktop.freeport().arg("app").stderr(Stdio::null()));
    watcher.registered(PATIENCE);
    wait_for("the app to know its panel", || {
        (desktop.tray_status()?["shown"] == true).then_some(())
    });
    desktop.bus.end();
    assert_eq!(app.status(), 0);
    assert!(!desktop.home.runtime().join("freeport.sock").exists());
}

#[test]
fn a_bus_that_never_answers_holds_nobody_up() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let place = desktop.home.path("silent");
    let silent = UnixListener::bind(&place).unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for connection in silent.incoming() {
            kept.push(connection);
        }
    });
    let mut command = desktop.freeport();
    command.arg("app").env(
        "DBUS_SESSION_BUS_ADDRESS",
        format!("unix:path={}", place.display()),
    );
    let app = desktop.app_by(&mut command);
    wait_for("the app to answer", || desktop.tray_status());
    let status = wait_for("the reason", || {
        let status = desktop.tray_status()?;
        status["hint"].is_string().then_some(status)
    });
    let reason = status["reason"].as_str().unwrap();
    assert!(reason.contains("does not answer"), "{reason}");
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn a_bus_that_stops_answering_holds_nobody_up() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let server = desktop.server("");
    let app = desktop.app();
    wait_row(&watcher.item(PATIENCE), server.port);
    kill_process(desktop.bus.pid(), Signal::STOP).unwrap();
    assert!(desktop.tray_status().is_some(), "the socket is served");
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn a_panel_that_never_answers_holds_nobody_up() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let app = desktop.app();
    wait_for("the app to miss a panel", || {
        desktop.tray_status()?["hint"].is_string().then_some(())
    });
    let watcher = Watcher::that_hangs(&desktop.bus);
    watcher.registered(PATIENCE);
    // Something to show, while the icon can only wait.
    let server = desktop.server("");
    let listed = format!("list {} --json", server.port);
    let ran = support::finish(desktop.freeport().args(listed.split(' ')));
    assert_eq!(ran.code, 0, "the socket is served: {ran:?}");
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn a_notification_daemon_that_hangs_holds_up_no_kill() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::that_hangs(&desktop.bus);
    let servers = [desktop.server(""), desktop.server(""), desktop.server("")];
    let stubborn = desktop.server("--ignore-term");
    let app = desktop.app();
    let item = watcher.item(PATIENCE);
    for server in &servers {
        wait_row(&item, server.port);
        let start = Instant::now();
        click(
            &item,
            &format!("Kill python listener.py (pid {})", server.pid),
        );
        server.process.status();
        assert!(start.elapsed() < PROMPT, "it took {:?}", start.elapsed());
    }
    notifier.next(PATIENCE);
    click(
        &item,
        &format!("Kill python listener.py (pid {})", stubborn.pid),
    );
    wait_menu(&item, "force to be offered", |menu| {
        menu.find("Force kill ").map(drop)
    });
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

/// `FREEPORT_BINARY=target/release/freeport cargo test --test tray -- --ignored --nocapture`
#[test]
#[ignore = "measures for two minutes, and judges nothing"]
fn what_the_tray_costs() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let tell = |line: String| drop(writeln!(std::io::stderr(), "{line}"));
    let servers: Vec<Server> = (0..6).map(|_| desktop.server("--count 10")).collect();
    let watcher = Watcher::start(&desktop.bus);
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let mut command = desktop.freeport();
            command.arg("app").env("FREEPORT_LOG", "error");
            let start = Instant::now();
            let app = desktop.app_by(&mut command);
            let took = watcher.registered(PATIENCE).at - start;
            app.process.signal(Signal::TERM);
            app.ends();
            took
        })
        .collect();
    times.sort();
    tell(format!(
        "from start to icon: median {:?}, at most {:?}",
        times[10], times[20]
    ));
    let mut command = desktop.freeport();
    let app = desktop.app_by(command.arg("app").env("FREEPORT_LOG", "error"));
    let item = watcher.item(PATIENCE);
    wait_row(&item, servers[0].port);
    std::thread::sleep(Duration::from_secs(5));
    let pid = app.process.pid();
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let rest = stat.rsplit(") ").next().unwrap();
        let numbers = rest.split(' ').skip(11).take(2);
        numbers.map(|number| number.parse::<u64>().unwrap()).sum()
    };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(60));
    // A tick is a hundredth of a second, whatever the kernel's own clock is.
    let used = (ticks() - before) * 10;
    tell(format!("idle for 60 s: {used} ms of CPU"));
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kept = |line: &&str| line.starts_with("VmRSS") || line.starts_with("Threads");
    tell(status.lines().filter(kept).collect::<Vec<_>>().join("; "));
}
