//! Where the engines of this machine may be asked: the variables of docker and podman, the contexts of
//! docker, and the places where engines put their sockets.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::model::container::Trouble;
use crate::platform::paths;

/// The most contexts of docker that are read.
const CONTEXTS: usize = 32;
/// The largest description of a context that is read.
const META: u64 = 64 * 1024;

/// Sockets of every user, and below the home and runtime folders of this one.
const SYSTEM: [&str; 3] = [
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
];
const HOME: [&str; 9] = [
    ".docker/run/docker.sock",
    ".docker/desktop/docker.sock",
    ".orbstack/run/docker.sock",
    ".colima/default/docker.sock",
    ".config/colima/default/docker.sock",
    ".rd/docker.sock",
    ".lima/docker/sock/docker.sock",
    ".local/share/containers/podman/machine/podman.sock",
    ".local/share/containers/podman/machine/qemu/podman.sock",
];
const RUNTIME: [&str; 2] = ["docker.sock", "podman/podman.sock"];
/// Below the temporary folder: where `podman machine` puts it on macOS.
const TEMPORARY: [&str; 1] = ["podman/podman-machine-default-api.sock"];

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A Unix socket.
    Unix(PathBuf),
    /// A port of this machine, without TLS.
    Tcp(SocketAddr),
}

/// An address that is not asked, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// What is there has no ports on this machine.
    Elsewhere,
    /// It needs TLS.
    Tls,
    /// It is not understood.
    Unknown,
}

impl NotAsked {
    fn why(self) -> &'static str {
        match self {
            NotAsked::Elsewhere => {
                "it is another machine's engine; only those of this one are asked"
            }
            NotAsked::Tls => "it needs TLS, which is not spoken here; only its socket can be asked",
            NotAsked::Unknown => {
                "it is not an address of the form unix:///PATH or tcp://127.0.0.1:PORT"
            }
        }
    }
}

impl Place {
    /// Reads `unix:///run/docker.sock` or `tcp://127.0.0.1:2375`. `tls` says whether TLS is asked for.
    pub fn parse(address: &str, tls: bool) -> Result<Place, NotAsked> {
        if let Some(path) = address.strip_prefix("unix://") {
            let path = PathBuf::from(path);
            return match path.is_absolute() {
                true => Ok(Place::Unix(path)),
                false => Err(NotAsked::Unknown),
            };
        }
        let (scheme, rest) = address.split_once("://").ok_or(NotAsked::Unknown)?;
        match scheme {
            "ssh" => return Err(NotAsked::Elsewhere),
            "tcp" | "http" => {}
            "https" => return Err(NotAsked::Tls),
            _ => return Err(NotAsked::Unknown),
        }
        let host = rest.trim_end_matches('/');
        let host = host
            .strip_prefix("localhost:")
            .map_or_else(|| host.to_owned(), |port| format!("127.0.0.1:{port}"));
        match host.parse::<SocketAddr>() {
            Ok(at) if !at.ip().is_loopback() => Err(NotAsked::Elsewhere),
            Ok(_) if tls => Err(NotAsked::Tls),
            Ok(at) => Ok(Place::Tcp(at)),
            Err(_) if host.contains(':') => Err(NotAsked::Elsewhere),
            Err(_) => Err(NotAsked::Unknown),
        }
    }

    /// The address, as [`Place::parse`] reads it; `None` where it is not text.
    pub fn address(&self) -> Option<String> {
        match self {
            Place::Unix(path) => Some(format!("unix://{}", path.to_str()?)),
            Place::Tcp(at) => Some(format!("tcp://{at}")),
        }
    }
}

/// All places where there may be an engine, each once, and what was meant to be one and is not.
pub fn all() -> (Vec<Place>, Vec<Trouble>) {
    let (mut places, mut troubles) = (Vec::new(), Vec::new());
    let tls = env::var_os("DOCKER_TLS_VERIFY").is_some_and(|value| !value.is_empty());
    for variable in ["DOCKER_HOST", "CONTAINER_HOST"] {
        let Some(address) = env::var(variable).ok().filter(|text| !text.is_empty()) else {
            continue;
        };
        match Place::parse(&address, tls && variable == "DOCKER_HOST") {
            Ok(place) => places.push(place),
            Err(why) => troubles.push(Trouble {
                place: format!("{variable}={address}"),
                why: why.why().to_owned(),
            }),
        }
    }
    let home = paths::home();
    let config = variable("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
    places.extend(config.iter().flat_map(|config| contexts(config)));
    places.extend(SYSTEM.map(|path| Place::Unix(path.into())));
    let below = |folder: Option<PathBuf>, paths: &[&str]| -> Vec<Place> {
        let folder = folder.into_iter();
        let all = folder.flat_map(|folder| paths.iter().map(move |path| folder.join(path)));
        all.map(Place::Unix).collect()
    };
    places.extend(below(variable("XDG_RUNTIME_DIR"), &RUNTIME));
    places.extend(below(home, &HOME));
    places.extend(below(Some(env::temp_dir()), &TEMPORARY));
    (each_once(places), troubles)
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// Sockets that are there, each once: they are often links to each other.
fn each_once(places: Vec<Place>) -> Vec<Place> {
    let mut once: Vec<Place> = Vec::new();
    for place in places {
        let place = match place {
            Place::Unix(path) => match std::fs::canonicalize(&path) {
                Ok(real) => Place::Unix(real),
                // Where the folder may not be entered, the attempt to connect tells.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    Place::Unix(path)
                }
                Err(_) => continue,
            },
            tcp @ Place::Tcp(_) => tcp,
        };
        if !once.contains(&place) {
            once.push(place);
        }
    }
    once
}

/// The sockets of the contexts of docker (`contexts/meta/ID/meta.json`). Those on other machines are
/// nothing that went wrong.
fn contexts(config: &Path) -> Vec<Place> {
    let Ok(folder) = std::fs::read_dir(config.join("contexts/meta")) else {
        return Vec::new();
    };
    let texts = folder
        .flatten()
        .take(CONTEXTS)
        .filter_map(|entry| start_of(&entry.path().join("meta.json")));
    let hosts = texts.filter_map(|text| {
        let meta: serde_json::Value = serde_json::from_str(&text).ok()?;
        let host = meta.get("Endpoints")?.get("docker")?.get("Host")?;
        Some(host.as_str()?.to_owned())
    });
    hosts
        .filter_map(|host| Place::parse(&host, false).ok())
        // A context of a port has its certificates elsewhere.
        .filter(|place| matches!(place, Place::Unix(_)))
        .collect()
}

fn start_of(file: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(file).ok()?;
    // What is no file does not end.
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.take(META).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let unix = Place::Unix("/run/docker.sock".into());
        let tcp = Place::Tcp(([127, 0, 0, 1], 2375).into());
        for (text, expected) in [
            ("unix:///run/docker.sock", Ok(unix.clone())),
            ("tcp://127.0.0.1:2375", Ok(tcp.clone())),
            ("tcp://localhost:2375/", Ok(tcp.clone())),
            (
                "tcp://[::1]:2375",
                Ok(Place::Tcp("[::1]:2375".parse().unwrap())),
            ),
            ("tcp://192.168.1.5:2375", Err(NotAsked::Elsewhere)),
            ("tcp://build.example:2375", Err(NotAsked::Elsewhere)),
            ("ssh://me@host", Err(NotAsked::Elsewhere)),
            ("https://127.0.0.1:2376", Err(NotAsked::Tls)),
            ("fd://", Err(NotAsked::Unknown)),
            ("unix://run/docker.sock", Err(NotAsked::Unknown)),
            ("/run/docker.sock", Err(NotAsked::Unknown)),
            ("tcp://127.0.0.1", Err(NotAsked::Unknown)),
            ("", Err(NotAsked::Unknown)),
        ] {
            assert_eq!(Place::parse(text, false), expected, "{text}");
        }
        assert_eq!(
            Place::parse("tcp://127.0.0.1:2376", true),
            Err(NotAsked::Tls)
        );
        for place in [unix, tcp] {
            assert_eq!(Place::parse(&place.address().unwrap(), false), Ok(place));
        }
    }

    #[test]
    fn contexts_of_this_machine_are_read() {
        let folder = env::temp_dir().join(format!("freeport-contexts-{}", std::process::id()));
        for (id, host) in [
            ("a", "unix:///home/me/.colima/default/docker.sock"),
            ("b", "ssh://me@host"),
            ("c", "tcp://127.0.0.1:2376"),
        ] {
            let place = folder.join("contexts/meta").join(id);
            std::fs::create_dir_all(&place).unwrap();
            let meta = serde_json::json!({"Name": id, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": false}}});
            std::fs::write(place.join("meta.json"), meta.to_string()).unwrap();
        }
        std::fs::create_dir_all(folder.join("contexts/meta/d/meta.json")).unwrap();
        let found = contexts(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let path = "/home/me/.colima/default/docker.sock";
        assert_eq!(found, [Place::Unix(path.into())]);
    }
}
