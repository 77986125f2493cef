//! Commands that become another user by the real sudo. What it is told of who may do what is a file
//! of the test's own, in a mount namespace of the test's own: the system's is left as it is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[allow(dead_code, reason = "these tests start a part of them")]
#[path = "holds/servers.rs"]
mod servers;
mod support;

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use support::processes::{Process, is_alive};
use support::{Home, NOBODY, finish, may_be_others, ports, skipped, there_is, wait_for};

/// Another user that has nothing: who `NOBODY` may become.
const DAEMON: u32 = 1;

const RULES: &str = "Defaults env_reset
root ALL=(ALL:ALL) NOPASSWD: ALL
#65534 ALL=(#1) NOPASSWD: ALL
";

/// Puts the rules in the place of the system's, for what it executes.
const WITH_RULES: &str = "mount --bind \"$1\" /etc/sudoers && shift && exec \"$@\"";

/// A home in which everybody may write, and where sudo has the rules; `None` where there is no sudo
/// for this test, which is said.
fn home() -> Option<Home> {
    if !there_is("sudo") || !there_is("unshare") || !may_be_others("sudo as other users") {
        return None;
    }
    let home = Home::new();
    std::fs::set_permissions(home.path(""), Permissions::from_mode(0o777)).unwrap();
    let rules = home.write("sudoers", RULES);
    std::fs::set_permissions(rules, Permissions::from_mode(0o440)).unwrap();
    let mut sudo = with_rules(&home, NOBODY, &["sudo", "-n", "-u", "#1", "id", "-u"]);
    let ran = finish(&mut sudo);
    if ran.out.trim() != "1" {
        skipped(&format!("sudo does not work here: {}", ran.err.trim()));
        return None;
    }
    Some(home)
}

/// These words as this user, with the rules.
fn with_rules(home: &Home, uid: u32, words: &[&str]) -> Command {
    let mut command = home.command("unshare");
    command
        .args(["--mount", "sh", "-c", WITH_RULES, "sh"])
        .arg(home.path("sudoers"))
        .arg("setpriv")
        .args([format!("--reuid={uid}"), format!("--regid={uid}")])
        .arg("--clear-groups")
        .args(words);
    command
}

/// Freeport as this user; what is printed.
fn json(home: &Home, uid: u32, line: &str) -> Value {
    let program = home.program_for_all();
    let words = [program.to_str().unwrap()].into_iter();
    let words: Vec<&str> = words.chain(line.split(' ')).collect();
    let ran = finish(&mut with_rules(home, uid, &words));
    assert!(ran.code == 0 || ran.code == 3, "{ran:#?}");
    ran.json()
}

/// The only reservation.
fn reservation(home: &Home, uid: u32) -> Option<Value> {
    let mut all = json(home, uid, "query --json");
    all["reservations"].as_array_mut().unwrap().pop()
}

/// Runs a server through sudo, sees that all is right, and ends it.
fn serves(home: &Home, uid: u32, command: &[&str], port: u16) {
    let said = home.path("said");
    let program = home.program_for_all();
    let number = port.to_string();
    let mut words = vec![program.to_str().unwrap(), "run", "--strict"];
    words.extend(["--port", &number, "--wait-ready=60s", "--"]);
    words.extend(command);
    let mut run = with_rules(home, uid, &words);
    let process = Process::start(run.stderr(File::create(&said).unwrap()));
    let text = || std::fs::read_to_string(&said).unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let pid: u32 = wait_for("the server", || {
        assert!(!process.has_ended(), "{command:?}: {}", text());
        servers::answer(address)?.parse().ok()
    });
    let owner =
        std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(format!("/proc/{pid}")).unwrap());
    assert_eq!(owner, DAEMON, "{command:?}");
    wait_for("word that it is ready", || {
        assert!(!process.has_ended(), "{command:?}: {}", text());
        text().contains("ready: ").then_some(())
    });
    // Only root can guard the binds of who becomes another user.
    let open = "it becomes another user, which the guard of its binds would prevent";
    assert_eq!(text().contains(open), uid != 0, "{command:?}: {}", text());
    let row = wait_for("the lease to be in use", || {
        reservation(home, uid).filter(|row| row["status"] == "active")
    });
    assert_eq!(row["port"], port);
    let listed = json(home, uid, &format!("list {port} --json"));
    let listed = &listed["listeners"][0];
    assert_eq!(listed["user"], "daemon");
    assert_eq!(listed["conflict"], Value::Null, "{command:?}");
    if uid == 0 {
        assert_eq!(listed["owner"]["pid"], pid);
    }
    process.signal(Signal::TERM);
    process.status();
    wait_for("the end of the server", || (!is_alive(pid)).then_some(()));
    wait_for("the lease to be given back", || {
        reservation(home, uid).is_none().then_some(())
    });
    // Nothing is in the way of the next one.
    wait_for("a free port", || std::net::TcpListener::bind(address).ok());
}

/// A command itself, one of a shell, and one of a package's scripts.
fn all_serve(uid: u32) {
    let Some(home) = home() else { return };
    let port = ports::one();
    let server = servers::shared_file(&home, "server.py");
    let sudo = ["sudo", "-n", "-u", "#1", servers::PYTHON, &server, "plain"];
    let direct: Vec<&str> = sudo.into_iter().chain(["{port}"]).collect();
    serves(&home, uid, &direct, port);
    // Nobody can tell it another port than its own.
    let line = format!("{} {port}", sudo.join(" ").replace("#1", "'#1'"));
    serves(&home, uid, &["sh", "-c", &format!("true && {line}")], port);
    if there_is("npm") {
        let script = serde_json::json!({"name": "shop", "scripts": {"start": line}});
        home.write("package.json", &script.to_string());
        serves(&home, uid, &["npm", "run", "--silent", "start"], port);
    }
}

#[test]
fn an_ordinary_users_servers_of_another_user_are_known_and_end_with_the_run() {
    all_serve(NOBODY);
}

#[test]
fn roots_servers_of_another_user_are_guarded_and_end_with_the_run() {
    all_serve(0);
}
