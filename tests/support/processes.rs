//! Processes for the tests: servers of every shape, which never outlive the test.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use serde_json::Value;

use super::{Home, PATIENCE, fixture, python, wait_for};

/// A process in a group of its own, which is ended with everything below it.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Process {
        Process::spawn(command.stdin(Stdio::null()))
    }

    /// Starts a command that can be told something.
    pub fn start_told(command: &mut Command) -> (Process, ChildStdin) {
        let mut process = Process::spawn(command.stdin(Stdio::piped()));
        let input = process.child.stdin.take().unwrap();
        (process, input)
    }

    fn spawn(command: &mut Command) -> Process {
        let spawned = command.process_group(0).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Process { child, lines }
    }

    /// The next line that it prints.
    pub fn line(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("{}: no line: {error}", self.pid()))
    }

    /// The next line that it prints within some time.
    pub fn line_within(&self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended. It is not waited for before the test ends, so that its pid and its
    /// group stay its own.
    pub fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        matches!(waitid(WaitId::Pid(self.id()), options), Ok(Some(_)))
    }

    /// Waits until it has ended, and gives its exit status; 128 and the signal where one ended it.
    pub fn status(&self) -> i32 {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        wait_for("the end of a process", || {
            let status = waitid(WaitId::Pid(self.id()), options).unwrap()?;
            status
                .exit_status()
                .or(status.terminating_signal().map(|signal| 128 + signal))
        })
    }

    /// Sends a signal to it, and not to what is below it.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What is measured for coverage tells what it has run only when it ends by itself.
        if std::env::var_os("LLVM_PROFILE_FILE").is_some() {
            let _ = kill_process(self.id(), Signal::TERM);
            let deadline = Instant::now() + Duration::from_secs(2);
            while !self.has_ended() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let _ = kill_process_group(self.id(), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the process with this pid runs; one that nobody has waited for yet does not.
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The name may have brackets in it, and the state follows the last one.
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.starts_with(['Z', 'X']))
}

/// A process of `listener.py`.
pub struct Server {
    /// The process.
    pub process: Process,
    /// The port that it listens on.
    pub port: u16,
    /// Its pid.
    pub pid: u32,
    /// Its workers, by the options `--workers` and `--siblings`.
    pub workers: Vec<u32>,
    /// What runs below it, by the option `--child`.
    pub child: Option<u32>,
}

impl Server {
    /// Starts a listener in the home; the words of `line` are its options.
    pub fn start(home: &Home, line: &str) -> Server {
        Server::start_in(&home.path(""), home, line)
    }

    /// Starts a listener in a folder.
    pub fn start_in(folder: &Path, home: &Home, line: &str) -> Server {
        let mut command = home.command(python());
        command
            .arg(fixture("listener.py"))
            .args(line.split_ascii_whitespace())
            .current_dir(folder);
        Server::of(Process::start(&mut command))
    }

    /// The listener that tells of itself on the process's next line.
    pub fn of(process: Process) -> Server {
        let line = process.line();
        let told: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
        Server {
            port: number(&told["port"]).unwrap().try_into().unwrap(),
            pid: number(&told["pid"]).unwrap(),
            workers: told["workers"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(number)
                .collect(),
            child: number(&told["child"]),
            process,
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        is_alive(self.pid)
    }
}

/// Whether sockets of IPv6 can be bound here; says so when not.
pub fn has_ipv6() -> bool {
    let can = has_ipv6_quietly();
    if !can {
        super::skipped("there is no IPv6 here");
    }
    can
}

/// Whether sockets of IPv6 can be bound here.
pub fn has_ipv6_quietly() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}
