//! The arguments of the verbs that start commands on ports, and wait for them.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values;
use crate::model::Port;

/// What to run, and on which ports.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The port; of several services in their order. Without it, that of the project's
    /// freeport.toml, of the command itself, the last one, or the framework's own
    #[arg(
        short = 'P',
        long = "port",
        value_name = "PORT",
        allow_negative_numbers = true
    )]
    pub ports: Vec<Port>,
    /// A service that needs a port; may be given several times, then all get one, or none
    #[arg(short, long = "service", value_name = "SERVICE", value_parser = values::name)]
    pub services: Vec<String>,
    /// The project that it is for; that of this folder, if not given
    #[arg(short, long, value_parser = values::name)]
    pub project: Option<String>,
    /// Take another port where that one is taken, and say so: this is what is done if nothing
    /// else is said
    #[arg(long, group = "policy")]
    pub fallback: bool,
    /// Fail where the port is taken (status 5)
    #[arg(long, group = "policy")]
    pub strict: bool,
    /// End an older instance of the same project and service that has the port; never anybody else
    #[arg(long, group = "policy")]
    pub replace: bool,
    /// On a terminal, ask before another port is taken
    #[arg(long, conflicts_with = "strict")]
    pub ask: bool,
    /// How the port is held: nobody else ever gets it (seam), others could while the command runs
    /// (gate), or it is only written down (off)
    #[arg(long, value_name = "HOW", value_enum)]
    pub hold: Option<HoldArg>,
    /// Who asks for port A gets port B, which is claimed; may be given several times
    #[arg(long, value_name = "A=B", value_parser = remap)]
    pub remap: Vec<(Port, Port)>,
    /// Do not move the command where it asks for a port that somebody else has: let it fail
    #[arg(long)]
    pub no_remap: bool,
    /// Hand the command sockets that listen (LISTEN_FDS), for those that can take them
    #[arg(long)]
    pub pass_fd: bool,
    /// Start the command again when it ends; its ports stay held meanwhile
    #[arg(long, value_name = "WHEN", value_enum)]
    pub restart: Option<RestartArg>,
    /// Say when it accepts connections, and end it where it does not within this time
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "60s", value_parser = values::wait)]
    pub wait_ready: Option<Duration>,
    /// UDP ports, not TCP ports
    #[arg(long)]
    pub udp: bool,
    /// Only say what went wrong
    #[arg(short, long)]
    pub quiet: bool,
    /// The command, with its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

/// How a port is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HoldArg {
    /// All the time: the command's sockets are bound for it
    Seam,
    /// Until the command runs
    Gate,
    /// Not at all
    Off,
}

/// When a command is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RestartArg {
    /// When it fails
    OnFailure,
    /// Whenever it ends
    Always,
}

/// What to wait for.
#[derive(Args, Debug)]
pub struct WaitArgs {
    /// The port
    #[arg(allow_negative_numbers = true)]
    pub port: Port,
    /// How long to wait at most
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::wait)]
    pub timeout: Duration,
    /// The process that has to listen, or one above it; whom the port is reserved for, if not given
    #[arg(long, value_parser = values::pid, allow_negative_numbers = true)]
    pub pid: Option<u32>,
}

/// Whose ports to print.
#[derive(Args, Debug)]
pub struct EnvArgs {
    /// The project; that of this folder, if not given
    #[arg(value_parser = values::name)]
    pub project: Option<String>,
    /// The form
    #[arg(long, value_enum, default_value = "sh")]
    pub format: FormatArg,
}

/// A form of environment variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Lines for a shell to read
    Sh,
    /// Lines of a .env file
    Dotenv,
    /// JSON
    Json,
    /// Lines of a .envrc file
    Direnv,
}

/// Reads `3000=3001`.
fn remap(text: &str) -> Result<(Port, Port), String> {
    let (from, to) = text
        .split_once('=')
        .ok_or("write it as 3000=3001: who asks for 3000 gets 3001")?;
    let port = |text: &str| text.parse::<Port>().map_err(|error| error.to_string());
    Ok((port(from)?, port(to)?))
}
