//! Servers that outlived the terminal, the parent or the folder that they were started from: shown
//! apart, and ended only when the user says so.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it must be"
)]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::{Process, Server, is_alive};
use support::{Home, fixture, python, wait_for};

/// A server that nobody waits for, ended at the end.
struct Orphan(Server);

impl Drop for Orphan {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| is_alive(self.0.pid)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A server whose session has no leader any more, and whose parent is gone: what is left of a
/// terminal that was closed.
fn orphan(home: &Home) -> Orphan {
    let shop = home.project("shop");
    let mut shell = home.command("setsid");
    let server = format!(
        "{} {} </dev/null &",
        python().to_str().unwrap(),
        fixture("listener.py").display()
    );
    shell
        .args(["--wait", "sh", "-c", &server])
        .current_dir(shop);
    Orphan(Server::of(Process::start(&mut shell)))
}

fn leftover(wire: &mut Wire, port: u16) -> Value {
    let listeners = wire.listeners(port);
    assert_eq!(listeners.len(), 1, "{listeners:?}");
    listeners[0]["leftover"].clone()
}

/// Lets the app look for leftovers of some age; gives those at a port.
fn look(wire: &mut Wire, age: &str, port: u16) -> Vec<Value> {
    let set = wire.ask(&json!({"cmd": "CONFIG", "key": "leftover_age", "value": age}));
    assert_eq!(set["status"], "success", "{set}");
    let reply = wire.ask(&json!({"cmd": "CLEANUP", "leftovers": true}));
    let mut found = reply["leftovers"].as_array().unwrap().clone();
    found.retain(|leftover| leftover["listener"]["port"] == port);
    found
}

#[test]
fn a_server_that_outlived_its_terminal_is_a_leftover() {
    let home = Home::new();
    let orphan = orphan(&home);
    let port = orphan.0.port;
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let found = wait_for("the orphan to be left over", || {
        look(&mut wire, "0", port).pop()
    });
    assert_eq!(found["listener"]["port"], port);
    assert_eq!(found["why"], "orphaned");
    assert_eq!(leftover(&mut wire, port), "orphaned");
    assert!(
        look(&mut wire, "3600", port).is_empty(),
        "it is not old enough"
    );
    assert!(is_alive(orphan.0.pid), "nothing is ended by looking");
}

#[test]
fn a_server_in_a_deleted_folder_is_a_leftover() {
    let home = Home::new();
    let gone = home.project("gone");
    let server = Server::start_in(&gone, &home, "");
    let port = server.port;
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    assert!(
        look(&mut wire, "0", port).is_empty(),
        "it is in its folder, and has a parent"
    );
    std::fs::remove_dir_all(&gone).unwrap();
    let found = wait_for("the server to be left over", || {
        look(&mut wire, "0", port).pop()
    });
    assert_eq!(found["why"], "folder_deleted");
    assert_eq!(found["listener"]["owner"]["pid"], server.pid);
}

#[test]
fn without_the_app_leftovers_are_told_and_ended_only_on_demand() {
    let home = Home::new();
    let orphan = orphan(&home);
    home.run("config set leftover_age 0").ends(0);
    let shown = home.run(&format!("list {}", orphan.0.port)).ends(0).out;
    assert!(shown.contains("left over"), "{shown}");
    let why = home.run(&format!("why {}", orphan.0.port)).ends(0).out;
    assert!(why.contains("parent"), "{why}");
    let told = home.run("cleanup --leftovers").ends(0).out;
    assert!(told.contains(&orphan.0.pid.to_string()), "{told}");
    assert!(is_alive(orphan.0.pid), "a look ends nothing");
    // Only this one: others may be left over from somebody else.
    let port = orphan.0.port;
    home.run(&format!(
        "cleanup --leftovers --port {port} --dry-run --yes"
    ));
    assert!(is_alive(orphan.0.pid), "a dry run ends nothing");
    home.run(&format!("cleanup --leftovers --port {port} --yes"))
        .ends(0);
    wait_for("the end of the orphan", || {
        (!is_alive(orphan.0.pid)).then_some(())
    });
}
