//! Listeners that are in each other's way.

use serde::{Deserialize, Serialize};

use super::attribute::are_related;
use super::{Listener, Protocol};

/// How a listener is in conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conflict {
    /// It listens on a port that is reserved for somebody else.
    Intruder,
    /// It shares its port number with another process, on addresses that overlap or that
    /// `localhost` confuses: a client may reach either.
    Shadowed,
}

/// For every listener, whether it is shadowed by another one of `listeners`, which are sorted by
/// port.
///
/// Only TCP is judged: UDP sockets share ports by design (multicast discovery). Two listeners
/// whose processes are related, or that cannot be told apart because an owner is unreadable, are
/// not in conflict.
pub fn shadowed(listeners: &[Listener]) -> Vec<bool> {
    let mut shadowed = vec![false; listeners.len()];
    for (i, a) in listeners.iter().enumerate() {
        for (j, b) in listeners
            .iter()
            .enumerate()
            .skip(i + 1)
            .take_while(|(_, b)| b.port == a.port)
        {
            if shadow(a, b) {
                shadowed[i] = true;
                shadowed[j] = true;
            }
        }
    }
    shadowed
}

/// Whether a client that means one of the two may reach the other.
pub fn shadow(a: &Listener, b: &Listener) -> bool {
    a.port == b.port
        && a.protocol == Protocol::Tcp
        && b.protocol == Protocol::Tcp
        && are_strangers(a, b)
        && (overlap(a, b) || localhost_is_ambiguous(a, b))
}

/// Whether `localhost` means one of the two on IPv4 and the other on IPv6.
pub fn localhost_is_ambiguous(a: &Listener, b: &Listener) -> bool {
    let v4 = |l: &Listener| {
        l.addresses
            .iter()
            .any(|address| address.serves_localhost_v4())
    };
    let v6 = |l: &Listener| {
        l.addresses
            .iter()
            .any(|address| address.serves_localhost_v6())
    };
    v4(a) && v6(b) || v6(a) && v4(b)
}

fn overlap(a: &Listener, b: &Listener) -> bool {
    a.addresses
        .iter()
        .any(|x| b.addresses.iter().any(|y| x.overlaps(*y)))
}

fn are_strangers(a: &Listener, b: &Listener) -> bool {
    match (&a.owner, &b.owner) {
        (Some(x), Some(y)) => !are_related(x, y) && !are_proxies_of_one_service(x, y),
        _ => a.uid != b.uid,
    }
}

/// Docker starts one `docker-proxy` for IPv4 and one for IPv6 of the same published port; their
/// command lines differ only in addresses.
fn are_proxies_of_one_service(x: &super::Process, y: &super::Process) -> bool {
    let parent = |p: &super::Process| p.parents.first().map(|parent| parent.pid);
    x.service == y.service && x.exe == y.exe && parent(x) == parent(y) && x.name == "docker-proxy"
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use super::*;
    use crate::model::attribute::tests::process;
    use crate::model::{Address, Port, Process, SocketId};

    fn listener(address: &str, owner: Option<Arc<Process>>, uid: u32) -> Listener {
        let address = match address.parse().unwrap() {
            IpAddr::V4(ip) => Address::v4(ip),
            IpAddr::V6(ip) => Address::v6(ip, false),
        };
        Listener {
            port: Port::new(3000).unwrap(),
            protocol: Protocol::Tcp,
            addresses: vec![address],
            sockets: vec![SocketId(1)],
            uid,
            user: None,
            owner,
            workers: vec![],
            container: None,
        }
    }

    #[test]
    fn localhost_confuses_the_two_loopbacks() {
        let a = listener("127.0.0.1", Some(process(5, "vite", &[1])), 1000);
        let b = listener("::1", Some(process(6, "next", &[1])), 1000);
        assert_eq!(shadowed(&[a.clone(), b.clone()]), [true, true]);
        assert!(localhost_is_ambiguous(&a, &b));
    }

    #[test]
    fn relatives_and_unknowns_are_no_conflict() {
        let a = listener("127.0.0.1", Some(process(5, "web", &[1])), 1000);
        let child = listener("::1", Some(process(6, "web", &[5, 1])), 1000);
        assert!(!shadow(&a, &child));
        assert!(
            !shadow(&a, &listener("::1", None, 1000)),
            "might be the same process"
        );
        assert!(
            shadow(&a, &listener("::1", None, 0)),
            "another user's is another process"
        );
    }

    #[test]
    fn different_addresses_and_protocols_are_no_conflict() {
        let a = listener("127.0.0.1", Some(process(5, "a", &[1])), 1000);
        let b = listener("192.168.1.5", Some(process(6, "b", &[1])), 1000);
        assert!(!shadow(&a, &b));
        let mut udp = listener("127.0.0.1", Some(process(6, "b", &[1])), 1000);
        udp.protocol = Protocol::Udp;
        assert!(!shadow(&a, &udp));
    }
}
