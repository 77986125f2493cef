//! What comes of a kill that is not simple: supervisors, families, workers, several ports at once,
//! and the question on a terminal.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::process::Stdio;

use serde_json::Value;
use support::app::App;
use support::processes::{Process, Server, is_alive};
use support::{Home, finish, fixture, python, wait_for};

fn outcomes(ran: &support::Ran) -> Vec<Value> {
    ran.json()["outcomes"].as_array().unwrap().clone()
}

fn pids(of: &Value) -> Vec<u64> {
    let all = of.as_array().unwrap().iter();
    all.map(|one| one["pid"].as_u64().unwrap()).collect()
}

/// The first child of a process.
fn child_of(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split(' ').next()?.parse().ok()
}

#[test]
fn a_supervisor_that_starts_it_again_is_named() {
    let home = Home::new();
    let script = home.write(
        "keep-up.sh",
        "while :; do \"$PYTHON\" \"$LISTENER\" --port-file port; done\n",
    );
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let mut bash = home.command("bash");
        bash.arg(&script)
            .env("PYTHON", python())
            .env("LISTENER", fixture("listener.py"))
            // It says when a child was ended by a signal.
            .stderr(Stdio::null());
        let bash = Process::start(&mut bash);
        let first: Value = serde_json::from_str(&bash.line()).unwrap();
        let port = &first["port"];
        // Python may take longer to start than a port is watched after a kill.
        let ran = wait_for("the supervisor to be quick enough", || {
            let before = home.listeners(port.as_u64().unwrap().try_into().unwrap());
            if before.is_empty() {
                return None;
            }
            let ran = home.run(&format!("kill {port} --json"));
            (ran.code == 5).then_some(ran)
        });
        let outcome = outcomes(&ran).remove(0);
        assert_eq!(outcome["result"], "taken_over", "{outcome:#}");
        assert_ne!(outcome["held_by"][0]["pid"], outcome["owner"]["pid"]);
        assert_eq!(outcome["supervisor"]["name"], "bash", "{outcome:#}");
        assert_eq!(outcome["supervisor"]["pid"], bash.pid());
        assert!(!is_alive(outcome["owner"]["pid"].as_u64().unwrap() as u32));
        let told = format!("{} {}", outcome["message"], outcome["hint"]);
        assert!(told.contains(&format!("pid {}", bash.pid())), "{told}");
        assert!(is_alive(bash.pid()), "it is named, and not signalled");
    }
}

#[test]
fn a_tree_goes_leaves_first() {
    let home = Home::new();
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let mut command = home.command(python());
        command
            .arg(fixture("listener.py"))
            .args(["--child", "sleep 600; :"]);
        let server = Server::of(Process::start(&mut command));
        let shell = server.child.unwrap();
        let sleep = wait_for("the leaf", || child_of(shell));
        let family = [sleep, shell, server.pid];
        let line = format!("kill {} --tree", server.port);

        let dry = home.run(&format!("{line} --dry-run --json")).ends(0);
        assert_eq!(pids(&outcomes(&dry)[0]["signals"]), family.map(u64::from));

        let ran = home.run(&line).ends(0);
        let places = family.map(|pid| ran.out.find(&format!("(pid {pid})")).expect("it is shown"));
        assert!(places.is_sorted(), "{ran:?}");
        assert!(ran.out.contains("in this order"), "{ran:?}");
        for pid in family {
            assert!(!is_alive(pid), "{pid}");
        }
    }
}

#[test]
fn without_tree_the_family_stays() {
    let home = Home::new();
    let mut command = home.command(python());
    command
        .arg(fixture("listener.py"))
        .args(["--child", "exec sleep 600"]);
    let server = Server::of(Process::start(&mut command));
    home.run(&format!("kill {} --force", server.port)).ends(0);
    assert!(!server.is_alive() && is_alive(server.child.unwrap()));
}

#[test]
fn one_that_hangs_delays_no_other() {
    let home = Home::new();
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let hangs = Server::start(&home, "--ignore-term");
        let others = [Server::start(&home, ""), Server::start(&home, "")];
        let line = format!(
            "kill {} {} {} --grace 4s --json",
            others[0].port, hangs.port, others[1].port
        );
        let outcomes = outcomes(&home.run(&line).ends(5));
        assert_eq!(outcomes.len(), 3);
        let of = |port: u16| {
            outcomes
                .iter()
                .find(|outcome| outcome["port"] == port)
                .unwrap()
        };
        let took = |port: u16| of(port)["took_ms"].as_u64().unwrap();
        assert_eq!(of(hangs.port)["result"], "still_held");
        assert!(took(hangs.port) >= 4000);
        for other in &others {
            assert_eq!(of(other.port)["result"], "freed");
            assert!(took(other.port) < took(hangs.port), "{outcomes:#?}");
            assert!(took(other.port) < 4000, "{outcomes:#?}");
        }
        assert!(hangs.is_alive());
    }
}

#[test]
fn of_several_ports_the_worst_status_counts() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let gone = Server::start(&home, "");
    let port = gone.port;
    drop(gone);
    wait_for("the port to close", || {
        home.listeners(port).is_empty().then_some(())
    });
    let ran = home
        .run(&format!("kill {0} {port} {0}", server.port))
        .ends(3);
    assert!(ran.out.contains("is free"), "{ran:?}");
    assert!(!server.is_alive());
}

#[test]
fn workers_that_outlive_their_parent_go_too() {
    let home = Home::new();
    let server = Server::start(&home, "--workers 3");
    let ran = home.run(&format!("kill {} --json", server.port)).ends(0);
    let outcome = outcomes(&ran).remove(0);
    assert_eq!(outcome["owner"]["pid"], server.pid);
    let mut expected: Vec<u64> = server.workers.iter().copied().map(u64::from).collect();
    expected.sort_unstable();
    let mut told = pids(&outcome["workers"]);
    told.sort_unstable();
    assert_eq!(told, expected);
    for pid in &server.workers {
        assert!(!is_alive(*pid), "{pid}");
    }
}

#[test]
fn what_has_closed_its_port_may_go_on() {
    let home = Home::new();
    let server = Server::start(&home, "--linger");
    let ran = home
        .run(&format!("kill {} --grace 30s --json", server.port))
        .ends(0);
    let outcome = outcomes(&ran).remove(0);
    assert_eq!(
        (
            outcome["result"].as_str(),
            &outcome["still_running"][0]["pid"]
        ),
        (Some("freed"), &server.pid.into())
    );
    assert!(
        outcome["message"]
            .as_str()
            .unwrap()
            .contains("still shutting down")
    );
    assert!(server.is_alive());
}

#[test]
fn on_a_terminal_the_user_is_asked_before_sigkill() {
    let home = Home::new();
    let server = Server::start(&home, "--ignore-term");
    let line = format!("kill {} --grace 200ms", server.port);
    let ran = finish(&mut home.on_terminal(80, "n", &line)).ends(5);
    assert!(ran.out.contains("End it with SIGKILL? [y/N]"), "{ran:?}");
    assert!(server.is_alive());
    let ran = finish(&mut home.on_terminal(80, "y", &line)).ends(0);
    assert!(ran.out.contains("is free"), "{ran:?}");
    assert!(!server.is_alive());
}
