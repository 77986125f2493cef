//! The story of the selected port, as `freeport why` tells it, kept up to date while it is shown.

use super::{Effect, Event, Fetched, Problem, Purpose, State};
use crate::ipc::protocol::{List, ListReply, Query, Reply, Request};
use crate::ipc::view::ReservationView;
use crate::model::Port;

/// What is shown of a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// The port; nothing where the row has none.
    pub port: Option<Port>,
    /// The first line that is shown.
    pub scroll: usize,
    /// What is known.
    pub known: Fetched<(ListReply, Vec<ReservationView>)>,
    /// Whether it was asked for and not answered yet.
    asked: bool,
    /// Whether it has to be asked for again.
    old: bool,
}

impl State {
    /// Shows the details, or no more.
    pub(super) fn toggle_details(&mut self) {
        self.details = match self.details {
            Some(_) => None,
            None => Some(Details {
                port: None,
                scroll: 0,
                known: Fetched::Not,
                asked: false,
                old: true,
            }),
        };
        self.refresh();
    }

    /// Goes so many lines on in them.
    pub(super) fn scroll_details(&mut self, by: isize) {
        let most = super::super::view::details_end(self);
        if let Some(details) = &mut self.details {
            details.scroll = details.scroll.saturating_add_signed(by).min(most);
            self.changed = true;
        }
    }

    /// Has what is shown looked at again.
    pub(super) fn outdate_details(&mut self) {
        if let Some(details) = &mut self.details {
            details.old = true;
        }
    }

    /// What has to be asked so that the details are those of the selected row.
    pub(super) fn ask_for_details(&mut self) -> Option<Effect> {
        let port = self.selected_port();
        let details = self.details.as_mut()?;
        if details.port != port {
            details.port = port;
            details.scroll = 0;
            details.known = Fetched::Not;
            details.old = true;
        }
        let port = port.filter(|_| details.old && !details.asked)?;
        details.asked = true;
        details.old = false;
        let list = List {
            ports: vec![port],
            details: true,
        };
        let query = Query {
            port: Some(port),
            ..Query::default()
        };
        Some(Effect::Ask(
            Purpose::Details(port),
            vec![Request::List(list), Request::Query(query)],
        ))
    }

    /// Takes what was answered, if it is still what is shown.
    pub(super) fn told_details(&mut self, port: Port, told: Result<Vec<Reply>, Problem>) {
        let Some(details) = &mut self.details else {
            return;
        };
        details.asked = false;
        if details.port != Some(port) {
            return;
        }
        details.known = match told.map(<[Reply; 2]>::try_from) {
            Ok(Ok([Reply::List(list), Reply::Reservations(reserved)])) => {
                Fetched::Is((list, reserved.reservations))
            }
            Ok(_) => return,
            Err(problem) => Fetched::Failed(problem),
        };
        self.changed = true;
    }
}

/// Whether details may have to be asked for after this.
pub(super) fn may_need(event: &Event) -> bool {
    !matches!(event, Event::Time | Event::End(_))
}
