//! A process of its own that does what the test tells it: it asks the app, listens, and has
//! children. What it claims is its own, as nobody else asks for it.

use std::io::Write as _;
use std::path::Path;
use std::process::ChildStdin;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::processes::Process;
use super::{Home, fixture, python};

/// A process of `agent.py`, which is ended with everything below it.
pub struct Agent {
    process: Process,
    tell: ChildStdin,
}

impl Agent {
    /// Starts one in the home.
    pub fn start(home: &Home) -> Agent {
        Agent::start_in(&home.path(""), home)
    }

    /// Starts one in a folder.
    pub fn start_in(folder: &Path, home: &Home) -> Agent {
        let mut command = home.command(python());
        command
            .arg(fixture("agent.py"))
            .arg(home.runtime().join("freeport.sock"))
            .current_dir(folder);
        let (process, tell) = Process::start_told(&mut command);
        Agent { process, tell }
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Tells it to do something, and gives what it says then.
    #[track_caller]
    pub fn tell(&mut self, what: &Value) -> Value {
        writeln!(self.tell, "{what}").unwrap();
        let line = self.process.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {what} gave {line:?}"))
    }

    /// The app's reply to a request of this process.
    #[track_caller]
    pub fn ask(&mut self, request: &Value) -> Value {
        self.tell(&json!({ "ask": request }))
    }

    /// Listens on a TCP port of 127.0.0.1; on one that the kernel chooses, where it is 0.
    #[track_caller]
    pub fn listen(&mut self, port: u16) -> u16 {
        let told = self.tell(&json!({ "listen": port }));
        told["port"].as_u64().unwrap().try_into().unwrap()
    }

    /// Listens no more.
    pub fn close(&mut self) {
        self.tell(&json!({ "close": true }));
    }

    /// Has a child with the same sockets; gives its pid.
    pub fn fork(&mut self) -> u32 {
        let told = self.tell(&json!({ "fork": true }));
        told["pid"].as_u64().unwrap().try_into().unwrap()
    }

    /// Tells its newest child to do something.
    #[track_caller]
    pub fn child(&mut self, what: &Value) -> Value {
        self.tell(&json!({ "child": what }))
    }

    /// Ends it at once, without what is below it. Nobody waits for it before the test ends, so that
    /// its pid stays its own.
    pub fn kill(&self) {
        self.process.signal(Signal::KILL);
        self.process.status();
    }
}
