//! The arguments of the verbs about who may have which port.

use clap::Args;
use serde_json::Value;

use super::pools::DrawArgs;
use super::values::{self, Subject};
use crate::model::{Port, PortRange};

/// Which port a service has.
#[derive(Args, Debug)]
pub struct RegisterArgs {
    /// The port
    #[arg(allow_negative_numbers = true)]
    pub port: Port,
    /// The service
    #[arg(value_parser = values::name)]
    pub service: String,
    /// The project that it belongs to; that of this folder, if not given
    #[arg(short, long, value_parser = values::name)]
    pub project: Option<String>,
    #[command(flatten)]
    pub lease: LeaseArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which port to claim.
#[derive(Args, Debug)]
pub struct ClaimArgs {
    /// The port
    #[arg(allow_negative_numbers = true)]
    pub port: Port,
    /// The service that it is for
    #[arg(short, long, value_parser = values::name)]
    pub service: Option<String>,
    /// The project that it is for; that of this folder, if not given
    #[arg(short, long, value_parser = values::name)]
    pub project: Option<String>,
    #[command(flatten)]
    pub lease: LeaseArgs,
    /// The UDP port, not the TCP port
    #[arg(long)]
    pub udp: bool,
    /// The token of an earlier claim, which is renewed
    #[arg(long)]
    pub token: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Whose a claim is, and for how long.
#[derive(Args, Debug)]
pub struct LeaseArgs {
    /// How long it lasts without a heartbeat: 90s, 15m, 8h; 1h, unless `default_lease_duration` is
    /// set
    #[arg(long, value_name = "TIME", value_parser = values::ttl)]
    pub ttl: Option<u64>,
    /// The process that it belongs to, and ends with; otherwise it belongs to you, and lasts as
    /// long as its lease
    #[arg(long, value_parser = values::pid, allow_negative_numbers = true)]
    pub pid: Option<u32>,
    /// Have the app bind the port, so that nobody else can; again whenever it starts
    #[arg(long)]
    pub hold: bool,
    /// Anything to keep with it, as JSON
    #[arg(long, value_name = "JSON", value_parser = values::metadata, allow_negative_numbers = true)]
    pub metadata: Option<Value>,
}

/// Which ports to set aside.
#[derive(Args, Debug)]
pub struct ReserveArgs {
    /// The ports: all of them, or none
    #[arg(
        value_name = "PORT",
        required_unless_present = "pool",
        conflicts_with = "pool",
        allow_negative_numbers = true
    )]
    pub ports: Vec<Port>,
    /// The project that they are for
    #[arg(
        short,
        long,
        required_unless_present = "pool",
        conflicts_with = "pool",
        value_parser = values::name
    )]
    pub project: Option<String>,
    /// The service that they are for
    #[arg(short, long, conflicts_with = "pool", value_parser = values::name)]
    pub service: Option<String>,
    /// How long it lasts: 90s, 15m, 8h; until it is released, if not given. From a pool 1h, unless
    /// `default_lease_duration` is set
    #[arg(long, value_name = "TIME", value_parser = values::ttl)]
    pub ttl: Option<u64>,
    /// Have the app bind them, so that nobody else can; again whenever it starts
    #[arg(long)]
    pub hold: bool,
    /// The UDP ports, not the TCP ports
    #[arg(long)]
    pub udp: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub draw: DrawArgs,
}

/// Which ports to give back.
#[derive(Args, Debug)]
pub struct ReleaseArgs {
    /// The ports
    #[arg(
        value_name = "PORT",
        required_unless_present = "job_id",
        conflicts_with = "job_id",
        allow_negative_numbers = true
    )]
    pub ports: Vec<Port>,
    /// All that this job has drawn from pools
    #[arg(long, value_name = "ID", conflicts_with = "token", value_parser = values::name)]
    pub job_id: Option<String>,
    /// Only what was claimed with this token; without it, whoever has the port
    #[arg(long)]
    pub token: Option<String>,
    /// Only the UDP ports
    #[arg(long, conflicts_with = "tcp")]
    pub udp: bool,
    /// Only the TCP ports
    #[arg(long)]
    pub tcp: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which claim to renew.
#[derive(Args, Debug)]
pub struct HeartbeatArgs {
    /// The port
    #[arg(allow_negative_numbers = true)]
    pub port: Port,
    /// Only what was claimed with this token; without it, whoever has the port
    #[arg(long)]
    pub token: Option<String>,
    /// The UDP port, not the TCP port
    #[arg(long)]
    pub udp: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// For whom to choose a port.
#[derive(Args, Debug)]
pub struct AllocateArgs {
    /// The project
    #[arg(value_parser = values::name)]
    pub project: String,
    /// The service
    #[arg(value_parser = values::name)]
    pub service: String,
    /// This port and no other one; the service moves if it has another
    #[arg(long, allow_negative_numbers = true)]
    pub port: Option<Port>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Whose ports to give back.
#[derive(Args, Debug)]
pub struct FreeArgs {
    /// The project
    #[arg(value_parser = values::name)]
    pub project: String,
    /// Only those of this service
    #[arg(value_parser = values::name)]
    pub service: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which ports to find.
#[derive(Args, Debug)]
pub struct SuggestArgs {
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value = "1", value_parser = values::suggestions(), allow_negative_numbers = true)]
    pub count: usize,
    /// Only from here; otherwise from `preferred_ports`, then from `port_range`
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    pub range: Option<PortRange>,
    /// They have to follow each other
    #[arg(long)]
    pub block: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which reservations to show.
#[derive(Args, Debug)]
pub struct QueryArgs {
    /// Only of this project, or of this port
    #[arg(value_name = "PROJECT|PORT", allow_negative_numbers = true)]
    pub subject: Option<Subject>,
    /// Only of this service
    #[arg(short, long, value_parser = values::name)]
    pub service: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
