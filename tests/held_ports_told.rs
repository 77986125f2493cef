//! What is said of ports that are held, and of those that could not be: in replies, on the command line
//! and by notifications.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod dbus;
mod support;

use dbus::{Desktop, Notifier};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::holds::{BIND, binder, hold, is_free, is_held, release, reserve, until_hold};
use support::processes::{Process, Server, has_ipv6_quietly};
use support::{Home, NOBODY, finish, may_be_others, ports, python, skipped, wait_for};

#[test]
fn what_somebody_else_has_bound_is_refused() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    for how in ["four", "six"] {
        if how == "six" && !has_ipv6_quietly() {
            continue;
        }
        let thief = binder(&home, port, how);
        for request in [
            reserve(port),
            json!({"cmd": "CLAIM", "port": port, "detached": true, "hold": true}),
        ] {
            let told = wire.refused(&request, "port_taken");
            let bound = format!("port {port} is bound by a program that does not listen");
            assert!(told.starts_with(&bound), "{told}");
            assert!(!told.contains(&format!("{port} is free")), "{told}");
            assert_eq!(wire.status_of(port), "", "nothing is left of it");
        }
        // Without a hold it is not looked at.
        let plain = json!({"cmd": "CLAIM", "port": port, "detached": true});
        assert_eq!(hold(&wire.done(&plain)["reservation"]), ("advisory", ""));
        wire.done(&release(port));
        // Another one will do.
        let any =
            json!({"cmd": "CLAIM", "port": port, "detached": true, "hold": true, "fallback": {}});
        let lease = wire.done(&any);
        assert_eq!(hold(&lease["reservation"]), ("held", "app"), "{lease}");
        assert_eq!(lease["taken"], "a program that does not listen", "{lease}");
        let other = lease["port"].as_u64().unwrap() as u16;
        assert_ne!(other, port);
        is_held(&home, other, "tcp");
        wire.done(&release(other));
        thief.signal(Signal::KILL);
        thief.status();
    }
}

#[test]
fn what_cannot_be_held_at_the_start_is_told_and_tried_again() {
    let home = Home::new();
    let port = ports::one();
    let ran = home
        .run(&format!(
            "reserve {port} --project shop --service web --hold"
        ))
        .ends(0);
    let why = format!("the app does not run: port {port} will be held when it does");
    assert!(ran.out.contains(&why), "{ran:?}");
    let thief = binder(&home, port, "four");
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let view = wait_for("the reason", || {
        let view = wire.reservation(port);
        view["not_held"].is_string().then_some(view)
    });
    assert_eq!(view["not_held"], "somebody else has it bound");
    assert_eq!(
        (hold(&view), &view["status"]),
        (("advisory", ""), &json!("reserved"))
    );
    let status = wire.done(&json!({"cmd": "STATUS"}));
    assert_eq!(
        (&status["held"], &status["not_held"][0]["port"]),
        (&json!(0), &json!(port))
    );
    for line in [
        "status".to_owned(),
        format!("list {port}"),
        format!("query {port}"),
        format!("why {port}"),
    ] {
        let ran = home.run(&line).ends(0);
        assert!(
            ran.out.contains("not held") && ran.out.contains("somebody else has it bound"),
            "{ran:?}"
        );
    }
    let list = home.run(&format!("list {port} --json")).ends(0).json();
    assert_eq!(
        list["held"][0]["not_held"], "somebody else has it bound",
        "{list}"
    );
    let told = |logged: &[String]| {
        let told = logged.iter().filter(|entry| entry.contains("not held"));
        told.count()
    };
    // Who has it might have been about to end.
    wait_for("what is logged", || {
        (told(&wire.logged(port)) > 0).then_some(())
    });
    wire.done(&json!({"cmd": "CLEANUP"}));
    wire.listeners(port);
    assert_eq!(told(&wire.logged(port)), 1, "it is told once");
    assert!(App::log(&home).contains(&format!("port {port} (tcp) is not held")));
    thief.signal(Signal::KILL);
    thief.status();
    let view = until_hold(&mut wire, port, ("held", "app"));
    assert_eq!(view["not_held"], Value::Null);
    is_held(&home, port, "tcp");
}

#[test]
fn who_listened_first_is_not_disturbed_and_it_is_held_afterwards() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let server = Server::start_in(&home.project("shop"), &home, &format!("--port {port}"));
    let view = wire.done(&reserve(port))["reservations"][0].clone();
    assert_eq!(
        (hold(&view), &view["status"]),
        (("advisory", ""), &json!("active"))
    );
    assert!(
        view["not_held"]
            .as_str()
            .unwrap()
            .contains("whom it is for listens"),
        "{view}"
    );
    assert_eq!(wire.done(&json!({"cmd": "STATUS"}))["not_held"], json!([]));
    let ran = home.run(&format!("why {port}")).ends(0);
    assert!(
        ran.out.contains("whom it is for listens no more"),
        "{ran:?}"
    );
    drop(server);
    until_hold(&mut wire, port, ("held", "app"));
    is_held(&home, port, "tcp");
}

#[test]
fn so_many_ports_are_held_and_no_more() {
    let home = Home::new();
    let mut command = home.command("sh");
    let program = env!("CARGO_BIN_EXE_freeport");
    command.args(["-c", "ulimit -n 256; exec \"$0\" app --headless", program]);
    let _app = App::start_by(&home, &mut command);
    let mut wire = Wire::open(&home);
    // An eighth of what it may open.
    let (first, more) = (ports::block(32), ports::one());
    let all: Vec<u16> = (first..first + 32).collect();
    wire.done(&json!({"cmd": "RESERVE", "ports": all, "project": "shop", "hold": true}));
    let told = wire.refused(&reserve(more), "limit_reached");
    assert!(
        told.contains(&format!(
            "port {more} cannot be held: 32 ports are held already"
        )),
        "{told}"
    );
    assert_eq!(wire.status_of(more), "");
    // All of them or none: what was bound on the way is let go.
    wire.done(&release(first));
    let two = json!({"cmd": "RESERVE", "ports": [first, more], "project": "shop", "hold": true});
    wire.refused(&two, "limit_reached");
    is_free(&home, first, "tcp");
    is_free(&home, more, "tcp");
    // One that is free again is given on.
    wire.done(&reserve(more));
    is_held(&home, more, "tcp");
    is_held(&home, first + 1, "tcp");
}

#[test]
fn what_the_system_refuses_is_said() {
    if !may_be_others("an app of another user") {
        return;
    }
    let home = Home::new();
    let mine = |path: &std::path::Path| {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    };
    mine(&home.path(""));
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if first.is_ok_and(|first| first.trim().parse::<u16>().is_ok_and(|first| first <= 88)) {
        skipped("everybody may bind every port here");
        return;
    }
    let mut command = home.freeport_as(NOBODY, "app --headless");
    let _app = Process::start(command.stderr(std::process::Stdio::null()));
    wait_for("the app to answer", || {
        let ran = finish(&mut home.freeport_as(NOBODY, "status"));
        (ran.code == 0).then_some(())
    });
    let told = finish(&mut home.freeport_as(NOBODY, "reserve 88 --project shop --hold")).ends(4);
    assert!(told.err.contains("port 88 cannot be held: "), "{told:?}");
    finish(&mut home.freeport_as(NOBODY, "query 88")).ends(3);
}

#[test]
fn the_command_line_tells_who_holds_what() {
    let home = Home::new();
    let _app = App::start(&home);
    let port = ports::block(3);
    let (web, api, udp) = (port, port + 1, port + 2);
    let ran = home
        .run(&format!(
            "reserve {web} --project shop --service web --hold"
        ))
        .ends(0);
    assert!(
        ran.out.contains("held by the app: nobody else can bind it"),
        "{ran:?}"
    );
    let ran = home
        .run(&format!("claim {api} --project shop --service api --hold"))
        .ends(0);
    assert!(
        ran.out.contains("held by the app: nobody else can bind it"),
        "{ran:?}"
    );
    home.run(&format!("register {udp} dns --project shop --hold --json"))
        .ends(0);
    let ran = home.run("list shop --all").ends(0);
    for (port, service) in [(web, "web"), (api, "api")] {
        let row = ran
            .out
            .lines()
            .find(|line| line.starts_with(&port.to_string()))
            .unwrap();
        assert!(
            row.contains(" held ") && row.contains(&format!("for shop {service}, held by the app")),
            "{row}"
        );
    }
    let json = |line: &str| home.run(line).ends(0).json();
    let range = json(&format!("list {web}-{udp} --json"));
    assert_eq!(range["held"].as_array().unwrap().len(), 3, "{range}");
    assert_eq!(json("list --json web")["held"].as_array().unwrap().len(), 1);
    assert_eq!(
        home.run("list --json no-such-thing").ends(3).json()["held"],
        json!([])
    );
    let ran = home.run(&format!("why {web}")).ends(0);
    assert!(
        ran.out
            .contains("held by the app: nobody else can bind it, since "),
        "{ran:?}"
    );
    let ran = home.run(&format!("query {web}")).ends(0);
    assert!(ran.out.contains(" held"), "{ran:?}");
    assert!(
        home.run("status")
            .ends(0)
            .out
            .contains("held       3 ports")
    );
    let mut changes = Wire::open(&home);
    let all = changes.done(&json!({"cmd": "SUBSCRIBE"}));
    let views = all["reservations"].as_array().unwrap();
    assert!(
        views.iter().all(|view| hold(view) == ("held", "app")),
        "{all}"
    );
    home.run(&format!("release {web}")).ends(0);
    is_free(&home, web, "tcp");
}

#[test]
fn that_a_port_is_not_held_is_told_once() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (home, port) = (&desktop.home, ports::one());
    home.run(&format!(
        "reserve {port} --project shop --service web --hold"
    ))
    .ends(0);
    // In the network of that desktop.
    let mut command = desktop.command(python().to_str().unwrap());
    let thief = Process::start(command.args(["-c", BIND, &port.to_string(), "four"]));
    assert_eq!(thief.line(), "bound");
    let notifier = Notifier::start(&desktop.bus);
    let _app = desktop.app();
    let (note, before) = notifier.wait(&format!("Port {port} is not held"));
    let told = "It is reserved for shop web, and others can bind it: somebody else has it bound.";
    assert_eq!((note.body.as_str(), note.labels()), (told, vec![]));
    let others = before.into_iter().chain(notifier.rest());
    let others: Vec<_> = others
        .filter(|note| note.summary.contains("not held"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    thief.signal(Signal::KILL);
    thief.status();
    until_hold(&mut Wire::open(home), port, ("held", "app"));
}
