//! `freeport why`: the whole story of a port.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use serde::Serialize;

use super::args::WhyArgs;
use super::exit::{Exit, Failure};
use super::{ask, output, query, unexpected};
use crate::ipc::Ask;
use crate::ipc::protocol::{List, Reply, Request};
use crate::ipc::view::story::{self, Block, Known, Localhost, Role};
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::{Gap, Port, Timestamp};
use crate::platform::paths;

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
    let localhost = story::localhost(&reply.listeners);
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
    let known = Known {
        port: args.port,
        listeners: &reply.listeners,
        reservations: &reservations,
        gaps: &reply.gaps,
    };
    let home = paths::home();
    let blocks = story::tell(&known, home.as_deref(), output::now());
    let shown: Vec<String> = blocks.iter().map(show).collect();
    output::print(&shown.join("\n"))?;
    Ok(Exit::Done)
}

/// A block in lines, each fact below the first one.
fn show(block: &Block) -> String {
    let mut text = String::new();
    for line in &block.0 {
        if let Some(label) = line.label {
            let _ = write!(text, "  {} ", output::dim(format!("{label:<10}")));
        }
        for piece in &line.pieces {
            let shown = &piece.text;
            text += &match piece.role {
                Role::Plain => shown.clone(),
                Role::Spot => output::styled(shown, AnsiColor::Cyan.on_default().bold()),
                Role::Title => output::bold(shown),
                Role::Dim => output::dim(shown),
                Role::Warning => output::warning(shown),
            };
        }
        text.push('\n');
    }
    text
}
