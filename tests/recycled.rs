//! Lists and kills in a place where processes end and are replaced all the time, with the same pids and
//! at the same ports: none is ever signalled that was not meant.
//!
//! `FREEPORT_RECYCLED_PAIRS` says how many times it is listed and then killed; `scripts/recycle` does it
//! a million times.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;
#[path = "recycled/truth.rs"]
mod truth;

use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use freeport::Client;
use freeport::ipc::protocol::{Kill, List};
use freeport::ipc::socket::Place;
use freeport::model::Port;
use support::app::App;
use support::processes::Process;
use support::{Home, finish, may_be_others, skipped, there_is};
use truth::{Ask, Met, Truth};

/// How many pairs where nothing is said.
const PAIRS: u64 = 2_000;
/// The ports that are listened on. They are those of a network of their own.
const FIRST: u16 = 20_000;
const PORTS: u16 = 40;
/// How many clients ask at one time: while one waits for a grace, others list.
const CLIENTS: u64 = 24;
/// How high pids go: the lowest 300 are not given out again, and the app's threads take some, too.
const PID_MAX: u32 = 800;

/// The clock of the breeder's log, in nanoseconds.
fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// Whether pids are counted by each namespace for itself: since Linux 6.14. Before, what is written in
/// one is true for the whole machine.
fn has_own_pid_max() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|n| n.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
}

/// What picks at random, the same for all.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// The run, shared by its clients and by who reads the log.
struct Run {
    place: Place,
    truth: Mutex<Truth>,
    pairs: u64,
    begun: AtomicU64,
    over: AtomicBool,
}

impl Run {
    fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a pair, if one is still to be done: where the machine is quiet, it can take more of them
    /// until everything was met.
    fn take(&self) -> bool {
        let begun = self.begun.fetch_add(1, Ordering::SeqCst);
        let is_wanted =
            begun < self.pairs || begun < 10 * self.pairs && !self.truth().has_met_all();
        is_wanted && !self.over.load(Ordering::SeqCst)
    }

    /// Lists and kills until all is done.
    fn work(&self, seed: u64) {
        let mut dice = Dice((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut client = Client::connect_at(&self.place).unwrap();
        while self.take() {
            let mut ask = loop {
                if self.over.load(Ordering::SeqCst) {
                    return;
                }
                if let Some(ask) = show(&mut client, &mut dice) {
                    break ask;
                }
            };
            if dice.below(3) != 0 {
                std::thread::sleep(Duration::from_micros(dice.below(3_000)));
            }
            let port = Port::new(ask.port).unwrap();
            let kill = Kill {
                pid: Some(format!("{}@{}", ask.pid, ask.start)),
                force: ask.force,
                tree: ask.tree,
                grace_ms: 50 + dice.below(150),
                ..Kill::of(vec![port])
            };
            ask.sent = now();
            self.truth().ask(ask.clone());
            let outcomes = client.kill(kill).unwrap();
            let result = format!("{:?}", outcomes[0].result);
            self.truth().answered(ask, now(), result);
        }
    }

    /// Reads the log until the clients have ended and what they did is judged.
    fn follow(&self, log: impl BufRead, have_ended: impl Fn() -> bool) {
        let mut told = Instant::now();
        let mut end = None;
        for line in log.lines() {
            let mut truth = self.truth();
            truth.read(&line.unwrap());
            if !truth.wrong.is_empty() {
                return;
            }
            // What was sent last is told of before who is born now.
            if end.is_none() && have_ended() {
                end = Some(now());
            }
            let told_of = |end| truth.until > end + 1_000_000_000;
            if truth.is_settled() && end.is_some_and(told_of) {
                return;
            }
            if told.elapsed() > Duration::from_secs(60) {
                told = Instant::now();
                let begun = self.begun.load(Ordering::SeqCst);
                let _ = writeln!(std::io::stderr(), "{begun} of {}", self.pairs);
            }
        }
        panic!("the log ended");
    }
}

/// Ends a run, also where it failed.
struct Ends<'a>(&'a Run);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

/// Lists some ports, and chooses a listener.
fn show(client: &mut Client, dice: &mut Dice) -> Option<Ask> {
    let first = match dice.below(16) {
        0 => 0,
        _ => dice.below(u64::from(PORTS - 1)) as u16,
    };
    let ports = [first, first + 1].map(|n| Port::new(FIRST + n).unwrap());
    let list = List {
        ports: ports.to_vec(),
        details: dice.below(8) == 0,
    };
    let listeners = client.list(list).unwrap().listeners;
    let shown = now();
    let mut owned = listeners
        .iter()
        .filter_map(|one| Some((one.port, one.owner.as_ref()?.key)));
    let (port, key) = owned.nth(dice.below(2) as usize)?;
    Some(Ask {
        pid: key.pid,
        start: key.start,
        port: port.get(),
        shown,
        sent: 0,
        force: dice.below(4) == 0,
        tree: dice.below(4) == 0,
    })
}

/// The breeder, with this program once more below it; `None` where it cannot be, which is said.
fn breeder(home: &Home) -> Option<Command> {
    if !may_be_others("a pid namespace of its own") || !there_is("unshare") || !there_is("cc") {
        return None;
    }
    let program = home.path("breeder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recycled/breeder.c");
    let mut compiler = home.command("cc");
    compiler.args(["-O1", "-o"]).arg(&program).arg(source);
    finish(&mut compiler).ends(0);
    let namespace = ["--pid", "--fork", "--mount-proc", "--net", "--kill-child"];
    let probe = finish(home.command("unshare").args(namespace).arg("true"));
    if probe.code != 0 {
        skipped(&format!("no pid namespace can be made: {}", probe.err));
        return None;
    }
    let pid_max = if has_own_pid_max() { PID_MAX } else { 0 };
    let pairs = std::env::var("FREEPORT_RECYCLED_PAIRS").unwrap_or(PAIRS.to_string());
    let mut command = home.command("unshare");
    command
        .args(namespace)
        .arg(program)
        .args([pid_max.to_string(), FIRST.to_string(), PORTS.to_string()])
        .arg(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, pairs)
        // Its home is named by its pid, which is the same in each namespace.
        .env("TMPDIR", home.path(""))
        .env("RUST_BACKTRACE", "1");
    Some(command)
}

/// The name of the test that this program is asked for once more.
const NAME: &str = "who_has_got_the_pid_or_the_port_of_another_is_never_signalled";
/// What tells it that it is inside, and how many pairs are wanted.
const INSIDE: &str = "RECYCLED_PAIRS";

#[test]
fn who_has_got_the_pid_or_the_port_of_another_is_never_signalled() {
    if let Ok(pairs) = std::env::var(INSIDE) {
        return inside(pairs.parse().expect("a number of pairs"));
    }
    let home = Home::new();
    if let Some(mut breeder) = breeder(&home) {
        let breeder = Process::start(&mut breeder);
        // It takes as long as it takes: nothing but a log that stands still is a hang, and said inside.
        while !breeder.has_ended() {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(breeder.status(), 0);
    }
}

/// Lists and kills, with the log as the standard input.
fn inside(pairs: u64) {
    let home = Home::new();
    let app = App::start(&home);
    let run = Run {
        place: Place::at(home.runtime()),
        truth: Mutex::default(),
        pairs,
        begun: AtomicU64::new(0),
        over: AtomicBool::new(false),
    };
    run.truth().app = app.pid();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let ends = Ends(&run);
        let run = &run;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| scope.spawn(move || run.work(seed)))
            .collect();
        run.follow(std::io::stdin().lock(), || {
            clients.iter().all(|client| client.is_finished())
        });
        drop(ends);
        let failed = clients.into_iter().any(|client| client.join().is_err());
        assert!(!failed, "a client failed; the app: {}", App::log(&home));
    });
    let truth = run.truth.into_inner().unwrap();
    let table = table(&truth, started.elapsed());
    let _ = writeln!(std::io::stderr(), "{table}");
    assert!(
        truth.wrong.is_empty(),
        "{} signalled that nobody had asked for:\n{}",
        truth.wrong.len(),
        truth.wrong.join("\n")
    );
    let twins = truth.count(Met::Twin);
    assert_eq!(twins, 0, "what was shown was of two processes\n{table}");
    // What did not happen was not tested.
    assert!(truth.has_met_all(), "not everything was met\n{table}");
    assert!(truth.pairs() >= pairs, "{table}");
}

fn table(truth: &Truth, took: Duration) -> String {
    let mut table = String::new();
    let pairs = truth.pairs();
    let rate = pairs as f64 / took.as_secs_f64();
    let _ = writeln!(
        table,
        "{pairs} pairs in {:.0} s, {rate:.0} a second; {} processes",
        took.as_secs_f64(),
        truth.births
    );
    for ((met, result), count) in &truth.met {
        let met = match met {
            Met::Itself => "the process that was shown",
            Met::Nobody => "nobody with its pid",
            Met::Idle => "its pid at another, which does not listen",
            Met::Elsewhere => "its pid at another, at another port",
            Met::Successor => "its pid at another, at the same port",
            Met::Twin => "its pid and start time at another",
        };
        let _ = writeln!(table, "{count:>9}  {met}: {result}");
    }
    let _ = writeln!(
        table,
        "{:>9}  the port was another process's",
        truth.taken_over
    );
    for (what, count) in &truth.signals {
        let _ = writeln!(table, "{count:>9}  {what}");
    }
    let _ = write!(table, "{:>9}  to one that was not meant", truth.wrong.len());
    table
}
