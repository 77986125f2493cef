//! `freeport list`: who listens on which port.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::ListArgs;
use super::columns::{Cell, lay_out};
use super::exit::{Exit, Failure};
use super::{ask, output, query, unexpected, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{List, ListReply, Reply, Request};
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::text::escape;
use crate::model::time::short_age;
use crate::model::visibility::{Rank, Viewer, rank};
use crate::model::{Conflict, Container, Gap, Port, Timestamp};
use crate::platform::limits;

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_millis(800);

/// The JSON of `list`.
#[derive(Serialize)]
struct Listing<'a> {
    scanned_at: Timestamp,
    gaps: &'a [Gap],
    listeners: &'a [ListenerView],
    /// The ports that are held, or are to be, and on which nobody listens.
    held: &'a [ReservationView],
    /// How many listeners are not shown without `--all`.
    hidden: usize,
}

/// What is shown of a list.
#[derive(Default)]
struct Shown {
    listeners: Vec<ListenerView>,
    held: Vec<ReservationView>,
    hidden: usize,
}

pub fn run(args: &ListArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    if args.watch {
        return watch(args, asked);
    }
    let reply = fetch(args, asked)?;
    let shown = choose(args, reply.listeners, reply.held);
    let found = !shown.is_empty() || args.filters.is_empty();
    if args.json {
        output::json(&Listing {
            scanned_at: reply.scanned_at,
            gaps: &reply.gaps,
            listeners: &shown.listeners,
            held: &shown.held,
            hidden: shown.hidden,
        })?;
        return Ok(if found { Exit::Done } else { Exit::Nothing });
    }
    if !found {
        let nothing = match reserved(args, asked) {
            Some(reserved) => reserved,
            None => nothing(args, shown.hidden),
        };
        return Err(output::unseen(nothing, &reply.gaps));
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
        let shown = choose(args, reply.listeners, reply.held);
        if args.json {
            let now = (shown.listeners, shown.held);
            if before.as_ref() != Some(&now) {
                output::json(&Listing {
                    scanned_at: reply.scanned_at,
                    gaps: &reply.gaps,
                    listeners: &now.0,
                    held: &now.1,
                    hidden: shown.hidden,
                })?;
                before = Some(now);
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
fn choose(
    args: &ListArgs,
    mut listeners: Vec<ListenerView>,
    mut held: Vec<ReservationView>,
) -> Shown {
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
    let all = args.filters.is_empty();
    held.retain(|view| all || args.filters.iter().any(|filter| filter.matches_held(view)));
    listeners.retain(matches);
    let all = listeners.len();
    listeners.retain(|listener| !is_hidden(listener));
    Shown {
        hidden: all - listeners.len(),
        listeners,
        held,
    }
}

impl Shown {
    fn is_empty(&self) -> bool {
        self.listeners.is_empty() && self.held.is_empty()
    }
}

fn draw(shown: &Shown, gaps: &[Gap], now: Timestamp) -> String {
    let mut text = String::new();
    let (left, usual): (Vec<_>, Vec<_>) = shown
        .listeners
        .iter()
        .partition(|listener| listener.leftover.is_some());
    if !usual.is_empty() || !shown.held.is_empty() {
        text.push_str(&table("COMMAND", &usual, &shown.held, now));
        text.push_str(&conflicts(&usual));
    }
    if !left.is_empty() {
        let gap = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{gap}{}\n", output::bold("left over:")));
        text.push_str(&table("WHY", &left, &[], now));
        text.push_str(&conflicts(&left));
        text.push_str(&output::dim("'freeport cleanup --leftovers' ends them\n"));
    }
    if shown.is_empty() {
        text.push_str(match shown.hidden {
            0 => "nothing listens here\n",
            _ => "nothing of yours listens here\n",
        });
    }
    if shown.hidden > 0 {
        text.push_str(&output::dim(format!(
            "{} more hidden (system, other users, UDP clients); --all shows them\n",
            shown.hidden
        )));
    }
    // An owner that is unknown matters only where it is shown.
    let is_unknown = |l: &ListenerView| l.owner.is_none() && l.published().is_none();
    let hides_owners = shown.listeners.iter().any(is_unknown);
    for gap in gaps
        .iter()
        .filter(|gap| hides_owners || !gap.kind.is_about_owners())
    {
        text.push_str(&output::dim(format!("{}\n", escape(&gap.detail))));
    }
    text
}

/// What the marks in a table mean, where there are any.
fn conflicts(listeners: &[&ListenerView]) -> String {
    let notes = [
        (
            Conflict::Intruder,
            "! is on a port that is reserved for somebody else; 'freeport why PORT' tells\n",
        ),
        (
            Conflict::Shadowed,
            "! shares its port with another process; 'freeport why PORT' tells\n",
        ),
    ];
    let there = notes
        .iter()
        .filter(|(conflict, _)| listeners.iter().any(|l| l.conflict == Some(*conflict)));
    there.map(|(_, note)| output::warning(note)).collect()
}

/// The listeners in rows, and what is held among them. The last column has the command, or why it is
/// left over.
fn table(
    last: &str,
    listeners: &[&ListenerView],
    held: &[ReservationView],
    now: Timestamp,
) -> String {
    let headers = ["PORT", "ADDRESS", "SERVICE", "PROJECT", "PID", "AGE", last];
    let mut rows = Vec::with_capacity(listeners.len() + held.len() + 1);
    rows.push(headers.map(|header| Cell::new(header).style(Style::new().bold())));
    let mut held = held.iter().peekable();
    for listener in listeners {
        let before = |view: &&ReservationView| view.port < listener.port;
        rows.extend(std::iter::from_fn(|| held.next_if(before)).map(|view| held_cells(view, now)));
        rows.push(cells(listener, now));
    }
    rows.extend(held.map(|view| held_cells(view, now)));
    lay_out(&rows, output::width(), 1, output::colours())
}

fn cells(listener: &ListenerView, now: Timestamp) -> [Cell<'_>; 7] {
    let spot = words::spot(listener.port, listener.protocol);
    let port = match listener.conflict {
        Some(_) => Cell::new(format!("{spot} !")).style(AnsiColor::Yellow.on_default()),
        None => Cell::new(spot).style(AnsiColor::Cyan.on_default()),
    };
    let addresses = Cell::new(listener.addresses.join(" "));
    let empty = || Cell::new("");
    let dim = Style::new().dimmed();
    let published = listener.published();
    let Some(owner) = listener.owner.as_ref().filter(|_| published.is_none()) else {
        if let Some(container) = published {
            return container_cells(port, addresses, container, listener, now);
        }
        let unknown = format!("unknown, of {}", escape(&listener.user_name()));
        let unknown = Cell::new(unknown).style(dim);
        let project = Cell::new(words::project(listener));
        return [port, addresses, unknown, project, empty(), empty(), empty()];
    };
    let last = match listener.leftover {
        Some(why) => Cell::new(why.reason()),
        None => Cell::new(escape(&owner.command)).style(dim),
    };
    [
        port,
        addresses,
        Cell::new(escape(&owner.service)).style(Style::new().bold()),
        Cell::new(words::project(listener)),
        Cell::new(owner.pid.to_string()).right(),
        Cell::new(short_age(owner.started_at.age(now))).right(),
        last,
    ]
}

/// The row of a port that leads into a container.
fn container_cells<'a>(
    port: Cell<'a>,
    addresses: Cell<'a>,
    container: &'a Container,
    listener: &'a ListenerView,
    now: Timestamp,
) -> [Cell<'a>; 7] {
    let owner = listener.owner.as_ref();
    let pid = owner.map_or(String::new(), |owner| owner.pid.to_string());
    let age = owner.map_or(String::new(), |owner| short_age(owner.started_at.age(now)));
    let engine = container.engine.command();
    let origin = format!("{engine}: {}", container.origin());
    [
        port,
        addresses,
        Cell::new(escape(container.title())).style(Style::new().bold()),
        Cell::new(words::project(listener)),
        Cell::new(pid).right(),
        Cell::new(age).right(),
        Cell::new(origin).style(Style::new().dimmed()),
    ]
}

/// The row of a port on which nobody listens, and which is held: no other tool can see it.
fn held_cells(view: &ReservationView, now: Timestamp) -> [Cell<'_>; 7] {
    let text = |text: &'_ Option<String>| {
        Cell::new(escape(text.as_deref().unwrap_or_default()).into_owned())
    };
    let spot = words::spot(view.port, view.protocol);
    let (state, told) = match (&view.not_held, words::holder(view)) {
        (Some(why), _) => {
            let state = Cell::new("not held").style(AnsiColor::Yellow.on_default());
            (state, escape(why).into_owned())
        }
        (None, holder) => {
            let purpose = words::purpose(view.project.as_deref(), view.service.as_deref());
            let purpose = purpose.map(|purpose| format!("for {purpose}"));
            let by = holder.map(|holder| format!("held by {holder}"));
            let words: Vec<String> = [purpose, by].into_iter().flatten().collect();
            (
                Cell::new("held").style(AnsiColor::Green.on_default()),
                words.join(", "),
            )
        }
    };
    let since = view.held_since.unwrap_or(view.created_at);
    let pid = view.pid.map(|pid| pid.to_string()).unwrap_or_default();
    [
        Cell::new(spot).style(AnsiColor::Cyan.on_default()),
        state,
        text(&view.service).style(Style::new().bold()),
        text(&view.project),
        Cell::new(pid).right(),
        Cell::new(short_age(since.age(now))).right(),
        Cell::new(told).style(Style::new().dimmed()),
    ]
}

/// What is said of one port on which nobody listens, where it is reserved.
fn reserved(args: &ListArgs, asked: &mut dyn Ask) -> Option<Failure> {
    let [filter] = args.filters.as_slice() else {
        return None;
    };
    let port = filter.port()?;
    let reservations = query::at(port, asked).ok()?;
    let standing = words::standing(reservations.first()?);
    let message = format!("nothing listens on port {port}, which is {standing}");
    let hint = format!("'freeport why {port}' tells more");
    Some(Failure::text(Exit::Nothing, &message).hint(&hint))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::words::project;
    use crate::cli::words::tests::reserved;
    use crate::model::attribute;
    use crate::model::attribute::tests::{process, socket};
    use crate::model::leftover::Leftover;
    use crate::model::reservation::{HeldBy, Hold, Status};

    /// A server of pid 7 on port 3000.
    fn listener(reservation: Option<ReservationView>) -> ListenerView {
        let holder = [process(7, "node", &[1])];
        let all = attribute::listeners(&[socket(3000, 1)], |_| &holder, |_| None);
        let mut view = ListenerView::of(&all[0], false, false);
        view.reservation = reservation;
        view
    }

    fn drawn(listener: ListenerView) -> String {
        let shown = Shown {
            listeners: vec![listener],
            ..Shown::default()
        };
        draw(&shown, &[], Timestamp::of_millis(0))
    }

    #[test]
    fn what_a_port_is_reserved_for_stands_with_the_project() {
        let active = ReservationView {
            status: Status::Active,
            ..reserved()
        };
        assert_eq!(project(&listener(Some(active.clone()))), "shop · web");
        assert_eq!(project(&listener(Some(reserved()))), "", "somebody else is");
        assert_eq!(project(&listener(None)), "");
        let only_service = ReservationView {
            project: None,
            ..active
        };
        assert_eq!(project(&listener(Some(only_service))), "web");
    }

    #[test]
    fn what_is_held_stands_among_the_listeners() {
        let at = |port: u16| ReservationView {
            port: Port::new(port).unwrap(),
            hold: Hold::Held,
            held_by: Some(HeldBy::App),
            keep_held: true,
            ..reserved()
        };
        let missing = ReservationView {
            hold: Hold::Advisory,
            held_by: None,
            not_held: Some("somebody else has it\u{7} bound".into()),
            ..at(3001)
        };
        let shown = Shown {
            listeners: vec![listener(None)],
            held: vec![at(2999), missing],
            hidden: 0,
        };
        let text = draw(&shown, &[], Timestamp::of_millis(60_000));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        for (line, parts) in [
            (
                1,
                vec![
                    "2999 ",
                    " held ",
                    " web ",
                    " shop ",
                    " 1m ",
                    "for shop web, held by the app",
                ],
            ),
            (2, vec!["3000 ", " 7 "]),
            (
                3,
                vec!["3001 ", " not held ", "somebody else has it\\x07 bound"],
            ),
        ] {
            for part in parts {
                assert!(lines[line].contains(part), "{part:?} in {text}");
            }
        }
    }

    #[test]
    fn conflicts_and_leftovers_are_told() {
        let mut intruder = listener(Some(reserved()));
        intruder.conflict = Some(Conflict::Intruder);
        let text = drawn(intruder);
        assert!(text.contains("\n3000 !"), "{text}");
        assert!(
            text.contains("! is on a port that is reserved for somebody else"),
            "{text}"
        );
        let mut left = listener(None);
        left.leftover = Some(Leftover::Orphaned);
        let text = drawn(left);
        assert!(text.contains("left over:"), "{text}");
        assert!(
            text.contains("its terminal and its parent are gone"),
            "{text}"
        );
        assert_eq!(text.matches("PORT").count(), 1, "{text}");
    }
}
