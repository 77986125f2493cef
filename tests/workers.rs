//! Servers of several processes: shown once, with the right owner and all workers, also when
//! their parent is gone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use rustix::process::Signal;
use serde_json::Value;
use support::app::{App, Wire};
use support::processes::Server;
use support::{Home, wait_for};

/// The pid of the owner and the pids of the workers, sorted.
fn family(listener: &Value) -> (u64, Vec<u64>) {
    let workers = listener["workers"].as_array().unwrap().iter();
    let mut workers: Vec<u64> = workers.map(|pid| pid.as_u64().unwrap()).collect();
    workers.sort_unstable();
    (listener["owner"]["pid"].as_u64().unwrap(), workers)
}

fn sorted(pids: &[u32]) -> Vec<u64> {
    let mut pids: Vec<u64> = pids.iter().copied().map(u64::from).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn forked_workers_are_shown_once_below_their_parent() {
    let home = Home::new();
    let server = Server::start(&home, "--workers 4");
    let expected = (u64::from(server.pid), sorted(&server.workers));
    assert_eq!(expected.1.len(), 4);
    assert_eq!(family(&home.listener(server.port)), expected);
    let why = home.run(&format!("why {}", server.port)).ends(0).out;
    for pid in &expected.1 {
        assert!(why.contains(&pid.to_string()), "{why}");
    }
    let table = home.run(&format!("list {}", server.port)).ends(0).out;
    let rows = table
        .lines()
        .filter(|line| line.starts_with(&server.port.to_string()));
    assert_eq!(rows.count(), 1, "{table}");
    assert_eq!(home.listener(server.port)["conflict"], Value::Null);
}

#[test]
fn the_app_sees_workers_that_were_there_and_that_came() {
    let home = Home::new();
    let before = Server::start(&home, "--workers 4");
    let _app = App::start(&home);
    let after = Server::start(&home, "--workers 4");
    for server in [&before, &after] {
        let expected = (u64::from(server.pid), sorted(&server.workers));
        assert_eq!(family(&home.listener(server.port)), expected);
    }
}

#[test]
fn sockets_at_one_port_of_one_application_are_one_listener() {
    let home = Home::new();
    let _app = App::start(&home);
    let server = Server::start(&home, "--siblings 3");
    for home in [&home, &Home::new()] {
        let listener = home.listener(server.port);
        assert_eq!(listener["addresses"], serde_json::json!(["127.0.0.1"]));
        assert_eq!(listener["conflict"], Value::Null);
        let (owner, workers) = family(&listener);
        let mut all = workers;
        all.push(owner);
        all.sort_unstable();
        assert_eq!(all, sorted(&server.workers));
    }
    let ran = home.run(&format!("kill {} --json", server.port)).ends(0);
    assert_eq!(ran.json()["outcomes"][0]["result"], "freed");
}

#[test]
fn strangers_at_one_port_are_two_listeners_in_conflict() {
    let home = Home::new();
    let one = Server::start(&home, "--reuseport --tag one");
    let two = Server::start(&home, &format!("--reuseport --tag two --port {}", one.port));
    let listeners = home.listeners(one.port);
    assert_eq!(listeners.len(), 2, "{listeners:#?}");
    let mut owners: Vec<u64> = listeners.iter().map(|found| family(found).0).collect();
    owners.sort_unstable();
    assert_eq!(owners, sorted(&[one.pid, two.pid]));
    for found in &listeners {
        assert_eq!(found["conflict"], "shadowed");
        assert_eq!(found["workers"], serde_json::json!([]));
    }
    let table = home.run(&format!("list {}", one.port)).ends(0).out;
    assert!(table.contains(&format!("{} !", one.port)), "{table}");
    home.run(&format!("kill {}", one.port)).ends(5);
    assert!(one.is_alive() && two.is_alive());
}

#[test]
fn orphaned_workers_are_found() {
    let home = Home::new();
    let _app = App::start(&home);
    let server = Server::start(&home, "--workers 4");
    let mut wire = Wire::open(&home);
    assert_eq!(
        family(&wire.listeners(server.port)[0]).0,
        u64::from(server.pid)
    );
    server.process.signal(Signal::KILL);
    assert_eq!(server.process.status(), 128 + 9);
    let all = sorted(&server.workers);
    // The oldest of them is the owner, the others are its workers.
    let expected = (u64::from(server.workers[0]), all[..].to_vec());
    let is_right = |listener: &Value| {
        let (owner, mut workers) = family(listener);
        workers.push(owner);
        workers.sort_unstable();
        owner == expected.0 && workers == expected.1
    };
    let alone = Home::new().listener(server.port);
    assert!(is_right(&alone), "{alone:#}");
    let seen = wait_for("the app to see who is left", || {
        let listeners = wire.listeners(server.port);
        let owner = listeners[0]["owner"]["pid"].clone();
        (owner != server.pid).then_some(listeners)
    });
    assert_eq!(seen.len(), 1);
    assert!(is_right(&seen[0]), "{seen:#?}");
    let ran = home.run(&format!("kill {} --json", server.port)).ends(0);
    assert_eq!(ran.json()["outcomes"][0]["result"], "freed");
    for pid in &server.workers {
        assert!(!support::processes::is_alive(*pid));
    }
}
