//! Deciding what a kill may signal, and telling what came of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attribute::passes_sockets_on;
use super::text::escape;
use super::{Listener, Port, Process, ProcessKey, SocketId};

/// Which process the user means, when the port alone does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The process that has this pid now.
    Pid(u32),
    /// Exactly this process, as it was shown.
    Key(ProcessKey),
}

impl Wanted {
    fn is(self, process: &Process) -> bool {
        match self {
            Wanted::Pid(pid) => process.key.pid == pid,
            Wanted::Key(key) => process.key == key,
        }
    }

    /// The pid that was asked for.
    pub fn pid(self) -> u32 {
        match self {
            Wanted::Pid(pid) => pid,
            Wanted::Key(key) => key.pid,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Pid(pid) => pid.fmt(f),
            Wanted::Key(key) => key.fmt(f),
        }
    }
}

impl std::str::FromStr for Wanted {
    type Err = String;
    /// Reads `4242` or `4242@8123456`.
    fn from_str(text: &str) -> Result<Wanted, String> {
        if text.contains('@') {
            return text
                .parse()
                .map(Wanted::Key)
                .map_err(|e: super::process::ProcessKeyError| e.to_string());
        }
        match text.parse::<u32>() {
            Ok(0) => Err("0 is not a process: pids start at 1".to_owned()),
            Ok(pid) => Ok(Wanted::Pid(pid)),
            Err(_) => Err(format!(
                "'{}' is not a pid: use a number, or PID@START as `freeport list --json` shows it",
                escape(text)
            )),
        }
    }
}

/// The one process that a kill of a port means, with the sockets that make it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The port to be freed.
    pub port: Port,
    /// The process to be signalled.
    pub owner: Arc<Process>,
    /// The sockets at the port that it owns.
    pub sockets: Vec<SocketId>,
    /// Processes of the same application that share the sockets: signalled only if they keep the
    /// port when the owner is gone.
    pub workers: Vec<Arc<Process>>,
}

/// Finds the process that `port` means among `listeners`, or says why none is signalled.
///
/// `spared` are the pids that must not be signalled, as Freeport's own.
pub fn target(
    listeners: &[Listener],
    port: Port,
    wanted: Option<Wanted>,
    spared: &[u32],
) -> Result<Target, Box<Outcome>> {
    let here: Vec<&Listener> = listeners.iter().filter(|l| l.port == port).collect();
    let refuse = |result| Box::new(Outcome::refused(port, result, &here));
    if here.is_empty() {
        return Err(refuse(KillResult::NothingThere));
    }
    let mut owners: Vec<&Arc<Process>> = here.iter().filter_map(|l| l.owner.as_ref()).collect();
    owners.sort_unstable_by_key(|owner| owner.key);
    owners.dedup_by_key(|owner| owner.key);
    let owner = match wanted {
        Some(wanted) => match owners.iter().find(|owner| wanted.is(owner)) {
            Some(owner) => owner,
            None if owners.is_empty() => return Err(refuse(KillResult::NotPermitted)),
            None => {
                let mut refused = refuse(KillResult::OtherProcess);
                refused.asked_pid = Some(wanted.pid());
                return Err(refused);
            }
        },
        None => match owners.as_slice() {
            [] => return Err(refuse(KillResult::NotPermitted)),
            [owner] if here.iter().all(|l| l.owner.is_some()) => owner,
            _ => return Err(refuse(KillResult::Ambiguous)),
        },
    };
    if passes_sockets_on(owner) || spared.contains(&owner.key.pid) {
        let mut refused = refuse(KillResult::Protected);
        refused.owner = Some(Party::of(owner));
        return Err(refused);
    }
    let owned = || here.iter().filter(|l| l.owner_key() == Some(owner.key));
    let is_of_the_application = |w: &&Arc<Process>| {
        !passes_sockets_on(w)
            && !spared.contains(&w.key.pid)
            && (w.parents.iter().any(|parent| parent.pid == owner.key.pid)
                || (w.name == owner.name && w.exe == owner.exe))
    };
    let mut workers: Vec<Arc<Process>> = owned()
        .flat_map(|l| &l.workers)
        .filter(is_of_the_application)
        .cloned()
        .collect();
    workers.sort_unstable_by_key(|worker| worker.key);
    workers.dedup_by_key(|worker| worker.key);
    Ok(Target {
        port,
        owner: Arc::clone(owner),
        sockets: owned().flat_map(|l| l.sockets.iter().copied()).collect(),
        workers,
    })
}

/// A process in the story of a kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Its pid.
    pub pid: u32,
    /// Its identity, `PID@START`.
    pub key: ProcessKey,
    /// The name of its program.
    pub name: String,
    /// What it serves.
    pub service: String,
    /// Its command line, capped.
    pub command: String,
}

impl Party {
    /// What is told of `process`.
    pub fn of(process: &Process) -> Party {
        Party {
            pid: process.key.pid,
            key: process.key,
            name: process.name.clone(),
            service: process.service.clone(),
            command: process.command.clone(),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", escape(&self.service), self.pid)
    }
}

/// A signal that was sent, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The process that got it.
    #[serde(flatten)]
    pub to: Party,
    /// `SIGTERM` or `SIGKILL`.
    pub signal: String,
}

/// What came of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillResult {
    /// Nobody listens on the port any more.
    Freed,
    /// Nothing was signalled, as a dry run was asked for.
    DryRun,
    /// The same process, or a worker of it, still listens.
    StillHeld,
    /// The process is gone, and another one listens.
    TakenOver,
    /// Nobody listened on the port.
    NothingThere,
    /// The owner may not be seen or signalled by this user.
    NotPermitted,
    /// Several processes listen on the port, and it was not said which is meant.
    Ambiguous,
    /// The process that was meant does not listen on the port (any more); others do.
    OtherProcess,
    /// The process is never signalled: init, a service manager, or Freeport itself.
    Protected,
}

/// The whole story of a kill of one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The port.
    pub port: Port,
    /// What came of it.
    pub result: KillResult,
    /// The process that the port meant.
    pub owner: Option<Party>,
    /// What was signalled, in order.
    pub signals: Vec<Sent>,
    /// Processes that share the socket, signalled only if they keep the port.
    pub workers: Vec<Party>,
    /// Who listens on the port now, as far as that can be seen.
    pub held_by: Vec<Party>,
    /// The users of listeners on the port whose processes cannot be seen.
    pub unseen_users: Vec<String>,
    /// What starts the process again, and how to stop that.
    pub supervisor: Option<SupervisorInfo>,
    /// Whether the owner is still running although the port is free.
    pub still_running: bool,
    /// The pid that was asked for, when it is not one that listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_pid: Option<u32>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What happened, for a person.
    pub message: String,
    /// What to do next, when there is something.
    pub hint: Option<String>,
}

/// What starts a killed process again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorInfo {
    /// Its name.
    pub name: String,
    /// Its pid, when it is a process.
    pub pid: Option<u32>,
    /// What to do instead of killing the process.
    pub advice: String,
}

impl Outcome {
    /// An outcome without a signal, with who is `here`.
    pub fn refused(port: Port, result: KillResult, here: &[&Listener]) -> Outcome {
        let mut outcome = Outcome {
            port,
            result,
            owner: None,
            signals: Vec::new(),
            workers: Vec::new(),
            held_by: Vec::new(),
            unseen_users: Vec::new(),
            supervisor: None,
            still_running: false,
            asked_pid: None,
            took_ms: 0,
            message: String::new(),
            hint: None,
        };
        outcome.set_holders(here);
        outcome
    }

    /// Records who listens on the port.
    pub fn set_holders(&mut self, here: &[&Listener]) {
        self.held_by = here
            .iter()
            .filter_map(|l| l.owner.as_deref())
            .map(Party::of)
            .collect();
        self.held_by.dedup();
        self.unseen_users = here
            .iter()
            .filter(|l| l.owner.is_none())
            .map(|l| {
                l.user
                    .as_deref()
                    .map_or_else(|| format!("uid {}", l.uid), str::to_owned)
            })
            .collect();
        self.unseen_users.dedup();
    }

    /// The outcome with its message and hint written.
    pub fn told(mut self) -> Outcome {
        let (message, hint) = self.tell();
        self.message = message;
        self.hint = hint;
        self
    }

    fn tell(&self) -> (String, Option<String>) {
        let port = self.port;
        let owner = self
            .owner
            .as_ref()
            .map_or_else(|| "its owner".to_owned(), Party::to_string);
        let holders = self.holders();
        let force = || Some(format!("try 'freeport kill {port} --force'"));
        match self.result {
            KillResult::Freed if self.still_running => (
                format!("port {port} is free; {owner} has closed it and is still shutting down"),
                None,
            ),
            KillResult::Freed if self.signals.is_empty() => (
                format!("port {port} is free; {owner} had ended before it was signalled"),
                None,
            ),
            KillResult::Freed => (format!("port {port} is free; ended {owner}"), None),
            KillResult::DryRun => (
                format!("would end {owner} to free port {port}; nothing was signalled"),
                None,
            ),
            KillResult::StillHeld => {
                let killed = self.signals.iter().any(|sent| sent.signal == "SIGKILL");
                let asked = if killed {
                    "was sent SIGKILL"
                } else {
                    "did not end on SIGTERM"
                };
                (
                    format!(
                        "port {port} is still held by {holders} after {:.1} s: {owner} {asked}",
                        Duration::from_millis(self.took_ms).as_secs_f64()
                    ),
                    if killed { None } else { force() },
                )
            }
            KillResult::TakenOver => match &self.supervisor {
                Some(s) => (
                    format!(
                        "ended {owner}, but port {port} is held by {holders} now: {} started it again",
                        s.describe()
                    ),
                    Some(s.advice.clone()),
                ),
                None => (
                    format!("ended {owner}, but port {port} is held by {holders} now"),
                    Some(format!("look with 'freeport why {port}'")),
                ),
            },
            KillResult::NothingThere => (format!("nothing listens on port {port}"), None),
            KillResult::NotPermitted => match &self.owner {
                Some(_) => (
                    format!("not permitted to signal {owner}, which listens on port {port}"),
                    Some(format!("try 'sudo freeport kill {port}'")),
                ),
                None => (
                    format!("port {port} is held by {holders}, whose processes you may not see"),
                    Some(format!("try 'sudo freeport kill {port}'")),
                ),
            },
            KillResult::Ambiguous => {
                let pid = self.held_by.first().map_or(0, |party| party.pid);
                (
                    format!("several processes listen on port {port}: {holders}"),
                    Some(format!(
                        "say which one is meant: 'freeport kill {port} --pid {pid}'"
                    )),
                )
            }
            KillResult::OtherProcess => {
                let asked = self
                    .asked_pid
                    .map_or_else(|| owner.clone(), |pid| format!("pid {pid}"));
                (
                    format!(
                        "nothing was signalled: {asked} does not listen on port {port} (any more); {holders} does"
                    ),
                    Some(format!("look with 'freeport why {port}'")),
                )
            }
            KillResult::Protected => (
                format!("nothing was signalled: {owner} is never killed by Freeport"),
                Some(format!("look with 'freeport why {port}'")),
            ),
        }
    }

    fn holders(&self) -> String {
        let seen = self.held_by.iter().map(Party::to_string);
        let unseen = self
            .unseen_users
            .iter()
            .map(|user| format!("a process of {}", escape(user)));
        let all: Vec<String> = seen.chain(unseen).collect();
        if all.is_empty() {
            "nobody".to_owned()
        } else {
            all.join(", ")
        }
    }
}

impl SupervisorInfo {
    fn describe(&self) -> String {
        match self.pid {
            Some(pid) => format!("{} (pid {pid})", escape(&self.name)),
            None => escape(&self.name).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attribute::listeners;
    use crate::model::attribute::tests::{process, socket};

    fn port() -> Port {
        Port::new(3000).unwrap()
    }

    fn one(owners: &[(u64, Vec<Arc<Process>>)]) -> Vec<Listener> {
        let sockets: Vec<_> = owners.iter().map(|(id, _)| socket(3000, *id)).collect();
        listeners(
            &sockets,
            |s| {
                owners
                    .iter()
                    .find(|(id, _)| *id == s.id.0)
                    .map_or(&[], |(_, p)| p.as_slice())
            },
            |_| None,
        )
    }

    fn result(
        listeners: &[Listener],
        wanted: Option<Wanted>,
        spared: &[u32],
    ) -> Result<u32, KillResult> {
        target(listeners, port(), wanted, spared)
            .map(|t| t.owner.key.pid)
            .map_err(|o| o.result)
    }

    #[test]
    fn one_owner_is_meant() {
        let found = one(&[(
            7,
            vec![process(5, "node", &[1]), process(6, "node", &[5, 1])],
        )]);
        let target = target(&found, port(), None, &[]).unwrap();
        assert_eq!((target.owner.key.pid, target.workers[0].key.pid), (5, 6));
        assert_eq!(target.sockets, [SocketId(7)]);
    }

    #[test]
    fn what_is_not_certain_is_refused() {
        let two = one(&[
            (7, vec![process(5, "a", &[1])]),
            (8, vec![process(6, "b", &[1])]),
        ]);
        assert_eq!(result(&two, None, &[]), Err(KillResult::Ambiguous));
        assert_eq!(result(&two, Some(Wanted::Pid(6)), &[]), Ok(6));
        assert_eq!(
            result(&two, Some(Wanted::Pid(3000)), &[]),
            Err(KillResult::OtherProcess),
            "a port is not a pid"
        );
        assert_eq!(
            result(
                &two,
                Some(Wanted::Key(ProcessKey { pid: 6, start: 99 })),
                &[]
            ),
            Err(KillResult::OtherProcess),
            "a recycled pid"
        );
        let partly_seen = one(&[(7, vec![process(5, "a", &[1])]), (8, vec![])]);
        assert_eq!(result(&partly_seen, None, &[]), Err(KillResult::Ambiguous));
        assert_eq!(
            result(&one(&[(7, vec![])]), None, &[]),
            Err(KillResult::NotPermitted)
        );
        assert_eq!(result(&[], None, &[]), Err(KillResult::NothingThere));
    }

    #[test]
    fn init_and_freeport_are_spared() {
        assert_eq!(
            result(&one(&[(7, vec![process(1, "init", &[])])]), None, &[]),
            Err(KillResult::Protected)
        );
        assert_eq!(
            result(&one(&[(7, vec![process(5, "freeport", &[1])])]), None, &[5]),
            Err(KillResult::Protected)
        );
    }

    #[test]
    fn a_service_manager_that_shares_the_socket_is_no_worker() {
        let found = one(&[(
            7,
            vec![process(1, "systemd", &[]), process(5, "cupsd", &[1])],
        )]);
        assert!(
            target(&found, port(), None, &[])
                .unwrap()
                .workers
                .is_empty()
        );
    }

    #[test]
    fn wanted_reads_pids_and_keys() {
        assert_eq!("42".parse(), Ok(Wanted::Pid(42)));
        assert_eq!(
            "42@7".parse(),
            Ok(Wanted::Key(ProcessKey { pid: 42, start: 7 }))
        );
        for bad in ["0", "-1", "x", "42@", "99999999999"] {
            assert!(bad.parse::<Wanted>().is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_escape_names_and_say_what_to_do() {
        let found = one(&[
            (7, vec![process(5, "ev\u{1b}il", &[1])]),
            (8, vec![process(6, "b", &[1])]),
        ]);
        let told = target(&found, port(), None, &[]).unwrap_err().told();
        assert_eq!(
            told.message,
            "several processes listen on port 3000: ev\\x1bil (pid 5), b (pid 6)"
        );
        assert_eq!(
            told.hint.as_deref(),
            Some("say which one is meant: 'freeport kill 3000 --pid 5'")
        );
    }
}
