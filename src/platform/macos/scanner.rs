//! The scanner: which sockets there are at every tick, and who has the new ones.
//!
//! A tick reads the kernel's list of sockets and compares. Only when a socket has come that a
//! readable process could have are the descriptors of those processes read. Where the list cannot
//! be read, they are read at every tick, and a gap says that the sockets of others are missing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::facts::Facts;
use super::holders;
use super::limits::user_id;
use super::table::Table;
use crate::model::{
    Gap, GapKind, Listener, Port, Process, ProcessKey, Snapshot, Socket, SocketId, Timestamp,
    attribute,
};
use crate::platform::Focus;
use crate::platform::macos_formats::join::{Held, join};
use crate::platform::unix::users::Users;

/// When descriptors are read again after a socket has come, to see the workers that its owner has
/// forked since.
const SETTLES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// Makes snapshots, each from what the last one knew.
pub struct Scanner {
    only: Vec<Port>,
    /// Where others listen, when it is looked at single ports.
    elsewhere: Vec<Port>,
    user: u32,
    table: Table,
    listed: Vec<Socket>,
    before: Vec<Socket>,
    held: Vec<Held>,
    sockets: Vec<Socket>,
    gaps: Vec<Gap>,
    holders: HashMap<SocketId, Vec<Arc<Process>>>,
    settles: Vec<Instant>,
    facts: Facts,
    users: Users,
}

impl Scanner {
    /// A scanner of all ports.
    pub fn new() -> Scanner {
        Scanner::for_ports(&[])
    }

    /// A scanner of these ports only; of all when there are none.
    pub fn for_ports(ports: &[Port]) -> Scanner {
        Scanner {
            only: ports.to_vec(),
            elsewhere: Vec::new(),
            user: user_id(),
            table: Table::default(),
            listed: Vec::new(),
            before: Vec::new(),
            held: Vec::new(),
            sockets: Vec::new(),
            gaps: Vec::new(),
            holders: HashMap::new(),
            settles: Vec::new(),
            facts: Facts::default(),
            users: Users::default(),
        }
    }

    /// The first snapshot.
    pub fn first(&mut self) -> Snapshot {
        self.tick(Focus::default());
        self.snapshot()
    }

    /// Looks again; `None` when nothing has changed since the last snapshot.
    pub fn scan(&mut self, focus: Focus<'_>) -> Option<Snapshot> {
        self.tick(focus).then(|| self.snapshot())
    }

    /// The processes that have sockets now, owners and workers.
    pub fn owners(&self) -> impl Iterator<Item = ProcessKey> {
        self.holders.values().flatten().map(|process| process.key)
    }

    /// Updates what is known; true when a snapshot of it would differ.
    fn tick(&mut self, focus: Focus<'_>) -> bool {
        std::mem::swap(&mut self.listed, &mut self.before);
        let gaps = self.table.list(&mut self.listed);
        if !self.only.is_empty() {
            let others = |socket: &mut Socket| !self.only.contains(&socket.port);
            let others = self.listed.extract_if(.., others);
            self.elsewhere = others.map(|socket| socket.port).collect();
            self.elsewhere.dedup();
        }
        let blind = !gaps.is_empty();
        let mut changed = gaps != self.gaps;
        self.gaps = gaps;
        let now = Instant::now();
        let settled = self.settles.extract_if(.., |at| *at <= now).count() > 0;
        let moved = self.listed != self.before;
        if moved && self.has_new() {
            self.settles = SETTLES.map(|delay| now + delay).to_vec();
        }
        let again = !focus.dead.is_empty() || !focus.ports.is_empty();
        let search = blind || settled || again || (moved && self.has_new());
        if !(search || moved || changed) {
            return false;
        }
        if search {
            self.forget_owners(focus.ports);
            self.search();
        }
        let sockets = join(&self.listed, &mut self.held, search);
        changed |= sockets != self.sockets;
        self.sockets = sockets;
        changed |= if search {
            self.resolve()
        } else {
            self.release()
        };
        if changed {
            let known: HashSet<ProcessKey> = self.owners().collect();
            self.facts.keep(|key| known.contains(key));
        }
        changed
    }

    /// Whether a socket has come that a readable process could have. Both lists are sorted.
    fn has_new(&self) -> bool {
        self.listed.iter().any(|socket| {
            let readable = self.user == 0 || socket.uid == self.user;
            readable && self.before.binary_search(socket).is_err()
        })
    }

    /// Has the owners of these ports read again.
    fn forget_owners(&mut self, ports: &[Port]) {
        if ports.is_empty() {
            return;
        }
        let owned: HashSet<ProcessKey> = self
            .sockets
            .iter()
            .filter(|socket| ports.contains(&socket.port))
            .filter_map(|socket| self.holders.get(&socket.id))
            .flatten()
            .map(|process| process.key)
            .collect();
        self.facts.forget(|key| owned.contains(key));
    }

    /// Reads the descriptors of all processes that may be read.
    fn search(&mut self) {
        self.held.clear();
        for pid in holders::readable_pids(self.user) {
            holders::search(pid, &mut self.held);
        }
        if !self.only.is_empty() {
            let others = |one: &mut Held| !self.only.contains(&one.socket.port);
            let others = self.held.extract_if(.., others);
            self.elsewhere.extend(others.map(|one| one.socket.port));
            self.elsewhere.sort_unstable();
            self.elsewhere.dedup();
        }
    }

    /// Finds the processes that have the sockets; true when they are others than before.
    fn resolve(&mut self) -> bool {
        let mut found: HashMap<SocketId, Vec<Arc<Process>>> = HashMap::new();
        for one in &self.held {
            if let Some(process) = self.facts.of(one.pid) {
                found.entry(one.socket.id).or_default().push(process);
            }
        }
        for processes in found.values_mut() {
            processes.sort_unstable_by_key(|process| process.key);
            processes.dedup_by_key(|process| process.key);
        }
        let changed = found != self.holders;
        self.holders = found;
        changed
    }

    /// Forgets who had sockets that are closed; true when there were any.
    fn release(&mut self) -> bool {
        let open: HashSet<SocketId> = self.held.iter().map(|one| one.socket.id).collect();
        let before = self.holders.len();
        self.holders.retain(|id, _| open.contains(id));
        self.holders.len() != before
    }

    fn snapshot(&mut self) -> Snapshot {
        let users = std::cell::RefCell::new(&mut self.users);
        let listeners = attribute::listeners(
            &self.sockets,
            |socket| self.holders.get(&socket.id).map_or(&[], Vec::as_slice),
            |uid| users.borrow_mut().name(uid),
        );
        let mut gaps = self.gaps.clone();
        gaps.extend(unseen(&listeners, self.user));
        Snapshot {
            scanned_at: Timestamp(SystemTime::now()),
            gaps,
            listeners,
            elsewhere: self.elsewhere.clone(),
        }
    }
}

impl Default for Scanner {
    fn default() -> Scanner {
        Scanner::new()
    }
}

/// Why some listeners have no owner.
fn unseen(listeners: &[Listener], user: u32) -> Option<Gap> {
    let ownerless = || listeners.iter().filter(|l| l.owner.is_none());
    let ports: HashSet<Port> = ownerless().map(|l| l.port).collect();
    let mut users: Vec<String> = ownerless()
        .map(|l| {
            l.user
                .as_deref()
                .map_or_else(|| format!("uid {}", l.uid), str::to_owned)
        })
        .collect();
    users.sort_unstable();
    users.dedup();
    let of = match ports.len() {
        0 => return None,
        1 => format!("1 port of unknown owner ({})", users.join(", ")),
        n => format!("{n} ports of unknown owners ({})", users.join(", ")),
    };
    let why = if user == 0 {
        "no process that may be read has them open; they belong to the kernel"
    } else {
        "the processes of other users may not be read; 'sudo freeport list' shows them"
    };
    Some(Gap {
        kind: GapKind::OwnersUnreadable,
        detail: format!("{of}: {why}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_scan_sees_what_opened_and_closed_and_is_silent_otherwise() {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port::new(one.local_addr().unwrap().port()).unwrap();
        let mut scanner = Scanner::for_ports(&[port]);
        let first = scanner.first();
        assert_eq!(first.gaps, []);
        assert_eq!(first.listeners.len(), 1);
        assert_eq!(
            first.listeners[0].owner_key().map(|key| key.pid),
            Some(std::process::id())
        );
        assert_eq!(scanner.scan(Focus::default()), None);
        drop(one);
        assert!(scanner.scan(Focus::default()).unwrap().listeners.is_empty());
        assert_eq!(scanner.scan(Focus::default()), None);
    }

    #[test]
    fn both_sides_know_a_socket_by_one_handle() {
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut scanner = Scanner::new();
        let snapshot = scanner.first();
        let found = snapshot
            .listeners
            .iter()
            .find(|l| l.port.get() == port)
            .unwrap();
        assert!(found.addresses[0].dual_stack);
        assert!(scanner.listed.iter().any(|s| s.id == found.sockets[0]));
    }
}
