//! From sockets and the processes that hold them to listeners with one owner each.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Listener, Port, Process, ProcessKey, Protocol, Socket};

/// Groups `sockets` into listeners.
///
/// `holders` gives the processes that have a socket open, `user` the name of a user id. A socket
/// that several processes share (forked workers) belongs to the topmost of them; the sockets that
/// one application opened at one address in several processes (`SO_REUSEPORT`) are one listener.
/// A socket without a readable holder is kept, without owner.
pub fn listeners<'a>(
    sockets: &[Socket],
    holders: impl Fn(&Socket) -> &'a [Arc<Process>],
    user: impl Fn(u32) -> Option<Arc<str>>,
) -> Vec<Listener> {
    let mut groups: BTreeMap<(Port, Protocol, Option<ProcessKey>, u32), Listener> = BTreeMap::new();
    for socket in sockets {
        let sharers = holders(socket);
        let owner = topmost(sharers);
        let key = owner.map(|owner| owner.key);
        let listener = groups
            .entry((socket.port, socket.protocol, key, socket.uid))
            .or_insert_with(|| Listener {
                port: socket.port,
                protocol: socket.protocol,
                addresses: Vec::with_capacity(1),
                sockets: Vec::with_capacity(1),
                uid: socket.uid,
                user: user(socket.uid),
                owner: owner.cloned(),
                workers: Vec::new(),
                container: None,
            });
        listener.addresses.push(socket.address);
        listener.sockets.push(socket.id);
        listener.workers.extend(
            sharers
                .iter()
                .filter(|sharer| Some(sharer.key) != key)
                .cloned(),
        );
    }
    let mut listeners: Vec<Listener> = Vec::with_capacity(groups.len());
    for mut listener in groups.into_values() {
        sort(&mut listener);
        let start = listeners
            .iter()
            .rposition(|other| other.port != listener.port)
            .map_or(0, |before| before + 1);
        match listeners[start..]
            .iter_mut()
            .find(|other| is_one_application(other, &listener))
        {
            Some(other) => merge(other, listener),
            None => listeners.push(listener),
        }
    }
    listeners.sort_by(|a, b| {
        (a.port, a.protocol, &a.addresses, a.owner_key()).cmp(&(
            b.port,
            b.protocol,
            &b.addresses,
            b.owner_key(),
        ))
    });
    listeners
}

/// Of several processes that share a socket, the one that the others descend from; the oldest
/// where there is no such one. A service manager that opened the socket and passed it on is not
/// the owner while the service has it too.
fn topmost(sharers: &[Arc<Process>]) -> Option<&Arc<Process>> {
    let below_another = |p: &Process| {
        p.parents.iter().any(|parent| {
            sharers
                .iter()
                .any(|other| other.key.pid == parent.pid && !passes_sockets_on(other))
        })
    };
    sharers.iter().min_by_key(|p| {
        (
            passes_sockets_on(p),
            below_another(p),
            p.key.start,
            p.key.pid,
        )
    })
}

/// Whether a process is a service manager, which opens sockets for the services that it starts.
pub fn passes_sockets_on(process: &Process) -> bool {
    process.key.pid == 1 || process.name == "systemd" || process.name == "launchd"
}

/// Whether two listeners at one port are the sockets of one application: the same address, and
/// owners of the same program of which one started the other, or that one process started.
fn is_one_application(a: &Listener, b: &Listener) -> bool {
    let (Some(x), Some(y)) = (&a.owner, &b.owner) else {
        return false;
    };
    a.protocol == b.protocol
        && a.uid == b.uid
        && a.addresses
            .iter()
            .any(|address| b.addresses.contains(address))
        && are_related(x, y)
}

/// Whether one process is an ancestor of the other, or both are the same command started in the same
/// folder by the same parent (init and service managers, which start everything, aside).
pub fn are_related(x: &Process, y: &Process) -> bool {
    let above = |a: &Process, b: &Process| b.parents.iter().any(|parent| parent.pid == a.key.pid);
    let siblings = || match (x.parents.first(), y.parents.first()) {
        (Some(p), Some(q)) => {
            p.pid == q.pid
                && p.pid != 1
                && p.name != "systemd"
                && x.exe == y.exe
                && x.name == y.name
                && x.command == y.command
                && x.cwd == y.cwd
        }
        _ => false,
    };
    x.key == y.key || above(x, y) || above(y, x) || siblings()
}

fn merge(into: &mut Listener, from: Listener) {
    let (Some(x), Some(y)) = (into.owner.clone(), from.owner) else {
        return;
    };
    let pair = [x, y];
    let Some(owner) = topmost(&pair).cloned() else {
        return;
    };
    into.workers.extend(pair);
    into.workers.extend(from.workers);
    into.workers.retain(|worker| worker.key != owner.key);
    into.addresses.extend(from.addresses);
    into.sockets.extend(from.sockets);
    into.owner = Some(owner);
    sort(into);
}

fn sort(listener: &mut Listener) {
    listener.addresses.sort_unstable();
    listener.addresses.dedup();
    listener.sockets.sort_unstable();
    listener.sockets.dedup();
    listener.workers.sort_unstable_by_key(|worker| worker.key);
    listener.workers.dedup_by_key(|worker| worker.key);
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;
    use std::time::SystemTime;

    use super::*;
    use crate::model::{Address, Ancestor, SocketId, Timestamp};

    /// A process for tests, with the parents of these pids.
    pub(crate) fn process(pid: u32, name: &str, parents: &[u32]) -> Arc<Process> {
        Arc::new(Process {
            key: ProcessKey {
                pid,
                start: u64::from(pid),
            },
            name: name.to_owned(),
            command: name.to_owned(),
            exe: None,
            cwd: None,
            cwd_deleted: false,
            uid: 1000,
            started_at: Timestamp(SystemTime::UNIX_EPOCH),
            parents: parents
                .iter()
                .map(|&pid| Ancestor {
                    pid,
                    name: "sh".into(),
                    command: "sh".into(),
                })
                .collect(),
            terminal: None,
            unit: None,
            container: None,
            project: None,
            service: name.to_owned(),
            kind: crate::model::service::Kind::Unknown,
        })
    }

    /// A TCP socket for tests.
    pub(crate) fn socket(port: u16, id: u64) -> Socket {
        Socket {
            port: Port::new(port).unwrap(),
            protocol: Protocol::Tcp,
            address: Address::v4(Ipv4Addr::LOCALHOST),
            id: SocketId(id),
            uid: 1000,
        }
    }

    fn group(sockets: &[Socket], held: &[(u64, Vec<Arc<Process>>)]) -> Vec<Listener> {
        listeners(
            sockets,
            |s| {
                held.iter()
                    .find(|(id, _)| *id == s.id.0)
                    .map_or(&[], |(_, p)| p.as_slice())
            },
            |uid| Some(format!("user{uid}").into()),
        )
    }

    #[test]
    fn forked_workers_are_one_listener_of_the_topmost() {
        let sharers = vec![
            process(12, "web", &[11, 10]),
            process(11, "web", &[10, 1]),
            process(13, "web", &[11, 10]),
        ];
        let found = group(&[socket(80, 7)], &[(7, sharers)]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].owner_key().map(|k| k.pid), Some(11));
        assert_eq!(
            found[0]
                .workers
                .iter()
                .map(|w| w.key.pid)
                .collect::<Vec<_>>(),
            [12, 13]
        );
    }

    #[test]
    fn orphaned_workers_belong_to_the_oldest() {
        let found = group(
            &[socket(80, 7)],
            &[(7, vec![process(13, "web", &[1]), process(12, "web", &[1])])],
        );
        assert_eq!(found[0].owner_key().map(|k| k.pid), Some(12));
    }

    #[test]
    fn a_service_manager_does_not_own_what_it_passed_on() {
        let manager = process(1, "systemd", &[]);
        let found = group(
            &[socket(80, 7)],
            &[(7, vec![manager.clone(), process(40, "cupsd", &[1])])],
        );
        assert_eq!(found[0].owner_key().map(|k| k.pid), Some(40));
        let found = group(&[socket(80, 7)], &[(7, vec![manager])]);
        assert_eq!(
            found[0].owner_key().map(|k| k.pid),
            Some(1),
            "it owns what only it has"
        );
    }

    #[test]
    fn sockets_of_siblings_at_one_address_are_one_listener() {
        let held = [
            (7, vec![process(21, "worker", &[20, 1])]),
            (8, vec![process(22, "worker", &[20, 1])]),
        ];
        let found = group(&[socket(80, 7), socket(80, 8)], &held);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (
                found[0].sockets.len(),
                found[0].addresses.len(),
                found[0].workers.len()
            ),
            (2, 1, 1)
        );
    }

    #[test]
    fn strangers_at_one_address_are_two_listeners() {
        let held = [
            (7, vec![process(21, "worker", &[20, 1])]),
            (8, vec![process(32, "worker", &[30, 1])]),
        ];
        assert_eq!(group(&[socket(80, 7), socket(80, 8)], &held).len(), 2);
    }

    #[test]
    fn a_socket_without_holder_is_kept() {
        let found = group(&[socket(80, 7)], &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].owner.is_none());
        assert_eq!(found[0].user.as_deref(), Some("user1000"));
    }

    #[test]
    fn one_owner_on_two_addresses_is_one_listener() {
        let mut v6 = socket(80, 8);
        v6.address = Address::v6(std::net::Ipv6Addr::LOCALHOST, false);
        let owner = vec![process(5, "node", &[1])];
        let found = group(&[socket(80, 7), v6], &[(7, owner.clone()), (8, owner)]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].addresses.len(), 2);
    }
}
