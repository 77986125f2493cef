//! What earlier runs of the same container have left: claims that belong to no process, and stand in
//! the way of the next run until their lease is over.

use super::claims::{CONTAINER, Claiming, Key, is_at};
use crate::ipc::protocol::{Release, Request};
use crate::ipc::view::ReservationView;
use crate::model::Port;
use crate::model::reservation::Status;
use crate::platform;

impl Claiming<'_> {
    /// Gives back what was claimed for an earlier container of the same name, where nobody listens:
    /// it is gone, or docker is about to say that the name is taken.
    pub(super) fn give_back_older(&mut self) {
        let Some(name) = self.terms.line.name() else {
            return;
        };
        let rows = self.rows.iter().filter(|row| self.is_of(row, name));
        let older: Vec<ReservationView> = rows.cloned().collect();
        if older.is_empty() {
            return;
        }
        let ports: Vec<Port> = older.iter().map(|row| row.port).collect();
        let listeners = platform::look(&ports).listeners;
        for row in older {
            let key = (row.port, row.protocol);
            if listeners.iter().any(|found| is_at(found, key)) {
                continue;
            }
            self.rows
                .retain(|other| (other.port, other.protocol) != key);
            // Where it cannot be given back, the port is taken.
            let _ = self.asking.ask(Request::Release(Release {
                ports: vec![row.port],
                job_id: None,
                protocol: Some(row.protocol),
                token: None,
                as_user: true,
                created_at: Some(row.created_at),
            }));
        }
    }

    /// Whether a claim was made for a container of this name.
    fn is_of(&self, row: &ReservationView, name: &str) -> bool {
        let container = row.metadata.as_ref().and_then(|all| all.get(CONTAINER));
        row.pid.is_none()
            && !row.kept
            && row.project.as_deref() == self.terms.project
            && container.and_then(|name| name.as_str()) == Some(name)
    }

    /// Whether a port is reserved for good for just this service, and claimed by an earlier run of
    /// it: giving that back would give the reservation back, too.
    pub(super) fn has_for_good(&self, key: Key, number: usize) -> bool {
        let service = self.service(number);
        self.rows.iter().any(|row| {
            (row.port, row.protocol) == key
                && row.kept
                && row.status == Status::Claimed
                && row.pid.is_none()
                && row.project.is_some()
                && row.project.as_deref() == self.terms.project
                && row.service == service
        })
    }
}
