//! The running app, and its socket without a client in between.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::processes::Process;
use super::{Home, PATIENCE, wait_for};

/// `freeport app --headless`, ended at the end.
pub struct App {
    /// The process.
    pub process: Process,
}

impl App {
    /// Starts it in a home, and waits until it answers.
    pub fn start(home: &Home) -> App {
        App::start_by(home, &mut home.freeport(["app", "--headless"]))
    }

    /// Starts it by another command.
    pub fn start_by(home: &Home, command: &mut Command) -> App {
        let log = File::options()
            .create(true)
            .append(true)
            .open(home.path("app.log"));
        let process = Process::start(command.stderr(Stdio::from(log.unwrap())));
        let app = App { process };
        let socket = home.runtime().join("freeport.sock");
        wait_for("the app to answer", || {
            assert!(
                !app.process.has_ended(),
                "the app ended: {}",
                App::log(home)
            );
            let mut wire = Wire::try_open(&socket)?;
            (wire.try_ask(r#"{"cmd":"PING"}"#)?["pong"] == true).then_some(())
        });
        app
    }

    /// What the app has said of itself.
    pub fn log(home: &Home) -> String {
        std::fs::read_to_string(home.path("app.log")).unwrap_or_default()
    }

    /// The pid of the app.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it with a signal; gives its exit status.
    pub fn end(&self, signal: Signal) -> i32 {
        self.process.signal(signal);
        self.process.status()
    }
}

/// A connection to the app's socket.
pub struct Wire(BufReader<UnixStream>);

impl Wire {
    /// Connects to the app of a home.
    pub fn open(home: &Home) -> Wire {
        let socket = home.runtime().join("freeport.sock");
        Wire::try_open(&socket).expect("the app accepts")
    }

    fn try_open(socket: &Path) -> Option<Wire> {
        let stream = UnixStream::connect(socket).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Some(Wire(BufReader::new(stream)))
    }

    /// Sends bytes as they are; whether the app took them.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.get_mut().write_all(bytes).is_ok()
    }

    /// The next line of the app; `None` when it has hung up.
    pub fn receive(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    fn try_ask(&mut self, request: &str) -> Option<Value> {
        self.send(format!("{request}\n").as_bytes());
        self.receive()
    }

    /// Sends a request, and gives the reply.
    #[track_caller]
    pub fn ask(&mut self, request: &Value) -> Value {
        self.try_ask(&request.to_string()).expect("a reply")
    }

    /// Sends a line, and gives the reply.
    #[track_caller]
    pub fn say(&mut self, line: &str) -> Value {
        self.try_ask(line).expect("a reply")
    }

    /// What LIST says of a port.
    pub fn listeners(&mut self, port: u16) -> Vec<Value> {
        let reply = self.ask(&json!({"cmd": "LIST", "ports": [port]}));
        reply["listeners"].as_array().unwrap().clone()
    }

    /// What is reserved at a port, of TCP; null where nothing is.
    #[track_caller]
    pub fn reservation(&mut self, port: u16) -> Value {
        let reply = self.ask(&json!({"cmd": "QUERY", "port": port}));
        let all = reply["reservations"].as_array().unwrap();
        let of_tcp = all.iter().find(|one| one["protocol"] == "tcp");
        of_tcp.cloned().unwrap_or_default()
    }

    /// The status of what is reserved at a port; empty where nothing is.
    #[track_caller]
    pub fn status_of(&mut self, port: u16) -> String {
        self.reservation(port)["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until what is reserved at a port has this status; nothing is reserved when it is empty.
    #[track_caller]
    pub fn until(&mut self, port: u16, status: &str) {
        wait_for(&format!("port {port} to be '{status}'"), || {
            (self.status_of(port) == status).then_some(())
        });
    }

    /// What the log has of a port: what happened, and how.
    #[track_caller]
    pub fn logged(&mut self, port: u16) -> Vec<String> {
        let log = self.done(&json!({"cmd": "LOG", "port": port}));
        let told = |entry: &Value| {
            let parts = [&entry["event"], &entry["detail"]];
            let words: Vec<&str> = parts.into_iter().filter_map(Value::as_str).collect();
            words.join(": ")
        };
        log["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(told)
            .collect()
    }

    /// Sends a request that is done, and gives the reply.
    #[track_caller]
    pub fn done(&mut self, request: &Value) -> Value {
        succeeds(self.ask(request))
    }

    /// Sends a request that is refused for this reason, and gives what is said of it.
    #[track_caller]
    pub fn refused(&mut self, request: &Value, code: &str) -> String {
        fails(self.ask(request), code)
    }

    /// The stream behind it.
    pub fn stream(&self) -> &UnixStream {
        self.0.get_ref()
    }
}

/// The reply, when it is one of success.
#[track_caller]
pub fn succeeds(reply: Value) -> Value {
    assert_eq!(reply["status"], "success", "{reply}");
    reply
}

/// The message and the hint of a reply, when it is an error of this kind. Neither ever has in it
/// what a terminal acts on.
#[track_caller]
pub fn fails(reply: Value, code: &str) -> String {
    assert_eq!(
        (&reply["status"], &reply["code"]),
        (&json!("error"), &json!(code)),
        "{reply}"
    );
    let text = |key: &str| reply[key].as_str().unwrap_or_default();
    let told = format!("{}\n{}", text("message"), text("hint"));
    assert!(!text("message").is_empty(), "{reply}");
    assert!(
        !text("message").contains(char::is_control) && !text("hint").contains(char::is_control),
        "{reply}"
    );
    told
}
