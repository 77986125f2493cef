//! SUBSCRIBE: everything once, every change from then on, and nobody held up by who does not read.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire, succeeds};
use support::processes::{Process, Server};
use support::{Home, fixture, ports, python, wait_for};

fn subscribe(home: &Home) -> (Wire, Value) {
    let mut wire = Wire::open(home);
    let state = wire.done(&json!({"cmd": "SUBSCRIBE"}));
    (wire, state)
}

/// The port that an event is about.
fn port_of(event: &Value) -> u64 {
    let inside = ["listener", "to", "reservation", "conflict"]
        .iter()
        .find_map(|key| event.get(key));
    let port = inside.unwrap_or(event)["port"].as_u64();
    port.unwrap_or_else(|| panic!("an event without port: {event}"))
}

/// The next event at one of these ports.
fn next(wire: &mut Wire, ports: &[u16]) -> Value {
    loop {
        let event = wire.receive().unwrap();
        if ports.iter().any(|port| u64::from(*port) == port_of(&event)) {
            return event;
        }
    }
}

#[test]
fn everything_is_told_first_and_then_each_change() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(2);
    let server = Server::start(&home, "");
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
    let (mut changes, state) = subscribe(&home);
    let at = |key: &str, port: u16| {
        state[key]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["port"] == port)
            .count()
    };
    assert_eq!(
        (at("listeners", server.port), at("reservations", port)),
        (1, 1)
    );
    assert!(
        state["scanned_at"].is_string()
            && state["gaps"].is_array()
            && state["conflicts"].is_array()
    );
    let listed = wire.listeners(server.port);
    let told: Vec<Value> = state["listeners"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["port"] == server.port)
        .cloned()
        .collect();
    assert_eq!(told, listed, "as LIST tells it");
    // A listener comes, another process has it, and it goes.
    let mut first = Agent::start(&home);
    let shared = json!({"listen": port + 1, "reuseport": true});
    first.tell(&shared);
    let opened = next(&mut changes, &[port + 1]);
    assert_eq!(
        (&opened["event"], &opened["listener"]["owner"]["pid"]),
        (&json!("opened"), &json!(first.pid()))
    );
    assert_eq!(wire.listeners(port + 1), [opened["listener"].clone()]);
    first.close();
    let closed = next(&mut changes, &[port + 1]);
    assert_eq!(
        (&closed["event"], &closed["listener"]),
        (&json!("closed"), &opened["listener"])
    );
    // A reservation changes, and goes.
    let mut agent = Agent::start(&home);
    succeeds(agent.ask(&json!({"cmd": "CLAIM", "port": port + 1})));
    let mut told = |status: &str| {
        let event = next(&mut changes, &[port, port + 1]);
        assert_eq!(
            (&event["event"], &event["reservation"]["status"]),
            (&json!("reserved"), &json!(status)),
            "{event}"
        );
        event
    };
    assert_eq!(told("claimed")["reservation"]["pid"], agent.pid());
    assert!(
        succeeds(agent.ask(&json!({"cmd": "HEARTBEAT", "port": port + 1})))["token"].is_string()
    );
    let beat = told("claimed");
    assert!(
        beat["reservation"]["last_heartbeat"].is_string()
            && beat["reservation"].get("token").is_none(),
        "{beat}"
    );
    agent.listen(port + 1);
    assert_eq!(next(&mut changes, &[port + 1])["event"], "opened");
    let active = next(&mut changes, &[port + 1]);
    assert_eq!(active["reservation"]["status"], "active", "{active}");
    agent.kill();
    let mut events: Vec<Value> = (0..2).map(|_| next(&mut changes, &[port + 1])).collect();
    events.sort_by_key(|event| event["event"].as_str().unwrap().to_owned());
    assert_eq!(events[0]["event"], "closed");
    assert_eq!(
        events[1],
        json!({"event": "released", "port": port + 1, "protocol": "tcp"})
    );
}

#[test]
fn another_process_at_the_same_address_is_a_change_of_owner() {
    let home = Home::new();
    let _app = App::start(&home);
    let (mut changes, _) = subscribe(&home);
    // A worker that was forked goes on when the process that had the socket has ended.
    let server = Server::start(&home, "--workers 1");
    assert_eq!(next(&mut changes, &[server.port])["event"], "opened");
    server.process.signal(Signal::KILL);
    let event = wait_for("the worker to be the owner", || {
        let event = next(&mut changes, &[server.port]);
        (event["event"] == "owner_changed").then_some(event)
    });
    assert_eq!(event["from"]["owner"]["pid"], server.pid);
    assert_eq!(event["to"]["owner"]["pid"], server.workers[0]);
}

#[test]
fn subscribers_are_told_alike() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let first = ports::block(20);
    let all: Vec<u16> = (first..first + 20).collect();
    let (mut one, _) = subscribe(&home);
    let (mut other, _) = subscribe(&home);
    for port in &all {
        wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
    }
    wire.done(&json!({"cmd": "FREE", "project": "shop"}));
    let told = |wire: &mut Wire| -> Vec<Value> { (0..40).map(|_| next(wire, &all)).collect() };
    let events = told(&mut one);
    assert_eq!(told(&mut other), events);
    let at = |event: &str| -> BTreeSet<u64> {
        events
            .iter()
            .filter(|one| one["event"] == event)
            .map(port_of)
            .collect()
    };
    let expected: BTreeSet<u64> = all.iter().map(|port| u64::from(*port)).collect();
    assert_eq!(
        (at("reserved"), at("released")),
        (expected.clone(), expected)
    );
    // Between a state and the first event nothing is lost, however much happens meanwhile.
    let claims = std::thread::spawn(move || {
        for port in all {
            wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
        }
    });
    let (mut late, state) = subscribe(&home);
    let mut known: BTreeSet<u64> = state["reservations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["port"].as_u64().unwrap())
        .collect();
    while known.len() < 20 {
        let port = port_of(&next(&mut late, &(first..first + 20).collect::<Vec<_>>()));
        assert!(known.insert(port), "{port} was told twice");
    }
    claims.join().unwrap();
}

#[test]
fn who_does_not_read_is_dropped_and_holds_nobody_up() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    let memory = |wire: &mut Wire| {
        wire.done(&json!({"cmd": "STATUS"}))["memory_bytes"]
            .as_u64()
            .unwrap()
    };
    let deaf: Vec<Wire> = (0..4).map(|_| subscribe(&home).0).collect();
    let (mut quick, _) = subscribe(&home);
    let first = ports::block(1);
    let (before, metadata) = (memory(&mut wire), "x".repeat(4000));
    let reading = std::thread::spawn(move || {
        let mut last = Value::Null;
        while last["reservation"]["metadata"] != "last" {
            last = next(&mut quick, &[first]);
        }
    });
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    for round in 0..3000 {
        let since = Instant::now();
        let metadata = format!("{round}{metadata}");
        wire.done(&json!({"cmd": "CLAIM", "port": first, "metadata": metadata}));
        longest = longest.max(since.elapsed());
    }
    assert!(
        longest < Duration::from_secs(5),
        "{longest:?} of {:?}",
        start.elapsed()
    );
    let used = memory(&mut wire).saturating_sub(before);
    assert!(used < 48 * 1024 * 1024, "{used} bytes more than {before}");
    wire.done(&json!({"cmd": "CLAIM", "port": first, "metadata": "last"}));
    reading.join().unwrap();
    // They find what was on its way, and then the end.
    for mut wire in deaf {
        let mut last = Value::Null;
        let mut count = 0;
        while let Some(event) = wire.receive() {
            last = event;
            count += 1;
        }
        assert!(count < 3000, "{count}");
        assert!(
            last["event"] == "reserved" || last["code"] == "busy",
            "{last}"
        );
    }
    assert!(!app.process.has_ended());
}

#[test]
fn half_a_subscriber_hurts_nobody() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    // Gone at once; gone after the state; one that goes on to ask, and one that closes only its half.
    for _ in 0..20 {
        let mut gone = Wire::open(&home);
        assert!(gone.send(b"{\"cmd\":\"SUBSCRIBE\"}\n"));
        drop(gone);
        drop(subscribe(&home));
    }
    let (mut asks, _) = subscribe(&home);
    asks.send(b"{\"cmd\":\"PING\"}\nnot even JSON\n");
    let (mut half, _) = subscribe(&home);
    half.stream().shutdown(std::net::Shutdown::Write).unwrap();
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
    for wire in [&mut asks, &mut half] {
        assert_eq!(
            next(wire, &[port])["event"],
            "reserved",
            "a stream has no more replies"
        );
    }
}

#[test]
fn subscribers_learn_that_the_app_has_ended() {
    let home = Home::new();
    let app = App::start(&home);
    let (mut changes, _) = subscribe(&home);
    assert_eq!(app.end(Signal::TERM), 0);
    while changes.receive().is_some() {}
}

#[test]
fn a_crowd_of_changes_is_told_or_its_end() {
    let home = Home::new();
    let _app = App::start(&home);
    let (mut changes, _) = subscribe(&home);
    let mut command = home.command(python());
    command.arg(fixture("listener.py")).args(["--count", "600"]);
    let crowd = Server::of(Process::start(&mut command));
    let mut seen = 0;
    while seen < 600 {
        let event = changes.receive().unwrap();
        seen += usize::from(
            event["event"] == "opened" && event["listener"]["owner"]["pid"] == crowd.pid,
        );
    }
}

#[test]
fn what_another_program_writes_is_told_as_what_it_is() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    // More reservations than lines may wait for a subscriber, none of which changes.
    for first in (1024u32..).step_by(256).take(6) {
        let ports: Vec<u32> = (first..first + 256).collect();
        wire.done(&json!({"cmd": "RESERVE", "ports": ports, "protocol": "udp", "project": "shop"}));
    }
    let port = ports::one();
    let (mut changes, _) = subscribe(&home);
    let db = rusqlite::Connection::open(home.path(".local/share/freeport/freeport.db")).unwrap();
    let insert = "INSERT INTO ports (port, protocol, project, uid, status, hold, kept, created_at) VALUES (?1, 'tcp', 'blog', 0, 'reserved', 'advisory', 1, 0)";
    for round in 0..20 {
        db.execute(
            if round % 2 == 0 {
                insert
            } else {
                "DELETE FROM ports WHERE port = ?1 AND protocol = 'tcp'"
            },
            [port],
        )
        .unwrap();
        wire.done(&json!({"cmd": "QUERY", "port": port}));
    }
    for round in 0..20 {
        let event = next(&mut changes, &[port]);
        assert_eq!(
            event["event"],
            if round % 2 == 0 {
                "reserved"
            } else {
                "released"
            }
        );
    }
}
