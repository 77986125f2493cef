//! Another port where the one that was asked for is taken: chosen and claimed in one step.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire};
use support::{Home, ports};

fn port_of(reply: &Value) -> u16 {
    reply["port"].as_u64().unwrap().try_into().unwrap()
}

/// A claim that takes another port, too.
fn claim(port: u16, project: &str, service: &str, fallback: &Value) -> Value {
    json!({"cmd": "CLAIM", "port": port, "project": project, "service": service, "fallback": fallback})
}

/// The app, with a range of free ports to choose from.
fn start(home: &Home) -> (App, Wire, u16) {
    let app = App::start(home);
    let mut wire = Wire::open(home);
    let first = ports::block(10);
    for (key, value) in [
        ("preferred_ports", String::new()),
        ("port_range", format!("{first}-{}", first + 9)),
    ] {
        wire.done(&json!({"cmd": "CONFIG", "key": key, "value": value}));
    }
    (app, wire, first)
}

#[test]
fn the_port_that_was_asked_for_or_the_next_one() {
    let home = Home::new();
    let (_app, mut wire, first) = start(&home);
    let mut shop = Agent::start(&home);
    let (mut one, mut two) = (Agent::start(&home), Agent::start(&home));
    shop.listen(first);
    let got = one.ask(&claim(first, "blog", "web", &json!({})));
    assert_eq!(port_of(&got), first + 1, "{got}");
    let holder = got["taken"].as_str().unwrap();
    assert!(holder.contains(&format!("pid {}", shop.pid())), "{holder}");
    assert_eq!(got["reservation"]["service"], "web");
    // What is asked for is free: nothing is told of others.
    let got = two.ask(&claim(first + 5, "wiki", "web", &json!({})));
    assert_eq!((port_of(&got), &got["taken"]), (first + 5, &Value::Null));
    // What the caller found in use is left out, as is what others have and had.
    let avoid = json!({"avoid": [first + 2, first + 3]});
    let got = two.ask(&claim(first, "wiki", "api", &avoid));
    assert_eq!(port_of(&got), first + 4, "{got}");
    wire.done(&json!({"cmd": "RELEASE", "ports": [first + 4], "as_user": true}));
    // Without it, the port is refused.
    let strict = json!({"cmd": "CLAIM", "port": first, "project": "wiki", "service": "api"});
    assert_eq!(two.ask(&strict)["code"], "port_taken");
    let log = wire.done(&json!({"cmd": "LOG", "port": first}));
    assert_eq!(log["entries"].as_array().unwrap().len(), 1, "{log}");
}

#[test]
fn what_a_service_had_comes_first_or_second() {
    let home = Home::new();
    let (_app, mut wire, first) = start(&home);
    let mut agent = Agent::start(&home);
    let had = first + 7;
    agent.ask(&claim(had, "shop", "web", &json!({})));
    let back = |wire: &mut Wire, port: u16| {
        wire.done(&json!({"cmd": "RELEASE", "ports": [port], "as_user": true}))
    };
    back(&mut wire, had);
    let got = agent.ask(&claim(first, "shop", "web", &json!({"remembered": true})));
    assert_eq!(port_of(&got), had, "{got}");
    back(&mut wire, had);
    let got = agent.ask(&claim(first, "shop", "web", &json!({"remembered": false})));
    assert_eq!(port_of(&got), first);
    back(&mut wire, first);
    let mut other = Agent::start(&home);
    other.listen(first + 1);
    let got = agent.ask(&claim(first + 1, "shop", "web", &json!({})));
    assert_eq!(port_of(&got), first, "the last one before the next one");
}

#[test]
fn a_working_copy_leaves_the_others_their_ports() {
    let home = Home::new();
    let (_app, mut wire, first) = start(&home);
    let mut agent = Agent::start(&home);
    let mut claims = |project: &str| {
        let got = agent.ask(&claim(first, project, "dev", &json!({"remembered": true})));
        let port = port_of(&got);
        wire.done(&json!({"cmd": "RELEASE", "ports": [port], "as_user": true}));
        (port, got["taken"].clone())
    };
    assert_eq!(claims("shop"), (first, Value::Null));
    assert_eq!(
        claims("shop@login"),
        (first + 1, json!("shop")),
        "also while the other does not run"
    );
    assert_eq!(claims("shop"), (first, Value::Null));
    assert_eq!(claims("shop@login"), (first + 1, Value::Null), "its own");
    assert_eq!(claims("shop@cart").0, first + 2);
    // Another project may have it meanwhile.
    assert_eq!(claims("wiki"), (first, Value::Null));
}

#[test]
fn a_reservation_keeps_its_service() {
    let home = Home::new();
    let (_app, mut wire, first) = start(&home);
    wire.done(&json!({"cmd": "RESERVE", "ports": [first], "project": "shop"}));
    let service = |wire: &mut Wire| {
        let all = wire.done(&json!({"cmd": "QUERY", "port": first}));
        all["reservations"][0]["service"].clone()
    };
    for name in ["web", "storybook"] {
        let mut agent = Agent::start(&home);
        let got = agent.ask(&claim(first, "shop", name, &json!({})));
        assert_eq!(
            (port_of(&got), got["renewed"].clone()),
            (first, json!(false))
        );
        assert_eq!(service(&mut wire), name);
        let back = json!({"cmd": "RELEASE", "ports": [first], "token": got["token"]});
        wire.done(&back);
        assert_eq!(service(&mut wire), Value::Null, "it was for none");
    }
}

#[test]
fn who_holds_a_port_says_so() {
    let home = Home::new();
    let (_app, mut wire, first) = start(&home);
    let mut agent = Agent::start(&home);
    let got = agent.ask(&claim(first, "shop", "web", &json!({})));
    assert_eq!(got["reservation"]["hold"], "advisory");
    let hold = |state: &str| json!({"cmd": "HOLD", "port": first, "state": state});
    let mut stranger = Agent::start(&home);
    assert_eq!(stranger.ask(&hold("client"))["code"], "not_permitted");
    let told = agent.ask(&hold("client"));
    assert_eq!(told["reservation"]["hold"], "held", "{told}");
    agent.listen(first);
    let told = agent.ask(&hold("client"));
    assert_eq!(told["reservation"]["hold"], "handed-over", "{told}");
    assert_eq!(told["reservation"]["status"], "active");
    agent.close();
    let told = agent.ask(&json!({"cmd": "HEARTBEAT", "port": first}));
    assert_eq!(told["reservation"]["hold"], "held", "{told}");
    let told = agent.ask(&hold("dropped"));
    assert_eq!(told["reservation"]["hold"], "advisory", "{told}");
    let free = json!({"cmd": "HOLD", "port": first + 1, "state": "client"});
    assert_eq!(wire.ask(&free)["code"], "not_found");
}
