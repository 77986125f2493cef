//! The arguments of the verbs about what is written down: cleanup, log, settings, and the database.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{self, Since};
use crate::model::Port;

/// What to clean up.
#[derive(Args, Debug)]
pub struct CleanupArgs {
    /// Show what would be removed, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Show servers, too, that outlived their terminal, their parent or their folder
    #[arg(short, long)]
    pub leftovers: bool,
    /// Of those servers, only the one on this port
    #[arg(long, requires = "leftovers", allow_negative_numbers = true)]
    pub port: Option<Port>,
    /// End those servers (SIGTERM) without asking
    #[arg(short, long, requires = "leftovers")]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to tell of the log.
#[derive(Args, Debug)]
pub struct LogArgs {
    /// Only what happened to this port
    #[arg(long, allow_negative_numbers = true)]
    pub port: Option<Port>,
    /// Only from then on: 30m or 2h ago, or a time such as 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<Since>,
    /// Only the newest so many
    #[arg(short = 'n', long, value_name = "N", default_value = "1000", value_parser = values::entries(), allow_negative_numbers = true)]
    pub limit: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to do about the settings.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// What to do
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What to do about the settings.
#[derive(Subcommand, Debug)]
pub enum ConfigAction {
    /// Show all settings, and what they decide
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a setting
    Get {
        /// The setting
        #[arg(value_parser = values::setting())]
        key: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a setting
    #[command(
        after_long_help = "Examples:\n  freeport config set default_lease_duration 8h\n  freeport config set preferred_ports 4000,4001,4002\n  freeport config set notify_cleanup false"
    )]
    Set {
        /// The setting
        #[arg(value_parser = values::setting())]
        key: String,
        /// The value
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a setting back to its default
    Unset {
        /// The setting
        #[arg(value_parser = values::setting())]
        key: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Where to keep a copy.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The file, which is replaced if it is there
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Where a copy is.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The file that 'freeport backup' made
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Where to write what is reserved.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The file, which is replaced if it is there; '-' is the standard output
    #[arg(default_value = "-", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
}

/// Where to read what is to be reserved.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The file that 'freeport export' made; '-' is the standard input
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Leave out what is in conflict with what is reserved here
    #[arg(long)]
    pub skip_conflicts: bool,
    /// Show what would be reserved, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
