//! The arguments about pools: sets of ports that jobs draw from.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::values;
use crate::model::PortList;

/// What to do with pools.
#[derive(Args, Debug)]
pub struct PoolArgs {
    /// What to do
    #[command(subcommand)]
    pub action: PoolAction,
}

/// What to do with pools.
#[derive(Debug, Subcommand)]
pub enum PoolAction {
    /// Make a pool
    #[command(
        after_long_help = "Ports that the system gives to any program that connects, and those that browsers refuse to open, are warned of.\n\nExamples:\n  freeport pool create ci --ports 15000-15999\n  freeport pool create db --ports 15432-15463,25432"
    )]
    Create {
        /// Its name
        #[arg(value_parser = values::name)]
        name: String,
        /// Its ports
        #[arg(long, value_name = "A-B,C", allow_hyphen_values = true)]
        ports: PortList,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the pools, and who has what of them since when
    List {
        /// Only this one
        #[arg(value_parser = values::name)]
        name: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a pool; what was drawn from it stays with its jobs
    Delete {
        /// Its name
        #[arg(value_parser = values::name)]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What to draw from a pool, where no ports are named.
#[derive(Args, Debug)]
#[command(next_help_heading = "From a pool")]
pub struct DrawArgs {
    /// Draw ports from this pool, and print them
    #[arg(long, value_name = "NAME", requires = "job_id", value_parser = values::name)]
    pub pool: Option<String>,
    /// What the job calls itself: 'freeport release --job-id' gives back all that it has
    #[arg(long, value_name = "ID", requires = "pool", value_parser = values::name)]
    pub job_id: Option<String>,
    /// How many ports; 1, if not given
    #[arg(short = 'n', long, value_name = "N", requires = "pool", value_parser = values::drawn(), allow_negative_numbers = true)]
    pub count: Option<usize>,
    /// They have to follow each other
    #[arg(long, requires = "pool")]
    pub block: bool,
    /// Wait for them so long, first come first served: 60s, 10m
    #[arg(long, value_name = "TIME", requires = "pool", value_parser = values::wait)]
    pub wait: Option<Duration>,
    /// The process that they belong to, and come back with; that of the CI job, or else the shell
    /// that calls, if not given
    #[arg(long, requires = "pool", value_parser = values::pid, allow_negative_numbers = true)]
    pub pid: Option<u32>,
}
