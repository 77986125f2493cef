//! Deciding which container a kill of a port may stop, and how that is told.

use super::{KillResult, Outcome, Party, Wanted};
use crate::model::container::{self, Container, Meant, Running, Seen, engines};
use crate::model::text::escape;
use crate::model::{Listener, Port, SocketId};

/// What a kill of a port means.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// No container: the process that has it, or whatever is said of that.
    Process,
    /// This container.
    Stop(Box<Stopping>),
    /// Nothing is stopped or signalled.
    Refuse(Box<Outcome>),
}

/// A container that is to be stopped.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopping {
    /// The container, with its port.
    pub container: Container,
    /// Where its engine is asked, as an index into [`Seen::places`].
    pub place: usize,
    /// The sockets that are there for it.
    pub sockets: Vec<SocketId>,
    /// The process of the engine that has them, where it can be seen.
    pub owner: Option<Party>,
}

/// What to ask engines before a port is killed: whether one of these listeners may be a container's.
pub fn is_worth_asking(here: &[&Listener], wanted: Option<Wanted>, uid: u32) -> bool {
    here.iter()
        .any(|listener| is_wanted(listener, wanted) && container::may_be_published(listener, uid))
}

fn is_wanted(listener: &Listener, wanted: Option<Wanted>) -> bool {
    let owner = listener.owner.as_ref();
    wanted.is_none_or(|wanted| owner.is_some_and(|owner| wanted.is(owner)))
}

/// Decides what a kill of `port`, where these listen, means. `named` is the container that is meant, by
/// name or the beginning of its id; `seen` is what the engines said just now.
pub fn decide(
    port: Port,
    here: &[&Listener],
    wanted: Option<Wanted>,
    named: Option<&str>,
    seen: &Seen,
    uid: u32,
) -> Decision {
    let mut found: Vec<(&Listener, &Running, u16)> = Vec::new();
    let suspects = here.iter().filter(|listener| {
        is_wanted(listener, wanted) && container::may_be_published(listener, uid)
    });
    for listener in suspects {
        match container::publisher(listener, seen) {
            Meant::None => {}
            Meant::One(running, inside) => found.push((listener, running, inside)),
            Meant::Several(all) => {
                let inside = |running| (*listener, running, 0);
                found.extend(all.into_iter().map(inside));
            }
        }
    }
    if let Some(named) = named {
        found.retain(|(_, running, _)| is_named(&running.container, named));
        if found.is_empty() {
            let mut refused = Outcome::refused(port, KillResult::OtherProcess, here);
            refused.asked_container = Some(named.to_owned());
            return Decision::Refuse(Box::new(refused));
        }
    }
    let Some(&(_, running, inside)) = found.first() else {
        return Decision::Process;
    };
    let is_it = |listener: &Listener| {
        let mut found = found.iter();
        found.any(|(other, one, _)| {
            std::ptr::eq(*other, listener) && one.container.id == running.container.id
        })
    };
    let alone = found
        .iter()
        .all(|(_, one, _)| one.container.id == running.container.id);
    // Who does not say which of several is meant may mean any of them.
    if !alone || wanted.is_none() && named.is_none() && !here.iter().all(|one| is_it(one)) {
        let mut refused = Outcome::refused(port, KillResult::Ambiguous, here);
        refused.containers = distinct(&found);
        return Decision::Refuse(Box::new(refused));
    }
    let container = Container {
        port: Some(inside),
        ..running.container.clone()
    };
    if container.pod.is_some() {
        let mut refused = Outcome::refused(port, KillResult::Protected, here);
        refused.container = Some(container);
        return Decision::Refuse(Box::new(refused));
    }
    let listeners = || here.iter().filter(|listener| is_it(listener));
    Decision::Stop(Box::new(Stopping {
        container,
        place: running.place,
        sockets: listeners()
            .flat_map(|listener| listener.sockets.iter().copied())
            .collect(),
        owner: listeners()
            .find_map(|listener| listener.owner.as_deref())
            .map(Party::of),
    }))
}

fn is_named(container: &Container, named: &str) -> bool {
    // A short text is a name rather than the beginning of an id.
    container.name == named || (named.len() >= 4 && container.id.starts_with(named))
}

fn distinct(found: &[(&Listener, &Running, u16)]) -> Vec<Container> {
    let mut all: Vec<Container> = found
        .iter()
        .map(|(_, running, _)| running.container.clone())
        .collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all.dedup_by(|a, b| a.id == b.id);
    all
}

impl Outcome {
    /// The refusal to signal a process that only listens for others.
    pub(super) fn of_engine(mut self, engine: &engines::EngineProcess) -> Outcome {
        self.cause = Some(engine.reason.to_owned());
        self.advice = Some(engine.way.to_owned());
        self
    }

    /// The outcome of a stop of `container`, in words.
    pub(super) fn tell_stop(&self, container: &Container) -> (String, Option<String>) {
        let port = self.port;
        let holders = self.holders();
        let cause = escape(self.cause.as_deref().unwrap_or("for an unknown reason"));
        let look = || Some(format!("look with 'freeport why {port}'"));
        match self.result {
            KillResult::Freed => (format!("port {port} is free; stopped {container}"), None),
            KillResult::DryRun => (
                format!("would stop {container} to free port {port}; nothing was stopped"),
                None,
            ),
            KillResult::StillHeld => (
                format!("port {port} is still held by {container}: {cause}"),
                Some(format!("try 'freeport kill {port} --force'")),
            ),
            KillResult::TakenOver => (
                format!("stopped {container}, but port {port} is held by {holders} now"),
                look(),
            ),
            KillResult::StillShared => (
                format!("stopped {container}; {holders} uses port {port} too, as before"),
                look(),
            ),
            KillResult::Protected => {
                let pod = container.pod.as_deref().unwrap_or(&container.name);
                let pod = escape(pod);
                (
                    format!(
                        "nothing was stopped: port {port} is that of the pod {pod}, with all its containers"
                    ),
                    Some(format!(
                        "stop the whole pod: '{} pod stop {pod}'",
                        container.engine.command()
                    )),
                )
            }
            _ => (
                format!("cannot stop {container}, which has port {port}: {cause}"),
                Some(format!(
                    "try '{} stop {}'",
                    container.engine.command(),
                    escape(&container.name)
                )),
            ),
        }
    }

    /// That the container which was asked for is not the one.
    pub(super) fn tell_not_named(&self, named: &str) -> (String, Option<String>) {
        let (port, named, holders) = (self.port, escape(named), self.holders());
        (
            format!(
                "nothing was stopped: no container {named} publishes port {port} (any more); {holders} has it"
            ),
            Some(format!("look with 'freeport why {port}'")),
        )
    }

    /// That a container is one of several that have the port.
    pub(super) fn tell_several(&self) -> (String, Option<String>) {
        let port = self.port;
        let all: Vec<String> = self.containers.iter().map(Container::to_string).collect();
        let name = self.containers.first().map_or("", |one| &one.name);
        let pid = self.held_by.first().map(|party| party.pid);
        let or = pid.map_or(String::new(), |pid| format!(", or '--pid {pid}'"));
        let listens = match self.held_by.is_empty() {
            true => String::new(),
            false => format!("; on it listen {}", self.holders()),
        };
        (
            format!(
                "port {port} is not that of one container alone: {}{listens}",
                all.join(", ")
            ),
            Some(format!(
                "say which one is meant: 'freeport kill {port} --container {}'{or}",
                escape(name)
            )),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::container::tests::{id, listener, seen, web};
    use crate::model::kill::target;
    use crate::model::{Process, attribute::tests::process};

    const ME: u32 = 1000;

    fn port() -> Port {
        Port::new(8080).unwrap()
    }

    fn proxy(pid: u32) -> Listener {
        listener(Some(process(pid, "docker-proxy", &[1])), 0)
    }

    fn decided(
        here: &[Listener],
        wanted: Option<u32>,
        named: Option<&str>,
        seen: &Seen,
    ) -> Decision {
        let here: Vec<&Listener> = here.iter().collect();
        decide(port(), &here, wanted.map(Wanted::Pid), named, seen, ME)
    }

    fn stopped(decision: Decision) -> String {
        match decision {
            Decision::Stop(stop) => stop.container.name,
            other => panic!("{other:?}"),
        }
    }

    fn refused(decision: Decision) -> (KillResult, String, String) {
        match decision {
            Decision::Refuse(outcome) => {
                let told = outcome.told();
                (told.result, told.message, told.hint.unwrap_or_default())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_container_behind_a_port_is_stopped() {
        let seen = seen(&[web()]);
        for here in [
            vec![proxy(5)],
            vec![proxy(5), proxy(6)],
            vec![listener(None, 0)],
        ] {
            assert_eq!(stopped(decided(&here, None, None, &seen)), "shop-web-1");
        }
        let by_pid = decided(&[proxy(5), proxy(6)], Some(6), None, &seen);
        assert_eq!(stopped(by_pid), "shop-web-1");
        let named = &id('a')[..12];
        for named in ["shop-web-1", named] {
            let decision = decided(&[proxy(5)], None, Some(named), &seen);
            assert_eq!(stopped(decision), "shop-web-1");
        }
    }

    #[test]
    fn a_process_beside_the_container_is_not_confused_with_it() {
        let seen = seen(&[web()]);
        let node = listener(Some(process(7, "node", &[1])), ME);
        let both = [proxy(5), node.clone()];
        let (result, message, hint) = refused(decided(&both, None, None, &seen));
        assert_eq!(result, KillResult::Ambiguous);
        assert!(
            message.contains("container shop-web-1 (nginx:alpine)"),
            "{message}"
        );
        assert!(hint.contains("--container shop-web-1"), "{hint}");
        assert_eq!(decided(&both, Some(7), None, &seen), Decision::Process);
        assert_eq!(stopped(decided(&both, Some(5), None, &seen)), "shop-web-1");
        assert_eq!(
            stopped(decided(&both, None, Some("shop-web-1"), &seen)),
            "shop-web-1"
        );
        assert_eq!(decided(&[node], None, None, &seen), Decision::Process);
    }

    #[test]
    fn another_container_than_was_shown_is_not_stopped() {
        let seen = seen(&[web()]);
        let gone = id('f');
        let (result, message, _) = refused(decided(&[proxy(5)], None, Some(&gone), &seen));
        assert_eq!(result, KillResult::OtherProcess);
        assert!(
            message.starts_with("nothing was stopped: no container ffff"),
            "{message}"
        );
    }

    #[test]
    fn a_pod_is_not_stopped_for_one_of_its_ports() {
        let mut seen = seen(&[web()]);
        seen.running[0].container.pod = Some("shop\u{7}".into());
        let (result, message, hint) = refused(decided(&[proxy(5)], None, None, &seen));
        assert_eq!(result, KillResult::Protected);
        assert!(message.contains("the pod shop\\x07"), "{message}");
        assert!(hint.contains("pod stop shop\\x07"), "{hint}");
    }

    #[test]
    fn what_listens_for_others_is_never_signalled() {
        let listener = |name: &str| {
            let mut one: Process = Arc::unwrap_or_clone(process(5, name, &[1]));
            one.service = name.to_owned();
            listener(Some(one.into()), ME)
        };
        for (name, part, hint) in [
            ("docker-proxy", "only passes the port on", "docker stop"),
            ("rootlessport", "only passes ports on", "podman stop"),
            ("com.docker.backend", "is Docker Desktop", "docker context"),
            ("OrbStack Helper", "is OrbStack", "docker stop"),
            ("limactl", "virtual machine", "limactl stop"),
            (
                "qemu-system-x86_64",
                "virtual machine",
                "shut the machine down",
            ),
        ] {
            let here = [listener(name)];
            assert_eq!(
                decided(&here, None, None, &Seen::default()),
                Decision::Process
            );
            for wanted in [None, Some(Wanted::Pid(5))] {
                let told = target(&here, port(), wanted, &[]).unwrap_err().told();
                assert_eq!(told.result, KillResult::Protected, "{name}");
                assert!(told.message.contains(part), "{told:?}");
                assert!(
                    told.message.starts_with("nothing was signalled: "),
                    "{told:?}"
                );
                assert!(told.hint.as_deref().unwrap().contains(hint), "{told:?}");
            }
        }
    }
}
