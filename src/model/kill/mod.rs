//! Deciding which process a kill may signal.

mod container;
mod outcome;

use std::fmt;
use std::sync::Arc;

use super::attribute::passes_sockets_on;
use super::container::engines;
use super::text::escape;
use super::{Listener, Port, Process, ProcessKey, SocketId};

pub use container::{Decision, Stopping, decide, is_worth_asking};
pub use outcome::{KillResult, Outcome, Party, Sent, SupervisorInfo};

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
    /// The user that the sockets belong to, by name or number.
    pub user: String,
    /// The sockets at the port that it owns.
    pub sockets: Vec<SocketId>,
    /// The sockets at the port that other processes own, and keep.
    pub others: Vec<SocketId>,
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
    if let Some(engine) = engines::of(owner) {
        let mut refused = refuse(KillResult::Protected);
        refused.owner = Some(Party::of(owner));
        return Err(Box::new(refused.of_engine(engine)));
    }
    let is_owned = |l: &&&Listener| l.owner_key() == Some(owner.key);
    let owned = || here.iter().filter(is_owned);
    let others = here.iter().filter(|l| !is_owned(l));
    let others = others.flat_map(|l| l.sockets.iter().copied()).collect();
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
    let user = owned()
        .next()
        .map(|listener| listener.user_name())
        .unwrap_or_default();
    Ok(Target {
        port,
        user,
        others,
        owner: Arc::clone(owner),
        sockets: owned().flat_map(|l| l.sockets.iter().copied()).collect(),
        workers,
    })
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
