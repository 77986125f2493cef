//! Ending the processes behind ports: who is meant is decided by `model::kill`, the signals are
//! sent and their effect is seen here.
//!
//! Every port has a thread of its own, so that a process that hangs delays nobody. Identity and
//! ownership are checked at the moment of the signal, and afterwards the system is looked at
//! again: what is reported is what is true then.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stop;
use crate::ipc::protocol::Kill;
use crate::model::kill::{
    KillResult, Outcome, Party, Sent, SupervisorInfo, Target, Wanted, target,
};
use crate::model::{Listener, Port, Process, Snapshot, supervisor};
use crate::platform::{self, ProcessHandle, Signal, SignalError, limits};

/// How long a freed port is looked at for somebody who takes it again: supervisors restart within
/// this time, as a rule.
pub(super) const SETTLE: Duration = Duration::from_millis(500);
/// How long SIGKILL may take to show.
const KILL_WAIT: Duration = Duration::from_secs(2);
/// How often an owner that should be readable is looked for again.
const RETRIES: usize = 6;
/// How often the port is looked at while waiting.
pub(super) const POLL: Duration = Duration::from_millis(50);

/// Ends what listens on each of the ports, side by side.
pub fn all(kill: &Kill, listeners: &[Listener], spared: &[u32]) -> Vec<Outcome> {
    let wanted = kill
        .pid
        .as_deref()
        .and_then(|pid| pid.parse::<Wanted>().ok());
    let mut seen = HashSet::new();
    let mut ports = kill.ports.clone();
    ports.retain(|port| seen.insert(*port));
    let one = |port: Port| match stop::container(kill, listeners, port, wanted) {
        Ok(outcome) => outcome.told(),
        Err(troubles) => {
            let outcome = one(kill, find(listeners, port, wanted, spared), spared).told();
            stop::with_troubles(outcome, &troubles)
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = ports
            .iter()
            .map(|&port| {
                (
                    port,
                    std::thread::Builder::new()
                        .name(format!("kill {port}"))
                        .stack_size(256 * 1024)
                        .spawn_scoped(scope, move || one(port)),
                )
            })
            .collect();
        let ended = threads.into_iter().map(|(port, thread)| match thread {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|_| Outcome::refused(port, KillResult::StillHeld, &[]).told()),
            // No thread can be started: in turn, then.
            Err(_) => one(port),
        });
        ended.collect()
    })
}

/// Finds whom a port means. A process that is just ending has given up its descriptors while its
/// socket is still there: what should be readable and is not is looked at again for a moment.
fn find(
    listeners: &[Listener],
    port: Port,
    wanted: Option<Wanted>,
    spared: &[u32],
) -> Result<Target, Box<Outcome>> {
    let me = limits::user_id();
    let unseen = |listeners: &[Listener]| {
        let mut here = listeners.iter().filter(|listener| listener.port == port);
        here.any(|l| l.owner.is_none() && (me == 0 || l.uid == me))
    };
    let mut found = target(listeners, port, wanted, spared);
    let mut again = unseen(listeners);
    for _ in 0..RETRIES {
        if !again || found.is_ok() {
            break;
        }
        std::thread::sleep(POLL);
        let now = platform::look(&[port]);
        found = target(&now.listeners, port, wanted, spared);
        again = unseen(&now.listeners);
    }
    if let (Err(refused), true) = (&mut found, me == 0)
        && refused.result == KillResult::NotPermitted
    {
        refused.cause = Some("no process that is visible here has it open; it belongs to the kernel, or to a container".to_owned());
    }
    found
}

fn one(kill: &Kill, target: Result<Target, Box<Outcome>>, spared: &[u32]) -> Outcome {
    match target {
        Ok(target) => Attempt::new(kill, target).run(spared),
        Err(refused) => *refused,
    }
}

/// One kill on its way.
struct Attempt<'a> {
    kill: &'a Kill,
    target: Target,
    started: Instant,
    outcome: Outcome,
}

impl<'a> Attempt<'a> {
    fn new(kill: &'a Kill, target: Target) -> Attempt<'a> {
        let outcome = Outcome {
            owner: Some(Party::of(&target.owner)),
            other_user: (target.owner.uid != limits::user_id()).then(|| target.user.clone()),
            workers: target
                .workers
                .iter()
                .map(|worker| Party::of(worker))
                .collect(),
            ..Outcome::refused(target.port, KillResult::DryRun, &[])
        };
        Attempt {
            kill,
            target,
            started: Instant::now(),
            outcome,
        }
    }

    fn run(mut self, spared: &[u32]) -> Outcome {
        let owner = match ProcessHandle::open(self.target.owner.key) {
            Ok(owner) => owner,
            // It ended between the look and now.
            Err(SignalError::Gone) => {
                let now = platform::look(&[self.target.port]);
                return self.judge(now, &[]);
            }
            Err(error) => return self.fails(&error, None),
        };
        if !owner.has_any(&self.target.sockets) && !owner.has_ended() {
            return self.meant_another();
        }
        let mut victims = if self.kill.tree {
            platform::descendants(self.target.owner.key)
        } else {
            Vec::new()
        };
        // As long as the owner has not ended, what is below its pid is below it.
        if owner.has_ended() {
            victims.clear();
        }
        let is_spared = |victim: &&Arc<Process>| spared.contains(&victim.key.pid);
        if let Some(own) = victims.iter().find(is_spared) {
            self.outcome.owner = Some(Party::of(own));
            return self.ends(KillResult::Protected);
        }
        if self.kill.dry_run {
            victims.push(Arc::clone(&self.target.owner));
            let would = victims.iter().map(|to| sent(to, Signal::Terminate));
            self.outcome.signals = would.collect();
            return self.ends(KillResult::DryRun);
        }
        let grace = Duration::from_millis(self.kill.grace_ms);
        // The whole family is opened before the first signal, so that no pid can change hands.
        let mut open: Vec<(Arc<Process>, ProcessHandle)> = Vec::with_capacity(victims.len() + 1);
        for victim in victims {
            match ProcessHandle::open(victim.key) {
                Ok(handle) => open.push((victim, handle)),
                Err(SignalError::Gone) => {}
                Err(error) => return self.fails(&error, Some(&victim)),
            }
        }
        open.push((Arc::clone(&self.target.owner), owner));
        if let Err((error, at)) = self.signal_all(&open, Signal::Terminate) {
            return self.fails(&error, Some(&at));
        }
        let mut now = self.wait_for(&open, grace);
        if self.family_holds(&now) && self.owner_ended(&open) {
            // The owner is gone, and workers that it left keep the port.
            let workers = self.open_workers();
            if let Err((error, at)) = self.signal_all(&workers, Signal::Terminate) {
                return self.fails(&error, Some(&at));
            }
            open.extend(workers);
            now = self.wait_for(&open, grace.max(Duration::from_secs(1)));
        }
        if self.kill.force && (self.family_holds(&now) || !self.all_ended(&open)) {
            open.extend(self.open_workers());
            // Only what still has the port, unless its whole family is to go.
            let holds = |handle: &ProcessHandle| handle.has_any(&self.target.sockets);
            let tree = self.kill.tree;
            let survivors: Vec<_> = open
                .into_iter()
                .filter(|(_, handle)| !handle.has_ended() && (tree || holds(handle)))
                .collect();
            open = survivors;
            if let Err((error, at)) = self.signal_all(&open, Signal::Kill) {
                return self.fails(&error, Some(&at));
            }
            now = self.wait_for(&open, KILL_WAIT);
        }
        self.judge(now, &open)
    }

    fn signal_all(
        &mut self,
        open: &[(Arc<Process>, ProcessHandle)],
        signal: Signal,
    ) -> Result<(), (SignalError, Arc<Process>)> {
        for (process, handle) in open {
            match handle.signal(signal) {
                Ok(()) => self.outcome.signals.push(sent(process, signal)),
                Err(SignalError::Gone) => {}
                Err(error) => return Err((error, Arc::clone(process))),
            }
        }
        Ok(())
    }

    /// Waits until all have ended, at most for `patience`, and looks at the port then. A process
    /// that has closed the port and is still shutting down is not waited for, unless it is to be
    /// forced or its whole family is to go.
    fn wait_for(&self, open: &[(Arc<Process>, ProcessHandle)], patience: Duration) -> Snapshot {
        let deadline = Instant::now() + patience;
        let port_is_enough = !self.kill.force && !self.kill.tree;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let running = open
                .iter()
                .map(|(_, handle)| handle)
                .find(|handle| !handle.wait(Duration::ZERO));
            let Some(running) = running.filter(|_| !left.is_zero()) else {
                break;
            };
            running.wait(left.min(POLL));
            let holds = |(_, handle): &(_, ProcessHandle)| handle.has_any(&self.target.sockets);
            let closed = || !open.iter().any(holds) && self.open_workers().is_empty();
            if port_is_enough && closed() {
                break;
            }
        }
        platform::look(&[self.target.port])
    }

    fn all_ended(&self, open: &[(Arc<Process>, ProcessHandle)]) -> bool {
        open.iter().all(|(_, handle)| handle.has_ended())
    }

    fn owner_ended(&self, open: &[(Arc<Process>, ProcessHandle)]) -> bool {
        open.iter()
            .filter(|(process, _)| process.key == self.target.owner.key)
            .all(|(_, handle)| handle.has_ended())
    }

    /// Whether a socket that the kill was about is still listening.
    fn family_holds(&self, now: &Snapshot) -> bool {
        now.listeners.iter().any(|listener| {
            listener
                .sockets
                .iter()
                .any(|socket| self.target.sockets.contains(socket))
        })
    }

    /// The workers that were known before the kill and still have the sockets.
    fn open_workers(&self) -> Vec<(Arc<Process>, ProcessHandle)> {
        self.target
            .workers
            .iter()
            .filter_map(|worker| Some((Arc::clone(worker), ProcessHandle::open(worker.key).ok()?)))
            .filter(|(_, handle)| handle.has_any(&self.target.sockets))
            .collect()
    }

    /// Says who holds the port now, after giving a supervisor the time to take it again.
    fn judge(mut self, mut now: Snapshot, open: &[(Arc<Process>, ProcessHandle)]) -> Outcome {
        let settled = Instant::now() + SETTLE;
        while self.newcomers(&now).is_empty() && Instant::now() < settled {
            std::thread::sleep(POLL);
            now = platform::look(&[self.target.port]);
        }
        let holders: Vec<&Listener> = now.listeners.iter().collect();
        self.outcome.set_holders(&holders);
        if holders.is_empty() {
            let running = open.iter().filter(|(_, handle)| !handle.has_ended());
            self.outcome.still_running = running.map(|(process, _)| Party::of(process)).collect();
            return self.ends(KillResult::Freed);
        }
        if self.family_holds(&now) {
            return self.ends(KillResult::StillHeld);
        }
        let newcomers = self.newcomers(&now);
        if newcomers.is_empty() {
            return self.ends(KillResult::StillShared);
        }
        let next = newcomers
            .iter()
            .filter_map(|listener| listener.owner.as_deref());
        self.outcome.supervisor = next
            .filter_map(|next| supervisor::of(&self.target.owner, next))
            .map(|found| SupervisorInfo {
                name: found.name,
                pid: found.pid,
                advice: found.advice,
            })
            .next();
        let result = if self.owner_ended(open) {
            KillResult::TakenOver
        } else {
            KillResult::StillHeld
        };
        self.ends(result)
    }

    /// Who listens on the port now and did not when the kill began, the family included.
    fn newcomers<'s>(&self, now: &'s Snapshot) -> Vec<&'s Listener> {
        let was_there = |listener: &&Listener| {
            let other = |socket| self.target.others.contains(socket);
            listener.sockets.iter().any(other)
        };
        now.listeners.iter().filter(|l| !was_there(l)).collect()
    }

    /// The process that is meant does not have the port any more: nothing is signalled.
    fn meant_another(mut self) -> Outcome {
        let now = platform::look(&[self.target.port]);
        self.outcome.asked_pid = Some(self.target.owner.key.pid);
        let holders: Vec<&Listener> = now.listeners.iter().collect();
        self.outcome.set_holders(&holders);
        let result = if holders.is_empty() {
            KillResult::NothingThere
        } else {
            KillResult::OtherProcess
        };
        self.ends(result)
    }

    /// The system refused to signal the owner, or `at`.
    fn fails(mut self, error: &SignalError, at: Option<&Process>) -> Outcome {
        if let Some(process) = at {
            self.outcome.owner = Some(Party::of(process));
        }
        if matches!(error, SignalError::NotPermitted) {
            return self.ends(KillResult::NotPermitted);
        }
        self.outcome.cause = Some(error.to_string());
        self.ends(KillResult::Failed)
    }

    fn ends(mut self, result: KillResult) -> Outcome {
        self.outcome.result = result;
        self.outcome.took_ms =
            u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.outcome
    }
}

fn sent(to: &Process, signal: Signal) -> Sent {
    Sent {
        to: Party::of(to),
        signal: signal.name().to_owned(),
    }
}
