//! `freeport status`: how the running app is.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::args::StatusArgs;
use super::exit::{Exit, Failure};
use super::{ask, output, unexpected, words};
use crate::ipc::protocol::{PROTOCOL, Reply, Request, StatusReply, Timings};
use crate::ipc::{Client, ClientError};
use crate::model::text::escape;
use crate::model::time::long_age;

/// The JSON of `status`.
#[derive(Serialize)]
struct Status {
    running: bool,
    #[serde(flatten)]
    app: Option<StatusReply>,
    /// The command that asks, which may be of another version.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Versions>,
}

#[derive(Serialize)]
struct Versions {
    version: &'static str,
    protocol: u32,
}

const COMMAND: Versions = Versions {
    version: env!("CARGO_PKG_VERSION"),
    protocol: PROTOCOL,
};

pub fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    let mut client = match Client::connect() {
        Ok(client) => client,
        Err(ClientError::NotRunning) if args.json => {
            output::json(&Status {
                running: false,
                app: None,
                command: None,
            })?;
            return Ok(Exit::Unreachable);
        }
        Err(error) => return Err(error.into()),
    };
    let status = match ask(&mut client, Request::Status)? {
        Reply::Status(status) => *status,
        other => return Err(unexpected(&other)),
    };
    if args.json {
        output::json(&Status {
            running: true,
            app: Some(status),
            command: Some(COMMAND),
        })?;
    } else {
        output::print(&tell(&status))?;
    }
    Ok(Exit::Done)
}

fn tell(status: &StatusReply) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "{} {value}", output::dim(format!("{label:<10}")));
    };
    line(
        "freeport",
        format!(
            "{} runs (pid {}, protocol {})",
            escape(&status.version),
            status.pid,
            status.protocol
        ),
    );
    if status.version != COMMAND.version {
        line(
            "",
            output::warning(format!(
                "this command is {}: restart the app, so that both have the same version",
                COMMAND.version
            )),
        );
    }
    line("uptime", long_age(Duration::from_secs(status.uptime_s)));
    line(
        "listeners",
        format!("{}, {} in conflict", status.listeners, status.conflicts),
    );
    line("reserved", words::count(status.reservations, "port"));
    if status.held > 0 {
        line("held", words::count(status.held, "port"));
    }
    for view in &status.not_held {
        let spot = words::spot(view.port, view.protocol);
        let why = view.not_held.as_deref().map(escape).unwrap_or_default();
        line("not held", output::warning(format!("{spot}: {why}")));
    }
    if let Some(problem) = &status.registry_problem {
        line("", output::warning(escape(problem)));
    }
    line("scans", timings(&status.scan));
    line("requests", timings(&status.requests));
    if let Some(bytes) = status.memory_bytes {
        line("memory", format!("{:.1} MB resident", bytes as f64 / 1e6));
    }
    line(
        "cleanup",
        status
            .last_cleanup
            .map_or_else(|| "none yet".to_owned(), |at| at.to_string()),
    );
    line(
        "tray",
        if status.tray.shown {
            "shown".to_owned()
        } else {
            format!(
                "not shown: {}",
                status.tray.reason.as_deref().unwrap_or("not known why")
            )
        },
    );
    if let Some(hint) = &status.tray.hint {
        line("", hint.clone());
    }
    for gap in &status.gaps {
        line("not seen", escape(&gap.detail).into_owned());
    }
    text
}

fn timings(timings: &Timings) -> String {
    let ms = |us: u64| us as f64 / 1000.0;
    format!(
        "{} (p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms)",
        timings.count,
        ms(timings.p50_us),
        ms(timings.p95_us),
        ms(timings.p99_us)
    )
}
