//! The life of the app: one per user, what it sees, how it ends, and what a death leaves behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::{Process, Server};
use support::{Home, finish, wait_for};

#[test]
fn a_second_one_names_the_first() {
    let home = Home::new();
    let app = App::start(&home);
    let pid = format!("pid {}", app.pid());
    let ran = home.run("app --headless").ends(5);
    assert!(ran.err.contains(&pid), "{ran:?}");
    let ran = home.run("app").ends(5);
    assert!(ran.err.contains(&pid), "{ran:?}");
    // Who types only its name wants it to run, and it does.
    let mut bare = home.freeport::<&str>([]);
    let ran = finish(bare.env("DISPLAY", ":987")).ends(0);
    assert!(ran.err.contains(&pid) || ran.out.contains(&pid), "{ran:?}");
    // Without a desktop, that is the list.
    let ran = finish(&mut home.freeport::<&str>([])).ends(0);
    assert!(ran.err.contains("freeport app --headless"), "{ran:?}");
    assert!(!app.process.has_ended());
}

#[test]
fn of_many_that_start_at_once_one_wins() {
    let home = Home::new();
    let start = || {
        Process::start(
            home.freeport(["app", "--headless"])
                .stderr(std::process::Stdio::null()),
        )
    };
    let apps: Vec<Process> = (0..8).map(|_| start()).collect();
    wait_for("all but one to end", || {
        (apps.iter().filter(|app| app.has_ended()).count() == 7).then_some(())
    });
    let losers = apps.iter().filter(|app| app.has_ended());
    assert!(losers.map(Process::status).all(|status| status == 5));
    let winner = apps.iter().find(|app| !app.has_ended()).unwrap();
    wait_for("the winner to answer", || {
        let ran = home.run("status --json");
        (ran.code == 0 && ran.json()["pid"] == winner.pid()).then_some(())
    });
}

#[test]
fn status_tells_how_it_is() {
    let home = Home::new();
    let ran = home.run("status").ends(6);
    assert!(ran.err.contains("freeport app --headless"), "{ran:?}");
    assert_eq!(
        home.run("status --json").ends(6).json(),
        json!({"running": false})
    );
    let app = App::start(&home);
    let status = home.run("status --json").ends(0).json();
    assert_eq!(
        (&status["running"], &status["pid"]),
        (&json!(true), &json!(app.pid()))
    );
    assert_eq!(status["tray"]["shown"], false);
    assert!(
        status["tray"]["reason"]
            .as_str()
            .is_some_and(|why| !why.is_empty())
    );
    assert!(status["memory_bytes"].as_u64().unwrap() > 100_000);
    for timings in ["scan", "requests"] {
        let of = |key: &str| status[timings][key].as_u64().unwrap();
        assert!(
            of("p50_us") <= of("p95_us") && of("p95_us") <= of("p99_us"),
            "{status}"
        );
    }
    for key in [
        "uptime_s",
        "listeners",
        "conflicts",
        "version",
        "protocol",
        "started_at",
        "gaps",
    ] {
        assert!(!status[key].is_null(), "{key}");
    }
    assert!(status.as_object().unwrap().contains_key("last_cleanup"));
    let told = home.run("status").ends(0).out;
    assert!(
        told.contains(&format!("pid {}", app.pid())) && told.contains("p99"),
        "{told}"
    );
}

#[test]
fn signals_end_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let home = Home::new();
        let app = App::start(&home);
        let socket = home.runtime().join("freeport.sock");
        let found = std::fs::symlink_metadata(&socket).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        let folder = std::fs::metadata(home.runtime()).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        let _open = Wire::open(&home);
        assert_eq!(app.end(signal), 0, "{}", App::log(&home));
        assert!(!socket.exists());
        home.run("status").ends(6);
        App::start(&home);
    }
}

#[test]
fn what_kill_9_leaves_is_replaced() {
    let home = Home::new();
    let app = App::start(&home);
    app.end(Signal::KILL);
    assert!(
        home.runtime().join("freeport.sock").exists(),
        "it had no time to tidy up"
    );
    // Nobody answers there: commands do the work by themselves.
    let server = Server::start(&home, "");
    assert_eq!(home.listener(server.port)["owner"]["pid"], server.pid);
    home.run("status").ends(6);
    home.run(&format!("kill {}", server.port)).ends(0);
    let next = App::start(&home);
    assert_eq!(home.run("status --json").ends(0).json()["pid"], next.pid());
}

#[test]
fn it_sees_what_comes_and_goes() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let server = Server::start(&home, "");
    let port = server.port;
    assert_eq!(
        wire.listeners(port)[0]["owner"]["pid"],
        server.pid,
        "at once, by a look of its own"
    );
    drop(server);
    assert_eq!(wire.listeners(port), [] as [Value; 0]);
    // A port that changes hands between two looks has its new owner.
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    assert_eq!(wire.listeners(port)[0]["owner"]["pid"], std::process::id());
    drop(taken);
    let next = Server::start(&home, &format!("--port {port}"));
    assert_eq!(wire.listeners(port)[0]["owner"]["pid"], next.pid);
}
