//! A server that becomes another process, or another port, between two looks.

use rustix::process::{Signal, kill_process};

use super::{Desktop, Entry, Item, row};
use crate::support::processes::{Process, is_alive};
use crate::support::python;

/// Its program. It hands over at SIGUSR1, so fast that no look falls in between.
const RELAY: &str = r#"
import os, signal, socket, sys

def tell():
    print(server.getsockname()[1], os.getpid(), flush=True)

def hand_over(*_):
    global server
    done, say = os.pipe()
    if os.fork():
        os.read(done, 1)
        os._exit(0)
    if "elsewhere" in sys.argv:
        server = socket.create_server(("127.0.0.1", 0))
    tell()
    os.write(say, b"x")

signal.signal(signal.SIGUSR1, hand_over)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
tell()
while True:
    signal.pause()
"#;

/// A server in the project "shop" that hands over to a child of its: at the same port, or with the
/// argument `elsewhere` at another one.
pub struct Relay {
    process: Process,
    /// The port that it listens on now.
    pub port: u16,
    /// The pid that it has now.
    pub pid: i32,
}

impl Relay {
    /// Starts it at a port, or at any with 0.
    pub fn start(desktop: &Desktop, port: u16, argument: &str) -> Relay {
        let mut command = desktop.command(python().to_str().unwrap());
        command
            .args(["-c", RELAY, &port.to_string(), argument])
            .current_dir(desktop.home.project("shop"));
        let process = Process::start(&mut command);
        let (port, pid) = Relay::told(&process);
        Relay { process, port, pid }
    }

    fn told(process: &Process) -> (u16, i32) {
        let line = process.line();
        let (port, pid) = line.split_once(' ').unwrap();
        (port.parse().unwrap(), pid.parse().unwrap())
    }

    /// Makes it become another one.
    pub fn hand_over(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.pid).unwrap();
        kill_process(pid, Signal::USR1).unwrap();
        (self.port, self.pid) = Relay::told(&self.process);
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        is_alive(self.pid.try_into().unwrap())
    }

    /// Waits until the menu shows the process that it is now.
    pub fn wait_row(&self, item: &Item) -> Entry {
        item.wait_menu("the row of the child", |menu| {
            let row = menu.find(&row(self.port))?;
            row.find(&format!("pid {} ", self.pid))?;
            Some(menu.clone())
        })
    }
}
