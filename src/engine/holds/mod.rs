//! Ports that are bound, so that nobody else can bind them: what the app binds for whom, and what
//! those who claimed them tell of it.
//!
//! The app binds what is to be held (`keep_held`) and is held by no client. The table of what it has
//! bound is the truth; the registry says the same to those who read it without the app.

mod keep;
mod table;

use super::lease::{Refusal, lease_reply, not_yours, nothing, owns};
use super::ledger::clock;
use super::{Caller, Engine, taken};
use crate::ipc::protocol::{ErrorCode, ErrorReply, HoldChange, HoldState, Reply};
use crate::ipc::view::ReservationView;
use crate::model::reservation::{HeldBy, Hold, Status};
use crate::model::{Reservation, text};
use crate::registry::Change;
use crate::registry::judge::{self, Belongs, Scene};

pub(super) use keep::is_hold;
pub(super) use table::{Table, Why};

/// What is done about the hold of a port that somebody gets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// It is refused when somebody else has the port bound.
    pub(super) strictly: bool,
    /// A process gets it, which may bind it beside the app.
    pub(super) lend: bool,
}

/// Binds the port of a reservation that is to be held; without a table there is no app to do it.
/// Gives the reservation with what came of it.
pub(super) fn take_on(
    table: Option<&mut Table>,
    row: Reservation,
    terms: Terms,
    scene: &Scene<'_>,
    change: &Change<'_>,
) -> Result<Reservation, Refusal> {
    let Some(table) = table else {
        let by_app = row.held_by == Some(HeldBy::App);
        return Ok(if by_app { held(row, None) } else { row });
    };
    if !row.keep_held || row.held_by == Some(HeldBy::Client) {
        return Ok(row);
    }
    let key = row.key();
    // What is open is open for one claim.
    let is_others = |open: &str| row.token.as_deref() != Some(open);
    let shut = match table.is_open(key).is_some_and(is_others) {
        true => table.shut(key),
        false => Ok(()),
    };
    match shut.and_then(|()| bind(table, &row, scene)) {
        Ok(()) if terms.lend => table.lend(key),
        Ok(()) => {}
        Err(why) => {
            if let Some(refusal) = refusal(&row, &why, scene, change).filter(|_| terms.strictly) {
                return Err(refusal);
            }
            table.fails(key, why, true);
        }
    }
    let by = table.holds(key).then_some(HeldBy::App);
    Ok(held(row, by))
}

/// Binds a port, unless somebody listens there.
fn bind(table: &mut Table, row: &Reservation, scene: &Scene<'_>) -> Result<(), Why> {
    if table.has(row.key()) {
        return Ok(());
    }
    let (mut here, mut used) = (None, false);
    for listener in judge::at(scene.snapshot, row) {
        used |= judge::belongs(row, listener, scene) == Belongs::Yes;
        here = Some(listener);
    }
    match here {
        Some(_) if used => Err(Why::Used),
        Some(listener) => Err(Why::Listener(taken::holder(listener))),
        None => table.bind(row.key()),
    }
}

/// What is said to who asked for a hold that cannot be.
fn refusal(
    row: &Reservation,
    why: &Why,
    scene: &Scene<'_>,
    change: &Change<'_>,
) -> Option<Refusal> {
    let port = row.port;
    let error = match why {
        Why::Used | Why::Listener(_) => return None,
        Why::Bound => return Some(taken::by_bound(port, scene, change)),
        Why::Limit(most) => ErrorReply::new(
            ErrorCode::LimitReached,
            format!("port {port} cannot be held: {most} ports are held already"),
        )
        .hint("release some ('freeport query' lists them), or let the app open more files (ulimit -n)"),
        Why::System(kind, error) => {
            let code = match kind {
                std::io::ErrorKind::PermissionDenied => ErrorCode::NotPermitted,
                _ => ErrorCode::Failed,
            };
            ErrorReply::new(code, format!("port {port} cannot be held: {error}"))
                .hint("leave out the hold, or take another port")
        }
    };
    Some(Refusal::Other(error))
}

/// The reservation with its port bound by `by`.
fn held(row: Reservation, by: Option<HeldBy>) -> Reservation {
    let row = Reservation { held_by: by, ..row };
    let hold = row.hold_with(row.status);
    Reservation { hold, ..row }
}

impl Engine {
    /// Changes how a claimed port is held.
    pub(super) fn hold(
        &mut self,
        wanted: &HoldChange,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let token = wanted.token.as_deref();
        let mut table = self.holds.take();
        let result = self.judged(&clock, |change, scene| {
            let Some(row) = change.get((wanted.port, wanted.protocol)).cloned() else {
                return Err(nothing(&[wanted.port]));
            };
            if row.token.is_none() || !owns(&row, token, caller, scene) {
                return Err(not_yours(&row, token, "held"));
            }
            let told = match wanted.state {
                HoldState::Client => held(row.clone(), Some(HeldBy::Client)),
                HoldState::Dropped if row.held_by == Some(HeldBy::App) => row.clone(),
                HoldState::Dropped => {
                    if let Some(table) = table.as_mut().filter(|_| row.keep_held) {
                        table.returns(row.key());
                    }
                    let row = held(row.clone(), None);
                    let result = take_on(table.as_mut(), row, Terms::default(), scene, change);
                    result.map_err(Refusal::error)?
                }
                HoldState::Open => opened(table.as_mut(), row.clone())?,
                HoldState::Shut => shut(table.as_mut(), row.clone())?,
            };
            let told = judge::next(&told, scene).unwrap_or(told);
            if told != row {
                change.put(told.clone())?;
            }
            Ok(lease_reply(&told, true))
        });
        self.holds = table;
        result
    }

    /// What is told of a reservation, with how it is held now.
    pub(super) fn view(&self, row: &Reservation) -> ReservationView {
        let mut view = ReservationView::of(row);
        self.complete_hold(&mut view);
        view
    }

    /// Adds to a reply how the ports in it are held now.
    pub(super) fn with_holds(&self, mut reply: Reply) -> Reply {
        match &mut reply {
            Reply::Lease(lease) => self.complete_hold(&mut lease.reservation),
            Reply::Reservations(reply) => {
                let views = reply.reservations.iter_mut();
                views.for_each(|view| self.complete_hold(view));
            }
            _ => {}
        }
        reply
    }

    /// Corrects what the registry says of a hold by what is bound: without the app, nothing is
    /// bound by it.
    pub(super) fn complete_hold(&self, view: &mut ReservationView) {
        if !view.keep_held && view.held_by.is_none() {
            return;
        }
        let key = (view.port, view.protocol);
        let bound = self.holds.as_ref().is_some_and(|table| table.holds(key));
        let by_client = view.held_by == Some(HeldBy::Client);
        view.held_by = match () {
            () if by_client => Some(HeldBy::Client),
            () if bound => Some(HeldBy::App),
            () => None,
        };
        view.hold = match (view.held_by, view.status) {
            (None, _) => Hold::Advisory,
            (Some(_), Status::Active) => Hold::HandedOver,
            (Some(_), _) => Hold::Held,
        };
        let Some(table) = &self.holds else {
            let port = view.port;
            let missing = view.keep_held && view.held_by.is_none();
            let why = || format!("the app does not run: port {port} will be held when it does");
            view.not_held = missing.then(why);
            return;
        };
        view.held_since = view.held_by.and_then(|_| table.since(key));
        view.not_held = match view.held_by {
            None if table.is_open(key).is_some() => {
                Some("it is open for who claimed it".to_owned())
            }
            None => table.why(key).map(ToString::to_string),
            Some(_) => None,
        };
    }
}

/// Opens the port of a claim.
fn opened(table: Option<&mut Table>, row: Reservation) -> Result<Reservation, ErrorReply> {
    let (key, token) = (row.key(), row.token.clone().unwrap_or_default());
    let table = table.filter(|table| table.has(key) && row.held_by != Some(HeldBy::Client));
    let Some(table) = table else {
        return Err(not_held(&row));
    };
    table.open(key, &token).map_err(|error| {
        let message = format!("port {} cannot be opened: {error}", row.port);
        ErrorReply::new(ErrorCode::Failed, message).hint("release it, and claim it without a hold")
    })?;
    Ok(held(row, None))
}

/// Shuts it again.
fn shut(table: Option<&mut Table>, row: Reservation) -> Result<Reservation, ErrorReply> {
    let key = row.key();
    let table = table.filter(|table| table.has(key) && row.held_by != Some(HeldBy::Client));
    let Some(table) = table else {
        return Err(not_held(&row));
    };
    if let Err(why) = table.shut(key) {
        table.fails(key, why, true);
    }
    let by = table.holds(key).then_some(HeldBy::App);
    Ok(held(row, by))
}

fn not_held(row: &Reservation) -> ErrorReply {
    let message = format!("the app does not hold port {}", row.port);
    let hint = match row.held_by {
        Some(HeldBy::Client) => {
            let owner = row.owner.as_ref().map(|owner| text::escape(&owner.name));
            let owner = owner.unwrap_or("who claimed it".into());
            format!("{owner} holds it")
        }
        _ => "claim it with a hold first, while the app runs".to_owned(),
    };
    ErrorReply::new(ErrorCode::NotFound, message).hint(hint)
}
