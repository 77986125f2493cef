//! `freeport why`: the whole story of a port.

mod listener;
mod reservation;

use std::fmt::Write as _;
use std::net::IpAddr;

use serde::Serialize;

use super::args::WhyArgs;
use super::exit::{Exit, Failure};
use super::{ask, output, query, unexpected, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{List, ListReply, Reply, Request};
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::text::escape;
use crate::model::{Address, Conflict, Gap, Port, Protocol, Timestamp};

/// The JSON of `why`.
#[derive(Serialize)]
struct Story<'a> {
    port: Port,
    scanned_at: Timestamp,
    gaps: &'a [Gap],
    listeners: &'a [ListenerView],
    /// What is reserved, whoever listens.
    reservations: &'a [ReservationView],
    localhost: Localhost,
}

/// Whom `localhost` reaches over TCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Localhost {
    /// Whether it depends on the client's choice of IPv4 or IPv6.
    ambiguous: bool,
    /// The pid behind 127.0.0.1.
    ipv4: Option<u32>,
    /// The pid behind `::1`.
    ipv6: Option<u32>,
}

pub fn run(args: &WhyArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let request = Request::List(List {
        ports: vec![args.port],
        details: true,
    });
    let reply = match ask(asked, request)? {
        Reply::List(reply) => reply,
        other => return Err(unexpected(&other)),
    };
    // Who listens is told also where the registry cannot be read.
    let reservations = query::at(args.port, asked).unwrap_or_else(|failure| {
        output::report(&failure);
        Vec::new()
    });
    let nothing = reply.listeners.is_empty() && reservations.is_empty();
    let localhost = localhost(&reply.listeners);
    if args.json {
        let story = Story {
            port: args.port,
            scanned_at: reply.scanned_at,
            gaps: &reply.gaps,
            listeners: &reply.listeners,
            reservations: &reservations,
            localhost,
        };
        output::json(&story)?;
        return Ok(if nothing { Exit::Nothing } else { Exit::Done });
    }
    if nothing {
        let nothing = format!("nothing listens on port {}", args.port);
        return Err(output::unseen(
            Failure::text(Exit::Nothing, &nothing),
            &reply.gaps,
        ));
    }
    output::print(&tell(args.port, &reply, &reservations, &localhost))?;
    Ok(Exit::Done)
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
fn localhost(listeners: &[ListenerView]) -> Localhost {
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
    let differ = |a: &ListenerView, b: &ListenerView| !std::ptr::eq(a, b);
    Localhost {
        ambiguous: v4.zip(v6).is_some_and(|(a, b)| differ(a, b)),
        ipv4: pid(v4),
        ipv6: pid(v6),
    }
}

fn tell(
    port: Port,
    reply: &ListReply,
    reservations: &[ReservationView],
    localhost: &Localhost,
) -> String {
    let now = output::now();
    let mut blocks = Vec::new();
    for listener in &reply.listeners {
        let mut block = String::new();
        listener::tell(&mut block, listener, now);
        blocks.push(block);
    }
    if reply.listeners.is_empty() {
        blocks.push(format!("nobody listens on port {port}\n"));
    }
    for view in reservations {
        let mut block = String::new();
        reservation::tell(&mut block, view, now);
        blocks.push(block);
    }
    let remarks = remarks(port, &reply.listeners, localhost);
    blocks.extend(
        remarks
            .into_iter()
            .map(|remark| format!("{}\n", output::warning(remark))),
    );
    if reply.listeners.iter().any(|l| l.owner.is_none()) {
        let gaps = reply.gaps.iter();
        blocks.extend(gaps.map(|gap| format!("{}\n", output::dim(escape(&gap.detail)))));
    }
    blocks.join("\n")
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

/// Adds a fact with its label.
fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {} {value}", output::dim(format!("{label:<10}")));
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
