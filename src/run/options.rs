//! What the wrapper is asked to do.

use std::ffi::OsString;
use std::time::Duration;

use super::restart::Restart;
use crate::model::{Port, Protocol};

/// How a port is kept for the command, from the claim on to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoldMode {
    /// The wrapper has it bound all the time, and binds the command's own sockets itself.
    #[default]
    Seam,
    /// The wrapper has it bound, and lets others bind it for as long as the command runs.
    Gate,
    /// Nothing is bound: the port is claimed, and looked at afterwards.
    Off,
}

/// What to do where a port is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Take another one.
    #[default]
    Fallback,
    /// Give up.
    Strict,
    /// End an older instance of the same project and service, or else take another one.
    Replace,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The command with its arguments.
    pub command: Vec<OsString>,
    /// The ports, of the services in the same order.
    pub ports: Vec<Port>,
    /// The services.
    pub services: Vec<String>,
    /// The project; that of the folder when absent.
    pub project: Option<String>,
    /// The protocol, where the services do not say theirs.
    pub protocol: Option<Protocol>,
    /// What to do where a port is taken; what the project says, when absent.
    pub policy: Option<Policy>,
    /// On a terminal, ask before another port is taken.
    pub ask: bool,
    /// How ports are held; what the project says, when absent.
    pub hold: Option<HoldMode>,
    /// Who asks for the first port gets the second one.
    pub remap: Vec<(Port, Port)>,
    /// What asks for a port that somebody else has, fails.
    pub no_remap: bool,
    /// Listening sockets are handed to the command.
    pub pass_fd: bool,
    /// When it is started again.
    pub restart: Restart,
    /// Say when it accepts connections, and end it where it does not within this time.
    pub wait_ready: Option<Duration>,
    /// Only say what went wrong.
    pub quiet: bool,
}
