//! The arguments: what can be typed, and what it means.

use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::exit::{Exit, MEANINGS};
use super::filter::Filter;
use crate::ipc::protocol::GRACE_LIMIT_MS;
use crate::model::Port;
use crate::model::kill::Wanted;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

#[derive(Debug, Parser)]
#[command(
    name = "freeport",
    version,
    about = "See who listens on which port, and free exactly the right one",
    long_about = "See who listens on which port, and free exactly the right one.\n\nWithout a command: the tray app in a desktop session; elsewhere the list.",
    styles = STYLES,
    disable_help_subcommand = true,
    after_long_help = exit_statuses(),
    max_term_width = 100
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who listens on which port
    #[command(
        visible_alias = "ls",
        after_long_help = "Examples:\n  freeport list                 your own servers\n  freeport list 3000-3999 vite  ports from 3000 to 3999, and everything named vite\n  freeport list --all --json    everything, for programs"
    )]
    List(ListArgs),
    /// Tell the whole story of a port: process, ancestry, project, who else shares it
    Why(WhyArgs),
    /// End the process that listens on a port, and tell whether the port is free now
    #[command(
        after_long_help = "The process is asked to end (SIGTERM) and gets a grace. Whatever is still there then is only ended (SIGKILL) with --force, or when you agree. The identity of the process and that it owns the port are checked at the moment of the signal.\n\nExamples:\n  freeport kill 3000\n  freeport kill 3000 8080 --force --grace 500ms\n  freeport kill 3000 --tree --dry-run"
    )]
    Kill(KillArgs),
    /// Tell how the running app is: uptime, timings, memory, tray
    Status(StatusArgs),
    /// Run the long-lived app: the tray, or only the socket
    App {
        /// Without a tray icon: for servers, and sessions without a panel
        #[arg(long)]
        headless: bool,
    },
    /// Start Freeport at login, or not
    Autostart(AutostartArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, of Freeport or of one of its commands
    Man {
        /// The command
        verb: Option<String>,
    },
}

/// What to list.
#[derive(Args, Debug, Default)]
pub struct ListArgs {
    /// Only these: a port, a range of ports, or part of a name, service, project or user
    #[arg(value_name = "PORT|TEXT")]
    pub filters: Vec<Filter>,
    /// Show the ports of the system and of other users too
    #[arg(short, long)]
    pub all: bool,
    /// Keep showing, and redraw when something changes
    #[arg(short, long)]
    pub watch: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which port to explain.
#[derive(Args, Debug)]
pub struct WhyArgs {
    /// The port
    #[arg(allow_negative_numbers = true)]
    pub port: Port,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to end.
#[derive(Args, Debug)]
pub struct KillArgs {
    /// The ports to free
    #[arg(value_name = "PORT", required = true, allow_negative_numbers = true)]
    pub ports: Vec<Port>,
    /// The process that is meant, where several listen on the port: its pid, or the key that
    /// `list --json` shows
    #[arg(long)]
    pub pid: Option<Wanted>,
    /// End it (SIGKILL) if it is still there after the grace
    #[arg(short, long)]
    pub force: bool,
    /// End all processes below it too, leaves first
    #[arg(short, long)]
    pub tree: bool,
    /// How long it may take to end by itself
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = grace)]
    pub grace: Duration,
    /// Show what would be signalled, and signal nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How to tell the status.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to do about the start at login.
#[derive(Args, Debug)]
pub struct AutostartArgs {
    /// What to do
    #[arg(value_enum)]
    pub change: Change,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to do about the start at login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Change {
    /// Start at login
    Enable,
    /// Do not start at login
    Disable,
    /// Tell which it is
    Status,
}

/// Reads the arguments of the process. `Err` when there is nothing left to do: help was shown, or
/// the arguments are wrong.
pub fn parse() -> Result<Option<Command>, Exit> {
    match Arguments::try_parse() {
        Ok(arguments) => Ok(arguments.command),
        Err(error) => {
            // Where not even that can be written, the status still tells.
            let _ = error.print();
            Err(if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            })
        }
    }
}

/// The whole command, for completions and the manual.
pub(super) fn command() -> clap::Command {
    Arguments::command()
}

/// Reads a grace: `500ms`, `3s`, `1m`; a bare number is in seconds.
fn grace(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    let grace = match seconds {
        Some(grace) => grace,
        None => humantime::parse_duration(text)
            .map_err(|error| format!("{error}: write it as 500ms, 3s or 1m"))?,
    };
    if grace > Duration::from_millis(GRACE_LIMIT_MS) {
        return Err(format!(
            "it is too long: use at most {}",
            humantime::format_duration(Duration::from_millis(GRACE_LIMIT_MS))
        ));
    }
    Ok(grace)
}

fn exit_statuses() -> String {
    let lines = MEANINGS
        .iter()
        .map(|(exit, meaning)| format!("  {}  {meaning}\n", *exit as u8));
    format!("Exit status:\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn graces() {
        assert_eq!(grace("3"), Ok(Duration::from_secs(3)));
        assert_eq!(grace("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(grace("0"), Ok(Duration::ZERO));
        for bad in ["", "x", "-1", "3 parsecs", "1year"] {
            assert!(grace(bad).is_err(), "{bad}");
        }
    }
}
