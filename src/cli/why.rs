//! `freeport why`: the whole story of a port.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::WhyArgs;
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected};
use crate::ipc::Ask;
use crate::ipc::protocol::{List, ListReply, Reply, Request};
use crate::ipc::view::{ListenerView, OwnerView};
use crate::model::text::{escape, tilde};
use crate::model::time::long_age;
use crate::model::{Address, Gap, Port, Protocol, Timestamp};
use crate::platform::paths;

/// The JSON of `why`.
#[derive(Serialize)]
struct Story<'a> {
    port: Port,
    scanned_at: Timestamp,
    gaps: &'a [Gap],
    listeners: &'a [ListenerView],
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
    let localhost = localhost(&reply.listeners);
    if args.json {
        let story = Story {
            port: args.port,
            scanned_at: reply.scanned_at,
            gaps: &reply.gaps,
            listeners: &reply.listeners,
            localhost,
        };
        output::json(&story)?;
        return Ok(if reply.listeners.is_empty() {
            Exit::Nothing
        } else {
            Exit::Done
        });
    }
    if reply.listeners.is_empty() {
        let nothing = format!("nothing listens on port {}", args.port);
        return Err(output::unseen(
            Failure::text(Exit::Nothing, &nothing),
            &reply.gaps,
        ));
    }
    output::print(&tell(args.port, &reply, &localhost))?;
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

fn tell(port: Port, reply: &ListReply, localhost: &Localhost) -> String {
    let now = output::now();
    let mut text = String::new();
    for (index, listener) in reply.listeners.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        tell_listener(&mut text, listener, now);
    }
    let describe = |pid: Option<u32>| {
        let owner = reply
            .listeners
            .iter()
            .filter_map(|l| l.owner.as_ref())
            .find(|owner| Some(owner.pid) == pid);
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
    if reply.listeners.iter().any(|l| l.conflict.is_some()) {
        remarks.push(format!("clients of port {port} may reach either process; end one with 'freeport kill {port} --pid PID'"));
    }
    for remark in remarks {
        let _ = write!(text, "\n{}\n", output::warning(remark));
    }
    if reply.listeners.iter().any(|l| l.owner.is_none()) {
        for gap in &reply.gaps {
            let _ = write!(text, "\n{}\n", output::dim(escape(&gap.detail)));
        }
    }
    text
}

fn tell_listener(text: &mut String, listener: &ListenerView, now: Timestamp) {
    let at: Vec<String> = listener
        .addresses
        .iter()
        .map(|address| {
            if address.contains(':') {
                format!("[{address}]:{}", listener.port)
            } else {
                format!("{address}:{}", listener.port)
            }
        })
        .collect();
    let families = if listener.dual_stack {
        " (IPv4 and IPv6)"
    } else {
        ""
    };
    let title = match &listener.owner {
        Some(owner) => format!("{} (pid {})", escape(&owner.service), owner.pid),
        None => "an unknown process".to_owned(),
    };
    let port = output::styled(
        format!("{} {}", listener.protocol, at.join(" ")),
        AnsiColor::Cyan.on_default().bold(),
    );
    let _ = writeln!(text, "{port}{families}  {}", output::bold(title));
    let mut line = |label: &str, value: String| {
        let label = output::styled(format!("{label:<10}"), Style::new().dimmed());
        let _ = writeln!(text, "  {label} {value}");
    };
    let user = escape(&listener.user_name()).into_owned();
    match &listener.owner {
        Some(owner) => tell_owner(&mut line, owner, listener, &user, now),
        None => line("user", user),
    }
    if !listener.workers.is_empty() {
        let pids: Vec<String> = listener.workers.iter().map(ToString::to_string).collect();
        line("shared by", format!("pid {}", pids.join(", ")));
    }
}

fn tell_owner(
    line: &mut impl FnMut(&str, String),
    owner: &OwnerView,
    listener: &ListenerView,
    user: &str,
    now: Timestamp,
) {
    let home = paths::home();
    let folder = |path: &str| tilde(Path::new(path), home.as_deref());
    line("command", escape(&owner.command).into_owned());
    if let Some(exe) = &owner.exe {
        line("program", folder(exe));
    }
    let details = owner.details.as_ref();
    if let (Some(project), Some(root)) = (&owner.project, &owner.project_root) {
        let branch = owner
            .branch
            .as_deref()
            .map(|branch| format!(", branch {}", escape(branch)))
            .unwrap_or_default();
        let worktree = if details.is_some_and(|d| d.worktree) {
            ", a linked worktree"
        } else {
            ""
        };
        line(
            "project",
            format!("{} ({}{branch}{worktree})", escape(project), folder(root)),
        );
    }
    if let Some(cwd) = &owner.cwd {
        let deleted = if details.is_some_and(|d| d.cwd_deleted) {
            " (deleted)"
        } else {
            ""
        };
        line("folder", folder(cwd) + deleted);
    }
    let acts_as = details
        .filter(|d| d.uid != listener.uid)
        .map(|d| format!(" (acts as uid {})", d.uid))
        .unwrap_or_default();
    line("user", format!("{user}{acts_as}"));
    line(
        "since",
        format!(
            "{} ago ({})",
            long_age(owner.started_at.age(now)),
            owner.started_at
        ),
    );
    let Some(details) = details else { return };
    if let Some(terminal) = &details.terminal {
        line("terminal", escape(terminal).into_owned());
    }
    if let Some(unit) = &details.unit {
        line("service", escape(unit).into_owned());
    }
    for (index, parent) in details.parents.iter().enumerate() {
        let command = crate::model::text::shorten(&parent.command, 80);
        let shown = format!(
            "{} (pid {})  {}",
            escape(&parent.name),
            parent.pid,
            output::dim(escape(&command))
        );
        line(
            if index == 0 { "started by" } else { "" },
            format!("{}{shown}", "  ".repeat(index.min(12))),
        );
    }
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
