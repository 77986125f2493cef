//! Stopping the container behind a port: which one is decided by `model::kill`, its engine is asked
//! here, and what came of it is looked at afterwards.

use std::time::{Duration, Instant};

use super::kill::{POLL, SETTLE};
use crate::ipc::protocol::Kill;
use crate::model::container::{Seen, Trouble};
use crate::model::kill::{
    Decision, KillResult, Outcome, Stopping, Wanted, decide, is_worth_asking,
};
use crate::model::{Listener, Port, Snapshot, SocketId};
use crate::platform::containers::{self, Stop, StopError};
use crate::platform::{self, limits};

/// How long engines have to say what they run.
const ASKING: Duration = Duration::from_secs(5);
/// How long a container may take to end by itself where nothing else is said (docker-stop(1)).
const OWN_GRACE: Duration = Duration::from_secs(10);
/// How much longer an engine may take than the container has.
const MARGIN: Duration = Duration::from_secs(15);
/// How long a port may stay bound when its container is gone.
const UNBIND: Duration = Duration::from_secs(3);

/// Stops the container that `port` means. Where it means none, gives what engines could not say.
pub fn container(
    kill: &Kill,
    listeners: &[Listener],
    port: Port,
    wanted: Option<Wanted>,
) -> Result<Outcome, Vec<Trouble>> {
    let (started, uid) = (Instant::now(), limits::user_id());
    let here: Vec<&Listener> = listeners.iter().filter(|l| l.port == port).collect();
    let named = kill.container.as_deref();
    let asks = !here.is_empty() && (named.is_some() || is_worth_asking(&here, wanted, uid));
    if !asks {
        return Err(Vec::new());
    }
    let seen = containers::ask(ASKING);
    let outcome = match decide(port, &here, wanted, named, &seen, uid) {
        Decision::Process => return Err(seen.troubles),
        Decision::Refuse(refused) => *refused,
        Decision::Stop(stopping) => stop(kill, &here, port, *stopping, &seen),
    };
    Ok(Outcome {
        took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        ..outcome
    })
}

fn stop(kill: &Kill, here: &[&Listener], port: Port, stopping: Stopping, seen: &Seen) -> Outcome {
    let mut outcome = Outcome::refused(port, KillResult::DryRun, here);
    outcome.owner = stopping.owner;
    outcome.container = Some(stopping.container.clone());
    if kill.dry_run {
        return outcome;
    }
    let address = seen.places.get(stopping.place).map_or("", String::as_str);
    let stop = |how, patience| containers::stop(address, &stopping.container, how, patience);
    let (how, patience) = how(kill);
    let mut stopped = stop(how, patience);
    if kill.force && matches!(stopped, Err(StopError::Late)) {
        stopped = stop(Stop::Kill, MARGIN);
    }
    match stopped {
        // What had ended by itself has given its port back, too.
        Ok(()) | Err(StopError::Gone) => {}
        Err(error) => {
            outcome.result = match error {
                StopError::Late => KillResult::StillHeld,
                _ => KillResult::Failed,
            };
            outcome.cause = Some(error.to_string());
            return outcome;
        }
    }
    judge(outcome, &stopping.sockets, here, port)
}

/// How the container is stopped, and how long its engine is waited for. Who says nothing of the time
/// leaves it to the container: a database may need more than a server in development.
fn how(kill: &Kill) -> (Stop, Duration) {
    let seconds = kill.grace_ms.div_ceil(1000);
    if kill.force && seconds == 0 {
        return (Stop::Kill, MARGIN);
    }
    if kill.grace_ms == Kill::of(Vec::new()).grace_ms && !kill.force {
        return (Stop::Gracefully(None), OWN_GRACE + MARGIN);
    }
    let patience = Duration::from_secs(seconds).saturating_add(MARGIN);
    (Stop::Gracefully(Some(seconds)), patience)
}

/// Who holds the port now that the container was stopped.
fn judge(mut outcome: Outcome, sockets: &[SocketId], here: &[&Listener], port: Port) -> Outcome {
    let has = |listener: &Listener, sockets: &[SocketId]| {
        listener.sockets.iter().any(|one| sockets.contains(one))
    };
    let others: Vec<SocketId> = here
        .iter()
        .flat_map(|listener| listener.sockets.iter().copied())
        .filter(|socket| !sockets.contains(socket))
        .collect();
    let held = |now: &Snapshot| now.listeners.iter().any(|listener| has(listener, sockets));
    let came = |now: &Snapshot| now.listeners.iter().any(|listener| !has(listener, &others));
    let mut now = platform::look(&[port]);
    let unbound = Instant::now() + UNBIND;
    while held(&now) && Instant::now() < unbound {
        std::thread::sleep(POLL);
        now = platform::look(&[port]);
    }
    let settled = Instant::now() + SETTLE;
    while !came(&now) && Instant::now() < settled {
        std::thread::sleep(POLL);
        now = platform::look(&[port]);
    }
    outcome.set_holders(&now.listeners.iter().collect::<Vec<_>>());
    outcome.result = if now.listeners.is_empty() {
        KillResult::Freed
    } else if held(&now) {
        outcome.cause = Some("its engine says that it was stopped, and has the port still".into());
        KillResult::StillHeld
    } else if came(&now) {
        KillResult::TakenOver
    } else {
        KillResult::StillShared
    };
    outcome
}

/// Adds to a refusal what engines could not say: perhaps the port is a container's.
pub fn with_troubles(mut outcome: Outcome, troubles: &[Trouble]) -> Outcome {
    let concerns = matches!(
        outcome.result,
        KillResult::Protected | KillResult::NotPermitted
    );
    if concerns && let Some(trouble) = troubles.first() {
        let hint = outcome.hint.take();
        let hint = hint.map_or(String::new(), |hint| format!("{hint}; "));
        outcome.hint = Some(format!(
            "{hint}if it is a container's, its engine could not be asked at {trouble}"
        ));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_its_own_time_unless_another_one_is_given() {
        let kill = Kill::of(Vec::new());
        assert_eq!(how(&kill).0, Stop::Gracefully(None));
        let of = |grace_ms, force| {
            how(&Kill {
                grace_ms,
                force,
                ..kill.clone()
            })
            .0
        };
        assert_eq!(of(20_000, false), Stop::Gracefully(Some(20)));
        assert_eq!(of(500, false), Stop::Gracefully(Some(1)));
        assert_eq!(of(3_000, true), Stop::Gracefully(Some(3)));
        assert_eq!(of(0, true), Stop::Kill);
        assert_eq!(of(0, false), Stop::Gracefully(Some(0)));
    }
}
