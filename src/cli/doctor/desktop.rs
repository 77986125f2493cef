//! The desktop: the icon, notifications, and the start at login.

use super::finding::Finding;
use crate::ipc::protocol::StatusReply;
use crate::platform::autostart::{self, State};
use crate::platform::{health, paths};

const TRAY: &str = "tray";
const NOTIFICATIONS: &str = "notifications";
const AUTOSTART: &str = "autostart";

pub fn check(app: Option<&StatusReply>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if paths::in_desktop_session() {
        let desktop = health::desktop();
        findings.push(tray(app, &desktop.tray));
        findings.push(match desktop.notifications {
            Ok(daemon) => Finding::ok(NOTIFICATIONS, format!("are shown by {daemon}")),
            Err(why) => Finding::warning(NOTIFICATIONS, format!("cannot be shown: {why}"))
                .remedy(health::NOTIFICATIONS_REMEDY),
        });
    } else {
        findings.push(Finding::note(
            TRAY,
            "no desktop session here, so no icon and no notifications",
        ));
    }
    findings.push(at_login());
    findings
}

fn tray(app: Option<&StatusReply>, host: &Result<String, String>) -> Finding {
    match (app.map(|app| &app.tray), host) {
        (Some(tray), _) if tray.shown => Finding::ok(TRAY, "the icon is shown"),
        (Some(tray), _) => {
            let why = tray.reason.as_deref().unwrap_or("not known why");
            Finding::warning(TRAY, format!("the icon is not shown: {why}"))
                .maybe_remedy(tray.hint.clone())
        }
        (None, Ok(host)) => Finding::ok(TRAY, format!("{host} shows icons")),
        (None, Err(why)) => Finding::warning(TRAY, format!("an icon would not be shown: {why}"))
            .remedy(health::TRAY_REMEDY),
    }
}

fn at_login() -> Finding {
    match autostart::state() {
        Ok(State::Enabled) => Finding::ok(AUTOSTART, "Freeport starts at login"),
        Ok(State::Disabled) => Finding::note(AUTOSTART, "Freeport does not start at login")
            .remedy("'freeport autostart enable' changes that"),
        Ok(State::Elsewhere(command)) => Finding::warning(
            AUTOSTART,
            format!("another program starts at login: {command}"),
        )
        .remedy("'freeport autostart enable' makes it this one"),
        Err(error) => {
            Finding::broken(AUTOSTART, format!("cannot be read: {error}")).remedy(autostart::HINT)
        }
    }
}
