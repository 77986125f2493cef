//! What is said over the socket: one JSON object a line, one reply a request, in order.
//!
//! A request names its command: `{"cmd":"PING"}`. A reply starts with its status:
//! `{"status":"success", …}` or `{"status":"error","code":…,"message":…,"hint":…}`. Fields that
//! the receiver does not know are ignored, so that fields can be added; a command that it does not
//! know is answered by an error. [`PROTOCOL`] changes only when that is not enough.

mod event;
mod lease;
mod pool;

use serde::{Deserialize, Serialize};

pub use event::{Event, StateReply};
pub use lease::{
    Allocate, Claim, Cleanup, CleanupReply, Config, ConfigReply, Ended, Fallback, Free, Heartbeat,
    HoldChange, HoldState, Ignore, IgnoreReply, LOG_LIMIT, LeaseReply, LeftoverView, Log, LogReply,
    Query, Release, ReservationsReply, Reserve, SUGGEST_LIMIT, Setting, Suggest, SuggestReply,
};
pub use pool::{Pool, PoolCreate, PoolDelete, PoolDraw, PoolView, PoolsReply};

use super::view::{ListenerView, ReservationView};
use crate::model::kill::Outcome;
use crate::model::text::{escape, shorten};
use crate::model::{Gap, Port, Timestamp};

/// The version of this protocol, apart from the version of the program.
pub const PROTOCOL: u32 = 1;

/// The longest request in bytes, its newline included.
pub const REQUEST_LIMIT: usize = 64 * 1024;

/// The most ports that one request may name.
pub const PORTS_LIMIT: usize = 256;

/// The longest time that a kill waits for a process to end, in milliseconds.
pub const GRACE_LIMIT_MS: u64 = 10 * 60 * 1000;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "UPPERCASE")]
pub enum Request {
    /// Which versions the app and its protocol have. Clients say it first.
    Hello {
        /// The protocol version of the client.
        protocol: u32,
    },
    /// Whether the app answers.
    Ping,
    /// Who listens, by a scan made for this request.
    List(List),
    /// How the app is.
    Status,
    /// Free ports by ending the processes that listen on them.
    Kill(Kill),
    /// Whether the app starts at login, and a change of that.
    Autostart(Autostart),
    /// Claim a port for a service, which has to be named.
    Register(Claim),
    /// Claim a port for a process.
    Claim(Claim),
    /// Set ports aside for a project.
    Reserve(Reserve),
    /// Give reservations and claims back.
    Release(Release),
    /// Renew a claim.
    Heartbeat(Heartbeat),
    /// The port of a service, chosen when it has none.
    Allocate(Allocate),
    /// Give the ports of a project back.
    Free(Free),
    /// Ports that are free now.
    Suggest(Suggest),
    /// What is reserved.
    Query(Query),
    /// Remove what is over.
    Cleanup(Cleanup),
    /// What happened.
    Log(Log),
    /// The settings.
    Config(Config),
    /// How really a claimed port is held.
    Hold(HoldChange),
    /// Named sets of ports, and ports drawn from them.
    Pool(Pool),
    /// Do not warn of this process on this port.
    Ignore(Ignore),
    /// Everything, and then every change.
    Subscribe,
}

/// Which listeners are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Only these ports; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Look for the owners again, among all processes, and tell everything of them. Only with
    /// ports.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub details: bool,
}

/// What is to be ended, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// The ports to be freed, side by side.
    pub ports: Vec<Port>,
    /// The process that is meant, when a port has several: a pid, or `PID@START` to mean exactly
    /// the process that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// The container that is meant: its name, its id, or the beginning of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Send SIGKILL to what is still there after the grace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// End everything below the process too, leaves first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tree: bool,
    /// How long to wait after SIGTERM, in milliseconds.
    #[serde(default = "default_grace")]
    pub grace_ms: u64,
    /// Signal nothing; tell what would be signalled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

fn default_grace() -> u64 {
    3000
}

impl Kill {
    /// A kill of these ports with the defaults.
    pub fn of(ports: Vec<Port>) -> Kill {
        Kill {
            ports,
            pid: None,
            container: None,
            force: false,
            tree: false,
            grace_ms: default_grace(),
            dry_run: false,
        }
    }
}

/// A change of whether the app starts at login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autostart {
    /// Switch it on or off; only tell when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable: Option<bool>,
}

/// What the app answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To [`Request::Hello`].
    Hello(HelloReply),
    /// To [`Request::Ping`].
    Pong(PongReply),
    /// To [`Request::List`].
    List(ListReply),
    /// To [`Request::Status`].
    Status(Box<StatusReply>),
    /// To [`Request::Kill`].
    Kill(KillReply),
    /// To [`Request::Autostart`].
    Autostart(AutostartReply),
    /// To [`Request::Register`], [`Request::Claim`], [`Request::Heartbeat`], [`Request::Hold`] and
    /// [`Request::Allocate`].
    Lease(Box<LeaseReply>),
    /// To [`Request::Reserve`], [`Request::Release`], [`Request::Free`], [`Request::Query`], and to
    /// [`Pool::Draw`].
    Reservations(ReservationsReply),
    /// To [`Request::Pool`].
    Pools(PoolsReply),
    /// To [`Request::Suggest`].
    Suggest(SuggestReply),
    /// To [`Request::Cleanup`].
    Cleanup(CleanupReply),
    /// To [`Request::Log`].
    Log(LogReply),
    /// To [`Request::Config`].
    Config(ConfigReply),
    /// To [`Request::Ignore`].
    Ignore(IgnoreReply),
    /// To [`Request::Subscribe`].
    State(Box<StateReply>),
    /// To any request that failed.
    Error(ErrorReply),
}

/// The versions of the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloReply {
    /// Its protocol version.
    pub protocol: u32,
    /// Its own version.
    pub version: String,
    /// Its pid.
    pub pid: u32,
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PongReply {
    /// Always true.
    pub pong: bool,
}

/// Who listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReply {
    /// When the system was looked at.
    pub scanned_at: Timestamp,
    /// What could not be seen, and why.
    pub gaps: Vec<Gap>,
    /// The listeners, by port.
    pub listeners: Vec<ListenerView>,
    /// The ports that are held, or are to be, and on which nobody listens: nothing else shows them.
    #[serde(default)]
    pub held: Vec<ReservationView>,
}

/// How the app is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusReply {
    /// Its pid.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Its protocol version.
    pub protocol: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// For how long it has run, in seconds.
    pub uptime_s: u64,
    /// How long the steady scans took.
    pub scan: Timings,
    /// How long requests took.
    pub requests: Timings,
    /// Its resident memory in bytes.
    pub memory_bytes: Option<u64>,
    /// How many listeners there are.
    pub listeners: usize,
    /// How many of them are in conflict.
    pub conflicts: usize,
    /// How many reservations there are.
    pub reservations: usize,
    /// How many ports the app holds.
    #[serde(default)]
    pub held: usize,
    /// What it is to hold and does not, by port: the first of it, each with the reason.
    #[serde(default)]
    pub not_held: Vec<ReservationView>,
    /// Why reservations cannot be read or written, when that is so.
    pub registry_problem: Option<String>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// When reservations were cleaned up last.
    pub last_cleanup: Option<Timestamp>,
    /// Whether there is a tray icon.
    pub tray: TrayStatus,
}

/// The distribution of some durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// How many there were since the start.
    pub count: u64,
    /// The median of the last ones, in microseconds.
    pub p50_us: u64,
    /// The 95th percentile, in microseconds.
    pub p95_us: u64,
    /// The 99th percentile, in microseconds.
    pub p99_us: u64,
}

/// Whether there is a tray icon, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrayStatus {
    /// Whether a panel shows it.
    pub shown: bool,
    /// Why it is not shown.
    pub reason: Option<String>,
    /// What would help.
    pub hint: Option<String>,
}

/// What came of a kill, port by port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillReply {
    /// One for each port asked, in that order; one for a port that was named twice.
    pub outcomes: Vec<Outcome>,
}

/// Whether the app starts at login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutostartReply {
    /// Whether it does.
    pub enabled: bool,
    /// The entry that says so.
    pub entry: String,
    /// The command that the entry runs, when that is another program.
    pub elsewhere: Option<String>,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The line is not a request: not JSON, no command, a field of the wrong type or out of range.
    BadRequest,
    /// There is no such command.
    UnknownCommand,
    /// The request is longer than [`REQUEST_LIMIT`].
    TooLarge,
    /// There are too many connections, or requests in a short time.
    Busy,
    /// The app ends, or something went wrong in it.
    Failed,
    /// Somebody else has the port, or it is reserved for somebody else.
    PortTaken,
    /// No port is free where one was looked for.
    Exhausted,
    /// There are as many reservations as there can be.
    LimitReached,
    /// There is no such reservation.
    NotFound,
    /// The caller is not whose it is, or the process is not the caller's.
    NotPermitted,
    /// The registry cannot be read or written.
    RegistryUnavailable,
    /// A kind of error that this client is too old to know.
    #[serde(other)]
    Unknown,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// The kind of failure.
    pub code: ErrorCode,
    /// What happened.
    pub message: String,
    /// What to do next.
    #[serde(default)]
    pub hint: Option<String>,
    /// Where a port was taken: one that is free instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<Port>,
}

impl ErrorReply {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> ErrorReply {
        ErrorReply {
            code,
            message: message.into(),
            hint: None,
            free: None,
        }
    }

    /// The error with what to do next.
    pub fn hint(self, hint: impl Into<String>) -> ErrorReply {
        ErrorReply {
            hint: Some(hint.into()),
            ..self
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Line<'a> {
    Success(&'a Reply),
    Error(&'a ErrorReply),
}

/// The commands, as they are written.
const COMMANDS: [&str; 22] = [
    "HELLO",
    "PING",
    "LIST",
    "STATUS",
    "KILL",
    "AUTOSTART",
    "REGISTER",
    "CLAIM",
    "RESERVE",
    "RELEASE",
    "HEARTBEAT",
    "ALLOCATE",
    "FREE",
    "SUGGEST",
    "QUERY",
    "CLEANUP",
    "LOG",
    "CONFIG",
    "HOLD",
    "POOL",
    "IGNORE",
    "SUBSCRIBE",
];

impl Request {
    /// Reads a request from a line, and checks its bounds.
    pub fn parse(line: &[u8]) -> Result<Request, ErrorReply> {
        #[derive(Deserialize)]
        struct Command {
            cmd: String,
        }
        // What is wrong is told with the text that was sent, whatever that is.
        let shown = |text: &str| escape(&shorten(text, 200)).into_owned();
        let bad = |error: serde_json::Error| {
            let why = shown(&error.to_string());
            ErrorReply::new(ErrorCode::BadRequest, format!("not a request: {why}"))
        };
        let request: Request = match serde_json::from_slice(line) {
            Ok(request) => request,
            Err(error) => {
                let Command { cmd } = serde_json::from_slice(line).map_err(|e| {
                    bad(e).hint(r#"a request is a line of JSON such as {"cmd":"PING"}"#)
                })?;
                if COMMANDS.contains(&cmd.as_str()) {
                    return Err(bad(error));
                }
                let message = format!("there is no command '{}'", shown(&cmd));
                return Err(ErrorReply::new(ErrorCode::UnknownCommand, message)
                    .hint(format!("the commands are {}", COMMANDS.join(", "))));
            }
        };
        request.check()?;
        Ok(request)
    }

    /// Checks its bounds.
    pub fn check(&self) -> Result<(), ErrorReply> {
        let too_many = |ports: &[Port]| {
            (ports.len() > PORTS_LIMIT).then(|| {
                ErrorReply::new(
                    ErrorCode::BadRequest,
                    format!(
                        "{} ports are too many: name at most {PORTS_LIMIT}",
                        ports.len()
                    ),
                )
            })
        };
        let problem = match self {
            Request::List(list) => too_many(&list.ports),
            Request::Kill(kill) if kill.ports.is_empty() => Some(ErrorReply::new(
                ErrorCode::BadRequest,
                "no port to kill: name at least one",
            )),
            Request::Kill(kill) if kill.grace_ms > GRACE_LIMIT_MS => Some(ErrorReply::new(
                ErrorCode::BadRequest,
                format!(
                    "a grace of {} ms is too long: use at most {GRACE_LIMIT_MS}",
                    kill.grace_ms
                ),
            )),
            Request::Kill(kill) => too_many(&kill.ports).or_else(|| {
                let wrong = kill
                    .pid
                    .as_ref()?
                    .parse::<crate::model::kill::Wanted>()
                    .err()?;
                Some(ErrorReply::new(ErrorCode::BadRequest, wrong))
            }),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(problem);
        }
        match self {
            Request::Register(claim) => claim.check(true),
            Request::Claim(claim) => claim.check(false),
            Request::Reserve(reserve) => reserve.check(),
            Request::Release(release) => release.check(),
            Request::Pool(pool) => pool.check(),
            Request::Allocate(allocate) => allocate.check(),
            Request::Free(free) => free.check(),
            Request::Suggest(suggest) => suggest.check(),
            Request::Log(log) => log.check(),
            Request::Config(config) => config.check(),
            _ => Ok(()),
        }
    }

    /// The request as a line, its newline included.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        line(self)
    }
}

impl Reply {
    /// Whether it says that something was written to the registry, or may have been.
    pub fn promises(&self) -> bool {
        matches!(
            self,
            Reply::Lease(_)
                | Reply::Reservations(_)
                | Reply::Pools(_)
                | Reply::Cleanup(_)
                | Reply::Config(_)
        )
    }

    /// The reply as a line, its newline included.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Reply::Error(error) => line(&Line::Error(error)),
            reply => line(&Line::Success(reply)),
        }
    }

    /// Reads the reply to `request` from a line.
    pub fn parse(request: &Request, line: &[u8]) -> Result<Reply, serde_json::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Status {
            Success,
            Error,
        }
        #[derive(Deserialize)]
        struct Head {
            status: Status,
        }
        // Lists are long: they are checked for UTF-8 as a whole, and read once where the status
        // comes first, as it always does.
        let line = std::str::from_utf8(line).map_err(serde::de::Error::custom)?;
        if !line.starts_with(r#"{"status":"success""#) {
            let Head { status } = serde_json::from_str(line)?;
            if matches!(status, Status::Error) {
                return serde_json::from_str(line).map(Reply::Error);
            }
        }
        match request {
            Request::Hello { .. } => serde_json::from_str(line).map(Reply::Hello),
            Request::Ping => serde_json::from_str(line).map(Reply::Pong),
            Request::List(_) => serde_json::from_str(line).map(Reply::List),
            Request::Status => serde_json::from_str(line).map(Reply::Status),
            Request::Kill(_) => serde_json::from_str(line).map(Reply::Kill),
            Request::Autostart(_) => serde_json::from_str(line).map(Reply::Autostart),
            Request::Register(_)
            | Request::Claim(_)
            | Request::Heartbeat(_)
            | Request::Hold(_)
            | Request::Allocate(_) => serde_json::from_str(line).map(Reply::Lease),
            Request::Reserve(_) | Request::Release(_) | Request::Free(_) | Request::Query(_) => {
                serde_json::from_str(line).map(Reply::Reservations)
            }
            Request::Pool(Pool::Draw(_)) => serde_json::from_str(line).map(Reply::Reservations),
            Request::Pool(_) => serde_json::from_str(line).map(Reply::Pools),
            Request::Suggest(_) => serde_json::from_str(line).map(Reply::Suggest),
            Request::Cleanup(_) => serde_json::from_str(line).map(Reply::Cleanup),
            Request::Log(_) => serde_json::from_str(line).map(Reply::Log),
            Request::Config(_) => serde_json::from_str(line).map(Reply::Config),
            Request::Ignore(_) => serde_json::from_str(line).map(Reply::Ignore),
            Request::Subscribe => serde_json::from_str(line).map(Reply::State),
        }
    }
}

impl Event {
    /// The event as a line, its newline included.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        line(self)
    }
}

fn line(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_and_write() {
        let port = Port::new(3000).unwrap();
        let cases = [
            (
                r#"{"cmd":"HELLO","protocol":1}"#,
                Request::Hello { protocol: 1 },
            ),
            (r#"{"cmd":"PING"}"#, Request::Ping),
            (r#"{"cmd":"LIST"}"#, Request::List(List::default())),
            (
                r#"{"cmd":"LIST","ports":[3000],"details":true}"#,
                Request::List(List {
                    ports: vec![port],
                    details: true,
                }),
            ),
            (
                r#"{"cmd":"KILL","ports":[3000],"grace_ms":3000}"#,
                Request::Kill(Kill::of(vec![port])),
            ),
        ];
        for (text, request) in cases {
            assert_eq!(Request::parse(text.as_bytes()).unwrap(), request);
            assert_eq!(request.to_line().unwrap(), format!("{text}\n").into_bytes());
        }
        assert_eq!(
            Request::parse(br#"{"cmd":"PING","later":{"x":[1]}}"#).unwrap(),
            Request::Ping,
            "unknown fields are ignored"
        );
    }

    #[test]
    fn bad_requests_are_errors_with_a_kind() {
        let many = format!(
            r#"{{"cmd":"LIST","ports":[{}1]}}"#,
            "1,".repeat(PORTS_LIMIT)
        );
        let cases: &[(&str, ErrorCode)] = &[
            ("", ErrorCode::BadRequest),
            ("{", ErrorCode::BadRequest),
            ("[]", ErrorCode::BadRequest),
            ("{}", ErrorCode::BadRequest),
            (r#"{"cmd":7}"#, ErrorCode::BadRequest),
            (r#"{"cmd":"DANCE"}"#, ErrorCode::UnknownCommand),
            (r#"{"cmd":"list"}"#, ErrorCode::UnknownCommand),
            (r#"{"cmd":"LIST","ports":[0]}"#, ErrorCode::BadRequest),
            (r#"{"cmd":"LIST","ports":[65536]}"#, ErrorCode::BadRequest),
            (r#"{"cmd":"LIST","ports":[-1]}"#, ErrorCode::BadRequest),
            (r#"{"cmd":"LIST","ports":["3000"]}"#, ErrorCode::BadRequest),
            (r#"{"cmd":"KILL"}"#, ErrorCode::BadRequest),
            (r#"{"cmd":"KILL","ports":[]}"#, ErrorCode::BadRequest),
            (
                r#"{"cmd":"KILL","ports":[1],"pid":"x"}"#,
                ErrorCode::BadRequest,
            ),
            (
                r#"{"cmd":"KILL","ports":[1],"grace_ms":999999999}"#,
                ErrorCode::BadRequest,
            ),
            (&many, ErrorCode::BadRequest),
        ];
        for (text, code) in cases {
            assert_eq!(
                Request::parse(text.as_bytes()).unwrap_err().code,
                *code,
                "{text}"
            );
        }
        assert!(Request::parse(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn replies_read_what_they_write() {
        let pong = Reply::Pong(PongReply { pong: true });
        assert_eq!(
            pong.to_line().unwrap(),
            b"{\"status\":\"success\",\"pong\":true}\n"
        );
        assert_eq!(
            Reply::parse(&Request::Ping, &pong.to_line().unwrap()).unwrap(),
            pong
        );
        let error = Reply::Error(ErrorReply::new(ErrorCode::Busy, "too many").hint("wait"));
        assert_eq!(error.to_line().unwrap(), b"{\"status\":\"error\",\"code\":\"busy\",\"message\":\"too many\",\"hint\":\"wait\"}\n");
        assert_eq!(
            Reply::parse(&Request::Ping, &error.to_line().unwrap()).unwrap(),
            error
        );
        let newer = br#"{"status":"error","code":"not_invented_yet","message":"m"}"#;
        assert!(
            matches!(Reply::parse(&Request::Ping, newer).unwrap(), Reply::Error(e) if e.code == ErrorCode::Unknown)
        );
    }
}
