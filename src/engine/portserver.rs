//! What the portserver gives out: each port to one process, in turn, until that has ended.

use super::ledger::clock;
use super::{Engine, Subject, taken};
use crate::ipc::protocol::ErrorReply;
use crate::model::pool::{PORTSERVER, in_turn};
use crate::model::reservation::{Drawn, Hold, LeaseOwner, RESERVATIONS_LIMIT, Status};
use crate::model::{Port, PortList, Protocol, Reservation};
use crate::platform::{self, Vacancy};
use crate::registry::{Change, Clock};

/// How many ports are tried for one process, whether they can be bound.
const TRIES: usize = 1024;

impl Engine {
    /// Gives each of these processes a port; none where there is none, or where that cannot be
    /// written down.
    pub fn serve_ports(&mut self, processes: &[Subject]) -> Vec<Option<Port>> {
        self.try_serve_ports(processes).unwrap_or_else(|error| {
            log::debug!("the portserver gives out nothing: {}", error.message);
            vec![None; processes.len()]
        })
    }

    fn try_serve_ports(&mut self, processes: &[Subject]) -> Result<Vec<Option<Port>>, ErrorReply> {
        let clock = clock();
        let uid = self.viewer.uid;
        let first_usable = *self.first_usable.get_or_insert_with(taken::first_usable);
        let last = &mut self.served;
        let registry = self.ledger.for_change(&clock)?;
        registry.change(&clock, |change| {
            let round = Round::of(change, *last, first_usable);
            processes
                .iter()
                .map(|process| round.give(last, process, uid, change, &clock))
                .collect()
        })
    }
}

/// The ports that are given out, in turn.
struct Round {
    ports: Option<PortList>,
    first_usable: u16,
    /// The port that was given out last, by what is written down.
    before: Option<Port>,
}

impl Round {
    fn of(change: &Change<'_>, last: Option<Port>, first_usable: u16) -> Round {
        let of_portserver = |row: &&Reservation| {
            row.drawn
                .as_ref()
                .is_some_and(|drawn| drawn.pool == PORTSERVER)
        };
        Round {
            ports: change.settings().portserver_ports(),
            first_usable,
            before: match last {
                Some(_) => None,
                None => change
                    .all()
                    .filter(of_portserver)
                    .max_by_key(|row| (row.created_at, row.port))
                    .map(|row| row.port),
            },
        }
    }

    fn give(
        &self,
        last: &mut Option<Port>,
        process: &Subject,
        uid: u32,
        change: &mut Change<'_>,
        clock: &Clock,
    ) -> Result<Option<Port>, ErrorReply> {
        let Some(ports) = self.ports.as_ref() else {
            return Ok(None);
        };
        if change.count() >= RESERVATIONS_LIMIT {
            return Ok(None);
        }
        let nobodys = |port: &Port| {
            port.get() >= self.first_usable
                && change.get((*port, Protocol::Tcp)).is_none()
                && change.get((*port, Protocol::Udp)).is_none()
        };
        let turn = in_turn(ports, last.or(self.before)).filter(nobodys);
        let mut lingering = None;
        let mut free = None;
        for port in turn.take(TRIES) {
            match platform::vacancy(port) {
                Vacancy::Free => {
                    free = Some(port);
                    break;
                }
                // It will do where there is nothing better.
                Vacancy::Lingering => lingering = lingering.or(Some(port)),
                Vacancy::Taken => {}
            }
        }
        let Some(port) = free.or(lingering) else {
            return Ok(None);
        };
        *last = Some(port);
        let token = change.token()?;
        change.put(given(port, process, uid, token, clock))?;
        Ok(Some(port))
    }
}

/// A port of this process, until it ends. The log has nothing of it: test suites ask for thousands.
fn given(port: Port, process: &Subject, uid: u32, token: String, clock: &Clock) -> Reservation {
    Reservation {
        port,
        protocol: Protocol::Tcp,
        project: Some(PORTSERVER.to_owned()),
        service: None,
        uid,
        owner: Some(LeaseOwner {
            key: process.key,
            boot: clock.boot.to_owned(),
            name: process.name.clone(),
        }),
        lease: None,
        kept: false,
        status: Status::Claimed,
        hold: Hold::Advisory,
        held_by: None,
        keep_held: false,
        reserved_service: None,
        drawn: Some(Drawn {
            pool: PORTSERVER.to_owned(),
            job_id: process.key.pid.to_string(),
        }),
        metadata: None,
        created_at: clock.now,
        last_heartbeat: None,
        token: Some(token),
    }
}
