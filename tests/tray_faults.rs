//! The tray where a part of the desktop is missing, comes late, refuses, hangs or goes.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod dbus;
mod support;

use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dbus::{Desktop, Notifier, PROMPT, Watcher};
use rustix::process::{Signal, kill_process};
use support::processes::Process;
use support::{PATIENCE, wait_for};

#[test]
fn the_icon_comes_back_with_the_panel() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let server = desktop.server("");
    let _app = desktop.app();
    for _ in 0..3 {
        let watcher = Watcher::start(&desktop.bus);
        watcher.item(PATIENCE).wait_row(server.port);
        desktop.wait_shown(true);
        drop(watcher);
        desktop.wait_shown(false);
    }
}

#[test]
fn without_a_panel_the_app_goes_on_and_says_so_once() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let notifier = Notifier::start(&desktop.bus);
    let start = Instant::now();
    let app = desktop.app();
    let (reason, hint) = desktop.wait_missing();
    assert!(reason.contains("no StatusNotifierWatcher"), "{reason}");
    assert!(hint.contains("AppIndicator"), "{hint}");
    let note = notifier.next(PATIENCE);
    assert!(note.summary.contains("no panel"), "{note:?}");
    assert!(note.body.contains("AppIndicator"), "{note:?}");
    assert!(
        start.elapsed() > Duration::from_secs(8),
        "a panel may be late"
    );
    // A panel that comes and goes is no news.
    Watcher::start(&desktop.bus).registered(PATIENCE);
    desktop.wait_shown(false);
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
    assert!(notifier.rest().is_empty());
}

#[test]
fn the_status_says_why_the_panel_does_not_show_the_icon() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let app = desktop.app();
    watcher.registered(PATIENCE);
    desktop.wait_shown(true);
    drop(watcher);
    let (reason, hint) = desktop.wait_missing();
    assert!(reason.contains("left the session bus"), "{reason}");
    assert!(hint.contains("comes back"), "{hint}");
    let refuses = Watcher::that_refuses("no\x1b[2J room", &desktop.bus);
    wait_for("the refusal", || {
        let (reason, hint) = desktop.wait_missing();
        let told = reason.contains("not take it: org.example.Panel.NoRoom: no\\x1b[2J room");
        (told && hint.contains("restart the panel")).then_some(())
    });
    drop(refuses);
    let _watcher = Watcher::start(&desktop.bus);
    desktop.wait_shown(true);
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn a_panel_that_refuses_at_the_start_is_told_with_its_words() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let _watcher = Watcher::that_refuses("no room", &desktop.bus);
    let app = desktop.app();
    wait_for("the panel's words", || {
        let (reason, _) = desktop.wait_missing();
        reason.ends_with("NoRoom: no room").then_some(())
    });
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn a_panel_that_never_answers_holds_nobody_up() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let app = desktop.app();
    desktop.wait_missing();
    let watcher = Watcher::that_hangs(&desktop.bus);
    watcher.registered(PATIENCE);
    // Something to show, while the icon can only wait.
    let server = desktop.server("");
    let listed = format!("list {} --json", server.port);
    let ran = support::finish(desktop.freeport().args(listed.split(' ')));
    assert_eq!(ran.code, 0, "the socket is served: {ran:?}");
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn without_a_session_bus_the_app_goes_on() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let nowhere = format!("unix:path={}", desktop.home.path("nothing").display());
    let mut command = desktop.freeport();
    command.arg("app").env("DBUS_SESSION_BUS_ADDRESS", nowhere);
    let app = desktop.app_by(&mut command);
    let (reason, _) = desktop.wait_missing();
    assert!(reason.contains("session bus"), "{reason}");
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn a_bus_that_never_answers_holds_nobody_up() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let place = desktop.home.path("silent");
    let silent = UnixListener::bind(&place).unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for connection in silent.incoming() {
            kept.push(connection);
        }
    });
    let mut command = desktop.freeport();
    command.arg("app").env(
        "DBUS_SESSION_BUS_ADDRESS",
        format!("unix:path={}", place.display()),
    );
    let app = desktop.app_by(&mut command);
    wait_for("the app to answer", || desktop.tray_status());
    let (reason, _) = desktop.wait_missing();
    assert!(reason.contains("does not answer"), "{reason}");
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn a_bus_that_stops_answering_holds_nobody_up() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let server = desktop.server("");
    let app = desktop.app();
    watcher.item(PATIENCE).wait_row(server.port);
    kill_process(desktop.bus.pid(), Signal::STOP).unwrap();
    assert!(desktop.tray_status().is_some(), "the socket is served");
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}

#[test]
fn the_app_ends_with_the_session() {
    let Some(mut desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let app = Process::start(desktop.freeport().arg("app").stderr(Stdio::null()));
    watcher.registered(PATIENCE);
    desktop.wait_shown(true);
    desktop.bus.end();
    assert_eq!(app.status(), 0);
    assert!(!desktop.home.runtime().join("freeport.sock").exists());
}

#[test]
fn a_notification_daemon_that_hangs_holds_up_no_kill() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::that_hangs(&desktop.bus);
    let servers = [desktop.server(""), desktop.server(""), desktop.server("")];
    let stubborn = desktop.server("--ignore-term");
    let app = desktop.app();
    let item = watcher.item(PATIENCE);
    for server in &servers {
        item.wait_row(server.port);
        let start = Instant::now();
        item.click(&format!("Kill python listener.py (pid {})", server.pid));
        server.process.status();
        assert!(start.elapsed() < PROMPT, "it took {:?}", start.elapsed());
    }
    notifier.next(PATIENCE);
    item.click(&format!("Kill python listener.py (pid {})", stubborn.pid));
    item.wait_menu("force to be offered", |menu| {
        menu.find("Force kill ").map(drop)
    });
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
}
