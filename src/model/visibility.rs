//! Which listeners a developer wants to see first, and which only on request.

use super::service::Kind;
use super::{Listener, Port, Protocol};

/// Where a listener is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The user's own servers in development, and databases.
    Development,
    /// The user's other programs.
    Other,
    /// Hidden unless asked for: other users', the operating system's, and sockets that look like
    /// those of clients.
    Hidden,
}

/// Who looks, and what the system's ephemeral ports are.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// The user id of who looks.
    pub uid: u32,
    /// The first and last port that the kernel gives to sockets that do not ask for one.
    pub ephemeral: (Port, Port),
}

/// What decides where a listener is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// The user that it belongs to.
    pub uid: u32,
    /// The port.
    pub port: Port,
    /// The protocol.
    pub protocol: Protocol,
    /// Whether it is bound to every address, and to no other.
    pub everywhere: bool,
    /// The kind of its owner, and whether that works for a project.
    pub owner: Option<(Kind, bool)>,
    /// Whether it is a port of a container.
    pub published: bool,
}

impl Listener {
    /// What decides where it is shown.
    pub fn traits(&self) -> Traits {
        Traits {
            uid: self.uid,
            port: self.port,
            protocol: self.protocol,
            everywhere: self.addresses.iter().all(|address| address.is_wildcard()),
            owner: self
                .owner
                .as_ref()
                .map(|owner| (owner.kind, owner.project.is_some())),
            published: self.published().is_some(),
        }
    }
}

/// Where a listener is shown to `viewer`.
pub fn rank(listener: &Traits, viewer: &Viewer) -> Rank {
    // Whoever may ask its engine started it, or might have.
    if listener.published {
        return Rank::Development;
    }
    if listener.uid != viewer.uid || looks_like_a_client(listener, viewer) {
        return Rank::Hidden;
    }
    match listener.owner {
        None => Rank::Other,
        Some((Kind::System, _)) => Rank::Hidden,
        Some((Kind::Development | Kind::Database | Kind::Server, _) | (Kind::Unknown, true)) => {
            Rank::Development
        }
        Some((Kind::Application | Kind::Unknown, _)) => Rank::Other,
    }
}

/// A UDP socket on an ephemeral port of every address is nearly always a client that waits for
/// answers; a client has no other way to get one.
fn looks_like_a_client(listener: &Traits, viewer: &Viewer) -> bool {
    let (first, last) = viewer.ephemeral;
    listener.protocol == Protocol::Udp
        && (first..=last).contains(&listener.port)
        && listener.everywhere
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use super::*;
    use crate::model::attribute::tests::process;
    use crate::model::container::EngineKind;
    use crate::model::{Address, Container, SocketId};

    fn listener(port: u16, protocol: Protocol, ip: Ipv4Addr, kind: Kind) -> Listener {
        let mut owner = Arc::unwrap_or_clone(process(5, "x", &[1]));
        owner.kind = kind;
        Listener {
            port: Port::new(port).unwrap(),
            protocol,
            addresses: vec![Address::v4(ip)],
            sockets: vec![SocketId(1)],
            uid: 1000,
            user: None,
            owner: Some(owner.into()),
            workers: vec![],
            container: None,
        }
    }

    #[test]
    fn ranks() {
        let viewer = Viewer {
            uid: 1000,
            ephemeral: (Port::new(32768).unwrap(), Port::new(60999).unwrap()),
        };
        let any = Ipv4Addr::UNSPECIFIED;
        let local = Ipv4Addr::LOCALHOST;
        let cases = [
            (
                listener(3000, Protocol::Tcp, any, Kind::Development),
                Rank::Development,
            ),
            (
                listener(3000, Protocol::Tcp, any, Kind::Unknown),
                Rank::Other,
            ),
            (listener(22, Protocol::Tcp, any, Kind::System), Rank::Hidden),
            (
                listener(40000, Protocol::Tcp, any, Kind::Development),
                Rank::Development,
            ),
            (
                listener(40000, Protocol::Udp, any, Kind::Development),
                Rank::Hidden,
            ),
            (
                listener(40000, Protocol::Udp, local, Kind::Development),
                Rank::Development,
            ),
            (
                listener(5353, Protocol::Udp, any, Kind::Development),
                Rank::Development,
            ),
        ];
        for (listener, expected) in cases {
            assert_eq!(rank(&listener.traits(), &viewer), expected, "{listener:?}");
        }
        assert_eq!(
            rank(
                &listener(3000, Protocol::Tcp, any, Kind::Development).traits(),
                &Viewer { uid: 0, ..viewer }
            ),
            Rank::Hidden
        );
        let mut of_root = listener(3000, Protocol::Tcp, any, Kind::Server);
        of_root.uid = 0;
        let mut container = Container::of_id("abc", EngineKind::Docker);
        container.port = Some(80);
        of_root.container = Some(container.into());
        assert_eq!(rank(&of_root.traits(), &viewer), Rank::Development);
    }
}
