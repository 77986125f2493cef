//! What the engine hands out when something has changed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ipc::protocol::Event;
use crate::ipc::view::{ConflictView, ReservationView};
use crate::model::leftover::Leftover;
use crate::model::news::News;
use crate::model::settings::Settings;
use crate::model::{ProcessKey, Snapshot, conflict};

/// What everybody who shows something is told when it changes.
#[derive(Clone, Debug)]
pub struct State {
    /// Who listens.
    pub snapshot: Arc<Snapshot>,
    /// For each listener, whether it is shadowed by another one.
    pub shadowed: Vec<bool>,
    /// What is reserved, by port: the first of them.
    pub reservations: Arc<[ReservationView]>,
    /// How many reservations there are.
    pub reserved: usize,
    /// What is in conflict, by port.
    pub conflicts: Arc<[ConflictView]>,
    /// Which processes look left over, and why.
    pub leftovers: Arc<HashMap<ProcessKey, Leftover>>,
    /// The settings.
    pub settings: Settings,
}

impl State {
    /// Who listens, and nothing besides.
    pub fn of(snapshot: Arc<Snapshot>) -> State {
        State {
            shadowed: conflict::shadowed(&snapshot.listeners),
            snapshot,
            reservations: Arc::default(),
            reserved: 0,
            conflicts: Arc::default(),
            leftovers: Arc::default(),
            settings: Settings::default(),
        }
    }
}

/// What others are to be told and to do, after something has changed.
#[derive(Debug, Default)]
pub struct Effects {
    /// What the user may want to hear of.
    pub news: Vec<News>,
    /// What subscribers are told.
    pub events: Vec<Event>,
    /// The processes whose end has to be told, where they are others than before.
    pub watch: Option<Vec<ProcessKey>>,
    /// Whether what is shown has changed.
    pub shown: bool,
}

impl Effects {
    /// Leaves only what is true although nothing could be written: who listens, and who is in
    /// conflict.
    pub fn unwritten(&mut self) {
        self.news
            .retain(|news| !matches!(news, News::Cleaned { .. }));
        let is_written =
            |event: &Event| matches!(event, Event::Reserved { .. } | Event::Released { .. });
        self.events.retain(|event| !is_written(event));
    }

    /// Adds what came later.
    pub fn add(&mut self, later: Effects) {
        self.news.extend(later.news);
        self.events.extend(later.events);
        self.watch = later.watch.or_else(|| self.watch.take());
        self.shown |= later.shown;
    }
}
