//! Ports that are chosen: the one that a service has, the one that it had, or a free one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::net::{Ipv6Addr, TcpListener, UdpSocket};

use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire};
use support::processes::{Server, has_ipv6};
use support::{Home, ports};

/// The app of a home, which chooses from so many ports from the first one on, and prefers none.
struct Chooser {
    _app: App,
    wire: Wire,
    first: u16,
}

impl Chooser {
    fn start(home: &Home, count: u16) -> Chooser {
        let app = App::start(home);
        let mut wire = Wire::open(home);
        let first = ports::block(count);
        let mut set = |key: &str, value: &str| {
            drop(wire.done(&json!({"cmd": "CONFIG", "key": key, "value": value})))
        };
        set("preferred_ports", "");
        set("port_range", &format!("{first}-{}", first + count - 1));
        Chooser {
            _app: app,
            wire,
            first,
        }
    }

    fn allocate(&mut self, project: &str, service: &str) -> u16 {
        let lease = self
            .wire
            .done(&json!({"cmd": "ALLOCATE", "project": project, "service": service}));
        port_of(&lease)
    }
}

fn port_of(reply: &Value) -> u16 {
    reply["port"].as_u64().unwrap().try_into().unwrap()
}

#[test]
fn a_service_keeps_its_port() {
    let home = Home::new();
    let mut chooser = Chooser::start(&home, 4);
    let first = chooser.first;
    let made = chooser
        .wire
        .done(&json!({"cmd": "ALLOCATE", "project": "shop", "service": "web"}));
    assert_eq!(
        (
            &made["port"],
            &made["renewed"],
            &made["token"],
            &made["expires_at"]
        ),
        (&json!(first), &json!(false), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&made["reservation"]["status"], &made["reservation"]["kept"]),
        (&json!("reserved"), &json!(true))
    );
    let again = chooser
        .wire
        .done(&json!({"cmd": "ALLOCATE", "project": "shop", "service": "web"}));
    assert_eq!(
        (&again["port"], &again["renewed"]),
        (&json!(first), &json!(true))
    );
    assert_eq!(chooser.allocate("shop", "api"), first + 1);
    assert_eq!(chooser.allocate("blog", "web"), first + 2);
    // It is its port for whoever asks, and while its server runs, too.
    let project = home.project("shop");
    let mut agent = Agent::start_in(&project, &home);
    agent.listen(first);
    assert_eq!(chooser.allocate("shop", "web"), first);
    assert_eq!(chooser.wire.status_of(first), "active");
    let other = agent.ask(&json!({"cmd": "ALLOCATE", "project": "shop", "service": "web"}));
    assert_eq!(port_of(&other), first);
}

#[test]
fn it_is_learnt_which_port_a_service_had() {
    let home = Home::new();
    let mut chooser = Chooser::start(&home, 6);
    let first = chooser.first;
    let had =
        port_of(&chooser.wire.done(
            &json!({"cmd": "ALLOCATE", "project": "shop", "service": "web", "port": first + 4}),
        ));
    assert_eq!(had, first + 4);
    chooser
        .wire
        .done(&json!({"cmd": "FREE", "project": "shop"}));
    assert_eq!(
        chooser.allocate("shop", "web"),
        had,
        "rather than the first that is free"
    );
    chooser
        .wire
        .done(&json!({"cmd": "FREE", "project": "shop"}));
    // While it is somebody else's it gets another one, and then that was the last.
    assert_eq!(
        port_of(
            &chooser.wire.done(
                &json!({"cmd": "ALLOCATE", "project": "blog", "service": "web", "port": had})
            )
        ),
        had
    );
    let next = chooser.allocate("shop", "web");
    assert_ne!(next, had);
    chooser
        .wire
        .done(&json!({"cmd": "FREE", "project": "shop"}));
    chooser
        .wire
        .done(&json!({"cmd": "FREE", "project": "blog"}));
    assert_eq!(chooser.allocate("shop", "web"), next);
    // What was claimed for a service is learnt, too.
    let claim = json!({"cmd": "CLAIM", "port": first + 5, "project": "shop", "service": "db"});
    chooser.wire.done(&claim);
    chooser
        .wire
        .done(&json!({"cmd": "RELEASE", "ports": [first + 5]}));
    assert_eq!(chooser.allocate("shop", "db"), first + 5);
}

#[test]
fn what_is_in_use_is_left_out() {
    let home = Home::new();
    let mut chooser = Chooser::start(&home, 8);
    let first = chooser.first;
    let mut kept: Vec<Box<dyn std::any::Any>> = vec![
        Box::new(TcpListener::bind(("127.0.0.1", first)).unwrap()),
        Box::new(UdpSocket::bind(("127.0.0.1", first + 1)).unwrap()),
    ];
    let mut next = first + 2;
    if has_ipv6() {
        kept.push(Box::new(
            TcpListener::bind((Ipv6Addr::LOCALHOST, next)).unwrap(),
        ));
        kept.push(Box::new(
            UdpSocket::bind((Ipv6Addr::LOCALHOST, next + 1)).unwrap(),
        ));
        next += 2;
    }
    // Of either protocol, whatever it is reserved as.
    chooser
        .wire
        .done(&json!({"cmd": "RESERVE", "ports": [next], "project": "blog"}));
    chooser
        .wire
        .done(&json!({"cmd": "CLAIM", "port": next + 1, "protocol": "udp"}));
    assert_eq!(chooser.allocate("shop", "web"), next + 2);
    drop(kept);
    assert_eq!(chooser.allocate("shop", "api"), first, "free again");
}

#[test]
fn preferred_ports_come_first_and_the_range_then() {
    let home = Home::new();
    let mut chooser = Chooser::start(&home, 6);
    let first = chooser.first;
    let preferred = format!("{},{}", first + 5, first + 3);
    chooser
        .wire
        .done(&json!({"cmd": "CONFIG", "key": "preferred_ports", "value": preferred}));
    let chosen = ["a", "b", "c", "d"].map(|service| chooser.allocate("shop", service));
    assert_eq!(chosen, [first + 5, first + 3, first, first + 1]);
    // Two are left there. Beyond the range, any port is better than none.
    chooser.allocate("shop", "e");
    chooser.allocate("shop", "f");
    let outside = chooser.allocate("shop", "g");
    assert!(
        !(first..first + 6).contains(&outside) && outside >= 1024,
        "{outside}"
    );
}

#[test]
fn a_range_that_was_asked_for_is_not_left() {
    let home = Home::new();
    let mut chooser = Chooser::start(&home, 8);
    let first = chooser.first;
    let suggest = |chooser: &mut Chooser, more: Value| {
        let mut request = json!({"cmd": "SUGGEST", "range": format!("{first}-{}", first + 5)});
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let reply = chooser.wire.ask(&request);
        match reply["ports"].as_array() {
            Some(ports) => Ok(ports
                .iter()
                .map(|port| port.as_u64().unwrap() - u64::from(first))
                .collect::<Vec<_>>()),
            None => Err(support::app::fails(reply, "exhausted")),
        }
    };
    assert_eq!(suggest(&mut chooser, json!({})), Ok(vec![0]));
    assert_eq!(
        suggest(&mut chooser, json!({"count": 6})),
        Ok(vec![0, 1, 2, 3, 4, 5])
    );
    let told = suggest(&mut chooser, json!({"count": 7})).unwrap_err();
    assert!(
        told.contains(&format!("{first}-{}: 6 are free there", first + 5)),
        "{told}"
    );
    chooser
        .wire
        .done(&json!({"cmd": "RESERVE", "ports": [first + 2], "project": "blog"}));
    assert_eq!(
        suggest(&mut chooser, json!({"count": 3})),
        Ok(vec![0, 1, 3])
    );
    assert_eq!(
        suggest(&mut chooser, json!({"count": 3, "block": true})),
        Ok(vec![3, 4, 5])
    );
    let told = suggest(&mut chooser, json!({"count": 4, "block": true})).unwrap_err();
    assert!(told.contains("4 free ports in a row"), "{told}");
    // What is suggested is not reserved.
    assert_eq!(suggest(&mut chooser, json!({})), Ok(vec![0]));
    for (range, code) in [
        ("6000-6000", "exhausted"),
        ("6665-6669", "exhausted"),
        ("1-1023", "exhausted"),
    ] {
        // Privileged, or blocked by browsers.
        if range == "1-1023" && support::is_root() && unprivileged() < 1024 {
            continue;
        }
        chooser
            .wire
            .refused(&json!({"cmd": "SUGGEST", "range": range}), code);
    }
    for range in ["9-8", "0-5", "3000-", "-", "70000", "a-b", ""] {
        chooser
            .wire
            .refused(&json!({"cmd": "SUGGEST", "range": range}), "bad_request");
    }
    for count in [json!(0), json!(-1), json!(257), json!("1"), json!(1e9)] {
        chooser
            .wire
            .refused(&json!({"cmd": "SUGGEST", "count": count}), "bad_request");
    }
}

fn unprivileged() -> u16 {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    text.map_or(1024, |text| text.trim().parse().unwrap())
}

#[test]
fn this_port_and_no_other() {
    let home = Home::new();
    let mut chooser = Chooser::start(&home, 8);
    let first = chooser.first;
    let at = |port: u16, service: &str| json!({"cmd": "ALLOCATE", "project": "shop", "service": service, "port": port});
    // Somebody listens there.
    let server = Server::start_in(&home.project("blog"), &home, &format!("--port {first}"));
    let reply = chooser.wire.ask(&at(first, "web"));
    assert_eq!(reply["code"], "port_taken");
    let told = reply["message"].as_str().unwrap();
    assert!(
        told.starts_with(&format!("port {first} is taken by "))
            && told.contains(&format!("(pid {}, ", server.pid)),
        "{told}"
    );
    assert!(told.contains("/blog"), "its folder: {told}");
    let hint = reply["hint"].as_str().unwrap();
    assert!(
        hint.contains(&format!("freeport kill {first}")) && hint.contains("is free"),
        "{hint}"
    );
    assert_eq!(reply["free"], first + 1);
    // It is reserved for another project, or claimed by a process.
    chooser.wire.done(
        &json!({"cmd": "RESERVE", "ports": [first + 1], "project": "blog", "service": "web"}),
    );
    let reply = chooser.wire.ask(&at(first + 1, "web"));
    assert_eq!(
        (&reply["code"], &reply["free"]),
        (&json!("port_taken"), &json!(first + 2))
    );
    assert!(
        reply["message"]
            .as_str()
            .unwrap()
            .contains("reserved for blog web"),
        "{reply}"
    );
    let mut agent = Agent::start(&home);
    agent.ask(&json!({"cmd": "CLAIM", "port": first + 2}));
    let reply = chooser.wire.ask(&at(first + 2, "web"));
    assert_eq!(reply["code"], "port_taken");
    assert!(
        reply["message"]
            .as_str()
            .unwrap()
            .contains(&format!("(pid {})", agent.pid())),
        "{reply}"
    );
    // It is free: the service moves there, and leaves the port that it had.
    assert_eq!(chooser.allocate("shop", "web"), first + 3);
    let moved = chooser.wire.done(&at(first + 5, "web"));
    assert_eq!(
        (port_of(&moved), &moved["renewed"]),
        (first + 5, &json!(false))
    );
    assert_eq!(chooser.wire.status_of(first + 3), "");
    assert_eq!(chooser.wire.done(&at(first + 5, "web"))["renewed"], true);
    // What the user names is taken as it is: a privileged port can be somebody's, too.
    let low = (2..1024).find(|port| ports::is_free(*port));
    if let Some(low) = low {
        assert_eq!(port_of(&chooser.wire.done(&at(low, "low"))), low);
    }
}
