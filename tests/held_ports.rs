//! Ports that the app holds: nobody else can bind them, whom they are for can, and they go from one
//! that holds them to the next. Run against real programs. What is said of holds is in
//! `held_ports_told`.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire};
use support::holds::{binder, hold, is_free, is_held, release, reserve, until_hold};
use support::processes::Process;
use support::{Home, finish, ports, python, there_is, wait_for};

#[test]
fn nobody_can_bind_a_held_port_before_it_is_released() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let reply = wire.done(&reserve(port));
    let view = &reply["reservations"][0];
    assert_eq!(hold(view), ("held", "app"), "{view}");
    assert_eq!(view["keep_held"], true);
    is_held(&home, port, "tcp");
    is_free(&home, port, "udp");
    let server = finish(
        home.command(python())
            .args(["-m", "http.server", &port.to_string()]),
    );
    assert!(
        server.code != 0 && server.err.contains("Address already in use"),
        "{server:?}"
    );
    if there_is("node") {
        for at in ["", ",'127.0.0.1'"] {
            let script = format!("require('http').createServer().listen({port}{at})");
            let server = finish(home.command("node").args(["-e", &script]));
            assert!(
                server.code != 0 && server.err.contains("EADDRINUSE"),
                "{server:?}"
            );
        }
    }
    // A second one changes nothing, and what was not said before stays.
    let again = json!({"cmd": "RESERVE", "ports": [port], "project": "shop"});
    assert_eq!(hold(&wire.done(&again)["reservations"][0]), ("held", "app"));
    is_held(&home, port, "tcp");
    wire.done(&release(port));
    is_free(&home, port, "tcp");
}

#[test]
fn udp_is_held_apart_and_is_no_listener() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let reserve = json!({"cmd": "RESERVE", "ports": [port], "protocol": "udp", "project": "shop", "hold": true});
    let reply = wire.done(&reserve);
    assert_eq!(hold(&reply["reservations"][0]), ("held", "app"));
    is_held(&home, port, "udp");
    is_free(&home, port, "tcp");
    // To the kernel a bound socket of UDP is like one that serves.
    let list = wire.done(&json!({"cmd": "LIST"}));
    let here = |key: &str| -> Vec<Value> {
        let all = list[key].as_array().unwrap().iter();
        all.filter(|one| one["port"] == port).cloned().collect()
    };
    assert_eq!(
        (here("listeners").len(), here("held").len()),
        (0, 1),
        "{list}"
    );
    assert_eq!(here("held")[0]["status"], "reserved");
    // Opened, it is nobody else's either: the owner binds it.
    let mut agent = Agent::start_in(&home.project("shop"), &home);
    let claim = json!({"cmd": "CLAIM", "port": port, "protocol": "udp", "service": "dns"});
    let lease = agent.ask(&claim);
    assert_eq!(hold(&lease["reservation"]), ("held", "app"), "{lease}");
    let change =
        |state: &str| json!({"cmd": "HOLD", "port": port, "protocol": "udp", "state": state});
    let opened = agent.ask(&change("open"));
    assert_eq!(hold(&opened["reservation"]).0, "advisory", "{opened}");
    agent.tell(&json!({"listen": port, "udp": true}));
    let status = |wire: &mut Wire, wanted: &str| {
        wait_for(wanted, || {
            wire.listeners(port);
            let reply = wire.done(&json!({"cmd": "QUERY", "port": port}));
            (reply["reservations"][0]["status"] == wanted).then_some(())
        });
    };
    status(&mut wire, "active");
    agent.close();
    status(&mut wire, "claimed");
    wait_for("the app to hold it again", || {
        let reply = wire.done(&json!({"cmd": "QUERY", "port": port}));
        (hold(&reply["reservations"][0]) == ("held", "app")).then_some(())
    });
    is_held(&home, port, "udp");
}

#[test]
fn a_killed_app_holds_again_when_it_starts() {
    let home = Home::new();
    let app = App::start(&home);
    let first = ports::block(16);
    let all: Vec<u16> = (first..first + 16).collect();
    let request = json!({"cmd": "RESERVE", "ports": all, "project": "shop", "hold": true});
    let reply = Wire::open(&home).done(&request);
    let views = reply["reservations"].as_array().unwrap();
    assert!(
        views.iter().all(|view| hold(view) == ("held", "app")),
        "{reply}"
    );
    app.end(Signal::KILL);
    is_free(&home, first, "tcp");
    // Without the app nothing is held, whatever is written down.
    let view = home.run(&format!("query {first} --json")).ends(0).json();
    let view = &view["reservations"][0];
    assert_eq!(
        (hold(view), &view["keep_held"]),
        (("advisory", ""), &json!(true))
    );
    let why = format!("the app does not run: port {first} will be held when it does");
    assert_eq!(view["not_held"], json!(why));
    let list = home.run(&format!("list {first}")).ends(0).out;
    assert!(list.contains("not held") && list.contains(&why), "{list}");
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    for port in all {
        until_hold(&mut wire, port, ("held", "app"));
    }
    is_held(&home, first, "tcp");
    is_held(&home, first + 15, "tcp");
    assert_eq!(wire.done(&json!({"cmd": "STATUS"}))["held"], 16);
    app.end(Signal::TERM);
    let ran = home.run(&format!("why {first}")).ends(0);
    assert!(ran.out.contains("the app does not run"), "{ran:?}");
}

#[test]
fn the_owner_opens_its_port_and_nobody_else_gets_in_after_that() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let mut agent = Agent::start(&home);
    let claim = json!({"cmd": "CLAIM", "port": port, "service": "web", "hold": true});
    let lease = agent.ask(&claim);
    assert_eq!(hold(&lease["reservation"]), ("held", "app"), "{lease}");
    is_held(&home, port, "tcp");
    let change = |state: &str| json!({"cmd": "HOLD", "port": port, "state": state});
    // Only whose it is may.
    let mut stranger = Agent::start(&home);
    assert_eq!(stranger.ask(&change("open"))["code"], "not_permitted");
    let token = json!({"cmd": "HOLD", "port": port, "state": "open", "token": "wrong"});
    assert_eq!(stranger.ask(&token)["code"], "not_permitted");
    let opened = agent.ask(&change("open"));
    assert_eq!(hold(&opened["reservation"]), ("advisory", ""), "{opened}");
    assert!(
        opened["reservation"]["not_held"]
            .as_str()
            .unwrap()
            .contains("open"),
        "{opened}"
    );
    let shut = agent.ask(&change("shut"));
    assert_eq!(hold(&shut["reservation"]), ("held", "app"), "{shut}");
    is_held(&home, port, "tcp");
    // Again and again: a server that is started anew opens it anew.
    for _ in 0..3 {
        agent.ask(&change("open"));
        agent.listen(port);
        until_hold(&mut wire, port, ("handed-over", "app"));
        is_held(&home, port, "tcp");
        agent.close();
        until_hold(&mut wire, port, ("held", "app"));
        is_held(&home, port, "tcp");
    }
    // What is open is shut when the claim ends.
    let kept = reserve(port);
    wire.done(&json!({"cmd": "RELEASE", "ports": [port], "as_user": true}));
    wire.done(&kept);
    let mut other = Agent::start_in(&home.project("shop"), &home);
    other.ask(&json!({"cmd": "CLAIM", "port": port, "service": "web"}));
    other.ask(&change("open"));
    other.kill();
    wire.until(port, "reserved");
    until_hold(&mut wire, port, ("held", "app"));
    is_held(&home, port, "tcp");
}

#[test]
fn a_client_takes_the_hold_over_and_the_app_takes_it_back() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    wire.done(&reserve(port));
    let mut agent = Agent::start_in(&home.project("shop"), &home);
    let change = |state: &str| json!({"cmd": "HOLD", "port": port, "state": state});
    for end in ["dropped", "released", "killed"] {
        let lease = agent.ask(&json!({"cmd": "CLAIM", "port": port, "service": "web"}));
        assert_eq!(hold(&lease["reservation"]), ("held", "app"), "{lease}");
        // It is lent: the client binds it beside, and there is no moment when it is free.
        let own = binder(&home, port, "beside");
        let told = agent.ask(&change("client"));
        assert_eq!(hold(&told["reservation"]), ("held", "client"), "{told}");
        is_held(&home, port, "tcp");
        assert_eq!(agent.ask(&change("open"))["code"], "not_found");
        let list = wire.done(&json!({"cmd": "LIST", "ports": [port]}));
        assert_eq!(hold(&list["held"][0]), ("held", "client"), "{list}");
        own.signal(Signal::KILL);
        own.status();
        is_free(&home, port, "tcp");
        match end {
            "dropped" => {
                let told = agent.ask(&change("dropped"));
                assert_eq!(hold(&told["reservation"]), ("held", "app"), "{told}");
                let token = &lease["token"];
                agent.ask(&json!({"cmd": "RELEASE", "ports": [port], "token": token}));
            }
            "released" => {
                let token = &lease["token"];
                agent.ask(&json!({"cmd": "RELEASE", "ports": [port], "token": token}));
            }
            _ => agent.kill(),
        }
        let view = until_hold(&mut wire, port, ("held", "app"));
        assert_eq!(view["service"], "web");
        is_held(&home, port, "tcp");
    }
}

#[test]
fn a_client_that_holds_is_left_alone_by_an_app_that_starts() {
    let home = Home::new();
    let app = App::start(&home);
    let port = ports::one();
    let mut agent = Agent::start(&home);
    agent.ask(&json!({"cmd": "CLAIM", "port": port, "service": "web", "hold": true}));
    let own = binder(&home, port, "beside");
    let told = agent.ask(&json!({"cmd": "HOLD", "port": port, "state": "client"}));
    assert_eq!(hold(&told["reservation"]), ("held", "client"));
    app.end(Signal::KILL);
    let view = home.run(&format!("query {port} --json")).ends(0).json();
    assert_eq!(
        hold(&view["reservations"][0]),
        ("held", "client"),
        "it needs no app"
    );
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    wire.listeners(port);
    assert_eq!(hold(&wire.reservation(port)), ("held", "client"));
    is_held(&home, port, "tcp");
    drop(own);
    agent.kill();
    wire.until(port, "");
    is_free(&home, port, "tcp");
}

#[test]
fn a_thief_that_never_rests_gets_nothing() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    wire.done(&reserve(port));
    let (rests, home_of_thief) = (AtomicBool::new(false), &home);
    std::thread::scope(|scope| {
        let thief = scope.spawn(|| {
            let script = "
import socket, sys
tries = won = 0
while not __import__('select').select([sys.stdin], [], [], 0)[0]:
    for address in ['127.0.0.1', '0.0.0.0'] * 50:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((address, int(sys.argv[1])))
            made.listen()
            won += 1
        except OSError:
            pass
        made.close()
        tries += 1
print(tries, won)
";
            let mut command = home_of_thief.command(python());
            command.args(["-c", script, &port.to_string()]);
            let (process, tell) = Process::start_told(&mut command);
            wait_for("the end", || rests.load(Ordering::Relaxed).then_some(()));
            drop(tell);
            process.line()
        });
        let mut agent = Agent::start_in(&home.project("shop"), &home);
        for _ in 0..10 {
            let claim = json!({"cmd": "CLAIM", "port": port, "service": "web"});
            let lease = agent.ask(&claim);
            assert_eq!(hold(&lease["reservation"]), ("held", "app"), "{lease}");
            let own = binder(&home, port, "beside");
            let told = agent.ask(&json!({"cmd": "HOLD", "port": port, "state": "client"}));
            assert_eq!(hold(&told["reservation"]), ("held", "client"), "{told}");
            // The app has it again before the client lets go.
            let told = agent.ask(&json!({"cmd": "HOLD", "port": port, "state": "dropped"}));
            assert_eq!(hold(&told["reservation"]), ("held", "app"), "{told}");
            drop(own);
            agent.ask(&json!({"cmd": "RELEASE", "ports": [port], "token": lease["token"]}));
            assert_eq!(hold(&wire.reservation(port)), ("held", "app"));
        }
        rests.store(true, Ordering::Relaxed);
        let told = thief.join().unwrap();
        assert!(told.ends_with(" 0"), "tries and wins: {told}");
    });
}

#[test]
fn what_a_job_draws_from_a_pool_is_held() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let first = ports::block(4);
    let range = format!("{first}-{}", first + 3);
    wire.done(&json!({"cmd": "POOL", "action": "create", "name": "ci", "ports": range}));
    let mut job = Agent::start(&home);
    let draw = json!({"cmd": "POOL", "action": "draw", "name": "ci", "job_id": "7", "count": 2, "hold": true});
    let drawn = job.ask(&draw);
    let views = drawn["reservations"].as_array().unwrap().clone();
    assert_eq!(views.len(), 2, "{drawn}");
    for view in &views {
        assert_eq!(hold(view), ("held", "app"), "{drawn}");
        is_held(&home, view["port"].as_u64().unwrap() as u16, "tcp");
    }
    // It ends with its process.
    job.kill();
    for view in &views {
        let port = view["port"].as_u64().unwrap() as u16;
        wire.until(port, "");
        is_free(&home, port, "tcp");
    }
}

#[test]
fn connections_that_linger_keep_no_port_from_being_held() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let script = "
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', int(sys.argv[1])))
server.listen()
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
accepted.close(), server.close()
client.recv(1), client.close()
";
    let args = ["-c", script, &port.to_string()];
    finish(home.command(python()).args(args)).ends(0);
    let reply = wire.done(&reserve(port));
    assert_eq!(hold(&reply["reservations"][0]), ("held", "app"), "{reply}");
    is_held(&home, port, "tcp");
}

#[test]
fn the_wrapper_takes_the_hold_over_and_gives_it_back() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (folder, port) = (home.project("shop"), ports::one());
    wire.done(&reserve(port));
    let script = "
import http.server, os
at = ('127.0.0.1', int(os.environ['PORT']))
http.server.HTTPServer(at, http.server.SimpleHTTPRequestHandler).serve_forever()
";
    let number = port.to_string();
    let mut command = home.freeport(["run", "--port", &number, "--service", "web", "--"]);
    command.arg(python()).args(["-c", script]);
    let run = Process::start(command.current_dir(&folder));
    let view = until_hold(&mut wire, port, ("handed-over", "client"));
    assert_eq!(view["status"], "active", "{view}");
    is_held(&home, port, "tcp");
    // It goes on without the app, and an app that starts leaves it alone.
    app.end(Signal::KILL);
    is_held(&home, port, "tcp");
    let view = home.run(&format!("query {port} --json")).ends(0).json();
    assert_eq!(hold(&view["reservations"][0]), ("handed-over", "client"));
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    until_hold(&mut wire, port, ("handed-over", "client"));
    is_held(&home, port, "tcp");
    run.signal(Signal::TERM);
    run.status();
    let view = until_hold(&mut wire, port, ("held", "app"));
    assert_eq!(
        (&view["status"], &view["service"]),
        (&json!("reserved"), &json!("web"))
    );
    is_held(&home, port, "tcp");
}
