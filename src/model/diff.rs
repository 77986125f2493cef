//! What changed between two snapshots.

use std::collections::HashMap;

use super::{Address, Listener, Port, ProcessKey, Protocol, Snapshot};

/// A change of who listens where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A listener that was not there before.
    Opened(Listener),
    /// A listener that is gone, and nobody took its place.
    Closed(Listener),
    /// Another process listens at an address of the same port.
    OwnerChanged {
        /// What listened before.
        from: Listener,
        /// What listens now.
        to: Listener,
    },
}

type Key = (Port, Protocol, Option<ProcessKey>, u32);

fn key(listener: &Listener) -> Key {
    (
        listener.port,
        listener.protocol,
        listener.owner_key(),
        listener.uid,
    )
}

fn touches(a: &Listener, b: &Listener) -> bool {
    let overlap = |x: &Address| b.addresses.iter().any(|y| x.overlaps(*y));
    a.port == b.port && a.protocol == b.protocol && a.addresses.iter().any(overlap)
}

/// The events that lead from `before` to `after`, closed ones first, else by port.
///
/// Nothing is derived from a gap: where a snapshot may miss listeners, what is absent from it is
/// not called closed (or, later, opened), and an owner that merely became readable or unreadable
/// is not a change of owner.
pub fn diff(before: &Snapshot, after: &Snapshot) -> Vec<Event> {
    let old: HashMap<Key, &Listener> = before.listeners.iter().map(|l| (key(l), l)).collect();
    let new: HashMap<Key, &Listener> = after.listeners.iter().map(|l| (key(l), l)).collect();
    let mut gone: Vec<&Listener> = before
        .listeners
        .iter()
        .filter(|l| !new.contains_key(&key(l)))
        .collect();
    let mut events = Vec::new();
    let mut opened = Vec::new();
    for to in after
        .listeners
        .iter()
        .filter(|l| !old.contains_key(&key(l)))
    {
        match gone.iter().position(|from| touches(from, to)) {
            Some(index) => {
                let from = gone.swap_remove(index);
                if from.owner.is_some() && to.owner.is_some() || from.uid != to.uid {
                    opened.push(Event::OwnerChanged {
                        from: from.clone(),
                        to: to.clone(),
                    });
                }
            }
            None if before.may_miss_listeners() => {}
            None => opened.push(Event::Opened(to.clone())),
        }
    }
    if !after.may_miss_listeners() {
        gone.sort_by_key(|l| key(l));
        events.extend(gone.into_iter().cloned().map(Event::Closed));
    }
    events.append(&mut opened);
    events
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::model::attribute::tests::process;
    use crate::model::{Gap, GapKind, Process, SocketId, Timestamp};

    fn listener(port: u16, owner: Option<Arc<Process>>) -> Listener {
        Listener {
            port: Port::new(port).unwrap(),
            protocol: Protocol::Tcp,
            addresses: vec![Address::v4([127, 0, 0, 1].into())],
            sockets: vec![SocketId(u64::from(port))],
            uid: 1000,
            user: None,
            owner,
            workers: vec![],
            container: None,
        }
    }

    fn snapshot(listeners: Vec<Listener>, gaps: &[GapKind]) -> Snapshot {
        let gaps = gaps
            .iter()
            .map(|&kind| Gap {
                kind,
                detail: String::new(),
            })
            .collect();
        Snapshot {
            scanned_at: Timestamp(SystemTime::UNIX_EPOCH),
            gaps,
            listeners,
            elsewhere: Vec::new(),
        }
    }

    #[test]
    fn opened_closed_and_owner_changed() {
        let (a, b) = (process(5, "a", &[]), process(6, "b", &[]));
        let before = snapshot(
            vec![listener(80, Some(a.clone())), listener(81, Some(a.clone()))],
            &[],
        );
        let after = snapshot(
            vec![listener(80, Some(b.clone())), listener(82, Some(b.clone()))],
            &[],
        );
        assert_eq!(
            diff(&before, &after),
            [
                Event::Closed(listener(81, Some(a.clone()))),
                Event::OwnerChanged {
                    from: listener(80, Some(a)),
                    to: listener(80, Some(b.clone()))
                },
                Event::Opened(listener(82, Some(b))),
            ]
        );
        assert!(diff(&after, &after).is_empty());
    }

    #[test]
    fn nothing_is_derived_from_a_gap() {
        let a = process(5, "a", &[]);
        let full = snapshot(vec![listener(80, Some(a.clone()))], &[]);
        let blind = snapshot(vec![], &[GapKind::SocketsUnreadable]);
        assert!(diff(&full, &blind).is_empty(), "not seen is not closed");
        assert!(diff(&blind, &full).is_empty(), "seen again is not opened");
        let unreadable = snapshot(vec![listener(80, None)], &[GapKind::OwnersUnreadable]);
        assert!(
            diff(&full, &unreadable).is_empty(),
            "an unreadable owner is not another owner"
        );
        assert!(diff(&unreadable, &full).is_empty());
    }
}
