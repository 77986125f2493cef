//! Ports that are set aside for projects: reserved, asked for, given back, written down.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::Server;
use support::{Home, ports};

fn of(reply: &Value) -> Vec<u64> {
    let all = reply["reservations"].as_array().unwrap();
    all.iter().filter_map(|one| one["port"].as_u64()).collect()
}

#[test]
fn what_is_reserved_is_told_until_it_is_given_back() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(3);
    let reserve = json!({"cmd": "RESERVE", "ports": [port, port + 1], "project": "shop", "service": "web", "metadata": {"a": [1]}});
    let made = wire.done(&reserve);
    assert_eq!(of(&made), [u64::from(port), u64::from(port) + 1]);
    let one = wire.reservation(port);
    assert_eq!(one, made["reservations"][0]);
    for (key, value) in [
        ("project", json!("shop")),
        ("service", json!("web")),
        ("status", json!("reserved")),
        ("hold", json!("advisory")),
        ("kept", json!(true)),
        ("pid", Value::Null),
        ("expires_at", Value::Null),
        ("last_heartbeat", Value::Null),
        ("metadata", json!({"a": [1]})),
        ("uid", json!(rustix::process::geteuid().as_raw())),
    ] {
        assert_eq!(one[key], value, "{key}");
    }
    // Reserved once more for the same, it stays; for UDP it is another one.
    assert_eq!(wire.done(&reserve)["reservations"], made["reservations"]);
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "protocol": "udp", "project": "voice"}));
    for (query, count) in [
        (json!({"cmd": "QUERY"}), 3),
        (json!({"cmd": "QUERY", "project": "shop"}), 2),
        (
            json!({"cmd": "QUERY", "project": "shop", "service": "web"}),
            2,
        ),
        (json!({"cmd": "QUERY", "service": "api"}), 0),
        (json!({"cmd": "QUERY", "port": port}), 2),
        (json!({"cmd": "QUERY", "port": port + 2}), 0),
    ] {
        assert_eq!(of(&wire.done(&query)).len(), count, "{query}");
    }
    // Only the user takes back what the user has set aside.
    let release = json!({"cmd": "RELEASE", "ports": [port]});
    wire.refused(&release, "not_permitted");
    let released =
        wire.done(&json!({"cmd": "RELEASE", "ports": [port], "protocol": "tcp", "as_user": true}));
    assert_eq!(of(&released), [u64::from(port)]);
    let released =
        wire.done(&json!({"cmd": "RELEASE", "ports": [port, port + 1], "as_user": true}));
    assert_eq!(of(&released).len(), 2);
    assert_eq!(of(&wire.done(&json!({"cmd": "QUERY"}))), [0u64; 0]);
    let told = wire.refused(
        &json!({"cmd": "RELEASE", "ports": [port], "as_user": true}),
        "not_found",
    );
    assert!(
        told.contains(&format!("port {port} is not reserved")),
        "{told}"
    );
}

#[test]
fn of_several_ports_all_are_reserved_or_none() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(4);
    wire.done(&json!({"cmd": "RESERVE", "ports": [port + 2], "project": "blog", "service": "web"}));
    let several = json!({"cmd": "RESERVE", "ports": [port, port + 1, port + 2], "project": "shop"});
    let reply = wire.ask(&several);
    assert_eq!(reply["code"], "port_taken");
    let told = reply["message"].as_str().unwrap();
    assert!(
        told.contains(&format!("port {} is reserved for blog web", port + 2)),
        "{told}"
    );
    let free = reply["free"].as_u64().unwrap();
    assert!(
        reply["hint"]
            .as_str()
            .unwrap()
            .contains(&format!("{free} is free")),
        "{reply}"
    );
    assert!(
        free != u64::from(port) + 2 && ports::is_free(free.try_into().unwrap()),
        "{reply}"
    );
    assert_eq!(wire.status_of(port), "", "none of them");
    // So it is when somebody listens on one.
    let server = Server::start(&home, &format!("--port {}", port + 1));
    let reply = wire.ask(&json!({"cmd": "RESERVE", "ports": [port, port + 1], "project": "shop"}));
    assert_eq!(reply["code"], "port_taken");
    assert!(
        reply["message"]
            .as_str()
            .unwrap()
            .contains(&format!("(pid {}", server.pid)),
        "{reply}"
    );
    assert_eq!(wire.status_of(port), "");
}

#[test]
fn a_project_gives_its_ports_back() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(3);
    for (at, service) in [(port, "web"), (port + 1, "api")] {
        wire.done(&json!({"cmd": "RESERVE", "ports": [at], "project": "shop", "service": service}));
    }
    wire.done(&json!({"cmd": "RESERVE", "ports": [port + 2], "project": "blog"}));
    let freed = wire.done(&json!({"cmd": "FREE", "project": "shop", "service": "api"}));
    assert_eq!(of(&freed), [u64::from(port) + 1]);
    assert_eq!(freed["reservations"][0]["service"], "api", "as it was");
    assert_eq!(
        of(&wire.done(&json!({"cmd": "FREE", "project": "shop"}))),
        [u64::from(port)]
    );
    wire.refused(&json!({"cmd": "FREE", "project": "shop"}), "not_found");
    assert_eq!(wire.status_of(port + 2), "reserved");
}

#[test]
fn it_is_written_down_who_did_what() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(2);
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop", "service": "web"}));
    wire.done(&json!({"cmd": "CLAIM", "port": port + 1}));
    wire.done(&json!({"cmd": "RELEASE", "ports": [port], "as_user": true}));
    wire.refused(
        &json!({"cmd": "RESERVE", "ports": [port + 1], "project": "blog"}),
        "port_taken",
    );
    let log = wire.done(&json!({"cmd": "LOG"}));
    let entries = log["entries"].as_array().unwrap();
    let events: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry["event"].as_str())
        .collect();
    assert_eq!(
        events,
        ["reserve", "claim", "release", "conflict"],
        "oldest first"
    );
    for entry in entries {
        assert_eq!(entry["pid"], std::process::id(), "{entry}");
        assert!(
            entry["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("reservations")),
            "{entry}"
        );
    }
    assert_eq!(
        (
            &entries[0]["project"],
            &entries[0]["service"],
            &entries[0]["port"]
        ),
        (&json!("shop"), &json!("web"), &json!(port))
    );
    let since = entries[2]["at"].as_str().unwrap();
    for (ask, count) in [
        (json!({"cmd": "LOG", "port": port}), 2),
        (json!({"cmd": "LOG", "limit": 1}), 1),
        (json!({"cmd": "LOG", "limit": 0}), 0),
        (json!({"cmd": "LOG", "since": "2100-01-01T00:00:00Z"}), 0),
    ] {
        let log = wire.done(&ask);
        assert_eq!(log["entries"].as_array().unwrap().len(), count, "{ask}");
    }
    let log = wire.done(&json!({"cmd": "LOG", "since": since}));
    assert!(
        (2..=4).contains(&log["entries"].as_array().unwrap().len()),
        "{log}"
    );
    let newest = wire.done(&json!({"cmd": "LOG", "limit": 1}));
    assert_eq!(newest["entries"][0]["event"], "conflict");
    wire.refused(&json!({"cmd": "LOG", "limit": 10_001}), "bad_request");
    wire.refused(&json!({"cmd": "LOG", "since": "yesterday"}), "bad_request");
}

#[test]
fn settings_are_told_changed_and_kept() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    let all = wire.done(&json!({"cmd": "CONFIG"}));
    let of = |reply: &Value, key: &str| {
        let all = reply["settings"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).unwrap().clone()
    };
    for (key, value) in [
        ("default_lease_duration", "3600"),
        ("heartbeat_interval", "30"),
        ("stale_threshold", "120"),
        ("cleanup_interval", "60"),
        (
            "preferred_ports",
            "3000,3001,3002,8000,8001,8080,8081,5000,5001",
        ),
    ] {
        let one = of(&all, key);
        assert_eq!(
            (&one["value"], &one["default"], &one["set"]),
            (&json!(value), &json!(value), &json!(false))
        );
        assert!(!one["meaning"].as_str().unwrap().is_empty());
    }
    let set = wire.done(&json!({"cmd": "CONFIG", "key": "default_lease_duration", "value": "2h"}));
    assert_eq!(
        set["settings"],
        json!([of(&set, "default_lease_duration")]),
        "only that one"
    );
    assert_eq!(
        of(&set, "default_lease_duration")["value"],
        "7200",
        "in its normal form"
    );
    let port = ports::one();
    let lease = wire.done(&json!({"cmd": "CLAIM", "port": port}));
    let at = |value: &Value| second_of(value.as_str().unwrap());
    let left = at(&lease["expires_at"]) - at(&lease["reservation"]["created_at"]);
    assert_eq!(left, 7200, "it counts at once");
    app.end(rustix::process::Signal::KILL);
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let kept = wire.done(&json!({"cmd": "CONFIG", "key": "default_lease_duration"}));
    assert_eq!(of(&kept, "default_lease_duration")["value"], "7200");
    let unset =
        wire.done(&json!({"cmd": "CONFIG", "key": "default_lease_duration", "unset": true}));
    assert_eq!(of(&unset, "default_lease_duration")["set"], false);
    for (ask, code) in [
        (json!({"cmd": "CONFIG", "key": "no_such"}), "not_found"),
        (
            json!({"cmd": "CONFIG", "key": "stale_threshold", "value": "0"}),
            "bad_request",
        ),
        (
            json!({"cmd": "CONFIG", "key": "stale_threshold", "value": 5}),
            "bad_request",
        ),
        (
            json!({"cmd": "CONFIG", "key": "stale_threshold", "value": "5", "unset": true}),
            "bad_request",
        ),
        (json!({"cmd": "CONFIG", "value": "5"}), "bad_request"),
        (json!({"cmd": "CONFIG", "unset": true}), "bad_request"),
    ] {
        wire.refused(&ask, code);
    }
}

/// The second of a time as it is told.
fn second_of(text: &str) -> u64 {
    let time = humantime::parse_rfc3339(text).unwrap();
    time.duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}
