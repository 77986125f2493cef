//! The tray as a panel meets it: the real program on a session bus of its own, real servers, and
//! clicks over D-Bus. Here the icon, and what the menu shows and does; `tray_kill` ends processes,
//! `tray_faults` takes parts of the desktop away.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod dbus;
mod support;

use std::os::unix::fs::PermissionsExt as _;

use dbus::{Desktop, Entry, Watcher, row};
use rustix::process::Signal;
use support::processes::has_ipv6;
use support::{PATIENCE, wait_for};

#[test]
fn the_icon_tells_counts_and_opens_its_menu_by_a_left_click() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let (first, second) = (desktop.server(""), desktop.server(""));
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    assert_eq!(item.property::<String>("Id"), "freeport");
    assert_eq!(item.property::<String>("Status"), "Active");
    assert!(item.property::<bool>("ItemIsMenu"));
    let refused = item.activate().unwrap_err().to_string();
    assert!(refused.contains("UnknownMethod"), "{refused}");
    for (side, pixels) in item.pictures() {
        assert_eq!(pixels.len(), usize::try_from(side * side * 4).unwrap());
        assert!(pixels.iter().any(|byte| *byte != 0), "nothing is drawn");
    }
    item.wait_row(first.port);
    item.wait_row(second.port);
    wait_for("the counts to be the same everywhere", || {
        let menu = item.layout();
        let headline = menu.shown().next().unwrap();
        let rows = menu.count_rows();
        let told = format!("{rows} ports in use");
        (headline.label == told
            && !headline.enabled
            && item.tooltip() == told
            && item.property::<String>("Title") == format!("Freeport: {told}"))
        .then_some(())
    });
}

#[test]
fn the_icon_changes_while_a_port_is_ambiguous() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    if !has_ipv6() {
        return;
    }
    let watcher = Watcher::start(&desktop.bus);
    let server = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    item.wait_row(server.port);
    let calm = item.pictures();
    let other = desktop.server(&format!("--at ::1 --port {}", server.port));
    wait_for("another icon", || (item.pictures() != calm).then_some(()));
    let menu = item.layout();
    let headline = menu.shown().next().unwrap();
    assert!(headline.label.ends_with(" · 1 conflict"), "{headline:?}");
    let shown = menu.find(&format!("⚠ {}", row(server.port))).unwrap();
    assert!(shown.find("⚠ another process uses").is_some(), "{shown:?}");
    other.process.signal(Signal::KILL);
    wait_for("the first icon", || (item.pictures() == calm).then_some(()));
}

#[test]
fn a_row_tells_what_listens_and_what_can_be_done() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let (server, port) = desktop.web_server();
    let _app = desktop.app();
    let shown = watcher.item(PATIENCE).wait_row(port);
    assert_eq!(shown.label, format!("{port}   http.server · shop · now"));
    let pid = server.pid();
    let labels = shown.labels();
    assert!(
        labels[0].ends_with(" -u -m http.server 0 --bind 127.0.0.1"),
        "{labels:?}"
    );
    assert_eq!(
        labels[1..],
        [
            &format!("pid {pid} · running for less than a minute"),
            "in ~/shop",
            "listens on 127.0.0.1",
            "--",
            &format!("Open http://localhost:{port}"),
            "Copy URL",
            "--",
            &format!("Reserve {port} for shop"),
            "--",
            &format!("Kill http.server (pid {pid}) on {port}"),
        ]
    );
    for entry in &shown.entries[..4] {
        assert!(!entry.enabled, "text is only to be read: {entry:?}");
    }
    for entry in shown.entries[5..]
        .iter()
        .filter(|entry| entry.label != "--")
    {
        assert!(entry.enabled, "{entry:?}");
    }
}

#[test]
fn rows_stay_where_they_are_while_the_menu_is_open() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let mut servers = [desktop.server(""), desktop.server("")];
    servers.sort_by_key(|server| server.port);
    let [closing, staying] = servers;
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    item.wait_row(closing.port);
    item.wait_row(staying.port);
    item.about_to_show();
    let before = item.layout();
    let late = desktop.server("");
    let later = desktop.server("");
    closing.process.signal(Signal::KILL);
    let closed = item.wait_menu("the row to say that it has closed", |menu| {
        let shown = menu.find(&row(closing.port))?;
        shown.label.ends_with(" · closed").then(|| menu.clone())
    });
    assert!(closed.find(&row(late.port)).is_none(), "nothing appears");
    let ids = |menu: &Entry| {
        menu.entries
            .iter()
            .map(|entry| entry.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&before), ids(&closed), "nothing moves");
    let shown = closed.find(&row(closing.port)).unwrap();
    for start in ["Open ", "Copy ", "Kill "] {
        assert!(!shown.find(start).unwrap().enabled, "{start}");
    }
    let other = closed.find(&row(staying.port)).unwrap();
    assert!(other.find("Kill ").unwrap().enabled);
    // The icon tells what is there, though.
    assert_eq!(
        item.tooltip(),
        format!("{} ports in use", closed.count_rows() + 1)
    );
    // Who opens the menu again sees it there, too, and so does who clicks.
    item.about_to_show();
    let again = item.layout();
    assert!(again.find(&row(late.port)).is_some());
    assert!(again.find(&row(later.port)).is_some());
    assert!(again.find(&row(closing.port)).is_none());
    staying.process.signal(Signal::KILL);
    item.wait_menu("the other row to say so", |menu| {
        let shown = menu.find(&row(staying.port))?;
        shown.label.ends_with(" · closed").then_some(())
    });
    item.click("Show system ports");
    assert!(item.layout().find(&row(staying.port)).is_none());
}

#[test]
fn ports_of_the_system_are_shown_on_request() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let hidden = desktop.server("--udp --at 0.0.0.0");
    let server = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    let label = format!("{}/udp   ", hidden.port);
    item.wait_row(server.port);
    let menu = item.layout();
    assert!(menu.find(&label).is_none());
    assert_eq!(menu.find("Show system ports").unwrap().checked, Some(false));
    item.click("Show system ports");
    item.wait_menu("the hidden row", |menu| {
        let on = menu.find("Show system ports")?.checked == Some(true);
        let shown = menu.find("System and other users")?.find(&label).is_some();
        (on && shown).then_some(())
    });
    item.click("Show system ports");
    item.wait_menu("the row to be hidden again", |menu| {
        let off = menu.find("Show system ports")?.checked == Some(false);
        (off && menu.find(&label).is_none()).then_some(())
    });
}

#[test]
fn launch_at_login_is_what_the_entry_says() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    let wait_until = |on: bool| {
        item.wait_menu("launch at login to change", |menu| {
            (menu.find("Launch at login")?.checked == Some(on)).then_some(())
        });
    };
    let entry = desktop.home.path("config/autostart/freeport.desktop");
    wait_until(false);
    item.click("Launch at login");
    wait_until(true);
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(text.contains(env!("CARGO_BIN_EXE_freeport")), "{text}");
    // Switched off by a settings dialog of the desktop.
    std::fs::write(&entry, text + "Hidden=true\n").unwrap();
    item.about_to_show();
    wait_until(false);
    item.click("Launch at login");
    wait_until(true);
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(!text.contains("Hidden"), "{text}");
    item.click("Launch at login");
    wait_until(false);
    assert!(!entry.exists());
}

#[test]
fn open_opens_the_browser() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let server = desktop.server("");
    let opened = desktop.home.path("opened");
    let browser = desktop.home.write(
        "bin/xdg-open",
        &format!("#!/bin/sh\necho \"$1\" > '{}'\n", opened.display()),
    );
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", browser.parent().unwrap().display());
    let _app = desktop.app_by(desktop.freeport().arg("app").env("PATH", path));
    let item = watcher.item(PATIENCE);
    item.wait_row(server.port);
    item.click(&format!("Open http://localhost:{}", server.port));
    let url = wait_for("the browser", || {
        std::fs::read_to_string(&opened)
            .ok()
            .filter(|text| text.ends_with('\n'))
    });
    assert_eq!(url, format!("http://localhost:{}\n", server.port));
}

#[test]
fn quit_ends_the_app() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let app = desktop.app();
    let item = watcher.item(PATIENCE);
    let socket = desktop.home.runtime().join("freeport.sock");
    assert!(socket.exists());
    item.click("Quit Freeport");
    assert_eq!(app.ends(), 0);
    assert!(!socket.exists());
}
