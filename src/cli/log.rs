//! `freeport log`: what happened to ports, and who asked for it.

use anstyle::{AnsiColor, Style};

use super::args::LogArgs;
use super::columns::{Cell, lay_out};
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Log, Reply, Request};
use crate::model::Protocol;
use crate::model::log::{Entry, Happened};
use crate::model::text::escape;

pub fn run(args: &LogArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let log = Log {
        port: args.port,
        since: args.since.map(|since| since.from(output::now())),
        limit: Some(args.limit),
    };
    let narrow = log.port.is_some() || log.since.is_some();
    let reply = match ask(asked, Request::Log(log))? {
        Reply::Log(reply) => reply,
        other => return Err(unexpected(&other)),
    };
    if args.json {
        output::json(&reply)?;
    } else if reply.entries.is_empty() {
        output::print(if narrow {
            "nothing of that is in the log\n"
        } else {
            "the log is empty\n"
        })?;
    } else {
        let rows = rows(&reply.entries);
        output::print(&lay_out(&rows, output::width(), 3, output::colours()))?;
    }
    Ok(Exit::Done)
}

fn rows(entries: &[Entry]) -> Vec<[Cell<'_>; 6]> {
    let headers = ["TIME", "EVENT", "PORT", "WHO", "FOR", "DETAIL"];
    let mut rows = Vec::with_capacity(entries.len() + 1);
    rows.push(headers.map(|header| Cell::new(header).style(Style::new().bold())));
    rows.extend(entries.iter().map(cells));
    rows
}

fn cells(entry: &Entry) -> [Cell<'_>; 6] {
    let warns = matches!(
        entry.event,
        Happened::Conflict | Happened::Kill | Happened::HeartbeatLost
    );
    let event = if warns {
        AnsiColor::Yellow.on_default()
    } else {
        Style::new().bold()
    };
    let spot = entry
        .port
        .map(|port| words::spot(port, entry.protocol.unwrap_or(Protocol::Tcp)));
    let purpose = words::purpose(entry.project.as_deref(), entry.service.as_deref());
    [
        Cell::new(words::time(entry.at)).style(Style::new().dimmed()),
        Cell::new(entry.event.word()).style(event),
        Cell::new(spot.unwrap_or_default()).style(AnsiColor::Cyan.on_default()),
        Cell::new(who(entry)),
        Cell::new(purpose.unwrap_or_default()),
        Cell::new(escape(entry.detail.as_deref().unwrap_or_default())),
    ]
}

fn who(entry: &Entry) -> String {
    match (&entry.name, entry.pid) {
        (Some(name), Some(pid)) => format!("{} (pid {pid})", escape(name)),
        (None, Some(pid)) => format!("pid {pid}"),
        (_, None) => "freeport itself".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::log::Asker;
    use crate::model::{Port, Timestamp};

    #[test]
    fn entries_are_rows() {
        let asker = Asker {
            uid: 1000,
            pid: Some(42),
            name: Some("no\nde".into()),
        };
        let by_itself = Asker {
            uid: 1000,
            pid: None,
            name: None,
        };
        let port = Port::new(3000).unwrap();
        let claim = Entry {
            project: Some("shop".into()),
            ..Entry::new(Timestamp::of_millis(1_500), Happened::Claim, &asker)
        };
        let cleanup = Entry::new(Timestamp::of_millis(2_000), Happened::Cleanup, &by_itself)
            .at_port(port, Protocol::Udp)
            .detail("its owner has ended");
        assert_eq!(
            lay_out(
                &rows(&[claim.at_port(port, Protocol::Tcp), cleanup]),
                None,
                3,
                false
            ),
            "TIME                  EVENT    PORT      WHO              FOR   DETAIL\n\
             1970-01-01T00:00:01Z  claim    3000      no\\nde (pid 42)  shop\n\
             1970-01-01T00:00:02Z  cleanup  3000/udp  freeport itself        its owner has ended\n"
        );
    }
}
