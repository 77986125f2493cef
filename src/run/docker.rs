//! `docker run`: which ports of this machine it publishes, and the same line with other ones.
//!
//! Docker binds the ports itself, in a process of its own, so they can be claimed for it and not held.
//! The line is touched nowhere but in the ports of this machine: never the image, and never what comes
//! after it. What is here is pure; `start` and `claims` ask and act.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::ops::Range;

use crate::model::reservation::check_name;
use crate::model::{Port, PortRange, Protocol};

mod claims;
mod older;
mod options;
mod others;
mod spec;
mod start;

pub use start::{Options, run};

use options::{Found, GLOBAL, RUN};

/// Ports of this machine that a container is to have. To be claimed by `ports` and `protocol`: the
/// same ports on two addresses are one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The address of this machine; all of them when absent.
    pub host_ip: Option<IpAddr>,
    /// The ports of this machine. Several come in a row, and have to stay so.
    pub ports: PortRange,
    /// The ports of the container: as many, or one.
    pub container: PortRange,
    /// The protocol.
    pub protocol: Protocol,
    /// The word, and which part of it the ports of this machine are.
    word: usize,
    at: Range<usize>,
}

impl Publish {
    /// Whether docker takes one of the ports, whichever is free: then there is nothing to be done
    /// unless all of them are taken.
    pub fn is_any(&self) -> bool {
        self.container.single().is_some() && self.ports.single().is_none()
    }

    /// How many ports are needed, in a row.
    pub fn count(&self) -> u16 {
        self.container.last().get() - self.container.first().get() + 1
    }

    /// The ports that have to be free.
    fn keys(&self) -> impl Iterator<Item = (Port, Protocol)> {
        let protocol = self.protocol;
        self.ports.iter().map(move |port| (port, protocol))
    }

    /// Whether both need the same ports, on whichever addresses.
    fn is_same_as(&self, other: &Publish) -> bool {
        let needed = |one: &Publish| (one.ports, one.protocol, one.count());
        needed(self) == needed(other)
    }

    /// The ports from this one on, as many as are needed. Nothing where there are not so many.
    pub fn starting_at(&self, first: Port) -> Option<PortRange> {
        let last = first.get().checked_add(self.count() - 1)?;
        PortRange::new(first, Port::new(last)?).ok()
    }

    /// What is said where other ports are published, and `why`: `port 3000 is taken by vite (pid
    /// 4242); publishing 3001:3000`.
    pub fn told(&self, why: &str, first: Port) -> String {
        let address = match self.host_ip {
            Some(IpAddr::V4(address)) => format!("{address}:"),
            Some(IpAddr::V6(address)) => format!("[{address}]:"),
            None => String::new(),
        };
        let ports = self.starting_at(first).unwrap_or(self.ports);
        let protocol = match self.protocol {
            Protocol::Tcp => "",
            Protocol::Udp => "/udp",
        };
        format!(
            "{why}; publishing {address}{ports}:{}{protocol}",
            self.container
        )
    }
}

/// A line of `docker run` or `docker create`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerRun {
    published: Vec<Publish>,
    is_detached: bool,
    name: Option<String>,
    image: Option<String>,
    engine: Option<String>,
    has_context: bool,
    unknown: Option<String>,
}

impl DockerRun {
    /// Reads what comes after `docker`. `None` where that is another command, or only asks for help.
    pub fn read(args: &[OsString]) -> Option<DockerRun> {
        let global = options::read(args, 0, &GLOBAL);
        let command = |at: usize| args.get(at).and_then(|word| word.to_str());
        let container = usize::from(command(global.end) == Some("container"));
        let verb = command(global.end + container);
        if global.unknown.is_some() || !matches!(verb, Some("run" | "create")) {
            return None;
        }
        let line = options::read(args, global.end + container + 1, &RUN);
        let value = |found: &Found| value(args, found);
        let last = |of: &[Found], name| of.iter().rfind(|one| one.name == name).map(value);
        if [&global.found, &line.found]
            .iter()
            .any(|of| of.iter().any(|one| one.name == "help"))
        {
            return None;
        }
        let has = |name: &'static str| line.found.iter().filter(move |one| one.name == name);
        let networks = has("network").chain(has("net")).map(value);
        // Without a network of its own, a container publishes nothing.
        let has_own_network = !networks.into_iter().any(|name| shares_network(&name));
        let published = has("publish").filter(|_| has_own_network);
        let image = args.get(line.end).filter(|_| line.unknown.is_none());
        let image = image.map(|image| image_name(&image.to_string_lossy()).to_owned());
        let is_name = |name: &String| check_name(name).is_ok();
        Some(DockerRun {
            published: published.filter_map(|one| publish(args, one)).collect(),
            is_detached: verb == Some("create")
                || has("detach")
                    .next_back()
                    .is_some_and(|one| one.value.is_none() || is_true(&value(one))),
            name: last(&line.found, "name")
                .map(Cow::into_owned)
                .filter(is_name),
            image: image.filter(is_name),
            engine: last(&global.found, "host").map(Cow::into_owned),
            has_context: last(&global.found, "context").is_some(),
            unknown: line.unknown,
        })
    }

    /// The ports of this machine that it names, in the order of the line. Those that docker chooses
    /// are not among them.
    pub fn published(&self) -> &[Publish] {
        &self.published
    }

    /// The line with other ports of this machine: `chosen` gives the first one of each, or nothing
    /// where it stays as it is. `args` are those that were read.
    pub fn rewrite(
        &self,
        args: &[OsString],
        mut chosen: impl FnMut(&Publish) -> Option<Port>,
    ) -> Vec<OsString> {
        let mut args = args.to_vec();
        for publish in &self.published {
            let ports = chosen(publish).and_then(|first| publish.starting_at(first));
            let ports = ports.filter(|ports| *ports != publish.ports);
            let word = args.get_mut(publish.word);
            // A word has one option with a value, and so is changed once.
            if let (Some(ports), Some(word)) = (ports, word)
                && let Some(text) = word.to_str()
                && let (Some(before), Some(after)) =
                    (text.get(..publish.at.start), text.get(publish.at.end..))
            {
                *word = format!("{before}{ports}{after}").into();
            }
        }
        args
    }

    /// Whether the container outlives the command: `--detach`, and `docker create`, whose container
    /// binds its ports when it is started later.
    pub fn is_detached(&self) -> bool {
        self.is_detached
    }

    /// What the container is called, where the line says so.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the container is called, or else its image.
    pub fn service(&self) -> Option<&str> {
        self.name.as_deref().or(self.image.as_deref())
    }

    /// What is published to ports that it names each.
    fn exact(&self) -> impl Iterator<Item = &Publish> {
        self.published.iter().filter(|publish| !publish.is_any())
    }

    /// Whether the container runs on another machine, whose ports cannot be seen, where
    /// `docker_host` is the variable DOCKER_HOST. What the name of a context means is not known.
    pub fn is_elsewhere(&self, docker_host: Option<&OsStr>) -> bool {
        let engine = match (&self.engine, self.has_context) {
            (Some(engine), _) => Cow::Borrowed(engine.as_str()),
            (None, true) => return false,
            (None, false) => docker_host.unwrap_or_default().to_string_lossy(),
        };
        let Some((scheme, rest)) = engine.split_once("://") else {
            return false;
        };
        let place = rest.split('/').next().unwrap_or_default();
        let place = place.rsplit('@').next().unwrap_or_default();
        let host = match place.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => place.split(':').next().unwrap_or_default(),
        };
        let is_here = host
            .parse()
            .map_or(host == "localhost", |address: IpAddr| address.is_loopback());
        ["tcp", "ssh", "http", "https"].contains(&scheme) && !host.is_empty() && !is_here
    }

    /// An option that Freeport does not know, so that it could not tell where the image is: what comes
    /// after it was not read, and stays as it is.
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }
}

fn value<'a>(args: &'a [OsString], found: &Found) -> Cow<'a, str> {
    let Some((word, from)) = found.value else {
        return Cow::Borrowed("");
    };
    match args.get(word).map(|word| word.to_string_lossy()) {
        Some(Cow::Borrowed(text)) => Cow::Borrowed(text.get(from..).unwrap_or_default()),
        Some(Cow::Owned(text)) => Cow::Owned(text.get(from..).unwrap_or_default().to_owned()),
        None => Cow::Borrowed(""),
    }
}

fn publish(args: &[OsString], found: &Found) -> Option<Publish> {
    let (word, from) = found.value?;
    let spec = spec::read(&value(args, found))?;
    Some(Publish {
        host_ip: spec.host_ip,
        ports: spec.ports,
        container: spec.container,
        protocol: spec.protocol,
        word,
        at: from + spec.at.start..from + spec.at.end,
    })
}

/// Whether a `--network` is that of the machine, none, or another container's.
fn shares_network(value: &str) -> bool {
    let named = value.split(',').find_map(|part| part.strip_prefix("name="));
    let name = named.unwrap_or(value);
    matches!(name, "host" | "none") || name.starts_with("container:")
}

/// `example.org/shop/postgres:17@sha256:…` is `postgres`.
fn image_name(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split(':').next().unwrap_or(name)
}

/// As the client reads it (`strconv.ParseBool`); what is neither is refused there.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

#[cfg(test)]
mod tests;
