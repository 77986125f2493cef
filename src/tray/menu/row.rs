//! A listener in the menu: its row, and what is below it.

use super::item::{Action, Item, Meant};
use super::words::{claimant, command, count, duration, left, name, place, project, purpose, spot};
use super::{View, is_own};
use crate::model::reservation::check_name;
use crate::model::text::{escape, shorten};
use crate::model::time::short_age;
use crate::model::{Container, Listener, Port, Process, ProcessKey, Protocol};
use crate::tray::contents::Row;

/// The most characters of what a container is made from.
const ORIGIN: usize = 64;

/// The row of a listener.
pub fn row(row: &Row<'_>, view: &View) -> Item {
    Item::Sub {
        label: label(row, view),
        items: details(row, view),
    }
}

fn label(row: &Row<'_>, view: &View) -> String {
    let listener = row.listener;
    let mut parts = vec![name(listener.service())];
    match (listener.published(), &listener.owner) {
        (Some(container), _) => parts.extend(container.project.as_deref().map(project)),
        (None, Some(owner)) => {
            parts.extend(owner.project.as_ref().map(|found| project(&found.name)));
            parts.push(short_age(owner.started_at.age(view.now)));
        }
        (None, None) => parts.extend(listener.user.as_deref().map(name)),
    }
    if row.gone {
        parts.push("closed".to_owned());
    }
    let warns = (row.shadowed || row.intrudes) && !row.gone;
    let warning = if warns { "⚠ " } else { "" };
    let spot = spot(listener.port, listener.protocol);
    format!("{warning}{spot}   {}", parts.join(" · "))
}

fn details(row: &Row<'_>, view: &View) -> Vec<Item> {
    let listener = row.listener;
    let mut items: Vec<Item> = row
        .leftover
        .map(|why| Item::Info(format!("left over: {}", why.reason())))
        .into_iter()
        .collect();
    if let Some(container) = &listener.container {
        items.extend(contained(container).map(Item::Info));
    }
    match (listener.published(), &listener.owner) {
        (Some(_), _) => {}
        (None, Some(owner)) => items.extend(process(owner, view)),
        (None, None) => items.push(unseen(&listener.user_name())),
    }
    let addresses: Vec<String> = listener.addresses.iter().map(ToString::to_string).collect();
    items.push(Item::Info(format!("listens on {}", addresses.join(", "))));
    if !listener.workers.is_empty() {
        let others = count(listener.workers.len(), "other process", "other processes");
        items.push(Item::Info(format!("shared with {others}")));
    }
    items.extend(reserved(row, view).map(Item::Info));
    if row.shadowed {
        items.push(Item::Info(format!(
            "⚠ another process uses {0} too: freeport why {0}",
            listener.port
        )));
    }
    if listener.protocol == Protocol::Tcp {
        let url = url(listener);
        items.push(Item::Separator);
        items.push(button(
            format!("Open {url}"),
            Action::Open(url.clone()),
            !row.gone,
        ));
        items.push(button("Copy URL", Action::Copy(url), !row.gone));
    }
    if let Some(change) = reservation(row, view) {
        items.push(Item::Separator);
        items.push(change);
    }
    if let Some(container) = listener.published() {
        items.push(Item::Separator);
        items.push(stop(container, listener.port, !row.gone));
    } else if let Some(key) = listener.owner_key() {
        items.push(Item::Separator);
        items.extend(kill(
            listener.service(),
            listener.port,
            key,
            view,
            !row.gone,
        ));
    }
    items
}

/// Whom its port is reserved for.
fn reserved(row: &Row<'_>, view: &View) -> Option<String> {
    let reservation = row.reservation.as_ref()?.view;
    let warning = if row.intrudes { "⚠ " } else { "" };
    let told = purpose(reservation);
    // Unless that is all there is to tell.
    let claimant = claimant(reservation)
        .filter(|claimant| *claimant != told)
        .map(|claimant| format!(" · claimed by {claimant}"))
        .unwrap_or_default();
    let left = left(reservation, view.now)
        .map(|left| format!(" · {left}"))
        .unwrap_or_default();
    let hold = match reservation.held_by {
        Some(_) => " · held",
        None => "",
    };
    Some(format!(
        "{warning}reserved for {told}{claimant}{hold}{left}"
    ))
}

/// What can be done about the reservation of its port.
fn reservation(row: &Row<'_>, view: &View) -> Option<Item> {
    let listener = row.listener;
    let spot = spot(listener.port, listener.protocol);
    if let Some(reserved) = &row.reservation {
        return Some(button(
            format!("Release the reservation of {spot}"),
            Action::Release(Meant::of(reserved.view)),
            !reserved.gone,
        ));
    }
    let owner = listener.owner.as_ref()?;
    let found = owner.project.as_ref()?;
    let can_be = is_own(listener, view) && check_name(&found.name).is_ok();
    can_be.then(|| {
        button(
            format!("Reserve {spot} for {}", project(&found.name)),
            Action::Reserve {
                port: listener.port,
                protocol: listener.protocol,
                project: found.name.clone(),
            },
            row.unreserved && !row.gone,
        )
    })
}

/// What is known of a process.
pub fn process(process: &Process, view: &View) -> impl Iterator<Item = Item> {
    let age = duration(process.started_at.age(view.now));
    let lines = [
        Some(command(process)),
        Some(format!("pid {} · running for {age}", process.key.pid)),
        place(process, view.home.as_deref()),
    ];
    lines.into_iter().flatten().map(Item::Info)
}

/// What is known of a process that cannot be seen.
pub fn unseen(user: &str) -> Item {
    Item::Info(format!(
        "A process of {}, which you may not see",
        escape(user)
    ))
}

/// What ends a process; by force, too, where it has outlived that.
pub fn kill(
    service: &str,
    port: Port,
    key: ProcessKey,
    view: &View,
    enabled: bool,
) -> impl Iterator<Item = Item> {
    let who = format!("{} (pid {}) on {port}", name(service), key.pid);
    let one = move |verb: &str, force| {
        let action = Action::Kill { port, key, force };
        button(format!("{verb} {who}"), action, enabled)
    };
    let outlived = view.stubborn.contains(&key);
    let force = outlived.then(|| one("Force kill", true));
    std::iter::once(one("Kill", false)).chain(force)
}

/// What is known of a container.
fn contained(container: &Container) -> impl Iterator<Item = String> {
    let engine = container.engine.command();
    let origin = container.origin();
    let lines = [
        Some(format!("{engine} container {}", name(&container.name))),
        (!origin.is_empty()).then(|| shorten(&origin, ORIGIN).into_owned()),
    ];
    lines.into_iter().flatten()
}

/// What stops a container.
fn stop(container: &Container, port: Port, enabled: bool) -> Item {
    let action = Action::Stop {
        port,
        container: container.id.clone(),
    };
    let label = format!("Stop container {} on {port}", name(&container.name));
    button(label, action, enabled)
}

/// Something to do.
pub fn button(label: impl Into<String>, action: Action, enabled: bool) -> Item {
    Item::Button {
        label: label.into(),
        action,
        enabled,
    }
}

/// The address at which a browser reaches the listener.
fn url(listener: &Listener) -> String {
    let local = listener
        .addresses
        .iter()
        .any(|address| address.serves_localhost_v4() || address.serves_localhost_v6());
    match listener.addresses.first().map(|address| address.ip) {
        Some(std::net::IpAddr::V4(ip)) if !local => format!("http://{ip}:{}", listener.port),
        Some(std::net::IpAddr::V6(ip)) if !local => format!("http://[{ip}]:{}", listener.port),
        _ => format!("http://localhost:{}", listener.port),
    }
}
