//! The bad days of an installation: an upgrade while the app runs, folders and the program itself that
//! are removed under it, homes with names that nobody thought of, and commands with another user's home.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

#[path = "upgrade/homes.rs"]
mod homes;
#[path = "upgrade/removed.rs"]
mod removed;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::json;
use support::app::{App, Wire};
use support::processes::{Process, Server};
use support::{Home, PATIENCE, finish, ports, python, wait_for};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The program under another name in the home, which can be removed.
fn program(home: &Home) -> PathBuf {
    let (program, own) = (env!("CARGO_BIN_EXE_freeport"), home.path("bin/freeport"));
    std::fs::create_dir_all(home.path("bin")).unwrap();
    if std::fs::hard_link(program, &own).is_err() {
        std::fs::copy(program, &own).unwrap();
    }
    own
}

/// The app, and before it one that says the same as an app of another version.
struct Relayed {
    real: Process,
    relay: Process,
}

fn relayed(home: &Home, version: &str, protocol: u32, lacking: &str) -> Relayed {
    let folder = home.path("real");
    let mut app = home.freeport(["app", "--headless"]);
    app.env("FREEPORT_RUNTIME_DIR", &folder);
    let real = Process::start(app.stderr(Stdio::null()));
    wait_for("the app", || {
        std::os::unix::net::UnixStream::connect(folder.join("freeport.sock")).ok()
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade/relay.py");
    let mut command = home.command(python());
    command.arg(script).arg(home.runtime()).arg(&folder);
    command.args([version, &protocol.to_string()]);
    let relay = Process::start(command.args(lacking.split_ascii_whitespace()));
    assert_eq!(relay.line(), "ready");
    Relayed { real, relay }
}

#[test]
fn with_an_app_of_another_version_all_commands_work_and_both_are_named() {
    let home = Home::new();
    let app = relayed(&home, "0.0.7", 1, "SUGGEST");
    let status = home.run("status").ends(0).out;
    assert!(
        status.contains("0.0.7 runs") && status.contains(&format!("this command is {VERSION}")),
        "{status}"
    );
    let status = home.run("status --json").ends(0).json();
    assert_eq!(status["version"], "0.0.7");
    assert_eq!(
        status["command"],
        json!({"version": VERSION, "protocol": 1})
    );
    assert_eq!(status["pid"], app.real.pid());
    let doctor = home.run("doctor").out;
    assert!(
        doctor.contains("0.0.7") && doctor.contains(&format!("this command is {VERSION}")),
        "{doctor}"
    );
    let server = Server::start(&home, "");
    assert_eq!(home.listener(server.port)["owner"]["pid"], server.pid);
    home.run(&format!("why {}", server.port)).ends(0);
    let port = ports::one();
    home.run(&format!("claim {port} --project shop --ttl 1h"))
        .ends(0);
    assert!(home.run("query").ends(0).out.contains("shop"));
    let line = format!("run --port {} -- true", ports::one());
    let ran = home.run(&line).ends(0);
    assert!(!ran.err.contains("without the app"), "{ran:?}");
    home.run("config list").ends(0);
    home.run("log").ends(0);
    home.run(&format!("kill {}", server.port)).ends(0);
    assert!(!server.is_alive());
    // What only the command knows.
    let ran = home.run("suggest").ends(6);
    assert!(ran.err.contains("restart the app"), "{ran:?}");
    // Who starts the new one reads that the old one runs.
    let ran = home.run("app --headless").ends(5);
    let pid = app.relay.pid();
    for said in [
        format!("(pid {pid})"),
        "version 0.0.7".to_owned(),
        format!("this is {VERSION}"),
    ] {
        assert!(ran.err.contains(&said), "{ran:?}");
    }
}

#[test]
fn with_an_app_of_another_protocol_both_are_named_and_run_goes_on() {
    for (version, protocol, remedy) in [("0.0.7", 0, "restart it"), ("9.9.9", 2, "type -a")] {
        let home = Home::new();
        let app = relayed(&home, version, protocol, "");
        let port = ports::one();
        let lines = ["status", "list", "query", "kill 1", "status --json"];
        for line in lines
            .map(String::from)
            .into_iter()
            .chain([format!("claim {port}")])
        {
            let ran = home.run(&line).ends(6);
            for said in [
                format!("{version} (pid {})", app.relay.pid()),
                format!("speaks protocol {protocol}"),
                format!("{VERSION}, speaks protocol 1"),
                remedy.to_owned(),
            ] {
                assert!(ran.err.contains(&said), "{line}: {ran:?}");
            }
            assert!(ran.out.is_empty(), "{line}: {ran:?}");
        }
        let doctor = home.run("doctor");
        assert!(
            doctor.out.contains(version) && doctor.out.contains(remedy),
            "{doctor:?}"
        );
        let mut run = home.freeport(["run", "--port"]);
        let ran = finish(run.args([&port.to_string(), "--", "sh", "-c", "echo on $PORT"])).ends(0);
        assert_eq!(ran.out, format!("on {port}\n"));
        let told = ran.err.lines().filter(|line| line.contains(version));
        assert_eq!(told.count(), 1, "{ran:?}");
        assert!(ran.err.contains("going on without the app"), "{ran:?}");
        let ran = home.run("app --headless").ends(5);
        assert!(ran.err.contains(&format!("version {version}")), "{ran:?}");
    }
}

#[test]
fn an_app_whose_program_is_replaced_goes_on() {
    let home = Home::new();
    let program = program(&home);
    let app = App::start_by(&home, home.command(&program).args(["app", "--headless"]));
    let next = home.path("bin/next");
    std::fs::copy(env!("CARGO_BIN_EXE_freeport"), &next).unwrap();
    std::fs::rename(&next, &program).unwrap();
    let runs = std::fs::read_link(format!("/proc/{}/exe", app.pid())).unwrap();
    assert!(runs.to_string_lossy().ends_with(" (deleted)"), "{runs:?}");
    let run = |words: &[&str]| finish(home.command(&program).args(words));
    let (port, server) = (ports::one().to_string(), Server::start(&home, ""));
    assert_eq!(run(&["status", "--json"]).ends(0).json()["pid"], app.pid());
    run(&["reserve", &port, "--project", "shop", "--hold"]).ends(0);
    let query = run(&["query", "--json"]).ends(0).json();
    assert_eq!(query["reservations"][0]["project"], "shop", "{query}");
    run(&["release", &port]).ends(0);
    let ran = run(&["run", "--port", &port, "--", "sh", "-c", "echo on $PORT"]).ends(0);
    assert_eq!(ran.out, format!("on {port}\n"));
    run(&["kill", &server.port.to_string()]).ends(0);
    assert!(!server.is_alive());
    // What the menu of the old app would do: the new program is to start at login.
    let mut wire = Wire::open(&home);
    let state = wire.done(&json!({"cmd": "AUTOSTART", "enable": true}));
    assert_eq!(state["enabled"], true, "{state}");
    let entry = std::fs::read_to_string(home.path("config/autostart/freeport.desktop")).unwrap();
    let line = format!("Exec=\"{}\" app\n", program.display());
    assert!(
        entry.contains(&line) && !entry.contains("deleted"),
        "{entry}"
    );
    assert_eq!(
        run(&["autostart", "status", "--json"]).json()["enabled"],
        true
    );
    assert_eq!(app.end(Signal::TERM), 0, "{}", App::log(&home));
}

#[test]
fn a_registry_that_a_newer_version_has_changed_is_left_alone() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (one, two) = (ports::one(), ports::one());
    home.run(&format!("reserve {one} --project shop")).ends(0);
    let database = home.path(".local/share/freeport/freeport.db");
    let newer = Connection::open(&database).unwrap();
    newer.busy_timeout(PATIENCE).unwrap();
    let version: i64 = newer
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    newer
        .execute_batch(
            "BEGIN IMMEDIATE; CREATE TABLE of_the_future (x); PRAGMA user_version = 99; COMMIT",
        )
        .unwrap();
    let count = || -> u32 {
        let sql = "SELECT count(*) FROM ports";
        newer.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    // The old app, and the old command without it: they say so and write nothing.
    let reserve = json!({"cmd": "RESERVE", "ports": [two], "project": "blog"});
    let said = wire.refused(&reserve, "registry_unavailable");
    assert!(said.contains("version 99"), "{said}");
    assert!(home.run("list").ends(0).err.is_empty());
    assert_eq!(count(), 1);
    let status = home.run("status").ends(0).out;
    assert!(status.contains("version 99"), "{status}");
    assert_eq!(app.end(Signal::TERM), 0, "{}", App::log(&home));
    let ran = home.run(&format!("reserve {two} --project blog"));
    assert!(ran.code == 1 && ran.err.contains("version 99"), "{ran:?}");
    assert_eq!(count(), 1);
    // The newer version that reads it: nothing is lost.
    let back = format!("PRAGMA user_version = {version}");
    newer.execute_batch(&back).unwrap();
    assert!(home.run("query").ends(0).out.contains("shop"));
}
