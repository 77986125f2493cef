//! Servers that outlived what they were started from.

use super::Engine;
use crate::model::settings::Settings;
use crate::model::{Listener, Timestamp, leftover};
use crate::platform;

impl Engine {
    /// Looks at the servers that may be left over.
    pub(super) fn look_for_leftovers(&mut self, now: Timestamp) {
        let age = match self.ledger.seen() {
            Some(registry) => registry.settings().seconds("leftover_age"),
            None => Settings::default().seconds("leftover_age"),
        };
        let before = std::mem::take(&mut self.leftovers);
        let old = self
            .snapshot
            .listeners
            .iter()
            .filter(|l| leftover::may_be_left(l, &self.viewer, now, age));
        self.leftovers = old
            .filter_map(|listener| {
                let key = listener.owner_key()?;
                Some((
                    key,
                    leftover::judge(listener, platform::leftover_signs(key)?)?,
                ))
            })
            .collect();
        self.resnapped |= before != self.leftovers;
    }

    /// Why a listener looks left over.
    pub(super) fn leftover(&self, listener: &Listener) -> Option<leftover::Leftover> {
        self.leftovers.get(&listener.owner_key()?).copied()
    }
}
