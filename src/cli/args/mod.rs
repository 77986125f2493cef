//! The arguments: what can be typed, and what it means.

mod docker;
mod groups;
mod leases;
mod listeners;
mod pools;
mod records;
mod run;
mod values;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use super::exit::{Exit, MEANINGS};

pub use docker::DockerArgs;
pub use leases::{
    AllocateArgs, ClaimArgs, FreeArgs, HeartbeatArgs, LeaseArgs, QueryArgs, RegisterArgs,
    ReleaseArgs, ReserveArgs, SuggestArgs,
};
pub use listeners::{KillArgs, ListArgs, WhyArgs};
pub use pools::{DrawArgs, PoolAction, PoolArgs};
pub use records::{
    BackupArgs, CleanupArgs, ConfigAction, ConfigArgs, ExportArgs, ImportArgs, LogArgs, RestoreArgs,
};
pub use run::{EnvArgs, FormatArg, HoldArg, RestartArg, RunArgs, WaitArgs};
pub use values::Subject;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

#[derive(Debug, Parser)]
#[command(
    name = "freeport",
    version,
    about = "See who listens on which port, free exactly the right one, and keep ports for your projects",
    long_about = "See who listens on which port, free exactly the right one, and keep ports for your projects.\n\nWithout a command: the tray app in a desktop session; elsewhere the list.",
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
    /// Show the live list on the whole terminal, and act on it
    #[command(
        after_long_help = "What is in it: who listens, what is reserved, what is in conflict, pools and the log, with filter, sorting and groups. Each end of a process is asked first, with its name. '?' shows the keys, 'q' ends it.\n\nIt uses the sixteen colours of the terminal, and none where NO_COLOR is set."
    )]
    Tui,
    /// Tell the whole story of a port: process, parents, reservation
    Why(WhyArgs),
    /// End the process on a port, and tell whether the port is free
    #[command(
        after_long_help = "The process is asked to end (SIGTERM) and gets a grace. Whatever is still there then is only ended (SIGKILL) with --force, or when you agree. The identity of the process and that it owns the port are checked at the moment of the signal.\n\nExamples:\n  freeport kill 3000\n  freeport kill 3000 8080 --force --grace 500ms\n  freeport kill 3000 --tree --dry-run"
    )]
    Kill(KillArgs),
    /// Start a command on a port that is held for it
    #[command(
        after_long_help = "The command is told its port in the way that its framework wants, and in the variables PORT and FREEPORT_PORT; '{port}' in its arguments is replaced. Of several services the others are told in PORT_NAME, and '{port:NAME}' is replaced. Where it asks for a port that somebody else has, it is moved to its own one.\n\nStandard streams, signals and the exit status are the command's own: 127 when there is no such command, 126 when it cannot be executed. The port stays held for as long as anything that it started runs.\n\nExamples:\n  freeport run npm run dev\n  freeport run --port 3000 -- vite\n  freeport run --strict --port 8000 -- python3 -m http.server {port}\n  freeport run --service web --service api -- ./start --api {port:api}\n  freeport run --remap 3000=3001 -- ./fixed-port-server\n  freeport run --restart on-failure -- node server.js"
    )]
    Run(RunArgs),
    /// Run docker, with host ports that are free and claimed for it
    #[command(
        after_long_help = "Of 'docker run' and 'docker create', the ports of this machine (-p, --publish) are claimed for the container. One that is taken is replaced by another one, and a line says so. Everything else, and every other command, is passed to docker as it is.\n\nThe exit status is docker's own; 127 when there is no docker.\n\nExamples:\n  freeport docker run --rm -p 3000:3000 node:20\n  freeport docker run -d --name db -p 127.0.0.1:5432:5432 postgres\n  freeport docker --strict run -p 8000-8009:8000-8009 web"
    )]
    Docker(DockerArgs),
    /// Wait until a port accepts connections, from the right process
    #[command(
        after_long_help = "Examples:\n  freeport wait 3000 && curl localhost:3000\n  freeport wait 5432 --timeout 2m"
    )]
    Wait(WaitArgs),
    /// Print the ports of a project, for shells and other programs
    #[command(
        after_long_help = "Examples:\n  eval \"$(freeport env)\"\n  freeport env shop --format dotenv > .env"
    )]
    Env(EnvArgs),
    /// Print the port of a service; choose one if it has none
    #[command(
        after_long_help = "The service keeps its port: the same project and service get the same one again, also after 'freeport free'. Which ports are tried first is set by `preferred_ports` and `port_range`.\n\nExamples:\n  PORT=$(freeport allocate shop web) npm run dev\n  freeport allocate shop db --port 5433"
    )]
    Allocate(AllocateArgs),
    /// Set ports aside for a project
    #[command(
        after_long_help = "Freeport gives them to nobody else, and warns when somebody else listens there. It does not keep programs that do not ask from taking them.\n\nExamples:\n  freeport reserve 3000 3001 --project shop\n  freeport reserve 5432 --project shop --service db\n  freeport reserve 5353 --udp --project voice --ttl 8h\n  PORT=$(freeport reserve --pool ci --job-id $CI_JOB_ID --wait 60s)"
    )]
    Reserve(ReserveArgs),
    /// Make, show and remove pools: sets of ports that jobs draw from
    #[command(
        after_long_help = "A job draws from a pool with 'freeport reserve --pool', and what it has comes back when its process ends, when its time is over, or by 'freeport release --job-id'.\n\nExamples:\n  freeport pool create ci --ports 15000-15999\n  freeport pool list\n  freeport pool delete ci"
    )]
    Pool(PoolArgs),
    /// Claim a port for a while, or for as long as a process lives
    #[command(
        after_long_help = "One of several that claim a port gets it; the others are told who has it (status 5). A claim of a process ends with the process. Any other ends when its lease runs out without a heartbeat, or when it is released. It never ends while those it is for listen.\n\nExamples:\n  freeport claim 3000                              for the project of this folder\n  freeport claim 3000 --service web --ttl 8h\n  freeport claim 3000 --pid $$ && exec npm start   for this shell, and what it becomes"
    )]
    Claim(ClaimArgs),
    /// Claim a port for a service
    #[command(
        after_long_help = "As 'freeport claim', with the name of a service.\n\nExamples:\n  freeport register 8000 django\n  freeport register 5432 db --project shop --metadata '{\"version\": 17}'"
    )]
    Register(RegisterArgs),
    /// Renew a claim
    #[command(
        after_long_help = "It lasts as long again as it was claimed for. A claim that gets heartbeats has to go on getting them: it ends when they stop for longer than `stale_threshold`.\n\nExamples:\n  while sleep 30; do freeport heartbeat 3000; done"
    )]
    Heartbeat(HeartbeatArgs),
    /// Give ports back, whoever has them
    #[command(
        after_long_help = "Nothing is ended: who listens goes on listening. Of a port that was reserved and then claimed, both are given back; with --token only the claim. A port that was not reserved is told (status 3), and the others are given back all the same.\n\nExamples:\n  freeport release 3000 3001\n  freeport release 3000 --token 8f14e45fceea167a5a36dedd4bea2543\n  freeport release --job-id $CI_JOB_ID"
    )]
    Release(ReleaseArgs),
    /// Give all ports of a project back, or those of one service
    #[command(after_long_help = "Examples:\n  freeport free shop\n  freeport free shop web")]
    Free(FreeArgs),
    /// Show what is reserved
    #[command(
        after_long_help = "An argument that is a number is a port, any other is a project.\n\nExamples:\n  freeport query\n  freeport query 3000\n  freeport query shop --service web --json"
    )]
    Query(QueryArgs),
    /// Print ports that are free now, and not reserved
    #[command(
        after_long_help = "They are not reserved by this: 'freeport allocate' and 'freeport claim' do that without a race.\n\nExamples:\n  freeport suggest\n  freeport suggest -n 3 --range 4000-4999 --block"
    )]
    Suggest(SuggestArgs),
    /// Remove claims that are over; show and end left over servers
    #[command(
        after_long_help = "The app does the first by itself. Servers are only ended with --yes, or when you agree; each by its identity, checked at the moment of the signal.\n\nExamples:\n  freeport cleanup --dry-run\n  freeport cleanup --leftovers\n  freeport cleanup --leftovers --port 3000 --yes"
    )]
    Cleanup(CleanupArgs),
    /// Tell what happened to ports, and who asked for it
    #[command(
        after_long_help = "Times are in UTC. How far it goes back is set by `audit_days` and `audit_rows`.\n\nExamples:\n  freeport log --since 1h\n  freeport log --port 3000 -n 20"
    )]
    Log(LogArgs),
    /// Show and change the settings
    Config(ConfigArgs),
    /// Write reservations and settings to a file, for people to read
    #[command(
        after_long_help = "Examples:\n  freeport export                 to the standard output\n  freeport export ports.toml"
    )]
    Export(ExportArgs),
    /// Reserve what an exported file says
    #[command(
        after_long_help = "All of it, or nothing where any of it is in conflict with what is reserved here (status 5).\n\nExamples:\n  freeport import ports.toml --dry-run\n  freeport import ports.toml --skip-conflicts"
    )]
    Import(ImportArgs),
    /// Copy the whole database to a file
    #[command(
        after_long_help = "The app makes such a copy every day, and keeps `backup_count` of them.\n\nExamples:\n  freeport backup ~/freeport.db"
    )]
    Backup(BackupArgs),
    /// Put the content of a backup in the place of what there is
    #[command(
        after_long_help = "The file is checked first, and what there was is kept as a backup of its own. The log stays. A running app goes on running.\n\nExamples:\n  freeport restore ~/freeport.db"
    )]
    Restore(RestoreArgs),
    /// Tell how the running app is: uptime, timings, memory, tray
    Status(StatusArgs),
    /// Tell what works here and what does not, with remedies
    #[command(
        after_long_help = "Status 1 when something is broken. What only makes Freeport do less, such as a panel without icons, is a warning.\n\nExamples:\n  freeport doctor\n  freeport doctor --json"
    )]
    Doctor(DoctorArgs),
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
        /// Write all pages, and completions, into a folder: for who makes packages
        #[arg(long, value_name = "FOLDER", hide = true, conflicts_with = "verb")]
        write: Option<std::path::PathBuf>,
    },
}

/// How to tell the status.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How to tell what works.
#[derive(Args, Debug)]
pub struct DoctorArgs {
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
    let parsed = command()
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
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
    let command = Arguments::command();
    let template = groups::template(&command, &STYLES);
    command.help_template(template)
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
        command().debug_assert();
    }

    fn read(line: &str) -> Result<Command, clap::error::ErrorKind> {
        let words = std::iter::once("freeport").chain(line.split_ascii_whitespace());
        let parsed = Arguments::try_parse_from(words);
        parsed
            .map(|arguments| arguments.command.unwrap())
            .map_err(|error| error.kind())
    }

    #[test]
    fn claims_are_read() {
        let Ok(Command::Claim(claim)) =
            read("claim 3000 -s web -p shop --ttl 90s --pid 42 --udp --metadata {\"a\":1}")
        else {
            panic!("a claim");
        };
        assert_eq!(claim.port.get(), 3000);
        assert_eq!(
            (claim.service.as_deref(), claim.project.as_deref()),
            (Some("web"), Some("shop"))
        );
        assert_eq!((claim.lease.ttl, claim.lease.pid), (Some(90), Some(42)));
        assert_eq!(claim.lease.metadata, Some(serde_json::json!({"a": 1})));
        assert!(claim.udp && !claim.json && claim.token.is_none());
    }

    #[test]
    fn what_is_wrong_is_refused_before_anything_is_asked() {
        use clap::error::ErrorKind::{
            ArgumentConflict, InvalidValue, MissingRequiredArgument, ValueValidation,
        };
        for (line, kind) in [
            ("claim", MissingRequiredArgument),
            ("claim -1", ValueValidation),
            ("claim 0", ValueValidation),
            ("claim 3000 --ttl 0", ValueValidation),
            ("claim 3000 --pid -5", ValueValidation),
            ("claim 3000 --metadata {", ValueValidation),
            ("register 3000", MissingRequiredArgument),
            ("reserve 3000", MissingRequiredArgument),
            ("reserve --project shop", MissingRequiredArgument),
            ("release 3000 --udp --tcp", ArgumentConflict),
            ("release 3000 70000", ValueValidation),
            ("heartbeat x", ValueValidation),
            ("allocate shop", MissingRequiredArgument),
            ("suggest -n 0", ValueValidation),
            ("suggest -n 257", ValueValidation),
            ("suggest --range 20-10", ValueValidation),
            ("query 65536", ValueValidation),
            ("log -n 10001", ValueValidation),
            ("log --since yesterday", ValueValidation),
            ("config get no_such", InvalidValue),
            ("cleanup --yes", MissingRequiredArgument),
            ("cleanup --port 3000", MissingRequiredArgument),
        ] {
            assert_eq!(read(line).err(), Some(kind), "{line}");
        }
    }
}
