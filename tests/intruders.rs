//! Somebody else on a port that is reserved: told in LIST, QUERY and to subscribers, and never told of
//! those who belong there.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire, succeeds};
use support::processes::Server;
use support::{Home, NOBODY, may_be_others, ports};

/// How the listener of a process at a port is in conflict.
fn conflict_of(wire: &mut Wire, port: u16, pid: u32) -> Value {
    let all = wire.listeners(port);
    let found = all.iter().find(|one| one["owner"]["pid"] == pid);
    found.unwrap_or_else(|| panic!("{pid} is not on {port}: {all:#?}"))["conflict"].clone()
}

/// The conflicts that are told of a port. Other ports may have some, too.
fn conflicts_at(home: &Home, port: u16) -> Vec<Value> {
    let state = Wire::open(home).done(&json!({"cmd": "SUBSCRIBE"}));
    let all = state["conflicts"].as_array().unwrap().iter();
    all.filter(|one| one["port"] == port).cloned().collect()
}

/// A subscription, and the changes that it was told of.
struct Changes(Wire);

impl Changes {
    fn open(home: &Home) -> Changes {
        let mut wire = Wire::open(home);
        wire.done(&json!({"cmd": "SUBSCRIBE"}));
        Changes(wire)
    }

    /// The next event of a kind at a port; others before it are passed over.
    #[track_caller]
    fn next(&mut self, event: &str, port: u16) -> Value {
        loop {
            let told = self.0.receive().unwrap();
            let inner = ["listener", "reservation", "conflict", "to"]
                .iter()
                .find_map(|key| told.get(key));
            let at = inner.unwrap_or(&told)["port"].as_u64();
            if told["event"] == event && at == Some(port.into()) {
                return told;
            }
        }
    }
}

#[test]
fn an_intruder_is_told_while_it_listens() {
    let home = Home::new();
    let _app = App::start(&home);
    let (mut wire, mut changes) = (Wire::open(&home), Changes::open(&home));
    let mut owner = Agent::start(&home);
    let port = ports::one();
    succeeds(owner.ask(&json!({"cmd": "CLAIM", "port": port, "service": "web"})));
    let reserved = changes.next("reserved", port);
    assert_eq!(reserved["reservation"]["status"], "claimed");
    let blog = home.project("blog");
    let intruder = Server::start_in(&blog, &home, &format!("--port {port}"));
    assert_eq!(conflict_of(&mut wire, port, intruder.pid), "intruder");
    let listener = &wire.listeners(port)[0];
    assert_eq!(listener["reservation"]["pid"], owner.pid(), "{listener}");
    let told = changes.next("conflict", port)["conflict"].clone();
    for (key, value) in [
        ("kind", json!("intruder")),
        ("protocol", json!("tcp")),
        ("project", json!("blog")),
        ("uid", json!(rustix::process::geteuid().as_raw())),
        ("others", json!([])),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
    assert_eq!(told["listener"]["pid"], intruder.pid);
    assert_eq!(told["reservation"]["service"], "web");
    assert_eq!(wire.status_of(port), "claimed", "it is the owner's still");
    assert_ne!(wire.done(&json!({"cmd": "STATUS"}))["conflicts"], 0);
    // Who subscribes now is told of it, too.
    assert_eq!(conflicts_at(&home, port), [told]);
    let log = wire.done(&json!({"cmd": "LOG", "port": port}));
    let last = log["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["event"], &last["pid"]),
        (&json!("conflict"), &Value::Null),
        "{log}"
    );
    let detail = last["detail"].as_str().unwrap();
    assert!(
        detail.contains(&format!(
            "(pid {}) listens where it is reserved for",
            intruder.pid
        )),
        "{detail}"
    );
    // Given back, the port is nobody's, and nobody is in the way.
    wire.done(&json!({"cmd": "RELEASE", "ports": [port], "as_user": true}));
    changes.next("conflict_ended", port);
    assert_eq!(conflict_of(&mut wire, port, intruder.pid), Value::Null);
    assert_eq!(conflicts_at(&home, port), [] as [Value; 0]);
}

#[test]
fn it_is_over_when_the_intruder_goes_and_can_be_ignored() {
    let home = Home::new();
    let _app = App::start(&home);
    let (mut wire, mut changes) = (Wire::open(&home), Changes::open(&home));
    let port = ports::one();
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
    let intruder = Server::start(&home, &format!("--port {port}"));
    let told = changes.next("conflict", port);
    let key = told["conflict"]["listener"]["key"].clone();
    wire.done(&json!({"cmd": "IGNORE", "port": port, "key": key}));
    changes.next("conflict_ended", port);
    assert_eq!(conflicts_at(&home, port), [] as [Value; 0]);
    // Another process on the port is another conflict.
    drop(intruder);
    changes.next("closed", port);
    let next = Server::start(&home, &format!("--port {port}"));
    assert_eq!(
        changes.next("conflict", port)["conflict"]["listener"]["pid"],
        next.pid
    );
    drop(next);
    changes.next("conflict_ended", port);
    for key in [
        json!("x"),
        json!("5"),
        json!("5@"),
        json!("-1@2"),
        json!(5),
        Value::Null,
    ] {
        wire.refused(
            &json!({"cmd": "IGNORE", "port": port, "key": key}),
            "bad_request",
        );
    }
}

#[test]
fn who_comes_from_the_owner_is_no_intruder() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    // A server with forked workers, one with siblings at one port, and one that a child of the
    // claimant is.
    let claims = |port: u16, pid: u32| json!({"cmd": "CLAIM", "port": port, "pid": pid});
    for options in ["--workers 3", "--siblings 3", "--workers 2 --reuseport"] {
        let server = Server::start(&home, options);
        wire.done(&claims(server.port, server.pid));
        assert_eq!(wire.status_of(server.port), "active", "{options}");
        for listener in wire.listeners(server.port) {
            assert_eq!(listener["conflict"], Value::Null, "{options}: {listener}");
        }
        assert_eq!(conflicts_at(&home, server.port), [] as [Value; 0]);
    }
}

#[test]
fn a_reservation_of_a_project_is_for_what_works_in_its_folder() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (shop, blog) = (home.project("shop"), home.project("blog"));
    let port = ports::one();
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop", "service": "web"}));
    let at = format!("--port {port}");
    let server = Server::start_in(&shop, &home, &at);
    assert_eq!(
        (
            conflict_of(&mut wire, port, server.pid),
            wire.status_of(port)
        ),
        (Value::Null, "active".to_owned())
    );
    drop(server);
    std::fs::create_dir_all(shop.join("src/deep")).unwrap();
    let server = Server::start_in(&shop.join("src/deep"), &home, &at);
    assert_eq!(
        (
            conflict_of(&mut wire, port, server.pid),
            wire.status_of(port)
        ),
        (Value::Null, "active".to_owned())
    );
    drop(server);
    for folder in [blog, home.path("")] {
        let server = Server::start_in(&folder, &home, &at);
        assert_eq!(conflict_of(&mut wire, port, server.pid), "intruder");
        assert_eq!(wire.status_of(port), "reserved");
    }
    assert_eq!(wire.status_of(port), "reserved");
    // Two at one port: the one that belongs there, and the one that does not.
    let mut own = Agent::start_in(&shop, &home);
    let mut other = Agent::start(&home);
    let shared = json!({"listen": port, "reuseport": true});
    own.tell(&shared);
    other.tell(&shared);
    assert_eq!(conflict_of(&mut wire, port, other.pid()), "intruder");
    assert_ne!(conflict_of(&mut wire, port, own.pid()), "intruder");
    assert_eq!(wire.status_of(port), "active");
}

#[test]
fn another_user_is_an_intruder_without_a_name() {
    if !may_be_others("a process of another user") {
        return;
    }
    let home = Home::new();
    let _app = App::start(&home);
    let (mut wire, mut changes) = (Wire::open(&home), Changes::open(&home));
    let mut owner = Agent::start(&home);
    let port = ports::one();
    succeeds(owner.ask(&json!({"cmd": "CLAIM", "port": port})));
    let server = Server::start(&home, &format!("--port {port} --uid {NOBODY}"));
    assert_eq!(changes.next("conflict", port)["conflict"]["uid"], NOBODY);
    assert_eq!(conflict_of(&mut wire, port, server.pid), "intruder");
}

#[test]
fn two_at_one_port_shadow_each_other() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut changes = Changes::open(&home);
    let (shop, blog) = (home.project("shop"), home.project("blog"));
    let port = ports::one();
    let mut one = Agent::start_in(&shop, &home);
    let mut other = Agent::start_in(&blog, &home);
    one.tell(&json!({"listen": port, "reuseport": true}));
    other.tell(&json!({"listen": port, "reuseport": true}));
    let told = changes.next("conflict", port)["conflict"].clone();
    assert_eq!(
        (&told["kind"], &told["reservation"]),
        (&json!("shadowed"), &Value::Null)
    );
    let mut pids = vec![told["listener"]["pid"].clone()];
    pids.extend(
        told["others"]
            .as_array()
            .unwrap()
            .iter()
            .map(|party| party["pid"].clone()),
    );
    pids.sort_by_key(Value::as_u64);
    let mut expected = vec![json!(one.pid()), json!(other.pid())];
    expected.sort_by_key(Value::as_u64);
    assert_eq!(pids, expected);
    other.close();
    changes.next("conflict_ended", port);
}
