//! The app under measurement: started, asked, looked at from outside, ended.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use freeport::ipc::protocol::StatusReply;
use freeport::{Ask as _, Client, Reply, Request};

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A running app. It ends when this is dropped.
pub struct App(Child);

/// Resident memory in KiB: all of it, and what is not a file's.
#[derive(Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    pub anonymous: u64,
}

impl App {
    /// Starts it, without waiting; with a tray on the session bus at `bus`, headless without one.
    pub fn spawn(bus: Option<&str>) -> anyhow::Result<App> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_freeport"));
        command.arg("app").env("FREEPORT_LOG", "error");
        match bus {
            Some(bus) => command.env("DBUS_SESSION_BUS_ADDRESS", bus),
            None => command.arg("--headless"),
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the app")?;
        Ok(App(child))
    }

    /// Starts it and waits for its first answer; how long that took.
    pub fn start(bus: Option<&str>) -> anyhow::Result<(App, Duration)> {
        let start = Instant::now();
        let app = App::spawn(bus)?;
        while Client::connect().is_err() {
            if start.elapsed() > PATIENCE {
                bail!("the app does not answer");
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok((app, start.elapsed()))
    }

    /// What it has in memory.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let text = std::fs::read_to_string(self.proc("status"))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_ascii_whitespace().next()?.parse().ok()
        };
        Ok(Memory {
            resident: field("VmRSS:").context("no VmRSS")?,
            anonymous: field("RssAnon:").context("no RssAnon")?,
        })
    }

    /// The CPU time that its threads have used, as the scheduler counts it.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let mut all = Duration::ZERO;
        for task in std::fs::read_dir(self.proc("task"))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let ran = text.split_ascii_whitespace().next().context("schedstat")?;
            all += Duration::from_nanos(ran.parse()?);
        }
        Ok(all)
    }

    /// The CPU time that it has used, as `ps` shows it: in hundredths of a second.
    pub fn cpu_ticks(&self) -> anyhow::Result<u64> {
        let text = std::fs::read_to_string(self.proc("stat"))?;
        let (_, rest) = text.rsplit_once(')').context("stat")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let ticks = |at: usize| {
            fields
                .get(at)
                .context("stat")?
                .parse::<u64>()
                .context("stat")
        };
        Ok(ticks(11)? + ticks(12)?)
    }

    fn proc(&self, file: &str) -> std::path::PathBuf {
        Path::new("/proc").join(self.0.id().to_string()).join(file)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// What the app says of itself.
pub fn status(client: &mut Client) -> anyhow::Result<StatusReply> {
    match client.ask(Request::Status)? {
        Reply::Status(status) => Ok(*status),
        other => bail!("not a status: {other:?}"),
    }
}

/// Makes the app look now; how many listeners there are.
pub fn look(client: &mut Client) -> anyhow::Result<usize> {
    client.ask(Request::List(Default::default()))?;
    Ok(status(client)?.listeners)
}

/// Waits until the app knows of this many listeners, without making it look; how long that took
/// since `start`. `None` where it never does, as others have opened or closed some meanwhile.
pub fn knows(
    client: &mut Client,
    listeners: usize,
    start: Instant,
) -> anyhow::Result<Option<Duration>> {
    while start.elapsed() < PATIENCE {
        if status(client)?.listeners == listeners {
            return Ok(Some(start.elapsed()));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    eprintln!("   others opened or closed a listener meanwhile: one time less");
    Ok(None)
}
