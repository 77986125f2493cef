//! A network for a test.

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::support::processes::Process;
use crate::support::{self, Home, fixture, python, wait_for};

/// A network of its own for the app and its servers, so that no other program's ports get into the
/// menu. Where there can be none, one test after the other uses the network that is there.
pub enum Network {
    Own { keeper: Process, as_root: bool },
    Shared { _turn: MutexGuard<'static, ()> },
}

impl Network {
    /// Makes one, or waits for the turn.
    pub fn new(home: &Home) -> Network {
        static TURN: Mutex<()> = Mutex::new(());
        let as_root = support::is_root();
        let mut unshare = home.command("unshare");
        unshare.arg("--net");
        if !as_root {
            unshare.args(["--user", "--map-current-user", "--keep-caps"]);
        }
        unshare.arg(python()).arg(fixture("network.py"));
        let keeper = Process::start(unshare.stderr(Stdio::null()));
        let ready = wait_for("a network, or that there is none", || {
            match keeper.line_within(Duration::from_millis(20)) {
                Some(line) => Some(line == "ready"),
                None => keeper.has_ended().then_some(false),
            }
        });
        if ready {
            return Network::Own { keeper, as_root };
        }
        Network::Shared {
            _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Whether no other program is in it.
    pub fn is_own(&self) -> bool {
        matches!(self, Network::Own { .. })
    }

    /// A program with this home in it.
    pub fn command(&self, home: &Home, program: &str) -> Command {
        let Network::Own { keeper, as_root } = self else {
            return home.command(program);
        };
        let mut command = home.command("nsenter");
        command.args(["--target", &keeper.pid().to_string(), "--net"]);
        if !as_root {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }
}
