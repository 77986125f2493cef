//! `freeport list`: who listens on which port.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::ListArgs;
use super::columns::{Cell, lay_out};
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected};
use crate::ipc::Ask;
use crate::ipc::protocol::{List, ListReply, Reply, Request};
use crate::ipc::view::ListenerView;
use crate::model::text::escape;
use crate::model::time::short_age;
use crate::model::visibility::{Rank, Viewer, rank};
use crate::model::{Gap, Port, Protocol, Timestamp};
use crate::platform::limits;

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_millis(800);

/// The JSON of `list`.
#[derive(Serialize)]
struct Listing<'a> {
    scanned_at: Timestamp,
    gaps: &'a [Gap],
    listeners: &'a [ListenerView],
    /// How many listeners are not shown without `--all`.
    hidden: usize,
}

/// What is shown of a list.
struct Shown {
    listeners: Vec<ListenerView>,
    hidden: usize,
}

pub fn run(args: &ListArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    if args.watch {
        return watch(args, asked);
    }
    let reply = fetch(args, asked)?;
    let shown = choose(args, reply.listeners);
    let found = !shown.listeners.is_empty() || args.filters.is_empty();
    if args.json {
        output::json(&Listing {
            scanned_at: reply.scanned_at,
            gaps: &reply.gaps,
            listeners: &shown.listeners,
            hidden: shown.hidden,
        })?;
        return Ok(if found { Exit::Done } else { Exit::Nothing });
    }
    if !found {
        return Err(output::unseen(nothing(args, shown.hidden), &reply.gaps));
    }
    output::print(&draw(&shown, &reply.gaps, output::now()))?;
    // The process ends here: thousands of small pieces need not be given back one by one.
    std::mem::forget(shown);
    Ok(Exit::Done)
}

/// Shows the list again whenever it has changed, until the process is ended.
fn watch(args: &ListArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let mut before = None;
    let mut drawn = String::new();
    loop {
        let reply = fetch(args, asked)?;
        let shown = choose(args, reply.listeners);
        if args.json {
            if before.as_ref() != Some(&shown.listeners) {
                output::json(&Listing {
                    scanned_at: reply.scanned_at,
                    gaps: &reply.gaps,
                    listeners: &shown.listeners,
                    hidden: shown.hidden,
                })?;
                before = Some(shown.listeners);
            }
        } else {
            let text = draw(&shown, &reply.gaps, output::now());
            if text != drawn {
                if output::on_terminal() {
                    output::print_raw("\x1b[H\x1b[2J")?;
                }
                output::print(&text)?;
                drawn = text;
            }
        }
        std::thread::sleep(WATCH);
    }
}

fn fetch(args: &ListArgs, asked: &mut dyn Ask) -> Result<ListReply, Failure> {
    // Where every filter is one port, only those are looked at.
    let ports: Option<Vec<Port>> = args
        .filters
        .iter()
        .map(super::filter::Filter::port)
        .collect();
    match ask(
        asked,
        Request::List(List {
            ports: ports.unwrap_or_default(),
            details: false,
        }),
    )? {
        Reply::List(list) => Ok(list),
        other => Err(unexpected(&other)),
    }
}

/// What was asked for; of everything else, what is not hidden. Who asks for a port wants to see
/// it, whoever it belongs to.
fn choose(args: &ListArgs, mut listeners: Vec<ListenerView>) -> Shown {
    let viewer = Viewer {
        uid: limits::user_id(),
        ephemeral: limits::ephemeral_ports(),
    };
    let is_hidden = |listener: &ListenerView| {
        let named = args
            .filters
            .iter()
            .any(|filter| filter.port() == Some(listener.port));
        !args.all && !named && rank(&listener.traits(), &viewer) == Rank::Hidden
    };
    let matches = |listener: &ListenerView| {
        args.filters.is_empty() || args.filters.iter().any(|filter| filter.matches(listener))
    };
    listeners.retain(matches);
    let all = listeners.len();
    listeners.retain(|listener| !is_hidden(listener));
    Shown {
        hidden: all - listeners.len(),
        listeners,
    }
}

fn draw(shown: &Shown, gaps: &[Gap], now: Timestamp) -> String {
    let mut text = String::new();
    if !shown.listeners.is_empty() {
        let headers = [
            "PORT", "ADDRESS", "SERVICE", "PROJECT", "PID", "AGE", "COMMAND",
        ];
        let mut rows = Vec::with_capacity(shown.listeners.len() + 1);
        rows.push(headers.map(|header| Cell::new(header).style(Style::new().bold())));
        rows.extend(shown.listeners.iter().map(|listener| cells(listener, now)));
        text.push_str(&lay_out(&rows, output::width(), 1, output::colours()));
    } else if shown.hidden == 0 {
        text.push_str("nothing listens here\n");
    } else {
        text.push_str("nothing of yours listens here\n");
    }
    if shown.listeners.iter().any(|l| l.conflict.is_some()) {
        text.push_str(&output::warning(
            "! shares its port with another process; 'freeport why PORT' tells\n",
        ));
    }
    if shown.hidden > 0 {
        text.push_str(&output::dim(format!(
            "{} more hidden (system, other users, UDP clients); --all shows them\n",
            shown.hidden
        )));
    }
    // An owner that is unknown matters only where it is shown.
    let hides_owners = shown.listeners.iter().any(|l| l.owner.is_none());
    for gap in gaps
        .iter()
        .filter(|gap| hides_owners || !gap.kind.is_about_owners())
    {
        text.push_str(&output::dim(format!("{}\n", escape(&gap.detail))));
    }
    text
}

fn cells(listener: &ListenerView, now: Timestamp) -> [Cell<'_>; 7] {
    let udp = if listener.protocol == Protocol::Udp {
        "/udp"
    } else {
        ""
    };
    let port = match listener.conflict {
        Some(_) => {
            Cell::new(format!("{}{udp} !", listener.port)).style(AnsiColor::Yellow.on_default())
        }
        None => Cell::new(format!("{}{udp}", listener.port)).style(AnsiColor::Cyan.on_default()),
    };
    let addresses = Cell::new(listener.addresses.join(" "));
    let empty = || Cell::new("");
    let dim = Style::new().dimmed();
    let Some(owner) = &listener.owner else {
        let unknown = format!("unknown, of {}", escape(&listener.user_name()));
        let unknown = Cell::new(unknown).style(dim);
        return [port, addresses, unknown, empty(), empty(), empty(), empty()];
    };
    fn text(text: &str) -> Cell<'_> {
        Cell::new(escape(text))
    }
    [
        port,
        addresses,
        text(&owner.service).style(Style::new().bold()),
        text(owner.project.as_deref().unwrap_or("")),
        Cell::new(owner.pid.to_string()).right(),
        Cell::new(short_age(owner.started_at.age(now))).right(),
        text(&owner.command).style(dim),
    ]
}

fn nothing(args: &ListArgs, hidden: usize) -> Failure {
    let ports = args.filters.iter().all(|filter| filter.port().is_some());
    let failure = Failure::text(
        Exit::Nothing,
        if ports {
            "nothing listens on that port"
        } else {
            "nothing that listens matches"
        },
    );
    match hidden {
        0 => failure,
        n => failure.hint(&format!(
            "{n} hidden ones match (system, other users, UDP clients): --all shows them"
        )),
    }
}
