//! Ending an older instance of the same service that has the port: of the same project, service and user,
//! and never anybody else's.

use std::time::{Duration, Instant};

use super::asking::Asking;
use super::claims::Want;
use super::told::{Voice, spot};
use crate::ipc::protocol::{Kill, List, Reply, Request};
use crate::ipc::view::ListenerView;
use crate::platform::limits;

/// How long the older instance may take to give back what it claimed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait between two looks.
const STEP: Duration = Duration::from_millis(30);

/// Ends the older instance, if there is one on that port.
pub fn replace(asking: &mut Asking, want: &Want, project: Option<&str>, voice: Voice) {
    let Some(old) = found(asking, want).filter(|old| is_same(old, want, project)) else {
        return;
    };
    let Some(owner) = &old.owner else { return };
    let kill = Kill {
        pid: Some(owner.key.to_string()),
        force: true,
        ..Kill::of(vec![want.port])
    };
    if asking.ask(Request::Kill(kill)).is_err() {
        return;
    }
    voice.note(&format!(
        "ended the older instance on port {} (pid {})",
        spot(want.port, want.protocol),
        owner.pid
    ));
    let deadline = Instant::now() + PATIENCE;
    let claimed = old.reservation.and_then(|row| row.key);
    let stays = || claimed.is_some_and(crate::platform::is_alive);
    while stays() && Instant::now() < deadline {
        std::thread::sleep(STEP);
    }
}

fn found(asking: &mut Asking, want: &Want) -> Option<ListenerView> {
    let list = List {
        ports: vec![want.port],
        details: true,
    };
    let Ok(Reply::List(reply)) = asking.ask(Request::List(list)) else {
        return None;
    };
    let mut listeners = reply.listeners.into_iter();
    listeners.find(|found| found.port == want.port && found.protocol == want.protocol)
}

/// Whether a listener is an older instance: by what was claimed for it, or where nothing was, by what it
/// is.
fn is_same(old: &ListenerView, want: &Want, project: Option<&str>) -> bool {
    let (Some(owner), Some(project), Some(service)) = (&old.owner, project, &want.service) else {
        return false;
    };
    let (in_project, is_service) = match &old.reservation {
        // Who listens on a port that was claimed for another one is in conflict, and is not it.
        Some(row) if old.conflict.is_none() => (row.project.as_deref(), row.service.as_ref()),
        Some(_) => return false,
        None => (owner.project.as_deref(), Some(&owner.service)),
    };
    old.uid == limits::user_id() && in_project == Some(project) && is_service == Some(service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Port, Protocol};
    use crate::run::options::{HoldMode, Policy};
    use serde_json::{Value, json};

    fn listener(owner_project: &str, row: Value, conflict: Value) -> ListenerView {
        let view = json!({
            "port": 3000, "protocol": "tcp", "addresses": [], "dual_stack": false,
            "uid": limits::user_id(), "user": null, "workers": [], "hold": null, "leftover": null,
            "owner": {
                "pid": 42, "key": "42@7", "name": "node", "service": "vite", "kind": "dev",
                "command": "", "exe": null, "cwd": null, "project": owner_project,
                "project_root": null, "branch": null, "started_at": "2026-01-01T00:00:00.000Z"
            },
            "reservation": row, "conflict": conflict
        });
        serde_json::from_value(view).unwrap()
    }

    fn row(project: &str, service: &str) -> Value {
        json!({
            "port": 3000, "protocol": "tcp", "project": project, "service": service,
            "status": "active", "hold": "held", "pid": 41, "key": "41@7", "name": "freeport",
            "uid": 1000, "kept": false, "metadata": null,
            "created_at": "2026-01-01T00:00:00.000Z", "expires_at": null, "last_heartbeat": null
        })
    }

    fn want() -> Want {
        Want {
            service: Some("web".into()),
            port: Port::new(3000).unwrap(),
            protocol: Protocol::Tcp,
            remembered: false,
            policy: Policy::Replace,
            hold: HoldMode::Seam,
        }
    }

    #[test]
    fn only_the_same_service_of_the_same_project_is_replaced() {
        let want = want();
        let same = |old: &ListenerView| is_same(old, &want, Some("shop"));
        assert!(same(&listener("shop", row("shop", "web"), Value::Null)));
        assert!(!same(&listener("shop", row("shop", "api"), Value::Null)));
        assert!(!same(&listener("shop", row("blog", "web"), Value::Null)));
        assert!(!same(&listener(
            "shop",
            row("shop", "web"),
            json!("intruder")
        )));
        assert!(
            !same(&listener("shop", Value::Null, Value::Null)),
            "it is vite"
        );
        let want = Want {
            service: Some("vite".into()),
            ..want
        };
        let same = |old: &ListenerView| is_same(old, &want, Some("shop"));
        assert!(same(&listener("shop", Value::Null, Value::Null)));
        assert!(!same(&listener("blog", Value::Null, Value::Null)));
    }

    #[test]
    fn without_a_project_nothing_is_replaced() {
        let want = want();
        let old = listener("shop", row("shop", "web"), Value::Null);
        assert!(!is_same(&old, &want, None));
        let others = ListenerView {
            uid: limits::user_id() + 1,
            ..old
        };
        assert!(!is_same(&others, &want, Some("shop")));
    }
}
