//! Servers of many kinds, and what it takes to build them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::time::Duration;

use crate::support::processes::Process;
use crate::support::{Home, NOBODY, finish, skipped, there_is};

/// A file of `tests/holds`.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/holds")
        .join(name)
}

/// A Python that every user may run.
pub const PYTHON: &str = "/usr/bin/python3";

/// What starts a server of this kind on a port: the program and its arguments. `None` where it
/// cannot be had here, which is said.
pub fn command(kind: &str, home: &Home, port: u16) -> Option<Vec<String>> {
    let port_text = port.to_string();
    let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
    match kind {
        "node" => {
            let script = shared_file(home, "server.js");
            there_is("node").then(|| vec![which("node"), script, port_text])
        }
        "java" => {
            let class = java(home)?;
            let quick = "-XX:TieredStopAtLevel=1";
            words(&[&which("java"), quick, "-cp", &class, "Server", &port_text])
        }
        "static" => words(&[&compiled(home, "server.c", &["-static"])?, &port_text]),
        "musl" => words(&[&musl(home)?, &port_text]),
        "go" => words(&[&go(home)?, &port_text]),
        "32 bits, socketcall" | "32 bits, bind" => {
            let mut options = vec!["-m32", "-nostdlib", "-static", "-ffreestanding"];
            options.extend(["-fno-pie", "-no-pie", "-fno-stack-protector", "-O1"]);
            let port = format!("-DPORT={}", port.to_be());
            options.push(&port);
            if kind == "32 bits, bind" {
                options.push("-DDIRECT");
            }
            words(&[&compiled(home, "server32.c", &options)?])
        }
        kind => {
            let script = shared_file(home, "server.py");
            let mut all = vec![PYTHON.to_owned(), script];
            all.extend(kind.split(' ').map(str::to_owned));
            all.insert(3, port_text);
            Some(all)
        }
    }
}

fn which(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    let found = places.find(|place| place.is_file());
    found.unwrap().into_os_string().into_string().unwrap()
}

/// A copy of a file of `tests/holds` that every user may read.
pub fn shared_file(home: &Home, name: &str) -> String {
    let copy = home.path(name);
    if !copy.exists() {
        std::fs::copy(file(name), &copy).unwrap();
    }
    copy.into_os_string().into_string().unwrap()
}

/// A program made of a file of `tests/holds`; `None` where the compiler cannot, which is said.
pub fn compiled(home: &Home, source: &str, options: &[&str]) -> Option<String> {
    let name = format!("{source}{}", options.concat().replace(['-', '='], ""));
    made(home, &name, "cc", |command, to| {
        command.args(options).arg("-o").arg(to).arg(file(source));
    })
}

/// A server in C that has nothing of the system's library in it, nor loads it.
fn musl(home: &Home) -> Option<String> {
    made(home, "server-musl", "musl-gcc", |command, to| {
        command.args(["-static", "-o"]).arg(to);
        command.arg(file("server.c"));
    })
}

/// A server in Go, which calls the system by itself, from whichever thread it is on.
fn go(home: &Home) -> Option<String> {
    made(home, "server-go", "go", |command, to| {
        // What it makes of its own library is kept for the next time.
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
        command
            .env("GOCACHE", kept)
            .env("CGO_ENABLED", "0")
            .env("GO111MODULE", "off")
            .env("GOFLAGS", "")
            .args(["build", "-o", to])
            .arg(file("server.go"));
    })
}

/// A program of this name, which stays; `None` where `compiler` cannot make it, which is said.
fn made(
    home: &Home,
    name: &str,
    compiler: &str,
    tell: impl FnOnce(&mut Command, &str),
) -> Option<String> {
    let to = home.path(name).into_os_string().into_string().unwrap();
    if Path::new(&to).exists() {
        return Some(to);
    }
    if !there_is(compiler) {
        return None;
    }
    let mut command = home.command(compiler);
    tell(&mut command, &to);
    let ran = finish(&mut command);
    if ran.code != 0 {
        let why = ran.err.trim();
        skipped(&format!("{compiler} cannot make {name} here: {why}"));
    }
    (ran.code == 0).then_some(to)
}

fn java(home: &Home) -> Option<String> {
    if !there_is("javac") || !there_is("java") {
        return None;
    }
    let folder = home.path("classes").into_os_string().into_string().unwrap();
    let mut command = home.command("javac");
    let ran = finish(command.args(["-d", &folder]).arg(file("Server.java")));
    if ran.code != 0 {
        skipped(&format!("javac fails here: {}", ran.err));
    }
    (ran.code == 0).then_some(folder)
}

/// What the server at this address says, if there is one.
pub fn answer(address: impl Into<SocketAddr>) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address.into(), Duration::from_secs(5)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Somebody who tries to get a port, all the time.
pub struct Thief {
    process: Process,
    input: ChildStdin,
}

impl Thief {
    /// Another user than this one where that can be, as it makes no difference to the system.
    pub fn start(home: &Home, port: u16) -> Thief {
        let script = shared_file(home, "thief.py");
        let mut command = if crate::support::is_root() {
            let mut command = home.command("setpriv");
            let as_nobody = [format!("--reuid={NOBODY}"), "--clear-groups".to_owned()];
            command.args(as_nobody).arg(PYTHON);
            command
        } else {
            home.command(PYTHON)
        };
        let (process, input) = Process::start_told(command.arg(script).arg(port.to_string()));
        assert_eq!(process.line(), "ready");
        Thief { process, input }
    }

    /// How often it tried, and how often it got the port.
    pub fn stop(self) -> (u32, u32) {
        drop(self.input);
        let line = self.process.line();
        let (tries, won) = line.split_once(' ').unwrap();
        (tries.parse().unwrap(), won.parse().unwrap())
    }
}

/// Runs the test of this name again, as a process of its own below `wrapper`, with `variable` set.
pub fn again(home: &Home, wrapper: &[&str], test: &str, variable: &str) {
    let own = std::env::current_exe().unwrap();
    let copy = home.path("tests");
    if !copy.exists() && std::fs::hard_link(&own, &copy).is_err() {
        std::fs::copy(&own, &copy).unwrap();
    }
    let mut command = home.command(wrapper.first().copied().unwrap_or("env"));
    command.args(wrapper.iter().skip(1)).arg(copy);
    command.args(["--exact", test, "--nocapture", "--include-ignored"]);
    let ran = finish(command.env(variable, "1"));
    let _ = std::io::stderr().write_all(ran.err.as_bytes());
    assert!(ran.code == 0 && ran.out.contains("1 passed"), "{ran:#?}");
}

/// The words that make a command one of the user who has nothing.
pub fn nobody() -> [String; 4] {
    let id = NOBODY.to_string();
    [
        "setpriv".to_owned(),
        format!("--reuid={id}"),
        format!("--regid={id}"),
        "--clear-groups".to_owned(),
    ]
}

/// A command of these words.
pub fn of(home: &Home, words: &[String]) -> Command {
    let mut command = home.command(&words[0]);
    command.args(&words[1..]);
    command
}
