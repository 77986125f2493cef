//! The whole story of a port, as `freeport why` and the terminal UI tell it: its listeners, what is
//! reserved, and what is wrong. Texts of other programs are escaped here; how it looks is for those
//! who show it.

mod listener;
mod reservation;

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use super::{ListenerView, ReservationView, words};
use crate::model::text::escape;
use crate::model::{Address, Conflict, Gap, GapKind, Port, Protocol, Timestamp};

/// What a piece of text is in the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing else.
    Plain,
    /// A port with its addresses.
    Spot,
    /// What is there.
    Title,
    /// What matters less.
    Dim,
    /// What is wrong.
    Warning,
}

/// Text of one kind, safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub role: Role,
    /// The text.
    pub text: String,
}

/// A line of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What the line is about, where it is one of several facts; empty where it goes on.
    pub label: Option<&'static str>,
    /// What it says.
    pub pieces: Vec<Piece>,
}

/// Lines that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(pub Vec<Line>);

impl Piece {
    fn new<'a>(role: Role, text: impl Into<Cow<'a, str>>) -> Piece {
        Piece {
            role,
            text: text.into().into_owned(),
        }
    }

    fn plain<'a>(text: impl Into<Cow<'a, str>>) -> Piece {
        Piece::new(Role::Plain, text)
    }
}

impl Block {
    /// A block that starts with a line without label.
    fn of(pieces: impl IntoIterator<Item = Piece>) -> Block {
        Block(vec![Line {
            label: None,
            pieces: pieces.into_iter().collect(),
        }])
    }

    /// Adds a fact.
    fn fact<'a>(&mut self, label: &'static str, value: impl Into<Cow<'a, str>>) {
        self.pieces(label, [Piece::plain(value)]);
    }

    /// Adds a fact that is not all of one kind.
    fn pieces(&mut self, label: &'static str, pieces: impl IntoIterator<Item = Piece>) {
        self.0.push(Line {
            label: Some(label),
            pieces: pieces.into_iter().collect(),
        });
    }

    #[cfg(test)]
    fn text(&self) -> String {
        let lines = self.0.iter().map(|line| {
            let words: String = line.pieces.iter().map(|piece| &*piece.text).collect();
            format!("{} {words}\n", line.label.unwrap_or_default())
        });
        lines.collect()
    }
}

/// What the story of a port is told from.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The port.
    pub port: Port,
    /// Who listens there.
    pub listeners: &'a [ListenerView],
    /// What is reserved there.
    pub reservations: &'a [ReservationView],
    /// What could not be seen.
    pub gaps: &'a [Gap],
}

/// The story of a port. Paths below `home` are told as below `~`.
pub fn tell(known: &Known<'_>, home: Option<&Path>, now: Timestamp) -> Vec<Block> {
    let one = |role, text: &str| Block::of([Piece::new(role, text)]);
    let port = known.port;
    let listeners = known.listeners.iter();
    let mut blocks: Vec<Block> = listeners
        .map(|view| listener::tell(view, home, now))
        .collect();
    if blocks.is_empty() {
        blocks.push(one(Role::Plain, &format!("nobody listens on port {port}")));
    }
    let reservations = known.reservations.iter();
    blocks.extend(reservations.map(|view| reservation::tell(view, now)));
    let localhost = localhost(known.listeners);
    let remarks = remarks(port, known.listeners, &localhost);
    blocks.extend(remarks.iter().map(|remark| one(Role::Warning, remark)));
    let hides_owner = known
        .listeners
        .iter()
        .any(|l| l.owner.is_none() && l.published().is_none());
    // What is said of an engine is said only where it concerns one of these.
    let is_told = |gap: &&Gap| hides_owner || gap.kind == GapKind::EngineUnreadable;
    let mut gaps = known.gaps.iter().filter(is_told).peekable();
    if gaps.peek().is_some() {
        blocks.extend(gaps.map(|gap| one(Role::Dim, &escape(&gap.detail))));
    }
    blocks
}

/// Whom `localhost` reaches over TCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Localhost {
    /// Whether it depends on the client's choice of IPv4 or IPv6.
    pub ambiguous: bool,
    /// The pid behind 127.0.0.1.
    pub ipv4: Option<u32>,
    /// The pid behind `::1`.
    pub ipv6: Option<u32>,
}

/// The addresses of a listener, as values.
fn addresses(listener: &ListenerView) -> impl Iterator<Item = Address> {
    listener
        .addresses
        .iter()
        .filter_map(|text| text.parse::<IpAddr>().ok())
        .map(|ip| match ip {
            IpAddr::V4(ip) => Address::v4(ip),
            IpAddr::V6(ip) => Address::v6(ip, !listener.dual_stack),
        })
}

/// Of several listeners, a client reaches the one that is bound most exactly.
pub fn localhost(listeners: &[ListenerView]) -> Localhost {
    let reached = |serves: fn(Address) -> bool| {
        let serving = listeners
            .iter()
            .filter(|l| l.protocol == Protocol::Tcp && addresses(l).any(serves));
        serving
            .min_by_key(|l| !addresses(l).any(|address| serves(address) && !address.is_wildcard()))
    };
    let (v4, v6) = (
        reached(Address::serves_localhost_v4),
        reached(Address::serves_localhost_v6),
    );
    let pid = |l: Option<&ListenerView>| l.and_then(|l| l.owner.as_ref()).map(|owner| owner.pid);
    // An engine has a process for each of IPv4 and IPv6, which lead to the same place.
    let leads_to = |l: &ListenerView| l.published().cloned();
    let differ = |a: &ListenerView, b: &ListenerView| {
        !std::ptr::eq(a, b) && (leads_to(a).is_none() || leads_to(a) != leads_to(b))
    };
    Localhost {
        ambiguous: v4.zip(v6).is_some_and(|(a, b)| differ(a, b)),
        ipv4: pid(v4),
        ipv6: pid(v6),
    }
}

/// What is wrong at the port, and what can be done about it.
fn remarks(port: Port, listeners: &[ListenerView], localhost: &Localhost) -> Vec<String> {
    let describe = |pid: Option<u32>| {
        let mut owners = listeners.iter().filter_map(|l| l.owner.as_ref());
        let owner = owners.find(|owner| Some(owner.pid) == pid);
        owner.map_or_else(
            || "a process that cannot be seen".to_owned(),
            |owner| format!("{} (pid {})", escape(&owner.service), owner.pid),
        )
    };
    let mut remarks = Vec::new();
    if localhost.ambiguous {
        remarks.push(format!(
            "localhost is ambiguous: 127.0.0.1:{port} is {}, [::1]:{port} is {}",
            describe(localhost.ipv4),
            describe(localhost.ipv6)
        ));
    }
    if listeners
        .iter()
        .any(|l| l.conflict == Some(Conflict::Shadowed))
    {
        remarks.push(format!("clients of port {port} may reach either process; end one with 'freeport kill {port} --pid PID'"));
    }
    remarks.extend(listeners.iter().filter_map(words::intruder));
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attribute::tests::{process, socket};
    use crate::model::{Socket, SocketId, attribute};

    fn views(sockets: &[(&str, u32)]) -> Vec<ListenerView> {
        let sockets: Vec<(Socket, [std::sync::Arc<crate::model::Process>; 1])> = sockets
            .iter()
            .map(|&(address, pid)| {
                let mut one = socket(3000, u64::from(pid));
                one.address = match address.parse().unwrap() {
                    IpAddr::V4(ip) => Address::v4(ip),
                    IpAddr::V6(ip) => Address::v6(ip, false),
                };
                (one, [process(pid, "node", &[1])])
            })
            .collect();
        let all: Vec<Socket> = sockets.iter().map(|(socket, _)| *socket).collect();
        let listeners = attribute::listeners(
            &all,
            |s| {
                sockets
                    .iter()
                    .find(|(x, _)| x.id == SocketId(s.id.0))
                    .map_or(&[], |(_, p)| p.as_slice())
            },
            |_| None,
        );
        ListenerView::all(&listeners, true, |_| true)
    }

    #[test]
    fn localhost_may_mean_two_processes() {
        assert_eq!(
            localhost(&views(&[("127.0.0.1", 5), ("::1", 6)])),
            Localhost {
                ambiguous: true,
                ipv4: Some(5),
                ipv6: Some(6)
            }
        );
        assert_eq!(
            localhost(&views(&[("::", 5)])),
            Localhost {
                ambiguous: false,
                ipv4: Some(5),
                ipv6: Some(5)
            }
        );
        assert_eq!(
            localhost(&views(&[("0.0.0.0", 5), ("::1", 6)])),
            Localhost {
                ambiguous: true,
                ipv4: Some(5),
                ipv6: Some(6)
            }
        );
        assert_eq!(
            localhost(&views(&[("10.0.0.1", 5)])),
            Localhost {
                ambiguous: false,
                ipv4: None,
                ipv6: None
            }
        );
    }
}
