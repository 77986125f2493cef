//! Programs that try to get the port of a guarded command, over and over, while it starts and runs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[allow(dead_code, reason = "these tests start a part of them")]
#[path = "holds/servers.rs"]
mod servers;
mod support;

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use freeport::platform::seam::Seam;
use rustix::process::Signal;
use support::processes::Process;
use support::{Home, ports, skipped, wait_for};

/// A thread that tries to listen on a port while it may.
struct Thief {
    port: u16,
    may: AtomicBool,
    /// Whether it is at it: between two tries it looks whether it may.
    tries_now: AtomicBool,
    ends: AtomicBool,
    tries: AtomicUsize,
    won: AtomicUsize,
}

impl Thief {
    fn of(port: u16) -> Thief {
        Thief {
            port,
            may: AtomicBool::new(false),
            tries_now: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            tries: AtomicUsize::new(0),
            won: AtomicUsize::new(0),
        }
    }

    /// Ends it, also where the test has failed.
    fn end(&self) -> Ended<'_> {
        Ended(self)
    }

    /// Tries until it is over. What it gets it keeps while it may.
    fn work(&self) {
        let mut got = Vec::new();
        while !self.ends.load(Ordering::SeqCst) {
            if !self.may.load(Ordering::SeqCst) {
                got.clear();
                self.tries_now.store(false, Ordering::SeqCst);
                std::thread::yield_now();
                continue;
            }
            self.tries_now.store(true, Ordering::SeqCst);
            // Both set SO_REUSEADDR, as servers do.
            let stolen = [
                TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)),
                TcpListener::bind((Ipv6Addr::UNSPECIFIED, self.port)),
            ];
            self.tries.fetch_add(2, Ordering::SeqCst);
            let stolen: Vec<TcpListener> = stolen.into_iter().flatten().collect();
            self.won.fetch_add(stolen.len(), Ordering::SeqCst);
            got.extend(stolen);
        }
    }

    /// Lets it begin, or makes it let go.
    fn set(&self, may: bool) {
        self.may.store(may, Ordering::SeqCst);
        wait_for("the thief", || {
            (self.tries_now.load(Ordering::SeqCst) == may).then_some(())
        });
    }

    fn won(&self) -> usize {
        self.won.load(Ordering::SeqCst)
    }
}

/// Ends a thief when it is dropped.
struct Ended<'a>(&'a Thief);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ends.store(true, Ordering::SeqCst);
    }
}

/// The commands of servers that say their pid to who connects, each with how often it is started:
/// two hundred times in all.
fn all_kinds(home: &Home, port: u16) -> Vec<(Vec<String>, usize)> {
    let kinds = [
        ("static", 35),
        ("musl", 35),
        ("go", 35),
        ("node", 30),
        ("java", 15),
    ];
    let found = |(kind, times)| Some((servers::command(kind, home, port)?, times));
    let mut all: Vec<_> = kinds.into_iter().filter_map(found).collect();
    let others: usize = all.iter().map(|(_, times)| times).sum();
    all.push((servers::command("plain", home, port).unwrap(), 200 - others));
    all
}

/// Starts a server under `freeport run`; it has said that its command runs, and listens later.
fn start(home: &Home, hold: &str, server: &[String], port: u16) -> (Process, PathBuf) {
    let said = home.path("said");
    let number = port.to_string();
    let line = ["run", "--strict", "--port", &number, "--hold", hold, "--"];
    let shell = ["sh", "-c", "echo started; exec \"$@\"", "sh"];
    let server = server.iter().map(String::as_str);
    let words = line.into_iter().chain(shell).chain(server);
    let mut run = home.freeport(words);
    let process = Process::start(run.stderr(std::fs::File::create(&said).unwrap()));
    assert_eq!(
        process.line(),
        "started",
        "{:?}",
        std::fs::read_to_string(&said)
    );
    (process, said)
}

fn answers(port: u16) -> Option<u32> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    // A thief takes connections and says nothing.
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[test]
fn none_gets_the_port_in_two_hundred_runs() {
    if !Seam::is_supported() {
        return skipped("there is no seam on this system");
    }
    let home = Home::new();
    let port = ports::one();
    let thief = Thief::of(port);
    std::thread::scope(|scope| {
        let _ended = thief.end();
        scope.spawn(|| thief.work());
        for (server, times) in all_kinds(&home, port) {
            for _ in 0..times {
                let (process, said) = start(&home, "seam", &server, port);
                thief.set(true);
                let pid = wait_for("the server", || answers(port));
                assert!(support::processes::is_alive(pid), "{server:?}");
                assert_eq!(thief.won(), 0, "{server:?}");
                thief.set(false);
                process.signal(Signal::TERM);
                process.status();
                assert_eq!(std::fs::read_to_string(said).unwrap(), "", "{server:?}");
            }
        }
    });
    let tries = thief.tries.load(Ordering::SeqCst);
    assert_eq!(thief.won(), 0, "of {tries}");
    assert!(tries > 1_000, "{tries}");
    assert_eq!(
        home.run("query --json").json()["reservations"],
        serde_json::json!([])
    );
}

#[test]
fn with_the_gate_each_theft_is_told() {
    let home = Home::new();
    let port = ports::one();
    let server = servers::command("plain", &home, port).unwrap();
    let (mut stolen, mut got) = (0, 0);
    for round in 0..30 {
        let thief = Thief::of(port);
        std::thread::scope(|scope| {
            let _ended = thief.end();
            scope.spawn(|| thief.work());
            let (process, said) = start(&home, "gate", &server, port);
            // Sometimes it comes too late.
            if round % 3 != 0 {
                thief.set(true);
            }
            let me = std::process::id();
            let told = format!("port {port} was taken by");
            let text = || std::fs::read_to_string(&said).unwrap();
            let up = wait_for("the server, or its end", || {
                let served = thief.won() == 0 && answers(port).is_some();
                (served || text().contains(&told)).then_some(served)
            });
            if up {
                got += 1;
                thief.set(false);
                process.signal(Signal::TERM);
                process.status();
                assert!(!text().contains(&told), "{}", text());
            } else {
                stolen += 1;
                assert!(thief.won() > 0, "{}", text());
                assert!(text().contains(&format!("(pid {me}")), "{}", text());
                process.status();
            }
        });
    }
    assert!(got > 0 && stolen > 0, "{got} and {stolen}");
}
