//! A desktop for a test, and the real program on it.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Bus;
use super::network::Network;
use crate::support::processes::{Process, Server};
use crate::support::{self, Home, fixture, python, skipped, wait_for};

/// How long what nothing holds up may take: far longer than it takes on any machine, and shorter
/// than the 25 seconds for which callers on D-Bus usually wait.
pub const PROMPT: Duration = Duration::from_secs(20);

/// A home, a network, a session bus.
pub struct Desktop {
    /// The session bus, on which there is nothing yet.
    pub bus: Bus,
    network: Network,
    /// The home folder.
    pub home: Home,
}

impl Desktop {
    /// A desktop without a panel; `None`, and said so, where there is no session bus to have.
    pub fn new() -> Option<Desktop> {
        let home = Home::new();
        let Some(bus) = Bus::start(&home.path("")) else {
            skipped("there is no dbus-daemon (Debian's package dbus)");
            return None;
        };
        let network = Network::new(&home);
        Some(Desktop { bus, network, home })
    }

    /// A program in this home and this network.
    pub fn command(&self, program: &str) -> Command {
        self.network.command(&self.home, program)
    }

    /// Whether no other program's ports can get into the menu.
    pub fn is_alone(&self) -> bool {
        self.network.is_own()
    }

    /// The real program on this desktop, without arguments yet.
    pub fn freeport(&self) -> Command {
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
    pub fn app(&self) -> App<'_> {
        self.app_by(self.freeport().arg("app"))
    }

    /// Starts the app by another command.
    pub fn app_by(&self, command: &mut Command) -> App<'_> {
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
    pub fn server(&self, line: &str) -> Server {
        let mut command = self.command(python().to_str().unwrap());
        command
            .arg(fixture("listener.py"))
            .args(line.split_ascii_whitespace())
            .current_dir(self.home.project("shop"));
        Server::of(Process::start(&mut command))
    }

    /// Starts `python3 -m http.server` in the project "shop"; gives its port, too.
    pub fn web_server(&self) -> (Process, u16) {
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

    /// What the app says of its tray; `None` while it does not answer.
    pub fn tray_status(&self) -> Option<Value> {
        let ran = support::finish(self.freeport().args(["status", "--json"]));
        (ran.code == 0).then(|| ran.json()["tray"].clone())
    }

    /// Waits until the app says that there is an icon, or that there is none.
    pub fn wait_shown(&self, shown: bool) {
        wait_for("the status to say whether there is an icon", || {
            (self.tray_status()?["shown"] == shown).then_some(())
        });
    }

    /// Waits until the app says why there is no icon and what would help; gives both.
    pub fn wait_missing(&self) -> (String, String) {
        wait_for("the reason why there is no icon", || {
            let status = self.tray_status()?;
            let text = |field: &str| status[field].as_str().map(str::to_owned);
            let told = (text("reason")?, text("hint")?);
            (status["shown"] == false).then_some(told)
        })
    }
}

/// The running app; what it said is shown when a test fails.
pub struct App<'a> {
    /// The process.
    pub process: Process,
    desktop: &'a Desktop,
}

impl App<'_> {
    /// Waits for its end, which must be near; gives its exit status.
    pub fn ends(&self) -> i32 {
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
