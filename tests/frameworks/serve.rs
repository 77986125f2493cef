//! A development server under `freeport run`, from its start to the end of all that belongs to it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::network::Network;
use crate::support::processes::{Process, Server, has_ipv6_quietly, is_alive};
use crate::support::{Home, Ran, finish, fixture, python, skipped};

/// The first start of some of them compiles a lot. Only something that hangs takes as long.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is asked to end is made to after some seconds. Only something that stays takes as long.
const END: Duration = Duration::from_secs(30);

/// Asks a web server once, and prints the headers and the body of the answer.
const GET: &str = r"
import sys, urllib.request
found = urllib.request.urlopen(sys.argv[1], timeout=60)
print(found.headers)
print(found.read().decode())
";

/// Where the projects are, with what is installed for them.
pub fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/frameworks")
}

/// The folder of a project, if all that it needs is installed; says so when it is not.
pub fn project(name: &str) -> Option<PathBuf> {
    let folder = installed().join(name);
    if !folder.join(".complete").is_file() {
        skipped(&format!(
            "{name} is not installed: tests/frameworks/install.sh does that"
        ));
        return None;
    }
    Some(folder)
}

/// A place to run servers of a project in: a home and a network of its own.
pub struct Site {
    pub home: Home,
    network: Network,
    folder: PathBuf,
}

impl Site {
    /// One where nobody has run anything yet.
    pub fn new(folder: &Path) -> Site {
        let home = Home::new();
        let network = Network::new(&home);
        Site {
            home,
            network,
            folder: folder.to_owned(),
        }
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self
            .network
            .command(&self.home, program.as_ref().to_str().unwrap());
        let own = [
            installed().join("python/venv/bin"),
            installed().join("pnpm/node_modules/.bin"),
        ];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = own.into_iter().chain(std::env::split_paths(&path));
        command
            .env("PATH", std::env::join_paths(all).unwrap())
            .env("ASTRO_TELEMETRY_DISABLED", "1")
            .env("NEXT_TELEMETRY_DISABLED", "1")
            .env("NUXT_TELEMETRY_DISABLED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(&self.folder);
        command
    }

    /// Runs Freeport here to its end; the words of `line` are its arguments.
    pub fn freeport(&self, line: &str) -> Ran {
        let mut command = self.command(env!("CARGO_BIN_EXE_freeport"));
        finish(command.args(line.split_ascii_whitespace()))
    }

    /// Whether these ports can be had here; says so when others have them.
    pub fn has(&self, ports: &[u16]) -> bool {
        let taken = ports
            .iter()
            .find(|&&port| !self.network.is_own() && !crate::support::ports::is_free(port));
        if let Some(port) = taken {
            skipped(&format!(
                "another program has port {port}, and there is no network of one's own"
            ));
        }
        taken.is_none()
    }

    /// Somebody who has a port, on every address.
    pub fn occupy(&self, port: u16) -> Server {
        let at = if has_ipv6_quietly() { "::" } else { "0.0.0.0" };
        self.occupy_at(at, port)
    }

    /// Somebody who has a port on an address.
    pub fn occupy_at(&self, at: &str, port: u16) -> Server {
        let mut command = self.command(python());
        command.arg(fixture("listener.py"));
        Server::of(Process::start(command.args([
            "--at",
            at,
            "--port",
            &port.to_string(),
        ])))
    }

    /// Somebody who tries to get a port until he is told to stop.
    pub fn thief(&self, port: u16) -> Thief {
        let thief = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/holds/thief.py");
        // What he tries to disturb has to get on all the same.
        let mut command = self.command("nice");
        command.args(["-n", "19"]).arg(python()).arg(thief);
        let (process, input) = Process::start_told(command.arg(port.to_string()));
        assert_eq!(process.line(), "ready");
        Thief { process, input }
    }

    /// Starts a server through Freeport; the words of `line` are its command.
    pub fn run(&self, line: &str) -> Run<'_> {
        let errors = self.home.path("errors");
        let mut command = self.command(env!("CARGO_BIN_EXE_freeport"));
        command
            .arg("run")
            .arg("--")
            .args(line.split_ascii_whitespace().map(OsString::from))
            .stderr(File::create(&errors).unwrap());
        Run {
            site: self,
            line: line.to_owned(),
            errors,
            process: Process::start(&mut command),
        }
    }

    /// The answer of who listens on a port, once it can be had.
    fn get(&self, port: u16) -> Option<String> {
        let mut command = self.command(python());
        command.args(["-c", GET, &format!("http://localhost:{port}/")]);
        let ran = finish(&mut command);
        (ran.code == 0).then_some(ran.out)
    }
}

/// Somebody who tries to get a port.
pub struct Thief {
    process: Process,
    input: std::process::ChildStdin,
}

impl Thief {
    /// Stops; how often he tried, and how often he got it.
    pub fn stop(self) -> (u64, u64) {
        drop(self.input);
        let told = self.process.line();
        let mut numbers = told.split(' ').map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

/// A command under `freeport run`.
pub struct Run<'a> {
    site: &'a Site,
    line: String,
    errors: PathBuf,
    process: Process,
}

/// Who listens, as `freeport list` tells it.
pub struct Found {
    pub addresses: Vec<String>,
    pub service: String,
    guard: u32,
}

impl Run<'_> {
    /// What Freeport says, without who says it.
    pub fn notes(&self) -> Vec<String> {
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let notes = errors
            .lines()
            .filter_map(|line| line.strip_prefix("freeport: "));
        // Said where binds cannot be guarded, which is no part of what is tested here.
        let notes = notes.filter(|note| !note.starts_with("the port is open to other programs"));
        notes.map(str::to_owned).collect()
    }

    /// All that it and Freeport have said.
    fn all_output(&self) -> String {
        let mut all = std::fs::read_to_string(&self.errors).unwrap_or_default();
        while let Some(line) = self.process.line_within(Duration::from_millis(50)) {
            all.push_str(&line);
            all.push('\n');
        }
        all
    }

    /// Looks until there is something, and the command has not ended.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let has_ended = self.process.has_ended();
            if let Some(found) = look() {
                return found;
            }
            let why = match has_ended {
                true => "ended",
                false if Instant::now() > deadline => "is too late",
                false => "",
            };
            assert!(
                why.is_empty(),
                "'{}' {why} before {what}:\n{}\n{}",
                self.line,
                self.all_output(),
                self.site.freeport("list").out
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The port that it got instead of `wanted`, which `server` has, as Freeport says it.
    #[track_caller]
    pub fn other_port(&self, wanted: u16, server: &Server) -> u16 {
        let note = self.wait("the port is named", || self.notes().into_iter().next());
        let start = format!("port {wanted} is taken by ");
        let (who, port) = note
            .rsplit_once("; using ")
            .unwrap_or_else(|| panic!("{note}"));
        assert!(who.starts_with(&start), "{}: {note}", self.line);
        assert!(
            who.contains(&format!("(pid {}, ", server.pid)),
            "{}: {note}",
            self.line
        );
        let port = port.parse().unwrap_or_else(|_| panic!("{note}"));
        assert_ne!(port, wanted, "{note}");
        port
    }

    /// Waits until it answers on a port with this text.
    #[track_caller]
    pub fn answers(&self, port: u16, text: &str) {
        self.answers_after(port, text, || ());
    }

    /// The same where something is done before each look.
    #[track_caller]
    pub fn answers_after(&self, port: u16, text: &str, mut before: impl FnMut()) {
        self.wait(&format!("it answers on port {port} with {text}"), || {
            before();
            let answer = self.site.get(port)?;
            answer.contains(text).then_some(())
        });
    }

    /// Waits until the registry knows that the command listens on a port: all who listen there
    /// are below the guard, which has the claim.
    #[track_caller]
    pub fn has(&self, port: u16) -> Found {
        self.has_by(port, &["handed-over"])
    }

    /// The same where one of these is said of how the port is held.
    #[track_caller]
    pub fn has_by(&self, port: u16, holds: &[&str]) -> Found {
        let found = self.wait(&format!("port {port} is known as its own"), || {
            let ran = self.site.freeport(&format!("list {port} --all --json"));
            let listeners = match ran.code {
                0 => ran.json()["listeners"].take(),
                _ => return None,
            };
            let listeners = listeners.as_array().unwrap().clone();
            let is_settled = |found: &Value| {
                let reservation = &found["reservation"];
                let hold = reservation["hold"].as_str().unwrap_or_default();
                reservation["status"] == "active" && holds.contains(&hold)
            };
            (!listeners.is_empty() && listeners.iter().all(is_settled)).then_some(listeners)
        });
        let guard = number(&found[0]["reservation"]["pid"]);
        for listener in &found {
            let owner = number(&listener["owner"]["pid"]);
            assert!(
                lineage(owner).contains(&guard),
                "{}: {listener:#}",
                self.line
            );
            assert_eq!(
                listener["conflict"],
                Value::Null,
                "{}: {listener:#}",
                self.line
            );
        }
        let addresses = found
            .iter()
            .flat_map(|one| one["addresses"].as_array().unwrap());
        Found {
            addresses: addresses
                .map(|at| at.as_str().unwrap().to_owned())
                .collect(),
            service: found[0]["reservation"]["service"]
                .as_str()
                .unwrap()
                .to_owned(),
            guard,
        }
    }

    /// Ends it by SIGTERM to the one process that a shell knows of: nothing of it is left then, and
    /// the ports are nobody's.
    #[track_caller]
    pub fn ends(self, port: u16) {
        let guard = self.has_by(port, &["handed-over", "advisory"]).guard;
        let tree = below(guard);
        assert!(tree.len() >= 2, "{}: {tree:?}", self.line);
        self.process.signal(Signal::TERM);
        self.process.status();
        let deadline = Instant::now() + END;
        let gone = |left: String| {
            let all = || format!("'{}' leaves {left}:\n{}", self.line, self.all_output());
            assert!(Instant::now() < deadline, "{}", all());
            std::thread::sleep(Duration::from_millis(20));
        };
        while let Some(left) = tree.iter().find(|&&pid| is_alive(pid)) {
            gone(command_line(*left));
        }
        loop {
            let query = self.site.freeport(&format!("query {port}"));
            if query.code == 3 {
                break;
            }
            gone(query.out);
        }
        let left = self.site.freeport(&format!("list {port} --all --json"));
        assert_eq!(left.code, 3, "{}: {left:#?}", self.line);
    }
}

#[track_caller]
fn number(value: &Value) -> u32 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value}"))
        .try_into()
        .unwrap()
}

/// What a process runs.
fn command_line(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// The parent of a process.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

/// A process and those that it comes from.
fn lineage(pid: u32) -> Vec<u32> {
    std::iter::successors(Some(pid), |&pid| parent(pid)).collect()
}

/// A process and all that come from it.
fn below(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|&one| lineage(one).contains(&pid)).collect()
}
