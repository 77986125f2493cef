//! The arguments of `freeport docker`: its own, and after them those of docker.

use std::ffi::OsString;

use clap::Args;

use super::values;

/// How ports are published, and what docker is to do.
#[derive(Args, Debug)]
pub struct DockerArgs {
    /// Publish another port where that one is taken, and say so: this is what is done if nothing
    /// else is said
    #[arg(long, group = "policy")]
    pub fallback: bool,
    /// Fail where a port is taken, and do not run docker (status 5)
    #[arg(long, group = "policy")]
    pub strict: bool,
    /// The project that the container is for; that of this folder, if not given
    #[arg(long, value_name = "PROJECT", value_parser = values::name)]
    pub project: Option<String>,
    /// The service that it is for; the name of the container, or of its image, if not given
    #[arg(long, value_name = "SERVICE", value_parser = values::name)]
    pub service: Option<String>,
    /// Only say what went wrong
    #[arg(long)]
    pub quiet: bool,
    /// What docker is to do, with its own options
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub words: Vec<OsString>,
}
