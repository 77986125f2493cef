//! What came of a kill, and how it is told.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::text::escape;
use crate::model::{Container, Listener, Port, Process, ProcessKey};

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
    /// The process is gone, and another one that shared the port number listens as before.
    StillShared,
    /// Nobody listened on the port.
    NothingThere,
    /// The owner may not be seen or signalled by this user.
    NotPermitted,
    /// Several processes listen on the port, and it was not said which is meant.
    Ambiguous,
    /// The process that was meant does not listen on the port (any more); others do.
    OtherProcess,
    /// The system refused the signal for another reason.
    Failed,
    /// The process is never signalled: init, a service manager, Freeport itself, or what listens for
    /// containers and virtual machines.
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
    /// The user that the process belongs to, when that is not the one who asks.
    pub other_user: Option<String>,
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
    /// Who was signalled and is still running, although the port is free.
    pub still_running: Vec<Party>,
    /// The container that was stopped, or that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// The containers of which one is meant, where it was not said which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// Why the system refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The pid that was asked for, when it is not one that listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_pid: Option<u32>,
    /// The container that was asked for, when it is not one that has the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_container: Option<String>,
    /// What to do instead of signalling the process.
    #[serde(skip)]
    pub advice: Option<String>,
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
            other_user: None,
            signals: Vec::new(),
            workers: Vec::new(),
            held_by: Vec::new(),
            unseen_users: Vec::new(),
            supervisor: None,
            still_running: Vec::new(),
            container: None,
            containers: Vec::new(),
            cause: None,
            asked_pid: None,
            asked_container: None,
            advice: None,
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
            .map(|l| l.user_name())
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
        if let Some(container) = &self.container {
            return self.tell_stop(container);
        }
        if let Some(named) = &self.asked_container {
            return self.tell_not_named(named);
        }
        if !self.containers.is_empty() {
            return self.tell_several();
        }
        let mut owner = self
            .owner
            .as_ref()
            .map_or_else(|| "its owner".to_owned(), Party::to_string);
        if let Some(user) = &self.other_user {
            owner = format!("{owner} of {}", escape(user));
        }
        let holders = self.holders();
        let ended = if self.signals.is_empty() {
            format!("{owner} had ended before it was signalled")
        } else {
            format!("ended {owner}")
        };
        let force = || Some(format!("try 'freeport kill {port} --force'"));
        match self.result {
            KillResult::Freed if !self.still_running.is_empty() => (
                format!(
                    "port {port} is free; still shutting down: {}",
                    list(&self.still_running)
                ),
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
                let has_it = |owner| self.held_by.iter().any(|party| party == owner);
                if !self.held_by.is_empty() && !self.owner.as_ref().is_some_and(has_it) {
                    let told = format!("{ended}, but {holders} has the same socket of port {port}");
                    return (told, Some(format!("look with 'freeport why {port}'")));
                }
                let killed = self.signals.iter().any(|sent| sent.signal == "SIGKILL");
                let took = Duration::from_millis(self.took_ms).as_secs_f64();
                let alone = self.held_by.len() == 1 && self.owner.as_ref() == self.held_by.first();
                let who = if alone { "which" } else { &owner };
                let how = if killed {
                    "survived SIGKILL for"
                } else {
                    "did not end on SIGTERM within"
                };
                (
                    format!("port {port} is still held by {holders}, {who} {how} {took:.1} s"),
                    if killed { None } else { force() },
                )
            }
            KillResult::TakenOver => match &self.supervisor {
                Some(s) => (
                    format!(
                        "{ended}, but port {port} is held by {holders} now: {} started it again",
                        s.describe()
                    ),
                    Some(s.advice.clone()),
                ),
                None => (
                    format!("{ended}, but port {port} is held by {holders} now"),
                    Some(format!("look with 'freeport why {port}'")),
                ),
            },
            KillResult::StillShared => (
                format!("{ended}; {holders} uses port {port} too, as before"),
                Some(format!("look with 'freeport why {port}'")),
            ),
            KillResult::NothingThere => (format!("nothing listens on port {port}"), None),
            KillResult::NotPermitted => match &self.owner {
                Some(_) => (
                    format!("not permitted to signal {owner}, which listens on port {port}"),
                    Some(format!("try 'sudo freeport kill {port}'")),
                ),
                None if self.cause.is_some() => {
                    let cause = self.cause.as_deref().unwrap_or_default();
                    (format!("port {port} is held by {holders}: {cause}"), None)
                }
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
            KillResult::Failed => {
                let cause = self.cause.as_deref().unwrap_or("for an unknown reason");
                (
                    format!("cannot end {owner} on port {port}: {}", escape(cause)),
                    None,
                )
            }
            KillResult::Protected if self.cause.is_some() => {
                let cause = self.cause.as_deref().unwrap_or_default();
                let told = format!("nothing was signalled: {owner} {cause}");
                (told, self.advice.clone())
            }
            KillResult::Protected => (
                format!("nothing was signalled: {owner} is never killed by Freeport"),
                Some(format!("look with 'freeport why {port}'")),
            ),
        }
    }

    pub(super) fn holders(&self) -> String {
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

fn list(parties: &[Party]) -> String {
    let all: Vec<String> = parties.iter().map(Party::to_string).collect();
    all.join(", ")
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

    fn party(service: &str, pid: u32) -> Party {
        Party {
            pid,
            key: ProcessKey { pid, start: 7 },
            name: service.into(),
            service: service.into(),
            command: service.into(),
        }
    }

    fn vite() -> Party {
        party("vite", 42)
    }

    /// What is told, with the hint, of a kill of vite on port 3000.
    fn told(result: KillResult, change: impl FnOnce(&mut Outcome)) -> (String, Option<String>) {
        let mut outcome = Outcome::refused(Port::new(3000).unwrap(), result, &[]);
        outcome.owner = Some(vite());
        outcome.took_ms = 2_500;
        change(&mut outcome);
        let outcome = outcome.told();
        (outcome.message, outcome.hint)
    }

    fn signalled(outcome: &mut Outcome, signal: &str) {
        let signal = signal.to_owned();
        outcome.signals.push(Sent { to: vite(), signal });
    }

    #[test]
    fn who_ended_and_who_did_not_is_told() {
        use KillResult::{Freed, StillHeld, StillShared, TakenOver};
        let why = Some("look with 'freeport why 3000'".to_owned());
        let term = |outcome: &mut Outcome| signalled(outcome, "SIGTERM");
        assert_eq!(
            told(Freed, term),
            ("port 3000 is free; ended vite (pid 42)".into(), None)
        );
        assert_eq!(
            told(Freed, |_| {}).0,
            "port 3000 is free; vite (pid 42) had ended before it was signalled"
        );
        let runs_on = |outcome: &mut Outcome| outcome.still_running.push(vite());
        assert_eq!(
            told(Freed, runs_on).0,
            "port 3000 is free; still shutting down: vite (pid 42)"
        );
        let of_other_user = |outcome: &mut Outcome| {
            term(outcome);
            outcome.other_user = Some("a\u{1b}b".into());
        };
        assert_eq!(
            told(Freed, of_other_user).0,
            "port 3000 is free; ended vite (pid 42) of a\\x1bb"
        );
        let stays = |outcome: &mut Outcome| {
            term(outcome);
            outcome.held_by.push(vite());
        };
        assert_eq!(
            told(StillHeld, stays),
            (
                "port 3000 is still held by vite (pid 42), which did not end on SIGTERM within 2.5 s".into(),
                Some("try 'freeport kill 3000 --force'".into())
            )
        );
        let survives = |outcome: &mut Outcome| {
            stays(outcome);
            signalled(outcome, "SIGKILL");
        };
        assert_eq!(
            told(StillHeld, survives),
            (
                "port 3000 is still held by vite (pid 42), which survived SIGKILL for 2.5 s".into(),
                None
            )
        );
        let inherited = |outcome: &mut Outcome| {
            term(outcome);
            outcome.held_by.push(party("sh", 43));
        };
        assert_eq!(
            told(StillHeld, inherited),
            (
                "ended vite (pid 42), but sh (pid 43) has the same socket of port 3000".into(),
                why.clone()
            )
        );
        assert_eq!(
            told(StillShared, inherited),
            (
                "ended vite (pid 42); sh (pid 43) uses port 3000 too, as before".into(),
                why.clone()
            )
        );
        assert_eq!(
            told(TakenOver, inherited),
            (
                "ended vite (pid 42), but port 3000 is held by sh (pid 43) now".into(),
                why
            )
        );
        let started_again = |outcome: &mut Outcome| {
            inherited(outcome);
            outcome.supervisor = Some(SupervisorInfo {
                name: "pm2".into(),
                pid: Some(9),
                advice: "pm2 stop shop".into(),
            });
        };
        assert_eq!(
            told(TakenOver, started_again),
            (
                "ended vite (pid 42), but port 3000 is held by sh (pid 43) now: pm2 (pid 9) started it again".into(),
                Some("pm2 stop shop".into())
            )
        );
    }

    #[test]
    fn why_nothing_was_signalled_is_told() {
        use KillResult::{
            Ambiguous, DryRun, Failed, NotPermitted, NothingThere, OtherProcess, Protected,
        };
        let sudo = Some("try 'sudo freeport kill 3000'".to_owned());
        assert_eq!(
            told(DryRun, |_| {}).0,
            "would end vite (pid 42) to free port 3000; nothing was signalled"
        );
        assert_eq!(
            told(NothingThere, |_| {}),
            ("nothing listens on port 3000".into(), None)
        );
        assert_eq!(
            told(NotPermitted, |_| {}),
            (
                "not permitted to signal vite (pid 42), which listens on port 3000".into(),
                sudo.clone()
            )
        );
        let unseen = |outcome: &mut Outcome| {
            outcome.owner = None;
            outcome.unseen_users.push("root".into());
        };
        assert_eq!(
            told(NotPermitted, unseen),
            (
                "port 3000 is held by a process of root, whose processes you may not see".into(),
                sudo
            )
        );
        let kernels = |outcome: &mut Outcome| {
            unseen(outcome);
            outcome.cause = Some("it belongs to the kernel".into());
        };
        assert_eq!(
            told(NotPermitted, kernels).0,
            "port 3000 is held by a process of root: it belongs to the kernel"
        );
        let two = |outcome: &mut Outcome| {
            outcome.held_by = vec![vite(), party("node", 43)];
        };
        assert_eq!(
            told(Ambiguous, two).1.as_deref(),
            Some("say which one is meant: 'freeport kill 3000 --pid 42'")
        );
        let other = |outcome: &mut Outcome| {
            outcome.asked_pid = Some(41);
            outcome.held_by.push(vite());
        };
        assert_eq!(
            told(OtherProcess, other).0,
            "nothing was signalled: pid 41 does not listen on port 3000 (any more); vite (pid 42) does"
        );
        let refused = |outcome: &mut Outcome| outcome.cause = Some("no\u{7}".into());
        assert_eq!(
            told(Failed, refused).0,
            "cannot end vite (pid 42) on port 3000: no\\x07"
        );
        assert_eq!(
            told(Protected, |_| {}).0,
            "nothing was signalled: vite (pid 42) is never killed by Freeport"
        );
    }
}
