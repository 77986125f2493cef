//! Containers: what is shown of one, and which of them a port of this machine belongs to.
//!
//! A published port is bound by a process of the engine (`docker-proxy`, `rootlessport`, `conmon`), or
//! by one that cannot be seen here; the engine says which container it is for. What the engine says is
//! data from another program: it is bounded in `decode`, and escaped wherever a person reads it.

pub mod decode;
pub mod engines;
pub mod inside;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::escape;
use super::{Address, Listener, Protocol};

/// How many characters of an id are shown, as the engines do it.
const SHORT_ID: usize = 12;

/// What runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Docker, and what speaks as it does: Docker Desktop, OrbStack, Colima, Rancher Desktop.
    Docker,
    /// Podman.
    Podman,
}

impl EngineKind {
    /// Its command.
    pub fn command(self) -> &'static str {
        match self {
            EngineKind::Docker => "docker",
            EngineKind::Podman => "podman",
        }
    }
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its id, which no other container of its engine ever has.
    pub id: String,
    /// Its name; the beginning of its id where its engine could not be asked.
    pub name: String,
    /// The image that it was made from; nothing where its engine could not be asked.
    pub image: Option<String>,
    /// What runs it.
    pub engine: EngineKind,
    /// Its Compose project.
    pub project: Option<String>,
    /// Its Compose service.
    pub service: Option<String>,
    /// The pod that it is in, and that has its ports.
    pub pod: Option<String>,
    /// The port inside it that is published. Nothing where its process listens on this machine's
    /// network itself.
    pub port: Option<u16>,
}

impl Container {
    /// What is known of a container by its id alone.
    pub fn of_id(id: &str, engine: EngineKind) -> Container {
        Container {
            id: id.to_owned(),
            name: short(id).to_owned(),
            image: None,
            engine,
            project: None,
            service: None,
            pod: None,
            port: None,
        }
    }

    /// What to call it in a list: its Compose service, or else its name.
    pub fn title(&self) -> &str {
        self.service.as_deref().unwrap_or(&self.name)
    }

    /// What it is made from and where its port leads: `nginx:alpine, container port 80`.
    pub fn origin(&self) -> String {
        let image = self
            .image
            .as_deref()
            .map(|image| escape(image).into_owned());
        let port = self.port.map(|port| format!("container port {port}"));
        let parts: Vec<String> = image.into_iter().chain(port).collect();
        parts.join(", ")
    }
}

/// As a person reads it: `container web (nginx:alpine)`.
impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "container {}", escape(&self.name))?;
        match &self.image {
            Some(image) => write!(f, " ({})", escape(image)),
            None => Ok(()),
        }
    }
}

/// The beginning of an id.
pub fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

/// Ports of this machine that lead into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The address of this machine; nothing for all of them.
    pub ip: Option<IpAddr>,
    /// The first port of this machine.
    pub host: u16,
    /// The first port of the container.
    pub inside: u16,
    /// How many ports there are.
    pub count: u16,
    /// The protocol.
    pub protocol: Protocol,
}

impl Publication {
    /// The port of the container behind a port of this machine.
    fn behind(&self, port: u16, protocol: Protocol) -> Option<u16> {
        let offset = port.checked_sub(self.host).filter(|n| *n < self.count)?;
        (protocol == self.protocol).then(|| self.inside.saturating_add(offset))
    }

    /// Whether it is bound at one of these addresses.
    fn is_at(&self, addresses: &[Address]) -> bool {
        let Some(ip) = self.ip.filter(|ip| !ip.is_unspecified()) else {
            return addresses.iter().any(|address| address.is_wildcard());
        };
        addresses.iter().any(|address| address.ip == ip)
    }
}

/// A container that runs, with its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The container, without a port.
    pub container: Container,
    /// Whether it only keeps the network of its pod.
    pub infra: bool,
    /// What it publishes.
    pub ports: Vec<Publication>,
    /// Where its engine is asked, as an index into [`Seen::places`].
    pub place: usize,
}

/// What the engines said, all of them at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where engines were asked, as a person reads it: `/var/run/docker.sock`.
    pub places: Vec<String>,
    /// The containers that run.
    pub running: Vec<Running>,
    /// Which engines could not be asked, why, and what would help.
    pub troubles: Vec<Trouble>,
}

/// An engine that could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Where it was to be asked.
    pub place: String,
    /// Why it could not be, and what would help.
    pub why: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", escape(&self.place), escape(&self.why))
    }
}

/// Which container a listener is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant<'a> {
    /// None that is known of.
    None,
    /// This one.
    One(&'a Running, u16),
    /// One of these; it cannot be said which.
    Several(Vec<&'a Running>),
}

/// Whether a listener may be a container's: a process of an engine has it, or nobody that can be seen
/// and a socket of `uid`, who looks, or of the system.
pub fn may_be_published(listener: &Listener, uid: u32) -> bool {
    match &listener.owner {
        Some(owner) => engines::of(owner).is_some(),
        None => listener.uid == 0 || listener.uid == uid,
    }
}

/// Whether an engine is worth asking about a listener.
pub fn is_in_question(listener: &Listener, uid: u32) -> bool {
    let owner = listener.owner.as_ref();
    owner.is_some_and(|owner| owner.container.is_some()) || may_be_published(listener, uid)
}

/// Which container publishes the port of a listener for which [`may_be_published`] holds.
///
/// Where the owner is a process of an engine, the port says enough: in a virtual machine, the address
/// is another one than here. A socket without owner must be where the engine says.
pub fn publisher<'a>(listener: &Listener, seen: &'a Seen) -> Meant<'a> {
    let port = listener.port.get();
    let at = |running: &'a Running, exactly: bool| {
        let mut ports = running.ports.iter();
        let found = ports.find_map(|one| {
            let behind = one.behind(port, listener.protocol)?;
            (!exactly || one.is_at(&listener.addresses)).then_some(behind)
        });
        found.map(|inside| (running, inside))
    };
    let all = |exactly| -> Vec<(&'a Running, u16)> {
        let found = seen.running.iter();
        one_of_each_pod(found.filter_map(|running| at(running, exactly)).collect())
    };
    let mut found = all(true);
    if found.is_empty() && listener.owner.is_some() {
        found = all(false);
    }
    match found.as_slice() {
        [] => Meant::None,
        [(running, inside)] => Meant::One(running, *inside),
        several => Meant::Several(several.iter().map(|(running, _)| *running).collect()),
    }
}

/// All containers of a pod say that they publish its ports: of each pod, one is kept. Two engines
/// that are one (a socket and its link) say the same twice: of each id, one is kept.
fn one_of_each_pod(mut found: Vec<(&Running, u16)>) -> Vec<(&Running, u16)> {
    // What does the work stands before what keeps the network.
    found.sort_by_key(|(running, _)| running.infra);
    let mut kept: Vec<(&Running, u16)> = Vec::with_capacity(1);
    for one in found {
        let same = |other: &&(&Running, u16)| {
            let (a, b) = (&one.0.container, &other.0.container);
            a.id == b.id || (a.engine == b.engine && a.pod.is_some() && a.pod == b.pod)
        };
        if !kept.iter().any(|other| same(&other)) {
            kept.push(one);
        }
    }
    kept
}

/// Sets the container of each listener that has one, for `uid`, who looks.
pub fn attach(listeners: &mut [Listener], seen: &Seen, uid: u32) {
    for listener in listeners {
        listener.container = of_listener(listener, seen, uid).map(Arc::new);
    }
}

fn of_listener(listener: &Listener, seen: &Seen, uid: u32) -> Option<Container> {
    if may_be_published(listener, uid) {
        return match publisher(listener, seen) {
            Meant::One(running, inside) => Some(Container {
                port: Some(inside),
                ..running.container.clone()
            }),
            Meant::None | Meant::Several(_) => None,
        };
    }
    // A process on this machine's network, in a container all the same.
    let (engine, id) = listener.owner.as_ref()?.container.as_ref()?;
    let known = seen.running.iter().find(|one| one.container.id == **id);
    Some(known.map_or_else(
        || Container::of_id(id, *engine),
        |running| running.container.clone(),
    ))
}

#[cfg(test)]
pub(crate) mod tests;
