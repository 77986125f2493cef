//! The state as it is shown: to the tray, to who lists, and to who subscribes.

use std::sync::{Arc, PoisonError};

use super::holds::Table;
use super::state::State;
use super::{Engine, VERSION};
use crate::ipc::protocol::{List, ListReply, PROTOCOL, StateReply, StatusReply};
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::pool::PORTSERVER;
use crate::model::reservation::Hold;
use crate::model::settings::Settings;
use crate::model::{Conflict, Listener, Port, Reservation};
use crate::platform::status;
use crate::registry::judge;

/// The most reservations that are told to whoever shows a state.
const SHOWN: usize = 256;
/// The most ports that are told to be not held.
const MISSING: usize = 16;

impl Engine {
    /// What to show.
    pub fn state(&self) -> State {
        let rows = || {
            self.ledger
                .seen()
                .into_iter()
                .flat_map(|registry| registry.rows().values())
                // Test suites ask for thousands.
                .filter(|row| {
                    row.drawn
                        .as_ref()
                        .is_none_or(|drawn| drawn.pool != PORTSERVER)
                })
        };
        State {
            reservations: rows().take(SHOWN).map(|row| self.view(row)).collect(),
            reserved: rows().count(),
            conflicts: self.conflicts.told().into(),
            leftovers: Arc::new(self.leftovers.clone()),
            settings: self.current_settings(),
            ..State::of(Arc::clone(&self.snapshot))
        }
    }

    /// Where the portserver is to listen beside its file, where that is known.
    pub fn portserver_address(&self) -> Option<&str> {
        Some(self.ledger.seen()?.settings().portserver_address())
    }

    /// The settings, as they were read last.
    pub fn current_settings(&self) -> Settings {
        self.ledger
            .seen()
            .map(|registry| registry.settings().clone())
            .unwrap_or_default()
    }

    /// Who listens.
    pub(super) fn list(&mut self, list: &List) -> ListReply {
        if !self.is_app() {
            self.observe();
            self.look_for_leftovers(self.looked_at);
        }
        let wanted =
            |listener: &Listener| list.ports.is_empty() || list.ports.contains(&listener.port);
        let details = list.details && !list.ports.is_empty();
        let mut gaps = self.snapshot.gaps.clone();
        if details {
            gaps.extend(self.engine_gaps(wanted));
        }
        ListReply {
            scanned_at: self.looked_at,
            gaps,
            listeners: self.views(wanted, details),
            held: self.held(&list.ports),
        }
    }

    /// The ports that are held, or are to be, and on which nobody listens.
    fn held(&self, ports: &[Port]) -> Vec<ReservationView> {
        let rows = self.ledger.seen().map(|registry| registry.rows().values());
        let wanted = |row: &&Reservation| {
            (row.keep_held || row.held_by.is_some())
                && (ports.is_empty() || ports.contains(&row.port))
                && judge::at(&self.snapshot, row).next().is_none()
        };
        let now = |row: &Reservation| self.view(self.observed.get(&row.key()).unwrap_or(row));
        let views = rows.into_iter().flatten().filter(wanted).map(now);
        views
            .filter(|view| view.hold == Hold::Held || view.not_held.is_some())
            .collect()
    }

    /// What the app is to hold and does not: the first of it.
    fn not_held(&self) -> Vec<ReservationView> {
        let missing = self.holds.iter().flat_map(Table::missing);
        let rows = |key| self.ledger.seen()?.rows().get(&key);
        let views = missing.filter_map(rows).map(|row| self.view(row));
        views.take(MISSING).collect()
    }

    /// The listeners as clients see them.
    pub(super) fn views(
        &self,
        keep: impl Fn(&Listener) -> bool,
        details: bool,
    ) -> Vec<ListenerView> {
        let mut views = ListenerView::all(&self.snapshot.listeners, details, &keep);
        let kept = self
            .snapshot
            .listeners
            .iter()
            .filter(|listener| keep(listener));
        for (view, listener) in views.iter_mut().zip(kept) {
            self.complete(view, listener);
        }
        views
    }

    /// Adds to a view what is known beside who listens.
    pub(super) fn complete(&self, view: &mut ListenerView, listener: &Listener) {
        let key = (listener.port, listener.protocol);
        let row = self
            .observed
            .get(&key)
            .or_else(|| self.ledger.seen()?.rows().get(&key));
        view.reservation = row.map(|row| self.view(row));
        view.hold = view.reservation.as_ref().map(|view| view.hold);
        view.leftover = self.leftover(listener);
        if self.conflicts.is_intruder(listener) {
            view.conflict = Some(Conflict::Intruder);
        }
    }

    /// All that a subscriber begins with.
    pub(super) fn everything(&self) -> StateReply {
        let rows = self
            .ledger
            .seen()
            .into_iter()
            .flat_map(|registry| registry.rows().values());
        StateReply {
            scanned_at: self.looked_at,
            gaps: self.snapshot.gaps.clone(),
            listeners: self.views(|_| true, false),
            reservations: rows.map(|row| self.view(row)).collect(),
            conflicts: self.conflicts.told().to_vec(),
        }
    }

    /// How the app is.
    pub(super) fn status(&self) -> StatusReply {
        let (since, started_at) = self.started;
        StatusReply {
            pid: std::process::id(),
            version: VERSION.to_owned(),
            protocol: PROTOCOL,
            started_at,
            uptime_s: since.elapsed().as_secs(),
            scan: self
                .scans
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .timings(),
            requests: self.requests.timings(),
            memory_bytes: status::resident_bytes(),
            listeners: self.snapshot.listeners.len(),
            conflicts: self.conflicts.told().len(),
            reservations: self
                .ledger
                .seen()
                .map_or(0, |registry| registry.rows().len()),
            held: self.holds.as_ref().map_or(0, Table::count),
            not_held: self.not_held(),
            registry_problem: self.ledger.problem().map(str::to_owned),
            gaps: self.snapshot.gaps.clone(),
            last_cleanup: self.last_cleanup,
            tray: self.tray.clone(),
        }
    }
}
