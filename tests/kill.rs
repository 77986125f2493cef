//! Ending what listens on a port: whom a kill means, whom it never touches, and what it says.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::net::TcpListener;

use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::{Process, Server, has_ipv6, is_alive};
use support::{Home, NOBODY, Ran, finish, may_be_others, python};

/// Runs a test twice: where no app runs, and where one does the work.
fn alone_and_with_app(test: impl Fn(&Home)) {
    let home = Home::new();
    test(&home);
    let _app = App::start(&home);
    test(&home);
}

/// The outcome of the only port of a kill with `--json`.
fn outcome(ran: &Ran) -> Value {
    let outcomes = &ran.json()["outcomes"];
    assert_eq!(outcomes.as_array().unwrap().len(), 1, "{ran:#?}");
    outcomes[0].clone()
}

/// The signals of an outcome with their receivers.
fn signals(outcome: &Value) -> Vec<(u64, String)> {
    let sent = outcome["signals"].as_array().unwrap().iter();
    sent.map(|sent| {
        let signal = sent["signal"].as_str().unwrap().to_owned();
        (sent["pid"].as_u64().unwrap(), signal)
    })
    .collect()
}

#[test]
fn a_port_is_freed() {
    alone_and_with_app(|home| {
        let server = Server::start(home, "");
        let (port, pid) = (server.port, server.pid);
        let ran = home.run(&format!("kill {port}")).ends(0);
        assert!(
            ran.out
                .contains(&format!("port {port} is free; ended python")),
            "{ran:?}"
        );
        assert!(ran.out.contains(&format!("(pid {pid})")), "{ran:?}");
        assert!(!server.is_alive());
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());

        let server = Server::start(home, "");
        let ran = home.run(&format!("kill {} --json", server.port)).ends(0);
        let outcome = outcome(&ran);
        assert_eq!(outcome["result"], "freed");
        assert_eq!(outcome["owner"]["pid"], server.pid);
        assert_eq!(outcome["held_by"], json!([]));
        assert_eq!(
            signals(&outcome),
            [(server.pid.into(), "SIGTERM".to_owned())]
        );
        assert!(!server.is_alive());
    });
}

#[test]
fn what_ignores_sigterm_is_only_forced_when_asked() {
    alone_and_with_app(|home| {
        let server = Server::start(home, "--ignore-term");
        let (port, pid) = (server.port, server.pid);
        let ran = home.run(&format!("kill {port} --grace 200ms")).ends(5);
        assert!(server.is_alive());
        assert!(ran.err.contains(&format!("(pid {pid})")), "{ran:?}");
        assert!(
            ran.err.contains(&format!("'freeport kill {port} --force'")),
            "{ran:?}"
        );

        let ran = home
            .run(&format!("kill {port} --grace 200ms --json"))
            .ends(5);
        assert_eq!(outcome(&ran)["result"], "still_held");
        assert_eq!(outcome(&ran)["held_by"][0]["pid"], pid);
        assert!(server.is_alive());

        let ran = home
            .run(&format!("kill {port} --grace 200ms --force --json"))
            .ends(0);
        let sent = signals(&outcome(&ran));
        let expected = ["SIGTERM", "SIGKILL"].map(|signal| (u64::from(pid), signal.to_owned()));
        assert_eq!(sent, expected);
        assert!(!server.is_alive());
    });
}

#[test]
fn what_ends_within_its_grace_is_not_forced() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let ran = home
        .run(&format!("kill {} --force --grace 1m --json", server.port))
        .ends(0);
    assert_eq!(
        signals(&outcome(&ran)),
        [(server.pid.into(), "SIGTERM".to_owned())]
    );
    for bad in ["soon", "-1s", "1year", "20m"] {
        let ran = finish(&mut home.freeport(["kill", "1", &format!("--grace={bad}")])).ends(2);
        assert!(ran.err.contains("grace"), "{ran:?}");
    }
}

#[test]
fn a_dry_run_signals_nothing() {
    alone_and_with_app(|home| {
        let server = Server::start(home, "");
        let line = format!("kill {} --dry-run --force --tree", server.port);
        let ran = home.run(&line).ends(0);
        assert!(ran.out.contains("nothing was signalled"), "{ran:?}");
        assert!(
            ran.out.contains(&format!("(pid {})", server.pid)),
            "{ran:?}"
        );
        let outcome = outcome(&home.run(&format!("{line} --json")).ends(0));
        assert_eq!(outcome["result"], "dry_run");
        assert_eq!(
            signals(&outcome),
            [(server.pid.into(), "SIGTERM".to_owned())]
        );
        assert!(server.is_alive());
        assert_eq!(home.listener(server.port)["owner"]["pid"], server.pid);
    });
}

#[test]
fn nothing_there_is_said() {
    alone_and_with_app(|home| {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        drop(taken);
        let ran = home.run(&format!("kill {port}")).ends(3);
        assert!(ran.err.contains(&format!("port {port}")), "{ran:?}");
        let ran = home.run(&format!("kill {port} --json")).ends(3);
        assert_eq!(outcome(&ran)["result"], "nothing_there");
    });
}

#[test]
fn another_users_process_is_not_touched() {
    if !may_be_others("a kill by another user") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home, "");
    let line = format!("kill {} --force", server.port);
    let ran = finish(&mut home.freeport_as(NOBODY, &line)).ends(4);
    assert!(ran.err.contains("root"), "it says whose it is: {ran:?}");
    assert!(ran.err.contains("sudo"), "and what to do: {ran:?}");
    let json = finish(&mut home.freeport_as(NOBODY, &format!("{line} --json"))).ends(4);
    assert_eq!(outcome(&json)["result"], "not_permitted");
    let line = format!("{line} --pid {}", server.pid);
    finish(&mut home.freeport_as(NOBODY, &line)).ends(4);
    assert!(server.is_alive());
}

#[test]
fn a_port_of_two_processes_needs_a_pid() {
    if !has_ipv6() {
        return;
    }
    alone_and_with_app(|home| {
        let one = Server::start(home, "--at 127.0.0.1");
        let two = Server::start(home, &format!("--at ::1 --port {}", one.port));
        let line = format!("kill {} --force", one.port);
        let ran = home.run(&line).ends(5);
        for pid in [one.pid, two.pid] {
            assert!(ran.err.contains(&format!("pid {pid}")), "{ran:?}");
        }
        assert!(ran.err.contains("--pid"), "{ran:?}");
        assert_eq!(
            outcome(&home.run(&format!("{line} --json")).ends(5))["result"],
            "ambiguous"
        );
        assert!(one.is_alive() && two.is_alive());

        let ran = home.run(&format!("{line} --json --pid {}", two.pid));
        assert!(one.is_alive() && !two.is_alive());
        // The other one still listens at that number: the port is not free, and that is said.
        let outcome = outcome(&ran);
        assert_eq!(outcome["owner"]["pid"], two.pid);
        assert_eq!(outcome["held_by"][0]["pid"], one.pid, "{outcome:#}");
        assert_ne!(outcome["result"], "freed");
        assert_eq!(ran.code, 5);

        home.run(&format!("{line} --pid {}", one.pid)).ends(0);
        assert!(!one.is_alive());
    });
}

#[test]
fn tcp_and_udp_of_one_number_are_two() {
    let home = Home::new();
    let tcp = Server::start(&home, "");
    let udp = Server::start(&home, &format!("--udp --port {}", tcp.port));
    home.run(&format!("kill {}", tcp.port)).ends(5);
    assert!(tcp.is_alive() && udp.is_alive());
    home.run(&format!("kill {} --pid {}", tcp.port, udp.pid))
        .ends(5);
    assert!(tcp.is_alive() && !udp.is_alive());
}

#[test]
fn a_udp_port_is_freed() {
    let home = Home::new();
    let server = Server::start(&home, "--udp");
    home.run(&format!("kill {}", server.port)).ends(0);
    assert!(!server.is_alive());
}

#[test]
fn a_pid_that_does_not_own_the_port_is_refused() {
    alone_and_with_app(|home| {
        let server = Server::start(home, "");
        let other = Server::start(home, "");
        let line = format!("kill {} --force --pid {}", server.port, other.pid);
        let ran = home.run(&line).ends(5);
        assert!(ran.err.contains(&format!("pid {}", other.pid)), "{ran:?}");
        assert!(
            ran.err.contains(&format!("(pid {})", server.pid)),
            "{ran:?}"
        );
        let ran = home.run(&format!("{line} --json")).ends(5);
        assert_eq!(outcome(&ran)["result"], "other_process");
        assert_eq!(signals(&outcome(&ran)), []);
        assert!(server.is_alive() && other.is_alive());
        for bad in ["0", "-1", "abc", "1@", "@2"] {
            let mut command = home.freeport(["kill", &server.port.to_string()]);
            finish(command.arg(format!("--pid={bad}"))).ends(2);
        }
        assert!(server.is_alive());
    });
}

#[test]
fn a_recycled_pid_is_refused() {
    alone_and_with_app(|home| {
        let server = Server::start(home, "");
        let key = home.listener(server.port)["owner"]["key"]
            .as_str()
            .unwrap()
            .to_owned();
        let (pid, start) = key.split_once('@').unwrap();
        assert_eq!(pid, server.pid.to_string());
        let earlier = start.parse::<u64>().unwrap() - 1;
        let line = format!("kill {} --force", server.port);
        let ran = home
            .run(&format!("{line} --json --pid {pid}@{earlier}"))
            .ends(5);
        assert_eq!(signals(&outcome(&ran)), []);
        assert!(server.is_alive());
        home.run(&format!("{line} --pid {key}")).ends(0);
        assert!(!server.is_alive());
    });
}

#[test]
fn a_client_of_the_port_survives() {
    alone_and_with_app(|home| {
        let server = Server::start(home, "");
        let code = format!(
            "import socket, signal\nc = socket.create_connection(('127.0.0.1', {}))\nprint('connected', flush=True)\nsignal.pause()",
            server.port
        );
        let client = Process::start(home.command(python()).args(["-c", &code]));
        assert_eq!(client.line(), "connected");
        let ran = home
            .run(&format!("kill {} --force --tree --json", server.port))
            .ends(0);
        assert_eq!(
            signals(&outcome(&ran)),
            [(server.pid.into(), "SIGTERM".to_owned())]
        );
        assert!(!server.is_alive());
        assert!(is_alive(client.pid()));
    });
}

#[test]
fn the_app_never_ends_who_asks() {
    let home = Home::new();
    let _app = App::start(&home);
    let mine = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mine.local_addr().unwrap().port();
    let request = json!({"cmd": "KILL", "ports": [port], "force": true, "grace_ms": 100});
    let reply = Wire::open(&home).ask(&request);
    assert_eq!(reply["outcomes"][0]["result"], "protected", "{reply:#}");
}

#[test]
fn a_number_is_a_port_and_never_a_pid() {
    let home = Home::new();
    let bystander = Server::start(&home, "");
    let listens = |pid: u32| std::net::TcpStream::connect(("127.0.0.1", pid as u16)).is_ok();
    if bystander.pid > 65535 || listens(bystander.pid) {
        return support::skipped("the pid is no port number that is free");
    }
    let line = format!("kill {} --force --dry-run", bystander.pid);
    let ran = home.run(&line).ends(3);
    assert!(!ran.out.contains("SIG"), "{ran:#?}");
}
