//! A reservation in the menu: whom the port is for, how long it lasts, and how to give it back.

use super::View;
use super::item::{Action, Item, Meant};
use super::row::button;
use super::words::{claimant, duration, hold, hold_mark, left, purpose, spot};
use crate::ipc::view::ReservationView;
use crate::model::reservation::Status;
use crate::tray::contents::Reserved;

/// The entry of a reservation.
pub fn reservation(reserved: &Reserved<'_>, view: &View) -> Item {
    let shown = reserved.view;
    let spot = spot(shown.port, shown.protocol);
    let mut parts = vec![purpose(shown), shown.status.word().to_owned()];
    parts.extend(hold_mark(shown).map(str::to_owned));
    parts.extend(left(shown, view.now));
    if reserved.gone {
        parts.push("released".to_owned());
    }
    let mut items = told(shown, view);
    items.push(Item::Separator);
    items.push(button(
        format!("Release {spot}"),
        Action::Release(Meant::of(shown)),
        !reserved.gone,
    ));
    Item::Sub {
        label: format!("{spot}   {}", parts.join(" · ")),
        items,
    }
}

fn told(shown: &ReservationView, view: &View) -> Vec<Item> {
    let made = duration(shown.created_at.age(view.now));
    let lasts = match shown.expires_at {
        // Its lease stands still meanwhile.
        Some(_) if shown.status == Status::Active => "does not expire while it is used".to_owned(),
        Some(expires) if expires <= view.now => "has expired".to_owned(),
        Some(expires) => format!("expires in {}", duration(view.now.age(expires))),
        None => "does not expire".to_owned(),
    };
    let lines = [
        claimant(shown).map(|claimant| format!("claimed by {claimant}")),
        Some(format!("made {made} ago")),
        Some(lasts),
        Some(hold(shown)),
    ];
    lines.into_iter().flatten().map(Item::Info).collect()
}
