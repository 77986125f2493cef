//! Where a program under the seam gets to bind, when it asks for a port: pure decisions.
//!
//! A program that asks for a port that somebody else has is moved to a port that was claimed for it,
//! and stays there for as long as anything of its tree runs.

use std::collections::HashMap;

use crate::model::{Port, Protocol};

/// Ports where debuggers are looked for: what asks for one of them is no server, and is never moved.
const DEBUGGERS: [u16; 4] = [5005, 5678, 9222, 9229];

/// Where a bind goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To the port of this lease, by its number.
    Lease(usize),
    /// To where it asks, if that can be.
    Asked,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    port: Port,
    protocol: Protocol,
    used: bool,
}

/// What was claimed, and what was moved there.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    leases: Vec<Lease>,
    moved: HashMap<(Port, Protocol), usize>,
    allowed: bool,
}

impl Moves {
    /// Nothing claimed yet. Unless `allowed`, only what is asked for by [`Moves::remap`] is moved.
    pub fn new(allowed: bool) -> Moves {
        Moves {
            allowed,
            ..Moves::default()
        }
    }

    /// A port was claimed; its number.
    pub fn claimed(&mut self, port: Port, protocol: Protocol) -> usize {
        self.leases.push(Lease {
            port,
            protocol,
            used: false,
        });
        self.leases.len() - 1
    }

    /// Another port was claimed in the place of this one.
    pub fn replaced(&mut self, lease: usize, port: Port) {
        if let Some(lease) = self.leases.get_mut(lease) {
            lease.port = port;
            lease.used = true;
        }
    }

    /// Who asks for this port is moved to a lease on purpose, which is for nothing else then.
    pub fn remap(&mut self, from: Port, to: usize) {
        if let Some(lease) = self.leases.get_mut(to) {
            lease.used = true;
            self.moved.insert((from, lease.protocol), to);
        }
    }

    /// Where a bind goes, as far as that does not depend on who else has the port.
    pub fn place(&self, port: Port, protocol: Protocol) -> Place {
        if let Some(&lease) = self.moved.get(&(port, protocol)) {
            return Place::Lease(lease);
        }
        let mut leases = self.leases.iter();
        let own = leases.position(|lease| lease.port == port && lease.protocol == protocol);
        own.map_or(Place::Asked, Place::Lease)
    }

    /// Whether there is anything that a bind to this port could be moved to.
    pub fn has_room(&self, port: Port, protocol: Protocol) -> bool {
        self.room(port, protocol).is_some()
    }

    fn room(&self, port: Port, protocol: Protocol) -> Option<usize> {
        if !self.allowed || DEBUGGERS.contains(&port.get()) {
            return None;
        }
        let mut leases = self.leases.iter();
        leases.position(|lease| lease.protocol == protocol && !lease.used)
    }

    /// Somebody else has the port: the lease that the bind is moved to, for good.
    pub fn moved(&mut self, port: Port, protocol: Protocol) -> Option<usize> {
        let to = self.room(port, protocol)?;
        self.moved.insert((port, protocol), to);
        self.used(to);
        Some(to)
    }

    /// The tree has bound the port of a lease.
    pub fn used(&mut self, lease: usize) {
        if let Some(lease) = self.leases.get_mut(lease) {
            lease.used = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: Protocol = Protocol::Tcp;

    fn port(number: u16) -> Port {
        Port::new(number).unwrap()
    }

    fn moves(ports: &[u16]) -> Moves {
        let mut moves = Moves::new(true);
        for &number in ports {
            moves.claimed(port(number), TCP);
        }
        moves
    }

    #[test]
    fn what_was_claimed_is_bound_there() {
        let moves = moves(&[3000, 3001]);
        assert_eq!(moves.place(port(3001), TCP), Place::Lease(1));
        assert_eq!(moves.place(port(3002), TCP), Place::Asked);
        assert_eq!(moves.place(port(3000), Protocol::Udp), Place::Asked);
    }

    #[test]
    fn what_is_busy_is_moved_once_and_stays_there() {
        let mut moves = moves(&[3001, 3002]);
        assert_eq!(moves.moved(port(3000), TCP), Some(0));
        assert_eq!(moves.place(port(3000), TCP), Place::Lease(0));
        assert_eq!(moves.moved(port(4000), TCP), Some(1));
        assert_eq!(moves.moved(port(5000), TCP), None, "nothing is left");
        assert_eq!(moves.place(port(5000), TCP), Place::Asked);
        assert_eq!(moves.place(port(4000), TCP), Place::Lease(1));
    }

    #[test]
    fn a_port_in_use_is_for_nobody_else() {
        let mut moves = moves(&[3001]);
        moves.used(0);
        assert_eq!(moves.moved(port(3000), TCP), None);
        let mut moves = Moves::new(true);
        moves.claimed(port(3001), Protocol::Udp);
        assert_eq!(moves.moved(port(3000), TCP), None, "of another protocol");
    }

    #[test]
    fn what_is_not_wanted_is_not_moved() {
        let mut moves = Moves::new(false);
        let lease = moves.claimed(port(3001), TCP);
        assert_eq!(moves.moved(port(3000), TCP), None);
        moves.remap(port(3000), lease);
        assert_eq!(moves.place(port(3000), TCP), Place::Lease(lease));
        let mut moves = self::moves(&[3001]);
        assert_eq!(moves.moved(port(9229), TCP), None, "a debugger");
    }

    #[test]
    fn what_is_remapped_is_for_nothing_else() {
        let mut moves = moves(&[3001]);
        moves.remap(port(8080), 0);
        assert_eq!(moves.moved(port(3000), TCP), None);
    }
}
