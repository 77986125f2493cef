//! Kills from the tray: that a click ends the process that was shown, or none.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod dbus;
mod support;

use dbus::{Desktop, Notifier, Relay, Watcher, row};
use rustix::process::Signal;
use support::PATIENCE;

#[test]
fn kill_ends_the_server_and_says_so() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let (server, port) = desktop.web_server();
    let bystander = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    item.wait_row(port);
    let pid = server.pid();
    item.click(&format!("Kill http.server (pid {pid}) on {port}"));
    assert_eq!(server.status(), 128 + 15, "SIGTERM ended it");
    let note = notifier.next(PATIENCE);
    assert_eq!(note.summary, format!("Port {port} is free"));
    assert_eq!(note.body, format!("Ended http.server (pid {pid})."));
    item.wait_menu("the row to go", |menu| {
        menu.find(&row(port)).is_none().then_some(())
    });
    assert!(bystander.is_alive());
    assert!(notifier.rest().is_empty());
}

#[test]
fn what_outlives_a_kill_can_be_forced() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let server = desktop.server("--ignore-term");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    assert!(item.wait_row(server.port).find("Force kill ").is_none());
    item.click(&format!("Kill python listener.py (pid {})", server.pid));
    let note = notifier.next(PATIENCE);
    assert_eq!(note.summary, format!("Port {} is not free", server.port));
    assert!(server.is_alive());
    let force = format!(
        "Force kill python listener.py (pid {}) on {}",
        server.pid, server.port
    );
    item.wait_menu("force to be offered", |menu| menu.find(&force).map(drop));
    item.click(&force);
    assert_eq!(server.process.status(), 128 + 9);
    let note = notifier.next(PATIENCE);
    assert_eq!(note.summary, format!("Port {} is free", server.port));
}

#[test]
fn a_click_in_an_open_menu_never_means_a_process_that_came_later() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let server = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    item.wait_row(server.port);
    item.about_to_show();
    let shown = item.layout();
    server.process.signal(Signal::KILL);
    server.process.status();
    let heir = desktop.server(&format!("--port {}", server.port));
    // The row may say by now that it has closed; a panel that was slower clicks all the same.
    item.click_id(shown.kill_id(server.port)).unwrap();
    let note = notifier.next(PATIENCE);
    assert_eq!(
        note.summary,
        format!("Nothing was killed on port {}", server.port)
    );
    assert!(heir.is_alive());
}

/// Hands over several times, as whether an id is still good may depend on what came before, and
/// clicks on what was shown before.
fn stale_clicks_are_refused(argument: &str) {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let mut relay = Relay::start(&desktop, 0, argument);
    let bystander = desktop.server("");
    let _app = desktop.app();
    let item = watcher.item(PATIENCE);
    item.wait_row(bystander.port);
    for _ in 0..5 {
        let old = relay.wait_row(&item);
        let shown = relay.port;
        relay.hand_over();
        let new = relay.wait_row(&item);
        if desktop.is_alone() {
            assert_eq!(old.shape(), new.shape(), "only labels differ");
        }
        for port in [shown, bystander.port] {
            let refused = item.click_id(old.kill_id(port)).unwrap_err();
            assert!(refused.to_string().contains("id not found"), "{refused}");
        }
    }
    // Who is alive when a later click has done its work was not meant by an earlier one.
    let last = desktop.server("");
    item.wait_row(last.port);
    item.click(&format!("Kill python listener.py (pid {})", last.pid));
    notifier.next(PATIENCE);
    assert!(last.process.has_ended());
    assert!(relay.is_alive() && bystander.is_alive());
}

#[test]
fn a_click_on_a_row_that_became_another_port_is_refused() {
    stale_clicks_are_refused("elsewhere");
}

#[test]
fn a_click_on_a_row_whose_process_was_replaced_is_refused() {
    stale_clicks_are_refused("");
}
