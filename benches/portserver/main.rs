//! The portserver next to python_portpicker's own, in the same run: how many ports a second each
//! gives out, to clients in Rust and to python_portpicker's client.
//!
//! `scripts/bench --portserver` runs it. It needs Linux and `portpicker` in `target/test-venv`, which
//! `scripts/test` makes. Each server in turn, and again; the best round of each counts, as others use
//! the machine. It asserts nothing but that no port is given out twice: the ratios are what counts.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table is what this makes"
)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

const VENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-venv/bin");
const CLIENTS: usize = 4;
const MANY: usize = 16;
/// How many ports all clients together pick in a round.
const PICKS: usize = 2000;
const ROUNDS: usize = 7;
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that is ended at the end.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server: its name, and its socket.
struct Server {
    name: &'static str,
    socket: PathBuf,
    _process: Ended,
}

fn main() -> ExitCode {
    // `cargo test --benches` runs it, too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let python = Path::new(VENV).join("python");
    let theirs = Path::new(VENV).join("portserver.py");
    if !theirs.exists() {
        bail!("there is no portpicker in target/test-venv: 'scripts/test --quick' makes it");
    }
    let name = format!("freeport-bench-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    std::fs::DirBuilder::new().mode(0o700).create(&folder.0)?;
    let servers = [ours(&folder.0)?, upstream(&python, &theirs, &folder.0)?];
    let mut best = [[0.0f64; 3]; 2];
    for round in 0..ROUNDS {
        for (server, best) in servers.iter().zip(&mut best) {
            let rates = [
                in_rust(&server.socket, CLIENTS)?,
                in_rust(&server.socket, MANY)?,
                in_python(&python, &server.socket)?,
            ];
            for (best, rate) in best.iter_mut().zip(rates) {
                *best = best.max(rate);
            }
            let told = rates.map(|rate| format!("{rate:.0}")).join(", ");
            eprintln!("round {} {}: {told} /s", round + 1, server.name);
        }
    }
    println!("{PICKS} picks a round, the best of {ROUNDS} rounds");
    println!(
        "{:<32}{:>12}{:>16}{:>8}",
        "", "freeport", "portserver.py", "ratio"
    );
    let [ours, theirs] = best;
    let names = [
        format!("{CLIENTS} clients in Rust"),
        format!("{MANY} clients in Rust"),
        format!("{CLIENTS} of python_portpicker"),
    ];
    for (index, name) in names.iter().enumerate() {
        println!(
            "{name:<32}{:>10.0}/s{:>14.0}/s{:>7.1}x",
            ours[index],
            theirs[index],
            ours[index] / theirs[index]
        );
    }
    Ok(())
}

fn ours(folder: &Path) -> anyhow::Result<Server> {
    let child = Command::new(env!("CARGO_BIN_EXE_freeport"))
        .args(["app", "--headless"])
        .env("HOME", folder)
        .env("FREEPORT_RUNTIME_DIR", folder.join("run"))
        .env("FREEPORT_DATA_DIR", folder.join("data"))
        .env("FREEPORT_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the app")?;
    Ok(Server {
        name: "freeport",
        socket: answers(folder.join("run/portserver.sock"))?,
        _process: Ended(child),
    })
}

fn upstream(python: &Path, program: &Path, folder: &Path) -> anyhow::Result<Server> {
    let socket = folder.join("upstream.sock");
    let child = Command::new(python)
        .arg(program)
        .arg("--portserver_address")
        .arg(&socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start portserver.py")?;
    Ok(Server {
        name: "portserver.py",
        socket: answers(socket)?,
        _process: Ended(child),
    })
}

/// The socket, when somebody answers there.
fn answers(socket: PathBuf) -> anyhow::Result<PathBuf> {
    let start = Instant::now();
    while UnixStream::connect(&socket).is_err() {
        ensure!(
            start.elapsed() < PATIENCE,
            "nobody answers at {}",
            socket.display()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(socket)
}

/// Picks a second, by clients in Rust, each for a process of its own.
fn in_rust(socket: &Path, clients: usize) -> anyhow::Result<f64> {
    let ready = Barrier::new(clients);
    let one = || -> anyhow::Result<(Vec<u16>, Duration)> {
        let sleeper = Ended(Command::new("sleep").arg("60").spawn()?);
        let request = format!("{}\n", sleeper.0.id());
        ready.wait();
        let start = Instant::now();
        let ports: anyhow::Result<Vec<u16>> = (0..PICKS / clients)
            .map(|_| {
                let mut stream = UnixStream::connect(socket)?;
                stream.write_all(request.as_bytes())?;
                let mut reply = String::new();
                stream.read_to_string(&mut reply)?;
                reply.trim().parse().context("no port was given")
            })
            .collect();
        Ok((ports?, start.elapsed()))
    };
    let each: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
        let joined = threads.into_iter().map(|thread| {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a thread panicked"))?
        });
        joined.collect::<anyhow::Result<_>>()
    })?;
    rate(each)
}

/// A client of python_portpicker, which is told when to begin.
struct Client {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _process: Ended,
}

/// Picks a second, by python_portpicker's client.
fn in_python(python: &Path, socket: &Path) -> anyhow::Result<f64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/portserver/picks.py");
    let start = |_| -> anyhow::Result<Client> {
        let mut child = Command::new(python)
            .arg(&script)
            .arg((PICKS / CLIENTS).to_string())
            .arg(socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("no input")?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?);
        output.read_line(&mut String::new())?;
        Ok(Client {
            input,
            output,
            _process: Ended(child),
        })
    };
    let mut clients: Vec<Client> = (0..CLIENTS).map(start).collect::<anyhow::Result<_>>()?;
    for client in &mut clients {
        client.input.write_all(b"go\n")?;
    }
    let picked = |client: &mut Client| -> anyhow::Result<(Vec<u16>, Duration)> {
        let mut line = String::new();
        client.output.read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line)?;
        let ports = serde_json::from_value(told["ports"].clone()).context("no port was given")?;
        let took = told["took"].as_f64().context("no time")?;
        Ok((ports, Duration::from_secs_f64(took)))
    };
    let each: Vec<_> = clients
        .iter_mut()
        .map(picked)
        .collect::<anyhow::Result<_>>()?;
    rate(each)
}

fn rate(each: Vec<(Vec<u16>, Duration)>) -> anyhow::Result<f64> {
    let longest = each.iter().map(|(_, took)| *took).max().unwrap_or_default();
    let ports: Vec<u16> = each.into_iter().flat_map(|(ports, _)| ports).collect();
    let distinct: BTreeSet<u16> = ports.iter().copied().collect();
    ensure!(distinct.len() == ports.len(), "a port was given out twice");
    Ok(ports.len() as f64 / longest.as_secs_f64())
}
