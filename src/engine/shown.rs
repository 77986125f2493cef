//! The state as it is shown: to the tray, to who lists, and to who subscribes.

use std::sync::{Arc, PoisonError};

use super::state::State;
use super::{Engine, VERSION};
use crate::ipc::protocol::{List, ListReply, PROTOCOL, StateReply, StatusReply};
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::settings::Settings;
use crate::model::{Conflict, Listener};
use crate::platform::status;

/// The most reservations that are told to whoever shows a state.
const SHOWN: usize = 256;

impl Engine {
    /// What to show.
    pub fn state(&self) -> State {
        let rows = || {
            self.ledger
                .seen()
                .into_iter()
                .flat_map(|registry| registry.rows().values())
        };
        State {
            reservations: rows().take(SHOWN).map(ReservationView::of).collect(),
            reserved: rows().count(),
            conflicts: self.conflicts.told().into(),
            leftovers: Arc::new(self.leftovers.clone()),
            settings: self.current_settings(),
            ..State::of(Arc::clone(&self.snapshot))
        }
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
        ListReply {
            scanned_at: self.looked_at,
            gaps: self.snapshot.gaps.clone(),
            listeners: self.views(wanted, list.details && !list.ports.is_empty()),
        }
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
        view.reservation = row.map(ReservationView::of);
        view.hold = row.map(|row| row.hold);
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
            reservations: rows.map(ReservationView::of).collect(),
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
            registry_problem: self.ledger.problem().map(str::to_owned),
            gaps: self.snapshot.gaps.clone(),
            last_cleanup: self.last_cleanup,
            tray: self.tray.clone(),
        }
    }
}
