//! The lists of containers of the engines' APIs, as values: of Docker `GET /containers/json` (Docker
//! Engine API 1.24 and later, ContainerList), of Podman `GET /libpod/containers/json`, which unlike its
//! answer in Docker's form tells of all ports of a range, and of pods.
//!
//! What does not have the form of such a list is an error, what is too much of it is left out, and an
//! id that could be anything but an id is none.

use std::net::IpAddr;

use serde::Deserialize;

use super::{Container, EngineKind, Publication, Running};
use crate::model::Protocol;
use crate::model::text::shorten;

/// The most containers that are taken.
const CONTAINERS: usize = 4096;
/// The most publications of one container that are taken.
const PORTS: usize = 1024;
/// The most characters of a name that are kept.
const NAME: usize = 128;
/// The longest id.
const ID: usize = 128;

/// An answer that is no list of containers.
#[derive(Debug, thiserror::Error)]
#[error("it does not answer with a list of containers")]
pub struct NotAList(#[from] serde_json::Error);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed<P> {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    labels: Option<Labels>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default = "Option::default")]
    ports: Option<Vec<P>>,
    #[serde(default)]
    pod: Option<String>,
    #[serde(default)]
    pod_name: Option<String>,
    #[serde(default)]
    is_infra: bool,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(default, rename = "com.docker.compose.project")]
    project: Option<String>,
    #[serde(default, rename = "com.docker.compose.service")]
    service: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerPort {
    #[serde(default, rename = "IP")]
    ip: Option<String>,
    private_port: u16,
    #[serde(default)]
    public_port: Option<u16>,
    #[serde(default, rename = "Type")]
    protocol: Option<String>,
}

#[derive(Deserialize)]
struct PodmanPort {
    #[serde(default)]
    host_ip: Option<String>,
    container_port: u16,
    host_port: u16,
    #[serde(default)]
    range: Option<u16>,
    #[serde(default)]
    protocol: Option<String>,
}

/// Something that may publish ports.
trait Port {
    fn publications(&self) -> Vec<Publication>;
}

impl Port for DockerPort {
    fn publications(&self) -> Vec<Publication> {
        let host = self.public_port.unwrap_or(0);
        publications(&self.ip, host, self.private_port, 1, &self.protocol)
    }
}

impl Port for PodmanPort {
    fn publications(&self) -> Vec<Publication> {
        let count = self.range.unwrap_or(1).max(1);
        let inside = self.container_port;
        publications(&self.host_ip, self.host_port, inside, count, &self.protocol)
    }
}

fn publications(
    ip: &Option<String>,
    host: u16,
    inside: u16,
    count: u16,
    protocols: &Option<String>,
) -> Vec<Publication> {
    let ip = ip.as_deref().filter(|ip| !ip.is_empty());
    let ip = match ip.map(str::parse::<IpAddr>) {
        None => None,
        Some(Ok(ip)) => Some(ip),
        Some(Err(_)) => return Vec::new(),
    };
    if host == 0 {
        return Vec::new();
    }
    let protocols = protocols.as_deref().unwrap_or("tcp").split(',');
    let known = protocols.filter_map(|name| match name {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        _ => None,
    });
    known
        .map(|protocol| Publication {
            ip,
            host,
            inside,
            count,
            protocol,
        })
        .collect()
}

/// Reads the answer of Docker, or of what speaks as it does.
pub fn docker(body: &[u8], place: usize) -> Result<Vec<Running>, NotAList> {
    let listed: Vec<Listed<DockerPort>> = serde_json::from_slice(body)?;
    Ok(all(listed, EngineKind::Docker, place))
}

/// Reads the answer of Podman in its own form.
pub fn podman(body: &[u8], place: usize) -> Result<Vec<Running>, NotAList> {
    let listed: Vec<Listed<PodmanPort>> = serde_json::from_slice(body)?;
    Ok(all(listed, EngineKind::Podman, place))
}

fn all<P: Port>(listed: Vec<Listed<P>>, engine: EngineKind, place: usize) -> Vec<Running> {
    let running = listed.into_iter().filter(|one| {
        // Podman tells of the ports of what has ended, too.
        let runs = |state: &str| ["running", "paused", "restarting"].contains(&state);
        is_id(&one.id) && one.state.as_deref().is_none_or(runs)
    });
    let mut all: Vec<Running> = running
        .take(CONTAINERS)
        .map(|one| taken(one, engine, place))
        .collect();
    call_pods_by_name(&mut all);
    all
}

fn taken<P: Port>(one: Listed<P>, engine: EngineKind, place: usize) -> Running {
    let text = |text: Option<String>| {
        text.filter(|text| !text.is_empty())
            .map(|text| shorten(&text, NAME).into_owned())
    };
    let labels = one.labels.unwrap_or(Labels {
        project: None,
        service: None,
    });
    let names = one.names.unwrap_or_default();
    // Docker's begin with a slash, and a link from another container has two of them.
    let own = names
        .iter()
        .map(|name| name.strip_prefix('/').unwrap_or(name));
    let name = own.min_by_key(|name| name.contains('/')).unwrap_or("");
    let mut container = Container::of_id(&one.id, engine);
    container.name = text(Some(name.to_owned())).unwrap_or(container.name);
    container.image = text(one.image).map(image);
    container.project = text(labels.project);
    container.service = text(labels.service);
    let has_pod = one.pod.is_some_and(|pod| !pod.is_empty());
    container.pod = text(one.pod_name).filter(|_| has_pod);
    let ports = one.ports.unwrap_or_default();
    Running {
        container,
        infra: one.is_infra,
        ports: ports
            .iter()
            .take(PORTS)
            .flat_map(Port::publications)
            .collect(),
        place,
    }
}

/// Of an image without a name, the beginning of its id.
fn image(name: String) -> String {
    match name.strip_prefix("sha256:") {
        Some(id) => super::short(id).to_owned(),
        None => name,
    }
}

/// Where a pod has several containers that do work, none of them is the one with the ports: they are
/// called by the pod.
fn call_pods_by_name(all: &mut [Running]) {
    let workers = |pod: &str| {
        let of_pod = |one: &&Running| !one.infra && one.container.pod.as_deref() == Some(pod);
        all.iter().filter(of_pod).count()
    };
    let several: Vec<String> = all
        .iter()
        .filter(|one| one.infra)
        .filter_map(|one| one.container.pod.clone())
        .filter(|pod| workers(pod) != 1)
        .collect();
    for one in all {
        let container = &mut one.container;
        if let Some(pod) = container.pod.as_ref().filter(|pod| several.contains(pod)) {
            container.name = pod.clone();
            container.image = None;
            container.service = None;
        }
    }
}

/// Whether a text can be nothing but an id, wherever it is written: it becomes part of a request.
pub fn is_id(text: &str) -> bool {
    (1..=ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
