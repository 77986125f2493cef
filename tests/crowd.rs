//! Ten thousand listeners: all of them are listed, by a command alone and through the app.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::process::Command;

use serde_json::Value;
use support::app::App;
use support::processes::{Process, Server};
use support::{Home, finish, fixture, is_root, python, skipped, there_is};

const MANY: usize = 10_000;

/// A network of its own, so that the crowd is in nobody's way; as root, where that is possible.
struct Network(Option<Process>);

impl Network {
    fn new(home: &Home) -> Network {
        if !is_root() || !there_is("unshare") || !there_is("nsenter") {
            return Network(None);
        }
        let mut command = home.command("unshare");
        let keeper = Process::start(command.arg("-n").arg(python()).arg(fixture("network.py")));
        assert_eq!(keeper.line(), "ready");
        Network(Some(keeper))
    }

    /// A command in this network.
    fn command(&self, home: &Home, program: &std::ffi::OsStr) -> Command {
        let Some(keeper) = &self.0 else {
            return home.command(program);
        };
        let mut command = home.command("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", keeper.pid()))
            .arg(program);
        command
    }

    fn freeport(&self, home: &Home, line: &str) -> Command {
        let mut command = self.command(home, env!("CARGO_BIN_EXE_freeport").as_ref());
        command.args(line.split(' '));
        command
    }
}

#[test]
fn ten_thousand_listeners_are_listed() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    if !is_root() && limit.is_some_and(|most| most < MANY as u64 + 64) {
        return skipped("a process may not have 10,000 descriptors here");
    }
    let home = Home::new();
    let network = Network::new(&home);
    let mut command = network.command(&home, python());
    command
        .arg(fixture("listener.py"))
        .args(["--count", &MANY.to_string()]);
    let crowd = Server::of(Process::start(&mut command));
    let check = |app: Option<&App>| {
        let ran = finish(&mut network.freeport(&home, "list --json --all")).ends(0);
        let list = ran.json();
        let of_crowd = |found: &&Value| found["owner"]["pid"] == crowd.pid;
        let addresses: usize = list["listeners"]
            .as_array()
            .unwrap()
            .iter()
            .filter(of_crowd)
            .map(|found| found["addresses"].as_array().unwrap().len())
            .sum();
        assert_eq!(addresses, MANY, "with the app: {}", app.is_some());
        let table = finish(&mut network.freeport(&home, "list --all"))
            .ends(0)
            .out;
        assert!(table.lines().count() > 5000);
        let line = format!("why {}", crowd.port);
        let why = finish(&mut network.freeport(&home, &line)).ends(0).out;
        assert!(why.contains(&format!("(pid {})", crowd.pid)), "{why}");
    };
    check(None);
    let app = App::start_by(&home, &mut network.freeport(&home, "app --headless"));
    check(Some(&app));
    let line = format!("kill {} --json", crowd.port);
    let ran = finish(&mut network.freeport(&home, &line)).ends(0);
    assert_eq!(ran.json()["outcomes"][0]["result"], "freed");
    let list = finish(&mut network.freeport(&home, "list --json --all"))
        .ends(0)
        .json();
    let left = list["listeners"].as_array().unwrap().iter();
    assert_eq!(
        left.filter(|found| found["owner"]["pid"] == crowd.pid)
            .count(),
        0
    );
}
