//! Keeping ports from the command line: the same with the running app and without it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire, succeeds};
use support::processes::Server;
use support::{Home, NOBODY, is_root, ports, wait_for};

/// Does the same in a home without the app, and in one with it.
fn both(test: impl Fn(&Home)) {
    for runs in [false, true] {
        let home = Home::new();
        let _app = runs.then(|| App::start(&home));
        test(&home);
        // A command leaves nothing that runs.
        assert_eq!(home.run("status").code, if runs { 0 } else { 6 });
    }
}

/// Ports of one's own, the first of them; the home chooses from these and prefers none.
fn choose_from(home: &Home, count: u16) -> u16 {
    let first = ports::block(count);
    home.run(&format!(
        "config set port_range {first}-{}",
        first + count - 1
    ))
    .ends(0);
    support::finish(&mut home.freeport(["config", "set", "preferred_ports", ""])).ends(0);
    first
}

/// What `query` says of a port; null where nothing is reserved.
fn row(home: &Home, port: u16) -> Value {
    let ran = home.run(&format!("query {port} --json"));
    assert!(ran.code == 0 || ran.code == 3, "{ran:?}");
    ran.json()["reservations"][0].clone()
}

#[test]
fn a_service_has_its_port() {
    both(|home| {
        let first = choose_from(home, 4);
        for _ in 0..2 {
            assert_eq!(
                home.run("allocate shop web").ends(0).out.trim(),
                first.to_string()
            );
        }
        let told = home.run("allocate shop web --json").ends(0).json();
        assert_eq!(
            (
                &told["port"],
                &told["renewed"],
                &told["reservation"]["status"]
            ),
            (&json!(first), &json!(true), &json!("reserved"))
        );
        assert_eq!(
            home.run(&format!("allocate shop web --port {}", first + 2))
                .ends(0)
                .out
                .trim(),
            (first + 2).to_string()
        );
        assert_eq!(row(home, first), Value::Null, "it has moved");
        home.run("free shop web").ends(0);
        assert_eq!(
            home.run("allocate shop web").ends(0).out.trim(),
            (first + 2).to_string(),
            "as it was last"
        );
        home.run("free shop").ends(0);
        home.run("free shop").ends(3);
    });
}

#[test]
fn a_port_that_is_taken_is_told_with_who_has_it_and_what_is_free() {
    both(|home| {
        let first = choose_from(home, 6);
        let server = Server::start_in(&home.project("blog"), home, &format!("--port {first}"));
        let ran = home
            .run(&format!("allocate shop web --port {first}"))
            .ends(5);
        for part in [
            format!("port {first} is taken by "),
            format!("(pid {}, ", server.pid),
            "/blog".to_owned(),
            format!("{} is free", first + 1),
            format!("freeport kill {first}"),
        ] {
            assert!(ran.err.contains(&part), "{part}: {ran:?}");
        }
        let ran = home
            .run(&format!("allocate shop web --port {first} --json"))
            .ends(5);
        assert!(
            ran.err.contains("is taken by") || ran.json()["code"] == "port_taken",
            "{ran:?}"
        );
        home.run(&format!(
            "reserve {} --project blog --service web",
            first + 1
        ))
        .ends(0);
        let ran = home
            .run(&format!("allocate shop web --port {}", first + 1))
            .ends(5);
        assert!(
            ran.err.contains("reserved for blog web")
                && ran.err.contains(&format!("freeport release {}", first + 1)),
            "{ran:?}"
        );
        let ran = home.run(&format!("claim {}", first + 1)).ends(5);
        assert!(ran.err.contains("reserved for blog web"), "{ran:?}");
        assert_eq!(
            home.run("allocate shop web").ends(0).out.trim(),
            (first + 2).to_string()
        );
    });
}

#[test]
fn ports_are_suggested() {
    both(|home| {
        let first = choose_from(home, 6);
        let _taken = std::net::UdpSocket::bind(("127.0.0.1", first + 1)).unwrap();
        let lines = |line: &str| -> Vec<u16> {
            let ran = home.run(line).ends(0);
            ran.out
                .split_whitespace()
                .map(|port| port.parse().unwrap())
                .collect()
        };
        assert_eq!(lines("suggest"), [first]);
        assert_eq!(lines("suggest -n 2"), [first, first + 2]);
        assert_eq!(
            lines("suggest -n 3 --block"),
            [first + 2, first + 3, first + 4]
        );
        let range = format!("suggest --range {}-{}", first + 4, first + 5);
        assert_eq!(lines(&format!("{range} -n 2")), [first + 4, first + 5]);
        let ran = home.run(&format!("{range} -n 3")).ends(5);
        assert!(ran.err.contains("2 are free there"), "{ran:?}");
        home.run("suggest --range 9-8").ends(2);
        assert_eq!(
            home.run("suggest --json").ends(0).json()["ports"],
            json!([first])
        );
    });
}

#[test]
fn a_claim_outlives_its_command_and_a_named_process_owns_it() {
    both(|home| {
        let first = ports::block(3);
        let told = home
            .run(&format!("claim {first} --service web --ttl 10m --json"))
            .ends(0)
            .json();
        assert_eq!(row(home, first)["status"], "claimed");
        assert_eq!(row(home, first)["pid"], Value::Null);
        home.run(&format!("claim {first}")).ends(5);
        let again = format!(
            "claim {first} --token {} --json",
            told["token"].as_str().unwrap()
        );
        assert_eq!(home.run(&again).ends(0).json()["renewed"], true);
        home.run(&format!("heartbeat {first}")).ends(0);
        home.run(&format!("release {first}")).ends(0);
        home.run(&format!("release {first}")).ends(3);
        home.run(&format!("heartbeat {first}")).ends(3);
        // For a process: what it does counts.
        let mut agent = Agent::start(home);
        home.run(&format!("claim {} --pid {}", first + 1, agent.pid()))
            .ends(0);
        assert_eq!(row(home, first + 1)["pid"], agent.pid());
        agent.listen(first + 1);
        assert_eq!(row(home, first + 1)["status"], "active");
        agent.close();
        assert_eq!(row(home, first + 1)["status"], "claimed");
        agent.kill();
        wait_for("the claim to be over", || {
            let now = row(home, first + 1);
            (now.is_null() || now["status"] == "stale").then_some(())
        });
        // What is over keeps nobody out, whether it was cleaned up or not.
        home.run(&format!("claim {}", first + 1)).ends(0);
        for (pid, status) in [("0", 2), ("1", 4), ("-5", 2), ("x", 2), ("4194305", 2)] {
            home.run(&format!("claim {} --pid {pid}", first + 2))
                .ends(status);
        }
        if is_root() {
            let theirs = Server::start(home, &format!("--uid {NOBODY}"));
            home.run(&format!("claim {} --pid {}", first + 2, theirs.pid))
                .ends(4);
        }
        assert_eq!(row(home, first + 2), Value::Null);
    });
}

#[test]
fn an_intruder_is_shown_in_the_list() {
    both(|home| {
        let port = ports::one();
        home.run(&format!("reserve {port} --project shop")).ends(0);
        let shop = home.project("shop");
        let server = Server::start(home, &format!("--port {port}"));
        let seen = home.listener(port);
        assert_eq!(
            (
                &seen["owner"]["pid"],
                &seen["conflict"],
                &seen["reservation"]["project"]
            ),
            (&json!(server.pid), &json!("intruder"), &json!("shop"))
        );
        assert_eq!(row(home, port)["status"], "reserved");
        drop(server);
        let _own = Server::start_in(&shop, home, &format!("--port {port}"));
        let seen = home.listener(port);
        assert_eq!(
            (&seen["conflict"], &seen["reservation"]["status"]),
            (&Value::Null, &json!("active"))
        );
    });
}

#[test]
fn of_many_at_once_each_has_a_port_of_its_own() {
    both(|home| {
        choose_from(home, 16);
        let start = |service: &str| -> Child {
            home.freeport(["allocate", "shop", service])
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap()
        };
        let out = |child: Child| {
            let out = child.wait_with_output().unwrap();
            assert!(out.status.success(), "{out:?}");
            String::from_utf8(out.stdout).unwrap().trim().to_owned()
        };
        let own: Vec<Child> = (0..8).map(|number| start(&format!("s{number}"))).collect();
        let same: Vec<Child> = (0..6).map(|_| start("web")).collect();
        let own: BTreeSet<String> = own.into_iter().map(out).collect();
        let same: BTreeSet<String> = same.into_iter().map(out).collect();
        assert_eq!((own.len(), same.len()), (8, 1));
        assert!(own.is_disjoint(&same));
    });
}

#[test]
fn what_is_done_without_the_app_is_there_for_it_and_the_other_way_round() {
    let home = Home::new();
    let first = ports::block(4);
    let mut agent = Agent::start(&home);
    home.run(&format!("reserve {first} --project shop")).ends(0);
    home.run(&format!("claim {} --pid {}", first + 1, agent.pid()))
        .ends(0);
    agent.listen(first + 1);
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    assert_eq!(
        (wire.status_of(first), wire.status_of(first + 1)),
        ("reserved".to_owned(), "active".to_owned())
    );
    succeeds(agent.ask(&json!({"cmd": "CLAIM", "port": first + 2})));
    home.run(&format!("reserve {} --project shop", first + 3))
        .ends(0);
    app.end(rustix::process::Signal::TERM);
    let statuses: Vec<Value> = (first..first + 4)
        .map(|port| row(&home, port)["status"].clone())
        .collect();
    assert_eq!(
        statuses,
        [
            json!("reserved"),
            json!("active"),
            json!("claimed"),
            json!("reserved")
        ]
    );
    agent.kill();
    assert_eq!(
        row(&home, first + 2)["status"],
        "stale",
        "nobody has cleaned up"
    );
    let ran = home.run("cleanup --json").ends(0).json();
    let ended: Vec<&Value> = ran["ended"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["why"])
        .collect();
    assert_eq!(ended, [&json!("owner_ended"), &json!("owner_ended")]);
    assert_eq!(row(&home, first + 2), Value::Null);
}
