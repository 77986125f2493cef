//! The arguments of the verbs about who listens.

use std::time::Duration;

use clap::Args;

use super::values;
use crate::cli::filter::Filter;
use crate::model::Port;
use crate::model::kill::Wanted;

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
    /// The container that is meant, where several have the port: its name or id
    #[arg(long, value_name = "NAME", conflicts_with = "pid")]
    pub container: Option<String>,
    /// End it (SIGKILL) if it is still there after the grace
    #[arg(short, long)]
    pub force: bool,
    /// End all processes below it too, leaves first
    #[arg(short, long)]
    pub tree: bool,
    /// How long it may take to end by itself
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = values::grace)]
    pub grace: Duration,
    /// Show what would be signalled, and signal nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
