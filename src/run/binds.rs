//! What becomes of the binds of a command under the seam: each is made for it, where it belongs.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::asking::Asking;
use super::claims::Lease;
use super::moved::{Moves, Place};
use super::told::{Voice, address, spot};
use crate::ipc::protocol::{Query, Reply, Request};
use crate::ipc::view::ReservationView;
use crate::model::reservation::Status;
use crate::model::{Port, Protocol};
use crate::platform;
use crate::platform::seam::{BindCall, BindError};

/// How often a port is tried to be held again that cannot be while the command uses it.
const TENDED: Duration = Duration::from_secs(1);

/// Whose a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Nobody's, or this project's.
    Nobody,
    /// That of a run within this one.
    Inner,
    /// Somebody else's.
    Others,
}

/// The binds of a command.
#[derive(Debug)]
pub struct Binds {
    moves: Moves,
    project: Option<String>,
    voice: Voice,
    /// What was said of who is on a port that is not theirs.
    stolen: HashSet<(usize, String)>,
    /// From which ports it was moved, which was said.
    moved: HashSet<u16>,
    /// Ports that the command has, and that cannot be held meanwhile.
    open: HashSet<usize>,
    tended: Option<Instant>,
    /// The gates are open, which was said.
    opened: bool,
}

impl Binds {
    /// None yet.
    pub fn new(moves: Moves, project: Option<String>, voice: Voice) -> Binds {
        Binds {
            moves,
            project,
            voice,
            stolen: HashSet::new(),
            moved: HashSet::new(),
            open: HashSet::new(),
            tended: None,
            opened: false,
        }
    }

    /// The gates are open from the beginning, as was meant.
    pub fn gates_are_open(&mut self) {
        self.opened = true;
    }

    /// The project that the command is of.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Another port was claimed in the place of that of a lease.
    pub fn replaced(&mut self, lease: usize, port: Port) {
        self.moves.replaced(lease, port);
    }

    /// Somebody else listens on the port of a lease, which is said once.
    pub fn stolen(&mut self, lease: usize, who: &str, leases: &[Lease]) {
        let Some(found) = leases.get(lease) else {
            return;
        };
        if self.stolen.insert((lease, who.to_owned())) {
            let how = match found.hold {
                Some(_) if self.opened => "while it was open for the command",
                Some(_) => "beside the command, by sharing it (SO_REUSEPORT)",
                None => "as it was not held",
            };
            self.voice
                .say(&format!("port {} was taken by {who} {how}", found.spot()));
        }
    }

    /// Answers a bind; whether it may be the one that is waited for.
    pub fn answer(&mut self, call: BindCall, leases: &[Lease], asking: &mut Asking) -> bool {
        if let Some(obstacle) = call.obstacle() {
            self.open_all(&obstacle.to_string(), leases);
            call.pass_on();
            return true;
        }
        let Some((wanted, protocol)) = call.wanted() else {
            call.pass_on();
            return false;
        };
        let Some(port) = Port::new(wanted.port()) else {
            call.pass_on();
            // Some listen wherever they can, when they find their port in use.
            return true;
        };
        match self.moves.place(port, protocol) {
            Place::Lease(lease) => self.at_lease(call, wanted, lease, leases),
            Place::Asked if !self.moves.has_room(port, protocol) => {
                call.pass_on();
                false
            }
            Place::Asked => self.elsewhere(call, wanted, (port, protocol), leases, asking),
        }
    }

    /// The command asks for a port that was not claimed for it.
    fn elsewhere(
        &mut self,
        call: BindCall,
        wanted: SocketAddr,
        (port, protocol): (Port, Protocol),
        leases: &[Lease],
        asking: &mut Asking,
    ) -> bool {
        match self.whose(port, protocol, asking) {
            Whose::Others => {}
            // A run within this one has claimed it, and sees to it.
            Whose::Inner => {
                call.pass_on();
                return false;
            }
            Whose::Nobody => match call.try_bind(wanted, None) {
                Ok(()) => {
                    call.accept();
                    // It may have come to stay.
                    return true;
                }
                Err(error) if error.is_in_use() => {}
                // The system tells it what is wrong.
                Err(_) => {
                    call.pass_on();
                    return false;
                }
            },
        }
        let Some(lease) = self.moves.moved(port, protocol) else {
            call.pass_on();
            return false;
        };
        self.at_lease(call, wanted, lease, leases)
    }

    /// The command gets the port of a lease.
    fn at_lease(
        &mut self,
        call: BindCall,
        mut wanted: SocketAddr,
        number: usize,
        leases: &[Lease],
    ) -> bool {
        let Some(lease) = leases.get(number) else {
            call.pass_on();
            return false;
        };
        let asked = wanted.port();
        let as_asked = asked == lease.port.get();
        wanted.set_port(lease.port.get());
        match call.try_bind(wanted, lease.hold.as_ref()) {
            Ok(()) => {
                self.tell_moved(asked, lease);
                call.accept();
            }
            Err(BindError::Impossible(error)) if as_asked => {
                self.open_all(&error.to_string(), leases);
                call.pass_on();
            }
            Err(error) => {
                call.refuse(error.errno());
                return true;
            }
        }
        self.moves.used(number);
        if lease.want.protocol == Protocol::Udp {
            self.open.insert(number);
            self.tended = Some(Instant::now());
        }
        true
    }

    /// Says once that the command is on another port than the one that it asked for.
    fn tell_moved(&mut self, asked: u16, lease: &Lease) {
        if asked != lease.port.get() && self.moved.insert(asked) {
            let protocol = lease.want.protocol;
            let asked = Port::new(asked).map_or_else(String::new, |port| spot(port, protocol));
            self.voice.note(&format!(
                "the app asked for {asked}, moved to {}{}",
                lease.port,
                address(lease.port, protocol)
            ));
        }
    }

    /// A process of the command cannot be helped to bind a port: it has to be able to do it itself.
    fn open_all(&mut self, why: &str, leases: &[Lease]) {
        for hold in leases.iter().filter_map(|lease| lease.hold.as_ref()) {
            // Where it cannot be opened, the command finds the port in use, and says so.
            let _ = hold.open();
        }
        if !std::mem::replace(&mut self.opened, true) {
            self.voice.note(&format!(
                "the port is open to other programs while the command runs, as a part of it cannot be bound for: {why}"
            ));
        }
    }

    /// Whose a port is by what is written down.
    fn whose(&self, port: Port, protocol: Protocol, asking: &mut Asking) -> Whose {
        let query = Query {
            port: Some(port),
            ..Query::default()
        };
        let Ok(Reply::Reservations(reply)) = asking.ask(Request::Query(query)) else {
            return Whose::Nobody;
        };
        let me = std::process::id();
        let is_there =
            |row: &&ReservationView| row.protocol == protocol && row.status != Status::Stale;
        let Some(row) = reply.reservations.iter().find(is_there) else {
            return Whose::Nobody;
        };
        let is_own = row.project.is_some() && row.project == self.project;
        match row.pid {
            Some(pid) if pid == me => Whose::Nobody,
            Some(pid) if platform::lineage(pid).contains(&me) => Whose::Inner,
            None if is_own => Whose::Nobody,
            _ => Whose::Others,
        }
    }

    /// When there is something to be done without a bind.
    pub fn next(&self) -> Option<Instant> {
        self.tended.map(|at| at + TENDED)
    }

    /// Holds again what the command has let go of.
    pub fn tend(&mut self, leases: &[Lease], now: Instant) {
        if self.tended.is_none_or(|at| now < at + TENDED) {
            return;
        }
        self.open.retain(|number| {
            let hold = leases.get(*number).and_then(|lease| lease.hold.as_ref());
            hold.is_some_and(|hold| hold.shut().is_err())
        });
        self.tended = (!self.open.is_empty()).then_some(now);
    }
}
