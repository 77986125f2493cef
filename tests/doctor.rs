//! `freeport doctor`: what works, what is weak and what is broken, each with its remedy.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[cfg(target_os = "linux")]
mod dbus;
mod support;

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use support::app::App;
use support::{Home, Ran, finish, ports};

/// What was found at one check.
fn found(ran: &Ran, check: &str) -> Vec<(String, String)> {
    let report = ran.json();
    let all = report["findings"].as_array().unwrap();
    for one in all {
        let is_told = one["says"].as_str().is_some_and(|says| !says.is_empty());
        assert!(is_told, "{one}");
        let needs = ["warning", "broken"].contains(&one["state"].as_str().unwrap());
        let is_about_owners = one["check"] == "owners" || one["check"] == "containers";
        let has = one["remedy"].is_string();
        assert!(has || !needs || is_about_owners, "no remedy: {one}");
    }
    let of_check = all.iter().filter(|one| one["check"] == check);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_check
        .map(|one| (text(&one["state"]), text(&one["says"])))
        .collect()
}

#[track_caller]
fn is(ran: &Ran, check: &str, state: &str, says: &str) {
    let found = found(ran, check);
    let fits = |(its, words): &(String, String)| its == state && words.contains(says);
    assert!(found.iter().any(fits), "{check}: {found:#?}");
}

#[test]
fn where_nothing_was_ever_used_nothing_is_broken() {
    let home = Home::new();
    let ran = home.run("doctor --json").ends(0);
    assert_eq!(ran.json()["healthy"], json!(true));
    assert_eq!(ran.json()["version"], env!("CARGO_PKG_VERSION"));
    is(&ran, "app", "note", "does not run");
    is(&ran, "database", "note", "is made by the first reservation");
    is(&ran, "pools", "note", "none");
    is(&ran, "autostart", "note", "does not start at login");
    is(&ran, "tray", "note", "no desktop session");
    assert!(!home.path(".local").exists(), "a look makes nothing");
    let told = home.run("doctor").ends(0).out;
    assert!(
        told.lines().any(|line| line.starts_with("note    app")),
        "{told}"
    );
}

#[test]
fn the_running_app_tells_of_itself() {
    let home = Home::new();
    let app = App::start(&home);
    home.run(&format!("reserve {} --project shop", ports::one()))
        .ends(0);
    let ran = home.run("doctor --json").ends(0);
    is(&ran, "app", "ok", &format!("(pid {})", app.pid()));
    is(&ran, "socket", "ok", "freeport.sock");
    is(&ran, "database", "ok", "is sound, 1 port reserved");
}

#[test]
fn a_damaged_database_is_broken() {
    let home = Home::new();
    home.run(&format!("reserve {} --project shop", ports::one()))
        .ends(0);
    let file = home.path(".local/share/freeport/freeport.db");
    std::fs::write(
        &file,
        "this is no database, and longer than its first page is".repeat(100),
    )
    .unwrap();
    let ran = home.run("doctor --json").ends(1);
    assert_eq!(ran.json()["healthy"], json!(false));
    is(&ran, "database", "broken", "freeport.db");
    let told = home.run("doctor").ends(1).out;
    assert!(
        told.contains("is broken") || told.contains("are broken"),
        "{told}"
    );
}

#[test]
fn a_socket_that_others_could_use_is_broken() {
    let home = Home::new();
    std::fs::create_dir(home.runtime()).unwrap();
    std::fs::set_permissions(home.runtime(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let ran = home.run("doctor --json").ends(1);
    is(&ran, "socket", "broken", "is not safe to use");
}

#[test]
fn a_pool_of_ports_that_the_system_gives_out_is_a_weakness() {
    let home = Home::new();
    home.run("pool create ci --ports 14000-14010").ends(0);
    let ran = home.run("doctor --json").ends(0);
    is(&ran, "pools", "ok", "1 pool");
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let Some(first) = range
        .ok()
        .and_then(|text| Some(text.split_whitespace().next()?.to_owned()))
    else {
        return support::skipped("the ports that the system gives out cannot be read");
    };
    home.run(&format!("pool create wrong --ports {first}"))
        .ends(0);
    let ran = home.run("doctor --json").ends(0);
    is(&ran, "pools", "warning", "wrong");
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_kernel_has_is_told() {
    let ran = Home::new().run("doctor --json").ends(0);
    // What this machine has is known to the kernel alone; that it was looked at is seen here.
    for check in ["owners", "holding", "killing", "IPv6", "containers"] {
        assert!(!found(&ran, check).is_empty(), "{check}: {ran:#?}");
    }
    is(&ran, "killing", "ok", "the very process");
}

#[test]
#[cfg(target_os = "linux")]
fn a_desktop_is_asked_for_its_panel_and_its_notifications() {
    use dbus::{Desktop, Notifier, Watcher};
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let doctor = || {
        finish(
            desktop
                .freeport()
                .args(["doctor", "--json"])
                .env("DISPLAY", ":99"),
        )
    };
    let ran = doctor().ends(0);
    is(&ran, "tray", "warning", "StatusNotifierWatcher");
    is(&ran, "notifications", "warning", "cannot be shown");
    let _watcher = Watcher::start(&desktop.bus);
    let _notifier = Notifier::start(&desktop.bus);
    let ran = doctor().ends(0);
    is(&ran, "notifications", "ok", "are shown by");
    let _app = desktop.app();
    desktop.wait_shown(true);
    is(&doctor().ends(0), "tray", "ok", "the icon is shown");
}
