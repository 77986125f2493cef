//! A conflict in the menu: who is in whose way, and what can be done about it.

use super::item::{Action, Item, Meant};
use super::row::{button, kill, process, unseen};
use super::words::{claimant, name, place, purpose, spot};
use super::{View, is_own};
use crate::ipc::view::ReservationView;
use crate::model::kill::Party;
use crate::tray::contents::{Clash, Suspect};

/// The most processes of one conflict that are told.
const SUSPECTS: usize = 8;
/// The most processes in the label of one.
const NAMES: usize = 3;

/// The entry of a conflict.
pub fn conflict(clash: &Clash<'_>, view: &View) -> Item {
    let spot = spot(clash.view.port, clash.view.protocol);
    let told = match &clash.view.reservation {
        Some(reservation) => {
            let who = match &clash.view.listener {
                Some(party) => name(&party.service),
                None => format!("a process of {}", name(&clash.view.user)),
            };
            format!("{who} where {} should be", purpose(reservation))
        }
        None => format!("{} share it", names(clash)),
    };
    let settled = if clash.gone { " · settled" } else { "" };
    Item::Sub {
        label: format!("⚠ {spot} · {told}{settled}"),
        items: match &clash.view.reservation {
            Some(reservation) => intruder(clash, reservation, view),
            None => shared(clash, view),
        },
    }
}

/// Somebody listens where somebody else should.
fn intruder(clash: &Clash<'_>, reservation: &ReservationView, view: &View) -> Vec<Item> {
    let suspect = clash.suspects.first();
    let mut items = match suspect {
        Some(suspect) => who(suspect, view),
        None => vec![unseen(&clash.view.user)],
    };
    items.push(Item::Info(format!("reserved for {}", purpose(reservation))));
    items
        .extend(claimant(reservation).map(|claimant| Item::Info(format!("claimed by {claimant}"))));
    items.push(Item::Separator);
    items.extend(suspect.into_iter().flat_map(|one| end(one, clash, view)));
    let spot = spot(clash.view.port, clash.view.protocol);
    items.push(button(
        format!("Release the reservation of {spot}"),
        Action::Release(Meant::of(reservation)),
        !clash.gone,
    ));
    items.extend(suspect.map(|suspect| ignore(clash, suspect.party)));
    items
}

/// What is known of an intruder.
fn who(suspect: &Suspect<'_>, view: &View) -> Vec<Item> {
    match suspect.listener.and_then(|found| found.owner.as_ref()) {
        Some(owner) => process(owner, view).collect(),
        None => vec![Item::Info(one(suspect.party))],
    }
}

/// Several processes share a port number.
fn shared(clash: &Clash<'_>, view: &View) -> Vec<Item> {
    let suspects = || clash.suspects.iter().take(SUSPECTS);
    let mut items: Vec<Item> = suspects()
        .map(|suspect| {
            let owner = suspect.listener.and_then(|found| found.owner.as_ref());
            let place = owner.and_then(|owner| place(owner, view.home.as_deref()));
            let place = place.map(|place| format!(" · {place}")).unwrap_or_default();
            Item::Info(format!("{}{place}", one(suspect.party)))
        })
        .collect();
    if clash.suspects.len() > SUSPECTS {
        let more = clash.suspects.len() - SUSPECTS;
        items.push(Item::Info(format!("… and {more} more")));
    }
    items.push(Item::Info(format!(
        "a client may reach any of them: freeport why {}",
        clash.view.port
    )));
    items.push(Item::Separator);
    items.extend(suspects().flat_map(|one| end(one, clash, view)));
    // Who came last: the others were there before there was a conflict.
    let last = clash.suspects.iter().max_by_key(|one| one.party.key.start);
    items.extend(last.map(|last| ignore(clash, last.party)));
    items
}

fn one(party: &Party) -> String {
    format!("{} (pid {})", name(&party.service), party.pid)
}

/// `vite and next`.
fn names(clash: &Clash<'_>) -> String {
    let mut names: Vec<String> = clash
        .suspects
        .iter()
        .map(|suspect| name(&suspect.party.service))
        .collect();
    match names.len() {
        0 => names.push("several processes".to_owned()),
        1 => names.push("another process".to_owned()),
        n if n > NAMES => {
            names.truncate(NAMES - 1);
            names.push(format!("{} more", n - names.len()));
        }
        _ => {}
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

/// What ends a process of a conflict, where it is the user's own.
fn end(suspect: &Suspect<'_>, clash: &Clash<'_>, view: &View) -> Vec<Item> {
    let party = suspect.party;
    match suspect.listener {
        Some(listener) if is_own(listener, view) => {
            let enabled = !clash.gone && !suspect.gone;
            kill(&party.service, clash.view.port, party.key, view, enabled).collect()
        }
        _ => Vec::new(),
    }
}

fn ignore(clash: &Clash<'_>, party: &Party) -> Item {
    let action = Action::Ignore {
        port: clash.view.port,
        protocol: clash.view.protocol,
        key: party.key,
    };
    button("Ignore", action, !clash.gone)
}
