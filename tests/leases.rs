//! Claims with real listeners: claimed, active, claimed again, over; and the leases that end them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire, succeeds};
use support::processes::{Server, has_ipv6};
use support::{Home, ports, wait_for};

fn claim(port: u16) -> Value {
    json!({"cmd": "CLAIM", "port": port})
}

fn heartbeat(port: u16) -> Value {
    json!({"cmd": "HEARTBEAT", "port": port})
}

/// Waits until what is reserved at a port has this status; nothing is reserved when it is empty.
#[track_caller]
fn until(wire: &mut Wire, port: u16, status: &str) {
    wait_for(&format!("port {port} to be '{status}'"), || {
        (wire.status_of(port) == status).then_some(())
    });
}

/// The events that the log has of a port.
fn logged(wire: &mut Wire, port: u16) -> Vec<String> {
    let log = wire.done(&json!({"cmd": "LOG", "port": port}));
    let entries = log["entries"].as_array().unwrap().iter();
    let word = |entry: &Value| match &entry["detail"] {
        Value::String(detail) => format!("{}: {detail}", entry["event"].as_str().unwrap()),
        _ => entry["event"].as_str().unwrap().to_owned(),
    };
    entries.map(word).collect()
}

#[test]
fn a_claim_follows_what_its_process_does() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let mut agent = Agent::start(&home);
    let port = ports::one();
    let lease = succeeds(agent.ask(
        &json!({"cmd": "REGISTER", "port": port, "service": "Django", "metadata": {"by": "test"}}),
    ));
    assert_eq!(
        (&lease["port"], &lease["renewed"]),
        (&json!(port), &json!(false))
    );
    assert_eq!(lease["token"].as_str().unwrap().len(), 32);
    assert_eq!(lease["expires_at"], lease["reservation"]["expires_at"]);
    let row = wire.reservation(port);
    assert_eq!(row, lease["reservation"]);
    for (key, value) in [
        ("pid", json!(agent.pid())),
        ("service", json!("Django")),
        ("status", json!("claimed")),
        ("kept", json!(false)),
        ("metadata", json!({"by": "test"})),
        ("project", Value::Null),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    assert!(
        row["key"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{}@", agent.pid()))
    );
    assert!(row.get("token").is_none(), "nobody else is told the token");
    for _ in 0..2 {
        agent.listen(port);
        assert_eq!(wire.status_of(port), "active", "at once");
        let listener = &wire.listeners(port)[0];
        assert_eq!(
            (&listener["reservation"]["service"], &listener["conflict"]),
            (&json!("Django"), &Value::Null)
        );
        agent.close();
        assert_eq!(wire.status_of(port), "claimed");
    }
    agent.listen(port);
    agent.kill();
    // Its owner is gone: so is the claim, without a wait for the next cleanup.
    let start = Instant::now();
    until(&mut wire, port, "");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        logged(&mut wire, port),
        ["register", "cleanup: its owner has ended"]
    );
    assert_eq!(
        wire.done(&json!({"cmd": "STATUS"}))["last_cleanup"]
            .as_str()
            .map(str::len),
        Some(24)
    );
}

#[test]
fn what_shares_the_owners_socket_or_comes_from_it_is_meant_too() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let mut agent = Agent::start(&home);
    let block = ports::block(4);
    let mut next = block..block + 4;
    let mut fresh = |agent: &mut Agent| {
        let port = next.next().unwrap();
        succeeds(agent.ask(&claim(port)));
        port
    };
    let active = |wire: &mut Wire, port: u16| {
        assert_eq!(wire.status_of(port), "active");
        for listener in wire.listeners(port) {
            assert_eq!(listener["conflict"], Value::Null, "{listener}");
        }
    };
    // A child that listens by itself.
    let port = fresh(&mut agent);
    agent.fork();
    agent.child(&json!({"listen": port}));
    active(&mut wire, port);
    // A grandchild.
    let port = fresh(&mut agent);
    agent.child(&json!({"fork": true}));
    agent.child(&json!({"child": {"listen": port}}));
    active(&mut wire, port);
    agent.tell(&json!({"end": "SIGKILL"}));
    // The grandchild ends by itself then; their owner lives.
    until(&mut wire, port, "claimed");
    // A forked worker, which goes on when the owner has closed its socket.
    let port = fresh(&mut agent);
    agent.listen(port);
    agent.fork();
    active(&mut wire, port);
    agent.close();
    active(&mut wire, port);
    agent.tell(&json!({"end": "SIGKILL"}));
    assert_eq!(wire.status_of(port), "claimed");
    // A sibling with a socket of its own at the same address (SO_REUSEPORT).
    let port = fresh(&mut agent);
    let shared = json!({"listen": port, "reuseport": true});
    agent.tell(&shared);
    let mut sibling = Agent::start(&home);
    sibling.tell(&shared);
    active(&mut wire, port);
    agent.close();
    // Alone, it is not the owner's any more.
    until(&mut wire, port, "claimed");
    assert_eq!(wire.listeners(port)[0]["conflict"], "intruder");
}

#[test]
fn a_claim_is_of_one_protocol_and_any_address() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let mut agent = Agent::start(&home);
    let port = ports::one();
    succeeds(agent.ask(&json!({"cmd": "CLAIM", "port": port, "protocol": "udp"})));
    let status = |wire: &mut Wire| {
        let all = wire.done(&json!({"cmd": "QUERY", "port": port}));
        all["reservations"][0]["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    agent.listen(port);
    assert_eq!(status(&mut wire), "claimed", "TCP is another port");
    assert_eq!(wire.listeners(port)[0]["conflict"], Value::Null);
    agent.tell(&json!({"listen": port, "udp": true}));
    assert_eq!(status(&mut wire), "active");
    agent.close();
    if has_ipv6() {
        agent.tell(&json!({"listen": port, "udp": true, "at": "::1"}));
        assert_eq!(status(&mut wire), "active");
    }
}

#[test]
fn a_lease_runs_out_unless_it_is_renewed() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (port, kept) = (ports::block(2), ports::block(1));
    let short = |port: u16| json!({"cmd": "CLAIM", "port": port, "ttl_s": 1});
    let lease = wire.done(&short(port));
    wire.done(&json!({"cmd": "CLAIM", "port": kept, "ttl_s": 3600}));
    let renewed = wire.done(&heartbeat(port));
    assert_eq!(
        (&renewed["renewed"], &renewed["token"]),
        (&json!(true), &lease["token"])
    );
    assert!(renewed["expires_at"].as_str() >= lease["expires_at"].as_str());
    assert!(renewed["reservation"]["last_heartbeat"].is_string());
    until(&mut wire, port, "stale");
    // What is over but was not cleaned up can be renewed by its owner ...
    let renewed = wire.done(&heartbeat(port));
    assert_eq!(renewed["reservation"]["status"], "claimed");
    until(&mut wire, port, "stale");
    // ... and keeps nobody else out.
    let mut agent = Agent::start(&home);
    let taken = succeeds(agent.ask(&claim(port)));
    assert_eq!(taken["renewed"], false);
    assert_ne!(taken["token"], lease["token"]);
    assert_eq!(wire.reservation(port)["pid"], agent.pid());
    assert_eq!(
        logged(&mut wire, port),
        ["claim", "cleanup: its lease ran out", "claim"]
    );
    assert_eq!(wire.status_of(kept), "claimed");
    wire.refused(&heartbeat(port + 1), "not_found");
}

#[test]
fn what_has_run_out_is_cleaned_up() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(3);
    wire.done(&json!({"cmd": "RESERVE", "ports": [port + 1], "project": "shop"}));
    for (at, project) in [(port, "blog"), (port + 1, "shop")] {
        wire.done(
            &json!({"cmd": "CLAIM", "port": at, "project": project, "ttl_s": 1, "detached": true}),
        );
    }
    wire.done(&json!({"cmd": "RESERVE", "ports": [port + 2], "project": "shop", "ttl_s": 1}));
    for at in port..port + 3 {
        until(&mut wire, at, "stale");
    }
    let seen = |reply: &Value| {
        let ended = reply["ended"].as_array().unwrap().clone();
        let of = |one: &Value| {
            let at = one["reservation"]["port"].as_u64().unwrap() - u64::from(port);
            assert_eq!(one["why"], "expired");
            (at, one["kept"] == true)
        };
        ended.iter().map(of).collect::<Vec<_>>()
    };
    let dry = wire.done(&json!({"cmd": "CLEANUP", "dry_run": true}));
    assert_eq!(
        (&dry["dry_run"], seen(&dry)),
        (&json!(true), vec![(0, false), (1, true), (2, false)])
    );
    assert_eq!(wire.status_of(port), "stale", "nothing was changed");
    let done = wire.done(&json!({"cmd": "CLEANUP"}));
    assert_eq!(seen(&done), seen(&dry));
    assert_eq!(
        (wire.status_of(port), wire.status_of(port + 2)),
        (String::new(), String::new())
    );
    // What was reserved without end is so again.
    let row = wire.reservation(port + 1);
    assert_eq!(
        (&row["status"], &row["expires_at"], &row["project"]),
        (&json!("reserved"), &Value::Null, &json!("shop"))
    );
    assert_eq!(seen(&wire.done(&json!({"cmd": "CLEANUP"}))), []);
}

#[test]
fn nobody_who_listens_is_stale() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let mut agent = Agent::start(&home);
    let port = ports::block(2);
    for at in [port, port + 1] {
        succeeds(agent.ask(&json!({"cmd": "CLAIM", "port": at, "ttl_s": 2})));
    }
    agent.listen(port);
    // The other one shows that the time is over.
    until(&mut wire, port + 1, "stale");
    let over = wire.reservation(port)["expires_at"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(wire.status_of(port), "active");
    assert_eq!(
        wire.done(&json!({"cmd": "CLEANUP"}))["ended"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(wire.status_of(port), "active");
    // From when it stops, it has as long as its lease says.
    agent.close();
    let row = wire.reservation(port);
    assert_eq!(row["status"], "claimed");
    assert!(row["expires_at"].as_str().unwrap() > over.as_str(), "{row}");
    until(&mut wire, port, "stale");
}

#[test]
fn who_has_sent_heartbeats_may_not_fall_silent() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    wire.done(&json!({"cmd": "CONFIG", "key": "stale_threshold", "value": "2"}));
    let port = ports::block(2);
    for at in [port, port + 1] {
        wire.done(&claim(at));
    }
    wire.done(&heartbeat(port));
    until(&mut wire, port, "stale");
    assert_eq!(wire.status_of(port + 1), "claimed", "it never promised any");
    assert_eq!(logged(&mut wire, port), ["claim", "heartbeat_lost"]);
    let renewed = wire.done(&heartbeat(port));
    assert_eq!(renewed["reservation"]["status"], "claimed");
    // One who listens need not send any.
    let mut agent = Agent::start(&home);
    wire.done(&json!({"cmd": "RELEASE", "ports": [port, port + 1]}));
    succeeds(agent.ask(&claim(port)));
    succeeds(agent.ask(&heartbeat(port)));
    agent.listen(port);
    wire.done(&claim(port + 1));
    wire.done(&heartbeat(port + 1));
    until(&mut wire, port + 1, "stale");
    assert_eq!(wire.status_of(port), "active");
}

#[test]
fn bounds_are_kept() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let century = 100u64 * 365 * 24 * 3600;
    for ttl in [
        json!(0),
        json!(century),
        json!(-1),
        json!("60"),
        json!(1.5),
        json!(u64::MAX),
        json!(30 * 24 * 3600 + 1),
    ] {
        for request in [
            json!({"cmd": "CLAIM", "port": port, "ttl_s": ttl}),
            json!({"cmd": "RESERVE", "ports": [port], "project": "x", "ttl_s": ttl}),
        ] {
            wire.refused(&request, "bad_request");
        }
    }
    let most = wire.done(&json!({"cmd": "CLAIM", "port": port, "ttl_s": 30 * 24 * 3600}));
    assert!(most["expires_at"].is_string());
    wire.refused(&json!({"cmd": "REGISTER", "port": port}), "bad_request");
    wire.refused(
        &json!({"cmd": "CLAIM", "port": port, "detached": true, "pid": 5}),
        "bad_request",
    );
    wire.refused(&json!({"cmd": "HEARTBEAT"}), "bad_request");
}

#[test]
fn a_claim_keeps_others_out_and_its_listener_needs_none() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (mut one, mut other) = (Agent::start(&home), Agent::start(&home));
    let port = ports::block(2);
    succeeds(one.ask(&claim(port)));
    let refused = other.ask(&claim(port));
    assert_eq!(refused["code"], "port_taken");
    let told = refused["message"].as_str().unwrap();
    assert!(
        told.contains(&format!("(pid {}), until ", one.pid())),
        "{told}"
    );
    assert_eq!(refused["free"], port + 1);
    assert_eq!(
        succeeds(one.ask(&claim(port)))["renewed"],
        true,
        "its own is renewed"
    );
    // Who listens is asked for, too.
    let server = Server::start(&home, &format!("--port {}", port + 1));
    let refused = other.ask(&claim(port + 1));
    assert_eq!(refused["code"], "port_taken");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains(&format!("(pid {},", server.pid)),
        "{refused}"
    );
    assert_eq!(
        refused["free"]
            .as_u64()
            .map(|free| free > u64::from(port) + 1),
        Some(true)
    );
    // Who listens there claims it for itself.
    let own = other.listen(0);
    let lease = succeeds(other.ask(&claim(own)));
    assert_eq!(lease["reservation"]["status"], "active");
    assert_eq!(wire.status_of(own), "active");
}
