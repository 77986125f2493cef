//! The stand-in for an engine, and a process with the name of one that passes a port on.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::processes::Process;
use crate::support::{Home, fixture, ports, python};

/// An engine that says what it is told to say.
pub struct Engine {
    pub process: Process,
    socket: PathBuf,
}

impl Engine {
    /// Starts it in a home, with options of its own.
    pub fn start(home: &Home, options: &[&str]) -> Engine {
        Engine::start_by(home.command(python()), home, options)
    }

    /// Starts it by a command that runs Python.
    pub fn start_by(mut command: Command, home: &Home, options: &[&str]) -> Engine {
        let socket = home.path("engine.sock");
        let _ = std::fs::remove_file(&socket);
        let file = home.path("containers.json");
        if !file.exists() {
            std::fs::write(&file, "[]").unwrap();
        }
        let program = fixture("../containers/engine.py");
        let arguments = [program, socket.clone(), file];
        let process = Process::start(command.args(arguments).args(options));
        assert_eq!(process.line(), "ready");
        Engine { process, socket }
    }

    /// What leads docker to it.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// The next request that changes something; the others are forgotten.
    pub fn change(&self) -> Option<String> {
        loop {
            let line = self.process.line_within(Duration::from_millis(100))?;
            let request: Value = serde_json::from_str(&line).unwrap();
            if request[0] == "POST" {
                return Some(request[1].as_str().unwrap().to_owned());
            }
        }
    }

    /// How many times it was asked which containers there are.
    pub fn lists(&self) -> usize {
        let mut count = 0;
        while let Some(line) = self.process.line_within(Duration::from_millis(100)) {
            count += usize::from(line.contains("/containers/json"));
        }
        count
    }
}

/// Sets what the engine says.
pub fn contain(home: &Home, containers: &[Value]) {
    // A reader sees the one or the other.
    let new = home.write("containers.new", &json!(containers).to_string());
    std::fs::rename(new, home.path("containers.json")).unwrap();
}

/// The id of a container.
pub fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// A container as Docker tells of it, of Compose, which publishes port 80 at a port.
pub fn container(digit: char, name: &str, port: u16, pids: &[u32]) -> Value {
    json!({
        "Id": id(digit), "Names": [format!("/{name}")], "Image": "nginx:alpine",
        "ImageID": "sha256:0", "Command": "nginx", "Created": 1, "State": "running",
        "Status": "Up 2 hours", "HostConfig": {"NetworkMode": "bridge"},
        "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": name},
        "Ports": [{"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": port, "Type": "tcp"}],
        "Pids": pids
    })
}

/// A process that listens and is called as one that passes a port on.
pub struct Proxy {
    pub process: Process,
    pub port: u16,
}

impl Proxy {
    /// Starts it with the name of a program.
    pub fn start(home: &Home, name: &str) -> Proxy {
        Proxy::start_at(home, name, ports::one())
    }

    /// Starts it at a port.
    pub fn start_at(home: &Home, name: &str, port: u16) -> Proxy {
        let program = home.path(name);
        if !program.exists() {
            std::os::unix::fs::symlink(python(), &program).unwrap();
        }
        let mut command = home.command(program);
        command.arg(fixture("listener.py"));
        let process = Process::start(command.args(["--port", &port.to_string()]));
        let told: Value = serde_json::from_str(&process.line()).unwrap();
        assert!(told.to_string().contains(&port.to_string()), "{told}");
        Proxy { process, port }
    }
}
