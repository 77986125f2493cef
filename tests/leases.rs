//! Leases: what renews them, what ends them, and what becomes of a claim then.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire, succeeds};
use support::{Home, ports};

fn claim(port: u16) -> Value {
    json!({"cmd": "CLAIM", "port": port})
}

fn heartbeat(port: u16) -> Value {
    json!({"cmd": "HEARTBEAT", "port": port})
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
    wire.until(port, "stale");
    // What is over but was not cleaned up can be renewed by its owner ...
    let renewed = wire.done(&heartbeat(port));
    assert_eq!(renewed["reservation"]["status"], "claimed");
    wire.until(port, "stale");
    // ... and keeps nobody else out.
    let mut agent = Agent::start(&home);
    let taken = succeeds(agent.ask(&claim(port)));
    assert_eq!(taken["renewed"], false);
    assert_ne!(taken["token"], lease["token"]);
    assert_eq!(wire.reservation(port)["pid"], agent.pid());
    assert_eq!(
        wire.logged(port),
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
        wire.until(at, "stale");
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
    wire.until(port + 1, "stale");
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
    wire.until(port, "stale");
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
    wire.until(port, "stale");
    assert_eq!(wire.status_of(port + 1), "claimed", "it never promised any");
    assert_eq!(wire.logged(port), ["claim", "heartbeat_lost"]);
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
    wire.until(port + 1, "stale");
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
