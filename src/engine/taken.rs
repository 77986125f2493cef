//! Saying that a port is taken: by whom, and what is free instead.

use super::lease::Refusal;
use crate::ipc::protocol::{ErrorCode, ErrorReply};
use crate::model::choice::{Grounds, PortSet, Wishes, choose};
use crate::model::text::{escape, tilde};
use crate::model::{Listener, Port, PortRange, Reservation, Snapshot};
use crate::platform::{limits, paths};
use crate::registry::Change;
use crate::registry::judge::{self, Scene};

/// How far above a taken port a free one is looked for first.
const NEARBY: u16 = 20;

/// Somebody listens on it.
pub(super) fn by_listener(listener: &Listener, scene: &Scene<'_>, change: &Change<'_>) -> Refusal {
    let holder = holder(listener);
    let (port, free) = (listener.port, free_near(listener.port, scene, change));
    let kill = listener
        .owner
        .is_some()
        .then(|| format!("end it with 'freeport kill {port}'"));
    let steps: Vec<String> = free
        .map(|free| format!("{free} is free"))
        .into_iter()
        .chain(kill)
        .collect();
    refusal(port, holder, &steps.join("; or "), free)
}

/// It is reserved for somebody else, or claimed by somebody else.
pub(super) fn by_reservation(row: &Reservation, scene: &Scene<'_>, change: &Change<'_>) -> Refusal {
    let (port, free) = (row.port, free_near(row.port, scene, change));
    // Of a claim that is over, what was reserved before is in the way.
    let left = row.unclaimed().filter(|_| judge::end(row, scene).is_some());
    let row = left.as_ref().unwrap_or(row);
    let purpose = row.purpose().map(|purpose| escape(&purpose).into_owned());
    let holder = match (&row.owner, purpose) {
        (Some(owner), Some(purpose)) => format!(
            "{} (pid {}), for {purpose}",
            escape(&owner.name),
            owner.key.pid
        ),
        (Some(owner), None) => format!("{} (pid {})", escape(&owner.name), owner.key.pid),
        (None, Some(purpose)) => purpose,
        (None, None) => "somebody else".to_owned(),
    };
    let until = row
        .lease
        .map(|lease| format!(", until {}", lease.expires_at))
        .unwrap_or_default();
    let what = match (&row.token, &row.owner) {
        (Some(_), Some(_)) => "claimed by",
        (Some(_), None) => "claimed for",
        (None, _) => "reserved for",
    };
    let steps: Vec<String> = free
        .map(|free| format!("{free} is free"))
        .into_iter()
        .chain([format!("give it back with 'freeport release {port}'")])
        .collect();
    let error = ErrorReply {
        free,
        ..ErrorReply::new(
            ErrorCode::PortTaken,
            format!("port {port} is {what} {holder}{until}"),
        )
        .hint(steps.join("; or "))
    };
    Refusal::Taken { holder, error }
}

/// Somebody has bound it, and does not listen.
pub(super) fn by_bound(port: Port, scene: &Scene<'_>, change: &Change<'_>) -> Refusal {
    let holder = "a program that does not listen";
    let free = free_near(port, scene, change);
    let free_text = free.map(|free| format!("{free} is free; or "));
    let hint = "leave out the hold; right after a server has ended, try again in a minute";
    let error = ErrorReply::new(
        ErrorCode::PortTaken,
        format!("port {port} is bound by {holder}"),
    );
    Refusal::Taken {
        holder: holder.to_owned(),
        error: ErrorReply {
            free,
            ..error.hint(format!("{}{hint}", free_text.unwrap_or_default()))
        },
    }
}

fn refusal(port: Port, holder: String, hint: &str, free: Option<Port>) -> Refusal {
    let error = ErrorReply::new(
        ErrorCode::PortTaken,
        format!("port {port} is taken by {holder}"),
    );
    let error = if hint.is_empty() {
        error
    } else {
        error.hint(hint)
    };
    Refusal::Taken {
        holder,
        error: ErrorReply { free, ..error },
    }
}

/// Who a listener is, for a person: `vite (pid 4242, ~/shop)`.
pub(super) fn holder(listener: &Listener) -> String {
    match &listener.owner {
        Some(owner) => {
            let folder = owner
                .cwd
                .as_deref()
                .map(|cwd| format!(", {}", tilde(cwd, paths::home().as_deref())));
            format!(
                "{} (pid {}{})",
                escape(&owner.service),
                owner.key.pid,
                folder.unwrap_or_default()
            )
        }
        None => format!("a process of {}", escape(&listener.user_name())),
    }
}

/// What the system says of its ports.
pub(super) fn grounds() -> Grounds {
    Grounds {
        first_unprivileged: limits::first_unprivileged_port(),
        ephemeral: limits::ephemeral_ports(),
    }
}

/// The first port that this user may bind: root may bind any.
pub(super) fn first_usable() -> u16 {
    match limits::user_id() {
        0 => 0,
        _ => limits::first_unprivileged_port(),
    }
}

/// The ports that nobody else should be given: those that listen and those that are reserved.
pub(super) fn in_use<'a>(
    snapshot: &Snapshot,
    rows: impl Iterator<Item = &'a Reservation>,
) -> PortSet {
    let listening = snapshot.listeners.iter().map(|listener| listener.port);
    let elsewhere = snapshot.elsewhere.iter().copied();
    listening
        .chain(elsewhere)
        .chain(rows.map(|row| row.port))
        .collect()
}

/// A port that is free, near this one if there is one.
fn free_near(port: Port, scene: &Scene<'_>, change: &Change<'_>) -> Option<Port> {
    let mut taken = in_use(scene.snapshot, change.all());
    taken.insert(port);
    let last = Port::new(port.get().saturating_add(NEARBY)).unwrap_or(Port::MAX);
    let near: Vec<Port> = PortRange::new(port, last)
        .map(|range| range.iter().collect())
        .unwrap_or_default();
    let wishes = Wishes {
        count: 1,
        block: false,
        first: &near,
        range: change.settings().port_range()?,
        beyond: true,
    };
    choose(&wishes, &grounds(), &taken).ok()?.first().copied()
}
