//! What the tray costs, measured for who wants to know.
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
use std::time::{Duration, Instant};

use dbus::{Desktop, Watcher};
use rustix::process::Signal;
use support::PATIENCE;
use support::processes::Server;

/// `FREEPORT_BINARY=target/release/freeport cargo test --test tray_costs -- --ignored --nocapture`
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
    item.wait_row(servers[0].port);
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
