//! What cannot be seen is said, and never looks like a free port: refused netlink, processes of
//! other users, a /proc that hides them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::processes::{Process, Server, has_ipv6};
use support::{
    Home, NOBODY, Ran, finish, fixture, may_be_others, python, skipped, there_is, wait_for,
};

fn kinds(list: &Value) -> Vec<&str> {
    let gaps = list["gaps"].as_array().unwrap().iter();
    gaps.map(|gap| gap["kind"].as_str().unwrap()).collect()
}

/// Freeport in a sandbox that refuses netlink; `None` where there is no such sandbox.
fn without_netlink(home: &Home, line: &str) -> Option<Ran> {
    let mut command: Command = home.command(python());
    command
        .arg(fixture("refuse_netlink.py"))
        .arg(env!("CARGO_BIN_EXE_freeport"));
    let ran = finish(command.args(line.split(' ')));
    if ran.code == 77 {
        skipped("no seccomp filter can be made here");
        return None;
    }
    Some(ran)
}

#[test]
fn without_netlink_the_same_ports_are_seen() {
    let home = Home::new();
    let mut servers = vec![
        Server::start(&home, "--workers 2"),
        Server::start(&home, "--at 0.0.0.0"),
        Server::start(&home, "--udp"),
    ];
    if has_ipv6() {
        servers.push(Server::start(&home, "--at ::1 --at 127.0.0.1"));
        servers.push(Server::start(&home, "--at ::"));
        servers.push(Server::start(&home, "--udp --at ::1"));
    }
    for server in &servers {
        let port = server.port;
        let Some(ran) = without_netlink(&home, &format!("list {port} --json")) else {
            return;
        };
        let list = ran.ends(0).json();
        assert_eq!(list["listeners"], json!(home.listeners(port)));
        let kinds = kinds(&list);
        assert!(
            !kinds.is_empty() && kinds.iter().all(|kind| *kind == "slow_sockets"),
            "{list:#}"
        );
        let detail = list["gaps"][0]["detail"].as_str().unwrap();
        assert!(
            detail.contains("netlink") && detail.contains("/proc/net/tcp"),
            "{detail}"
        );
    }
    let list = without_netlink(&home, "list --all --json")
        .unwrap()
        .ends(0)
        .json();
    for server in &servers {
        let listed = |found: &Value| found["port"] == server.port;
        assert!(list["listeners"].as_array().unwrap().iter().any(listed));
    }
    assert!(
        without_netlink(&home, "list")
            .unwrap()
            .out
            .contains("netlink is refused")
    );
    let ran = without_netlink(&home, &format!("kill {}", servers[0].port))
        .unwrap()
        .ends(0);
    assert!(ran.out.contains("is free"), "{ran:?}");
    assert!(!servers[0].is_alive());
}

#[test]
fn another_users_server_has_no_owner_and_is_shown_when_asked_for() {
    if !may_be_others("a look by another user") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home, "");
    let other = Server::start(&home, "--uid 65533");
    for (server, uid, user) in [(&server, 0, json!("root")), (&other, 65533, Value::Null)] {
        let line = format!("list {} --json", server.port);
        let list = finish(&mut home.freeport_as(NOBODY, &line)).ends(0).json();
        let found = &list["listeners"][0];
        assert_eq!((&found["uid"], &found["user"]), (&json!(uid), &user));
        assert_eq!(
            (&found["owner"], &found["workers"]),
            (&Value::Null, &json!([]))
        );
        assert_eq!(kinds(&list), ["owners_unreadable"]);
        assert!(list["gaps"][0]["detail"].as_str().unwrap().contains("sudo"));
        let line = format!("list {}", server.port);
        let table = finish(&mut home.freeport_as(NOBODY, &line)).ends(0).out;
        let whose = user
            .as_str()
            .map_or_else(|| format!("uid {uid}"), str::to_owned);
        assert!(table.contains(&format!("unknown, of {whose}")), "{table}");
        let line = format!("why {}", server.port);
        let why = finish(&mut home.freeport_as(NOBODY, &line)).ends(0).out;
        assert!(
            why.contains("an unknown process") && why.contains(&whose),
            "{why}"
        );
        // In the list of everything it is hidden, and with --all it is there.
        let has = |line: &str| {
            let list = finish(&mut home.freeport_as(NOBODY, line)).ends(0).json();
            let listeners = list["listeners"].as_array().unwrap().clone();
            listeners.iter().any(|found| found["port"] == server.port)
        };
        assert!(!has("list --json") && has("list --json --all"));
    }
}

#[test]
fn a_user_sees_and_ends_what_is_its_own() {
    if !may_be_others("a look by another user") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home, &format!("--uid {NOBODY}"));
    let line = format!("list {} --json", server.port);
    let list = finish(&mut home.freeport_as(NOBODY, &line)).ends(0).json();
    assert_eq!(list["listeners"][0]["owner"]["pid"], server.pid);
    assert_eq!(list["gaps"], json!([]));
    let line = format!("kill {}", server.port);
    finish(&mut home.freeport_as(NOBODY, &line)).ends(0);
    assert!(!server.is_alive());
}

#[test]
fn root_says_whose_process_it_ended() {
    if !may_be_others("a server of another user") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home, &format!("--uid {NOBODY}"));
    let ran = home.run(&format!("kill {}", server.port)).ends(0);
    assert!(ran.out.contains("nobody"), "{ran:?}");
}

#[test]
fn a_proc_that_hides_processes_is_said() {
    if !may_be_others("a /proc of its own") || !there_is("unshare") || !there_is("mount") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home, "");
    let own = Server::start(&home, &format!("--uid {NOBODY}"));
    // A mount of its own, that nobody else sees.
    let inside = |line: &str| {
        let mut command = home.command("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c"]);
        command.arg("mount -t proc -o hidepid=2 proc /proc && grep -q 'proc.*hidepid=\\(2\\|invisible\\)' /proc/mounts || exit 77; exec \"$@\"");
        let freeport = home.freeport_as(NOBODY, line);
        command
            .arg("sh")
            .arg(freeport.get_program())
            .args(freeport.get_args());
        let ran = finish(&mut command);
        if ran.code == 77 {
            skipped("no /proc with hidepid can be mounted here");
            return None;
        }
        Some(ran)
    };
    let Some(ran) = inside(&format!("list {} --json", server.port)) else {
        return;
    };
    let list = ran.ends(0).json();
    let found = &list["listeners"][0];
    assert_eq!((&found["owner"], &found["uid"]), (&Value::Null, &json!(0)));
    assert_eq!(found["user"], "root");
    assert_eq!(kinds(&list), ["processes_hidden"]);
    assert!(
        list["gaps"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("hidepid")
    );
    let table = inside(&format!("list {}", server.port))
        .unwrap()
        .ends(0)
        .out;
    assert!(
        table.contains("unknown, of root") && table.contains("hidepid"),
        "{table}"
    );
    let ran = inside(&format!("kill {}", server.port)).unwrap().ends(4);
    assert!(ran.err.contains("root"), "{ran:?}");
    assert!(server.is_alive());
    let list = inside(&format!("list {} --json", own.port))
        .unwrap()
        .ends(0)
        .json();
    assert_eq!(list["listeners"][0]["owner"]["pid"], own.pid);
    assert_eq!(list["gaps"], json!([]));
}

#[test]
fn an_app_that_sees_less_says_so() {
    if !may_be_others("an app of another user") {
        return;
    }
    let home = Home::new();
    std::fs::create_dir(home.runtime()).unwrap();
    std::fs::set_permissions(home.runtime(), std::fs::Permissions::from_mode(0o700)).unwrap();
    chown(home.runtime(), Some(NOBODY), Some(NOBODY)).unwrap();
    let server = Server::start(&home, "");
    let mut command = home.freeport_as(NOBODY, "app --headless");
    let _app = Process::start(command.stderr(Stdio::null()));
    let status = wait_for("the app to see the server", || {
        let ran = finish(&mut home.freeport_as(NOBODY, "status --json"));
        let status = (ran.code == 0).then(|| ran.json())?;
        (status["listeners"] != 0).then_some(status)
    });
    assert_eq!(kinds(&status), ["owners_unreadable"]);
    let line = format!("list {} --json", server.port);
    let list = finish(&mut home.freeport_as(NOBODY, &line)).ends(0).json();
    assert_eq!(list["listeners"][0]["owner"], Value::Null);
    assert_eq!(kinds(&list), ["owners_unreadable"]);
    let line = format!("kill {}", server.port);
    finish(&mut home.freeport_as(NOBODY, &line)).ends(4);
    assert!(server.is_alive());
    let told = finish(&mut home.freeport_as(NOBODY, "status")).ends(0).out;
    assert!(told.contains("not seen"), "{told}");
}
