//! Reservations and conflicts in the tray: what the icon and the menu tell of them, and that a
//! click means what was shown, or nothing.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod dbus;
mod support;

use std::time::Instant;

use dbus::{Desktop, Item, Notifier, Relay, Watcher, row};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::app::Wire;
use support::{PATIENCE, ports, wait_for};

/// Reserves a port for the service "web" of a project.
fn reserve(desktop: &Desktop, port: u16, project: &str) {
    let reserve = json!({"cmd": "RESERVE", "ports": [port], "project": project, "service": "web"});
    Wire::open(&desktop.home).done(&reserve);
}

fn release(desktop: &Desktop, port: u16) {
    let release = json!({"cmd": "RELEASE", "ports": [port], "as_user": true});
    Wire::open(&desktop.home).done(&release);
}

fn reservation(desktop: &Desktop, port: u16) -> Value {
    Wire::open(&desktop.home).reservation(port)
}

/// Waits until the socket says so of the reservation of a port.
fn wait_reservation(desktop: &Desktop, port: u16, is: impl Fn(&Value) -> bool) {
    wait_for("the reservation to change", || {
        is(&reservation(desktop, port)).then_some(())
    });
}

/// The id of the entry of a conflict that starts so.
fn conflict_id(item: &Item, port: u16, start: &str) -> i32 {
    item.wait_menu("the conflict", |menu| {
        Some(menu.conflict(port)?.find(start)?.id)
    })
}

#[test]
fn an_intruder_is_on_top_and_can_be_ended() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let port = ports::one();
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    desktop.wait_shown(true);
    let calm = item.pictures();
    reserve(&desktop, port, "blog");
    item.wait_menu("the reservation", |menu| menu.reservation(port).map(drop));
    assert!(
        item.tooltip().ends_with(" · 1 reserved"),
        "{}",
        item.tooltip()
    );
    assert!(item.pictures() == calm, "nothing is wrong with it");
    let bystander = desktop.server("");
    let thief = desktop.server(&format!("--port {port}"));
    let pid = thief.pid;
    wait_for("another icon", || (item.pictures() != calm).then_some(()));
    let menu = item.wait_menu("the conflict", |menu| {
        menu.conflict(port)?;
        menu.find(&format!("⚠ {}", row(port)))?;
        Some(menu.clone())
    });
    assert!(
        menu.labels()[0].ends_with(" · 1 reserved · 1 conflict"),
        "{:?}",
        menu.labels()
    );
    assert_eq!(item.tooltip(), menu.labels()[0]);
    assert_eq!(
        menu.labels()[2],
        format!("⚠ {port} · python listener.py where blog web should be")
    );
    let shown = menu.conflict(port).unwrap();
    assert_eq!(
        shown.labels()[1..],
        [
            &format!("pid {pid} · running for less than a minute"),
            "in ~/shop",
            "reserved for blog web",
            "--",
            &format!("Kill python listener.py (pid {pid}) on {port}"),
            &format!("Release the reservation of {port}"),
            "Ignore",
        ]
    );
    let row = menu.find(&format!("⚠ {}", row(port))).unwrap();
    assert!(row.find("⚠ reserved for blog web").is_some(), "{row:?}");
    assert!(row.find("Reserve ").is_none(), "{row:?}");
    item.about_to_show();
    item.click_id(conflict_id(&item, port, "Kill ")).unwrap();
    assert_eq!(thief.process.status(), 128 + 15);
    let (note, _) = notifier.wait(&format!("Port {port} is free"));
    assert_eq!(note.body, format!("Ended python listener.py (pid {pid})."));
    wait_for("the first icon", || (item.pictures() == calm).then_some(()));
    item.wait_menu("the conflict to go", |menu| {
        menu.conflict(port).is_none().then_some(())
    });
    assert!(bystander.is_alive());
    assert_eq!(reservation(&desktop, port)["project"], "blog");
}

#[test]
fn a_port_is_reserved_and_released_by_its_row() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let server = desktop.server("");
    let port = server.port;
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    item.wait_row(port);
    assert_eq!(reservation(&desktop, port), Value::Null);
    item.click(&format!("Reserve {port} for shop"));
    let menu = item.wait_menu("the reservation", |menu| {
        menu.reservation(port)?;
        Some(menu.clone())
    });
    assert_eq!(
        menu.find("Reservations ").unwrap().label,
        "Reservations (1)"
    );
    let shown = menu.reservation(port).unwrap();
    assert_eq!(shown.label, format!("{port}   shop · active"));
    assert_eq!(
        shown.labels(),
        [
            "made less than a minute ago",
            "does not expire",
            "advisory: others can still bind it",
            "--",
            &format!("Release {port}"),
        ]
    );
    let row = menu.find(&row(port)).unwrap();
    assert!(row.find("reserved for shop").is_some(), "{row:?}");
    assert!(row.find("Reserve ").is_none(), "{row:?}");
    let told = reservation(&desktop, port);
    assert_eq!(
        (&told["project"], &told["service"], &told["kept"]),
        (&json!("shop"), &Value::Null, &json!(true))
    );
    item.click(&format!("Release the reservation of {port}"));
    wait_reservation(&desktop, port, Value::is_null);
    item.wait_menu("reserve to be offered again", |menu| {
        let gone = menu.find("Reservations ").is_none();
        gone.then(|| menu.find("Reserve ").map(drop))?
    });
    assert!(server.is_alive());
}

#[test]
fn a_reservation_is_released_by_its_entry() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let first = ports::block(2);
    let app = desktop.app();
    let item = watcher.item(PATIENCE);
    let claim = json!({"cmd": "CLAIM", "port": first, "pid": app.process.pid(), "ttl_s": 3570});
    reserve(&desktop, first + 1, "blog");
    Wire::open(&desktop.home).done(&claim);
    let menu = item.wait_menu("two reservations", |menu| {
        (menu.find("Reservations ")?.label == "Reservations (2)").then(|| menu.clone())
    });
    let claimed = menu.reservation(first).unwrap();
    assert!(
        claimed.label.ends_with(" · claimed · 59m left"),
        "{claimed:?}"
    );
    assert_eq!(
        claimed.labels()[1..3],
        ["made less than a minute ago", "expires in 59m"]
    );
    assert!(
        claimed.labels()[0].ends_with(&format!(" (pid {})", app.process.pid())),
        "{claimed:?}"
    );
    item.click(&format!("Release {first}"));
    wait_reservation(&desktop, first, Value::is_null);
    item.wait_menu("one reservation", |menu| {
        (menu.find("Reservations ")?.label == "Reservations (1)").then_some(())
    });
    assert_eq!(reservation(&desktop, first + 1)["project"], "blog");
}

#[test]
fn a_conflict_that_is_ignored_is_one_no_more() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let port = ports::one();
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    desktop.wait_shown(true);
    let calm = item.pictures();
    reserve(&desktop, port, "blog");
    let thief = desktop.server(&format!("--port {port}"));
    item.about_to_show();
    let ignore = wait_for("the conflict", || {
        item.about_to_show();
        Some(item.layout().conflict(port)?.find("Ignore")?.id)
    });
    item.click_id(ignore).unwrap();
    item.wait_menu("the conflict to go", |menu| {
        menu.conflict(port).is_none().then_some(())
    });
    wait_for("the first icon", || (item.pictures() == calm).then_some(()));
    // Another one is another matter.
    thief.process.signal(Signal::KILL);
    thief.process.status();
    let heir = desktop.server(&format!("--port {port}"));
    let shown = item.wait_menu("the next conflict", |menu| menu.conflict(port).cloned());
    assert!(
        shown
            .find(&format!("Kill python listener.py (pid {})", heir.pid))
            .is_some(),
        "{shown:?}"
    );
}

#[test]
fn who_share_a_port_are_told_and_one_can_be_ended() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    if !support::processes::has_ipv6() {
        return;
    }
    let watcher = Watcher::start(&desktop.bus);
    let first = desktop.server("");
    let port = first.port;
    let second = desktop.server(&format!("--at ::1 --v6only --port {port}"));
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    let shown = item.wait_menu("the conflict", |menu| menu.conflict(port).cloned());
    let name = "python listener.py";
    assert_eq!(
        shown.label,
        format!("⚠ {port} · {name} and {name} share it")
    );
    let (one, two) = (first.pid.min(second.pid), first.pid.max(second.pid));
    assert_eq!(
        shown.labels(),
        [
            &format!("{name} (pid {one}) · in ~/shop"),
            &format!("{name} (pid {two}) · in ~/shop"),
            &format!("a client may reach any of them: freeport why {port}"),
            "--",
            &format!("Kill {name} (pid {one}) on {port}"),
            &format!("Kill {name} (pid {two}) on {port}"),
            "Ignore",
        ]
    );
    item.about_to_show();
    let kill = format!("Kill {name} (pid {})", second.pid);
    item.click_id(conflict_id(&item, port, &kill)).unwrap();
    assert_eq!(second.process.status(), 128 + 15);
    item.wait_menu("the conflict to go", |menu| {
        menu.conflict(port).is_none().then_some(())
    });
    assert!(first.is_alive());
}

#[test]
fn a_click_on_a_conflict_never_means_another_intruder() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let port = ports::one();
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    reserve(&desktop, port, "blog");
    let mut relay = Relay::start(&desktop, port, "");
    for _ in 0..5 {
        let kill = format!("Kill python -c (pid {}) on {port}", relay.pid);
        let kill = conflict_id(&item, port, &kill);
        let old = item.layout();
        relay.hand_over();
        let new = item.wait_menu("the next intruder", |menu| {
            let shown = menu.conflict(port)?;
            shown.find(&format!("pid {} ", relay.pid))?;
            Some(menu.clone())
        });
        if desktop.is_alone() {
            assert_eq!(old.shape(), new.shape(), "only labels differ");
        }
        let refused = item.click_id(kill).unwrap_err();
        assert!(refused.to_string().contains("id not found"), "{refused}");
    }
    assert!(relay.is_alive());
}

#[test]
fn an_open_menu_keeps_its_conflicts_and_reservations() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let port = ports::block(3);
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    reserve(&desktop, port, "blog");
    let mut relay = Relay::start(&desktop, port, "");
    conflict_id(&item, port, "Kill ");
    item.about_to_show();
    let before = item.layout();
    let ids = |menu: &dbus::Entry| {
        menu.entries
            .iter()
            .map(|entry| entry.id)
            .collect::<Vec<_>>()
    };
    let (first, kill) = (relay.pid, conflict_id(&item, port, "Kill "));
    relay.hand_over();
    let settled = item.wait_menu("the conflict to be settled", |menu| {
        let shown = menu.conflict(port)?;
        shown.label.ends_with(" · settled").then(|| menu.clone())
    });
    assert_eq!(ids(&before), ids(&settled), "nothing moves");
    assert_eq!(before.shape(), settled.shape(), "nothing moves");
    let shown = settled.conflict(port).unwrap();
    for start in ["Kill ", "Release ", "Ignore"] {
        assert!(!shown.find(start).unwrap().enabled, "{start}");
    }
    assert!(
        item.tooltip().ends_with(" · 1 conflict"),
        "the icon tells what is so"
    );
    // What came meanwhile waits, and what went is marked.
    reserve(&desktop, port + 1, "docs");
    release(&desktop, port);
    let shown = item.wait_menu("the reservation to be released", |menu| {
        let shown = menu.reservation(port)?;
        shown.label.ends_with(" · released").then(|| menu.clone())
    });
    assert_eq!(ids(&before), ids(&shown));
    assert!(shown.reservation(port + 1).is_none());
    // A panel that was slower clicks all the same.
    item.click_id(kill).unwrap();
    let (note, _) = notifier.wait("Nothing was killed");
    assert!(note.summary.ends_with(&port.to_string()), "{note:?}");
    assert!(relay.is_alive(), "it is not pid {first}");
    let menu = item.wait_menu("what came meanwhile", |menu| {
        menu.reservation(port + 1)?;
        Some(menu.clone())
    });
    assert!(menu.conflict(port).is_none() && menu.reservation(port).is_none());
}

#[test]
fn a_click_on_release_never_means_another_reservation() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let port = ports::one();
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    let release_id = |project: &str| {
        item.wait_menu("the reservation", |menu| {
            let shown = menu.reservation(port)?;
            shown
                .label
                .contains(project)
                .then(|| shown.find("Release ").unwrap().id)
        })
    };
    reserve(&desktop, port, "blog");
    let of_blog = release_id("blog web");
    release(&desktop, port);
    reserve(&desktop, port, "docs");
    release_id("docs web");
    let refused = item.click_id(of_blog).unwrap_err();
    assert!(refused.to_string().contains("id not found"), "{refused}");
    // The same in a menu that is open.
    item.about_to_show();
    let of_docs = release_id("docs web");
    release(&desktop, port);
    reserve(&desktop, port, "shop");
    release_id("docs web · reserved · released");
    item.click_id(of_docs).unwrap();
    let (note, _) = notifier.wait(&format!("Port {port} was not released"));
    assert_eq!(note.body, "It is reserved for shop web by now.");
    assert_eq!(reservation(&desktop, port)["project"], "shop");
}

#[test]
fn what_cannot_be_reserved_is_told() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let server = desktop.server("");
    let port = server.port;
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    item.wait_row(port);
    item.about_to_show();
    let id = item.layout().find("Reserve ").unwrap().id;
    // Somebody else is faster.
    let claim = json!({"cmd": "CLAIM", "port": port, "pid": server.pid, "project": "other"});
    Wire::open(&desktop.home).done(&claim);
    item.wait_menu("reserve to be unavailable", |menu| {
        (!menu.find("Reserve ")?.enabled).then_some(())
    });
    item.click_id(id).unwrap();
    let (note, _) = notifier.wait(&format!("Cannot reserve port {port}"));
    assert!(
        note.body.contains("claimed by") && note.body.contains("freeport release"),
        "{note:?}"
    );
}

#[test]
fn switches_are_kept() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let app = desktop.app();
    let item = watcher.item(PATIENCE);
    let names = ["Intruders", "Shared ports", "Refused ports", "Clean-ups"];
    let keys = [
        "notify_intruder",
        "notify_shadowed",
        "notify_refused",
        "notify_cleanup",
    ];
    let are = |item: &Item, on: [bool; 4]| {
        item.wait_menu("the switches", |menu| {
            let folder = menu.find("Notifications")?;
            let is = |(name, on): (&&str, &bool)| {
                folder
                    .find(name)
                    .is_some_and(|one| one.checked == Some(*on))
            };
            names.iter().zip(&on).all(is).then_some(())
        });
        let mut wire = Wire::open(&desktop.home);
        for (key, on) in keys.iter().zip(on) {
            let told = wire.done(&json!({"cmd": "CONFIG", "key": key}));
            assert_eq!(told["settings"][0]["value"], on.to_string(), "{key}");
        }
    };
    are(&item, [true; 4]);
    item.click("Intruders");
    are(&item, [false, true, true, true]);
    item.click("Clean-ups");
    are(&item, [false, true, true, false]);
    item.click("Intruders");
    are(&item, [true, true, true, false]);
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    are(&item, [true, true, true, false]);
    // What is set elsewhere is shown, too.
    let set = json!({"cmd": "CONFIG", "key": "notify_refused", "value": "off"});
    Wire::open(&desktop.home).done(&set);
    are(&item, [true, true, false, false]);
}

#[test]
fn what_is_left_over_is_apart_and_can_be_ended() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let left = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    item.wait_row(left.port);
    std::fs::remove_dir_all(desktop.home.path("shop")).unwrap();
    let mut wire = Wire::open(&desktop.home);
    wire.done(&json!({"cmd": "CONFIG", "key": "leftover_age", "value": "0"}));
    wire.done(&json!({"cmd": "CLEANUP", "leftovers": true, "dry_run": true}));
    let shown = item.wait_menu("the folder", |menu| {
        menu.find("Left over (1)")?.find(&row(left.port)).cloned()
    });
    assert_eq!(shown.labels()[0], "left over: its folder has been deleted");
    let start = Instant::now();
    item.click(&format!(
        "Kill python listener.py (pid {}) on {}",
        left.pid, left.port
    ));
    assert_eq!(left.process.status(), 128 + 15);
    assert!(start.elapsed() < dbus::PROMPT);
    item.wait_menu("the folder to go", |menu| {
        menu.find("Left over").is_none().then_some(())
    });
}
