//! The app: whether it runs, with which version, and behind which socket.

use super::VERSION;
use super::finding::Finding;
use crate::ipc::protocol::StatusReply;
use crate::ipc::socket::Place;
use crate::ipc::{Client, ClientError};
use crate::model::time::long_age;
use std::time::Duration;

const APP: &str = "app";
const SOCKET: &str = "socket";

/// What the running app tells of itself, and what was found.
pub fn check() -> (Option<StatusReply>, Vec<Finding>) {
    let socket = Place::of_user().socket();
    let status = Client::connect().and_then(|mut app| app.status());
    match status {
        Ok(status) => {
            let findings = vec![
                running(&status),
                Finding::ok(
                    SOCKET,
                    format!("{}, which only you can use", socket.display()),
                ),
            ];
            (Some(status), findings)
        }
        Err(ClientError::NotRunning) => {
            let findings = vec![
                Finding::note(APP, "does not run: each command works by itself")
                    .remedy("'freeport app --headless' starts it, 'freeport' does with an icon, 'freeport autostart enable' at login"),
                Finding::note(SOCKET, format!("nobody listens at {}", socket.display())),
            ];
            (None, findings)
        }
        Err(ClientError::Socket(error)) => {
            let found = Finding::broken(SOCKET, error.to_string()).remedy(error.hint());
            (None, vec![found])
        }
        Err(error) => {
            let found = Finding::broken(APP, error.to_string()).maybe_remedy(error.hint());
            (None, vec![found])
        }
    }
}

fn running(status: &StatusReply) -> Finding {
    let age = long_age(Duration::from_secs(status.uptime_s));
    let runs = format!("{} runs since {age} (pid {})", status.version, status.pid);
    if status.version == VERSION {
        return Finding::ok(APP, runs);
    }
    let says = format!("{runs}, and this command is {VERSION}");
    Finding::warning(APP, says)
        .remedy("restart the app, so that both have the same version: quit it from its menu, or end it, and start it again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::State;
    use crate::ipc::protocol::{Timings, TrayStatus};
    use crate::model::Timestamp;

    #[test]
    fn an_app_of_another_version_is_a_weakness() {
        let status = |version: &str| StatusReply {
            pid: 7,
            version: version.to_owned(),
            protocol: 1,
            started_at: Timestamp(std::time::UNIX_EPOCH),
            uptime_s: 90,
            scan: Timings::default(),
            requests: Timings::default(),
            memory_bytes: None,
            listeners: 0,
            conflicts: 0,
            reservations: 0,
            held: 0,
            not_held: Vec::new(),
            registry_problem: None,
            gaps: Vec::new(),
            last_cleanup: None,
            tray: TrayStatus::default(),
        };
        assert_eq!(running(&status(VERSION)).state, State::Ok);
        let old = running(&status("0.0.1"));
        assert_eq!(old.state, State::Warning);
        assert!(
            old.says.contains("0.0.1") && old.says.contains(VERSION),
            "{old:?}"
        );
        assert!(old.remedy.is_some());
    }
}
