//! `freeport query`: what is reserved.

use anstyle::{AnsiColor, Style};

use super::args::{QueryArgs, Subject};
use super::columns::{Cell, lay_out};
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected, words};
use crate::ipc::Ask;
use crate::ipc::protocol::{Query, Reply, Request, ReservationsReply};
use crate::ipc::view::ReservationView;
use crate::model::reservation::Status;
use crate::model::text::escape;
use crate::model::{Port, Timestamp};

pub fn run(args: &QueryArgs, asked: &mut dyn Ask) -> Result<Exit, Failure> {
    let (project, port) = match &args.subject {
        Some(Subject::Project(project)) => (Some(project.clone()), None),
        Some(Subject::Port(port)) => (None, Some(*port)),
        None => (None, None),
    };
    let query = Query {
        project,
        service: args.service.clone(),
        port,
    };
    let all = query == Query::default();
    let nothing = nothing(&query);
    let reply = reservations(Request::Query(query), asked)?;
    let found = all || !reply.reservations.is_empty();
    if args.json {
        output::json(&reply)?;
        return Ok(if found { Exit::Done } else { Exit::Nothing });
    }
    if !found {
        return Err(Failure::text(Exit::Nothing, &nothing).hint("'freeport query' lists what is"));
    }
    if reply.reservations.is_empty() {
        output::print("nothing is reserved\n")?;
    } else {
        let rows = rows(&reply.reservations, output::now());
        output::print(&lay_out(&rows, output::width(), 2, output::colours()))?;
    }
    Ok(Exit::Done)
}

/// Asks for something that is answered with reservations.
pub fn reservations(request: Request, asked: &mut dyn Ask) -> Result<ReservationsReply, Failure> {
    match ask(asked, request)? {
        Reply::Reservations(reply) => Ok(reply),
        other => Err(unexpected(&other)),
    }
}

/// What is reserved at a port.
pub fn at(port: Port, asked: &mut dyn Ask) -> Result<Vec<ReservationView>, Failure> {
    let query = Query {
        port: Some(port),
        ..Query::default()
    };
    Ok(reservations(Request::Query(query), asked)?.reservations)
}

fn nothing(query: &Query) -> String {
    let purpose = words::purpose(query.project.as_deref(), query.service.as_deref());
    match (query.port, purpose) {
        (Some(port), Some(purpose)) => format!("port {port} is not reserved for {purpose}"),
        (Some(port), None) => format!("port {port} is not reserved"),
        (None, Some(purpose)) => format!("nothing is reserved for {purpose}"),
        (None, None) => "nothing is reserved".to_owned(),
    }
}

fn rows(reservations: &[ReservationView], now: Timestamp) -> Vec<[Cell<'_>; 7]> {
    let headers = [
        "PORT", "STATUS", "PROJECT", "SERVICE", "OWNER", "EXPIRES", "HOLD",
    ];
    let mut rows = Vec::with_capacity(reservations.len() + 1);
    rows.push(headers.map(|header| Cell::new(header).style(Style::new().bold())));
    rows.extend(reservations.iter().map(|view| cells(view, now)));
    rows
}

fn cells(view: &ReservationView, now: Timestamp) -> [Cell<'_>; 7] {
    let text = |text: &'_ Option<String>| {
        Cell::new(escape(text.as_deref().unwrap_or_default()).into_owned())
    };
    let status = match view.status {
        Status::Active => AnsiColor::Green.on_default(),
        Status::Stale => AnsiColor::Yellow.on_default(),
        Status::Reserved | Status::Claimed => Style::new(),
    };
    [
        Cell::new(words::spot(view.port, view.protocol)).style(AnsiColor::Cyan.on_default()),
        Cell::new(view.status.word()).style(status),
        text(&view.project),
        text(&view.service).style(Style::new().bold()),
        Cell::new(words::claimant(view).unwrap_or_default()),
        Cell::new(words::expires(view, now)),
        hold(view),
    ]
}

/// How really it is held; where it is to be and is not, why.
fn hold(view: &ReservationView) -> Cell<'_> {
    match &view.not_held {
        Some(why) => {
            Cell::new(format!("not held: {}", escape(why))).style(AnsiColor::Yellow.on_default())
        }
        None => Cell::new(view.hold.word()).style(Style::new().dimmed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::words::tests::reserved;

    #[test]
    fn a_row_tells_all_of_it() {
        let claimed = ReservationView {
            status: Status::Claimed,
            service: None,
            pid: Some(42),
            name: Some("node".into()),
            expires_at: Some(Timestamp::of_millis(3_120_000)),
            ..reserved()
        };
        let reservations = [reserved(), claimed];
        let rows = rows(&reservations, Timestamp::of_millis(0));
        assert_eq!(
            lay_out(&rows, None, 2, false),
            "PORT  STATUS    PROJECT  SERVICE  OWNER          EXPIRES  HOLD\n\
             3000  reserved  shop     web                     never    advisory\n\
             3000  claimed   shop              node (pid 42)  in 52m   advisory\n"
        );
    }

    #[test]
    fn what_is_not_held_has_the_reason() {
        let missing = ReservationView {
            keep_held: true,
            not_held: Some("somebody else has it bound".into()),
            ..reserved()
        };
        let text = lay_out(&[cells(&missing, Timestamp::of_millis(0))], None, 2, false);
        assert!(
            text.ends_with("never  not held: somebody else has it bound\n"),
            "{text}"
        );
    }

    #[test]
    fn what_is_not_there_is_named() {
        let query = |project: Option<&str>, service: Option<&str>, port| Query {
            project: project.map(str::to_owned),
            service: service.map(str::to_owned),
            port,
        };
        let port = Port::new(3000);
        for (asked, told) in [
            (query(None, None, port), "port 3000 is not reserved"),
            (
                query(None, Some("web"), port),
                "port 3000 is not reserved for web",
            ),
            (
                query(Some("shop"), None, None),
                "nothing is reserved for shop",
            ),
            (
                query(Some("shop"), Some("web"), None),
                "nothing is reserved for shop web",
            ),
        ] {
            assert_eq!(nothing(&asked), told);
        }
    }
}
