//! What a claim is while its process listens, stops, forks and ends.
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
use support::{Home, ports};

fn claim(port: u16) -> Value {
    json!({"cmd": "CLAIM", "port": port})
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
    wire.until(port, "");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        wire.logged(port),
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
    wire.until(port, "claimed");
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
    wire.until(port, "claimed");
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
