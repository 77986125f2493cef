//! The scanner: which sockets there are at every tick, and who owns the new ones.
//!
//! A tick lists the sockets and compares. Only what is new is resolved to processes, the likeliest
//! candidates first. A socket whose owner cannot be read stays, is remembered as such, and is not
//! searched for again until something about it changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::facts::Facts;
use super::holders::{self, Found};
use super::sockets::Sockets;
use super::users::Users;
use crate::model::{
    Gap, GapKind, Port, Process, ProcessKey, Snapshot, Socket, SocketId, Timestamp, attribute,
};
use crate::platform::Focus;

/// When a new socket is resolved again, to see the workers that its owner has forked since.
const SETTLES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];
/// With more new sockets than this, reading all processes is cheaper than guessing.
const MANY: usize = 16;

/// Makes snapshots, each from what the last one knew.
pub struct Scanner {
    only: Vec<Port>,
    /// Where others listen, when it is looked at single ports.
    elsewhere: Vec<Port>,
    table: Sockets,
    sockets: Vec<Socket>,
    last: Vec<Socket>,
    gaps: Vec<Gap>,
    holders: HashMap<SocketId, Vec<Arc<Process>>>,
    settling: Vec<(Instant, SocketId)>,
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
            table: Sockets::open(),
            sockets: Vec::new(),
            last: Vec::new(),
            gaps: Vec::new(),
            holders: HashMap::new(),
            settling: Vec::new(),
            facts: Facts::default(),
            users: Users::default(),
        }
    }

    /// The first snapshot: of single ports with all owners that they have.
    pub fn first(&mut self) -> Snapshot {
        let ports = self.only.clone();
        self.tick(Focus {
            dead: &[],
            ports: &ports,
        });
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
        let gaps = self.table.list(&mut self.sockets);
        if !self.only.is_empty() {
            let others = |socket: &mut Socket| !self.only.contains(&socket.port);
            let others = self.sockets.extract_if(.., others);
            self.elsewhere = others.map(|socket| socket.port).collect();
            self.elsewhere.dedup();
        }
        let mut changed = gaps != self.gaps || self.sockets != self.last;
        self.gaps = gaps;
        if changed {
            let there: HashSet<SocketId> = self.sockets.iter().map(|socket| socket.id).collect();
            self.holders.retain(|id, _| there.contains(id));
            self.settling.retain(|(_, id)| there.contains(id));
        }
        let orphaned = self.orphaned(focus.dead);
        let mut fresh: Vec<SocketId> = self
            .sockets
            .iter()
            .map(|socket| socket.id)
            .filter(|id| !self.holders.contains_key(id))
            .collect();
        let now = Instant::now();
        self.settling.extend(
            fresh
                .iter()
                .flat_map(|&id| SETTLES.iter().map(move |&delay| (now + delay, id))),
        );
        fresh.extend(orphaned);
        let settled = self.due(now);
        // By now, owners have given themselves their titles.
        self.reread(&settled);
        let searched: Vec<SocketId> = self
            .sockets
            .iter()
            .filter(|s| focus.ports.contains(&s.port))
            .map(|s| s.id)
            .collect();
        self.reread(&searched);
        fresh.retain(|id| !searched.contains(id));
        for (ids, everywhere) in [(fresh, false), (settled, false), (searched, true)] {
            changed |= self.resolve(ids, everywhere);
        }
        if changed {
            let known: HashSet<ProcessKey> = self.owners().collect();
            self.facts.keep(|key| known.contains(key));
            self.last.clone_from(&self.sockets);
        }
        self.facts.end_look();
        changed
    }

    /// The sockets of processes that have ended: others may have them still.
    fn orphaned(&mut self, dead: &[ProcessKey]) -> Vec<SocketId> {
        if dead.is_empty() {
            return Vec::new();
        }
        let lost =
            |holders: &Vec<Arc<Process>>| holders.iter().any(|process| dead.contains(&process.key));
        self.holders
            .iter()
            .filter(|(_, holders)| lost(holders))
            .map(|(&id, _)| id)
            .collect()
    }

    /// The sockets whose time has come to be resolved again.
    fn due(&mut self, now: Instant) -> Vec<SocketId> {
        let mut due: Vec<SocketId> = self
            .settling
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, id)| id)
            .collect();
        if due.is_empty() {
            return due;
        }
        // The owner of another user's socket will not become readable. One's own may have been
        // unreadable only for the moment in which it executed another program.
        let me = super::limits::user_id();
        let ours: HashSet<SocketId> = self
            .sockets
            .iter()
            .filter(|socket| me == 0 || socket.uid == me)
            .map(|socket| socket.id)
            .collect();
        due.retain(|id| ours.contains(id) || self.holders.get(id).is_some_and(|h| !h.is_empty()));
        due
    }

    /// Forgets what is known of the processes that have these sockets, so that it is read again.
    fn reread(&mut self, ids: &[SocketId]) {
        if ids.is_empty() {
            return;
        }
        let holders = ids.iter().filter_map(|id| self.holders.get(id)).flatten();
        let owners: HashSet<ProcessKey> = holders.map(|process| process.key).collect();
        self.facts.forget(|key| owners.contains(key));
    }

    /// Finds the processes that have the sockets `ids`; true when that differs from what was known.
    fn resolve(&mut self, mut ids: Vec<SocketId>, everywhere: bool) -> bool {
        if ids.is_empty() {
            return false;
        }
        ids.sort_unstable();
        ids.dedup();
        let found = if everywhere || ids.len() > MANY {
            holders::search_all(&holders::pids(), &ids)
        } else {
            self.search_likely(&ids)
        };
        let mut changed = false;
        for id in ids {
            let found = found.get(&id).map_or(&[][..], Vec::as_slice);
            // Who has its pid by now may be another one, which does not have the socket.
            let mut facts = |&key: &ProcessKey| {
                let process = self.facts.of(key.pid)?;
                (process.key == key).then_some(process)
            };
            let mut processes: Vec<Arc<Process>> = found.iter().filter_map(&mut facts).collect();
            processes.sort_unstable_by_key(|process| process.key);
            processes.dedup_by_key(|process| process.key);
            let before = self.holders.insert(id, processes);
            changed |= before.as_ref() != self.holders.get(&id);
        }
        changed
    }

    /// Searches processes that have sockets already and their parents, then the newest of the
    /// sockets' users, then all others, until each socket has an owner; then the owners' families.
    fn search_likely(&self, ids: &[SocketId]) -> Found {
        let mut found = Found::new();
        let mut visited = HashSet::new();
        let mut known: Vec<u32> = ids
            .iter()
            .filter_map(|id| self.holders.get(id))
            .flatten()
            .map(|process| process.key.pid)
            .collect();
        let uids: HashSet<u32> = self
            .sockets
            .iter()
            .filter(|s| ids.binary_search(&s.id).is_ok())
            .map(|s| s.uid)
            .collect();
        let owners = self
            .holders
            .values()
            .flatten()
            .filter(|process| uids.contains(&process.uid));
        known.extend(owners.flat_map(|process| {
            std::iter::once(process.key.pid).chain(process.parents.first().map(|parent| parent.pid))
        }));
        for pid in known {
            if visited.insert(pid) {
                holders::search(pid, ids, &mut found);
                if found.len() == ids.len() {
                    break;
                }
            }
        }
        if found.len() < ids.len() {
            let mut others = Vec::new();
            for pid in holders::pids() {
                if visited.contains(&pid) {
                    continue;
                }
                if found.len() == ids.len() {
                    break;
                }
                match folder_owner(pid) {
                    Some(uid) if uids.contains(&uid) => {
                        visited.insert(pid);
                        holders::search(pid, ids, &mut found);
                    }
                    Some(_) => others.push(pid),
                    None => {}
                }
            }
            if found.len() < ids.len() {
                for (id, holders) in holders::search_all(&others, ids) {
                    found.entry(id).or_default().extend(holders);
                }
                visited.extend(others);
            }
        }
        self.search_families(ids, visited, &mut found);
        found
    }

    /// A socket is shared by fork, so that its other holders are above or below those found.
    fn search_families(&self, ids: &[SocketId], mut visited: HashSet<u32>, found: &mut Found) {
        let holds = |pid: u32, visited: &mut HashSet<u32>, found: &mut Found| {
            if visited.insert(pid) {
                holders::search(pid, ids, found);
            }
            let mut holders = found.values().flatten();
            holders.any(|holder| holder.pid == pid)
        };
        let mut tops = HashSet::new();
        let all = found.values().flatten().map(|holder| holder.pid);
        for mut top in all.collect::<HashSet<u32>>() {
            while let Some((_, parent)) =
                super::facts::identity(top).filter(|&(_, parent)| parent > 1)
            {
                if !holds(parent, &mut visited, found) {
                    break;
                }
                top = parent;
            }
            tops.insert(top);
        }
        // Workers that outlived their parent have been adopted by one process: they are siblings.
        let parent_of = |&top: &u32| super::facts::identity(top).map(|(_, parent)| parent);
        let parents: HashSet<u32> = tops.iter().filter_map(parent_of).collect();
        let siblings = parents.into_iter().flat_map(holders::children);
        for sibling in siblings.collect::<Vec<_>>() {
            if holds(sibling, &mut visited, found) {
                tops.insert(sibling);
            }
        }
        let mut below: Vec<u32> = tops.into_iter().flat_map(holders::children).collect();
        let mut seen = HashSet::new();
        while let Some(pid) = below.pop() {
            if seen.insert(pid) {
                holds(pid, &mut visited, found);
                below.extend(holders::children(pid));
            }
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let users = std::cell::RefCell::new(&mut self.users);
        let listeners = attribute::listeners(
            &self.sockets,
            |socket| self.holders.get(&socket.id).map_or(&[], Vec::as_slice),
            |uid| users.borrow_mut().name(uid),
        );
        let mut gaps = self.gaps.clone();
        gaps.extend(unseen(&listeners));
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

/// The user that `/proc/PID` belongs to: the process's own, nearly always.
fn folder_owner(pid: u32) -> Option<u32> {
    rustix::fs::stat(format!("/proc/{pid}"))
        .ok()
        .map(|stat| stat.st_uid)
}

/// Why some listeners have no owner.
fn unseen(listeners: &[crate::model::Listener]) -> Option<Gap> {
    let mut ports: Vec<&crate::model::Listener> =
        listeners.iter().filter(|l| l.owner.is_none()).collect();
    if ports.is_empty() {
        return None;
    }
    let mut users: Vec<String> = ports.iter().map(|l| l.user_name()).collect();
    users.sort_unstable();
    users.dedup();
    ports.dedup_by_key(|l| l.port);
    let of = format!(
        "{} of {} ({})",
        count(ports.len()),
        if ports.len() == 1 {
            "unknown owner"
        } else {
            "unknown owners"
        },
        users.join(", ")
    );
    Some(if rustix::process::geteuid().is_root() {
        Gap {
            kind: GapKind::OwnersUnreadable,
            detail: format!(
                "{of}: no process that is visible here has them open; they belong to the kernel, or to a container"
            ),
        }
    } else if super::limits::processes_are_hidden() {
        Gap {
            kind: GapKind::ProcessesHidden,
            detail: format!(
                "{of}: /proc hides the processes of other users (hidepid); 'sudo freeport list' shows them"
            ),
        }
    } else {
        Gap {
            kind: GapKind::OwnersUnreadable,
            detail: format!(
                "{of}: the processes of other users may not be read; 'sudo freeport list' shows them"
            ),
        }
    })
}

fn count(ports: usize) -> String {
    if ports == 1 {
        "1 port".to_owned()
    } else {
        format!("{ports} ports")
    }
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
        assert_eq!(first.listeners.len(), 1);
        assert_eq!(
            first.listeners[0].owner_key().map(|key| key.pid),
            Some(std::process::id())
        );
        assert_eq!(scanner.scan(Focus::default()), None);
        let thorough = Focus {
            dead: &[],
            ports: &[port],
        };
        assert_eq!(scanner.scan(thorough), None, "seen again as before");
        drop(one);
        assert!(scanner.scan(Focus::default()).unwrap().listeners.is_empty());
        assert_eq!(scanner.scan(Focus::default()), None);
    }

    #[test]
    fn of_other_ports_than_those_asked_for_it_is_only_known_that_they_are_taken() {
        let all = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let port = |one: &TcpListener| Port::new(one.local_addr().unwrap().port()).unwrap();
        let (asked, other) = (port(&all[0]), port(&all[1]));
        let mut scanner = Scanner::for_ports(&[asked]);
        let found = scanner.first();
        assert!(found.listeners.iter().all(|found| found.port == asked));
        assert!(found.elsewhere.is_sorted());
        assert!(found.elsewhere.binary_search(&other).is_ok());
        assert!(found.elsewhere.binary_search(&asked).is_err());
        let everything = Scanner::new().first();
        assert!(everything.elsewhere.is_empty(), "nothing is left out");
    }

    #[test]
    fn a_new_socket_is_found_by_the_likely_search() {
        let mut scanner = Scanner::new();
        scanner.first();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let snapshot = scanner.scan(Focus::default()).unwrap();
        let found = snapshot
            .listeners
            .iter()
            .find(|l| l.port.get() == port)
            .unwrap();
        assert_eq!(
            found.owner_key().map(|key| key.pid),
            Some(std::process::id())
        );
    }
}
