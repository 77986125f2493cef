//! `docker run` as Freeport reads it, beside what the docker client makes of the same line.
//!
//! No container runs: the client talks to an engine that only writes down what it is asked for.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;

use crate::support::{Home, finish, there_is};
use freeport::model::{Port, PortRange, Protocol};
use freeport::run::docker::DockerRun;
use serde_json::Value;

/// An engine that refuses to create containers, and tells what was asked of it.
struct Engine {
    home: Home,
    asked: mpsc::Receiver<Value>,
}

impl Engine {
    fn start() -> Engine {
        let home = Home::new();
        let listener = UnixListener::bind(home.path("engine.sock")).unwrap();
        let (tell, asked) = mpsc::channel();
        std::thread::spawn(move || {
            let streams = listener.incoming().map_while(Result::ok);
            streams.for_each(|stream| {
                let _ = answer(stream, &tell);
            });
        });
        Engine { home, asked }
    }

    /// What the client asks for with these arguments; nothing where it refuses them itself.
    fn asked_by(&self, args: &[OsString]) -> Option<Value> {
        let mut docker = self.home.command("docker");
        docker.env(
            "DOCKER_HOST",
            format!("unix://{}", self.home.path("engine.sock").display()),
        );
        docker.env("DOCKER_CONFIG", self.home.path("docker"));
        let ran = finish(docker.args(args));
        assert_ne!(
            ran.code, 0,
            "there is nothing that it could start: {ran:#?}"
        );
        self.asked.try_recv().ok()
    }
}

/// Answers a request. What is asked for is told before that, so that it is there when the client ends.
fn answer(stream: UnixStream, tell: &mpsc::Sender<Value>) -> Option<()> {
    let mut from = BufReader::new(stream.try_clone().ok()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.to_ascii_lowercase());
    }
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    from.read_exact(&mut body).ok()?;
    let asked = head.first()?;
    let creates = asked.starts_with("post") && asked.contains("/containers/create");
    if creates {
        tell.send(serde_json::from_slice(&body).unwrap()).ok()?;
    }
    let (status, text) = match creates {
        true => ("409 Conflict", r#"{"message":"written down"}"#),
        false => ("200 OK", "{}"),
    };
    let mut to = stream;
    let text = if asked.starts_with("head") { "" } else { text };
    let length = text.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.44\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}"
    );
    to.write_all(format!("{head}\r\n\r\n{text}").as_bytes())
        .ok()
}

/// Takes the ports of this machine out of a container, where it names them:
/// `ADDRESS PORTS CONTAINER/PROTOCOL`. Those of a protocol that Freeport does not see stay.
fn take_bindings(container: &mut Value) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    let Some(all) = container["HostConfig"]["PortBindings"].as_object_mut() else {
        return taken;
    };
    for (inner, bindings) in all {
        let bindings = bindings.as_array_mut().unwrap();
        bindings.retain(|binding| {
            let (ip, port) = (
                binding["HostIp"].as_str().unwrap(),
                binding["HostPort"].as_str().unwrap(),
            );
            let named = !port.is_empty() && port != "0" && !inner.ends_with("/sctp");
            if named {
                taken.insert(format!("{ip} {port} {inner}"));
            }
            !named
        });
    }
    taken
}

/// The same of what was read, with the ports of this machine so much higher.
fn bindings(line: &DockerRun, above: u16) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for publish in line.published() {
        let ip = publish.host_ip.map_or(String::new(), |ip| ip.to_string());
        let protocol = match publish.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        if publish.is_any() {
            let ports = match above {
                0 => publish.ports,
                _ => publish.starting_at(higher(publish.ports, above)).unwrap(),
            };
            all.insert(format!("{ip} {ports} {}/{protocol}", publish.container));
            continue;
        }
        for (port, inner) in publish.ports.iter().zip(publish.container.iter()) {
            all.insert(format!("{ip} {} {inner}/{protocol}", port.get() + above));
        }
    }
    all
}

fn higher(ports: PortRange, above: u16) -> Port {
    Port::new(ports.first().get() + above).unwrap()
}

#[test]
fn the_client_reads_lines_alike() {
    if !there_is("docker") {
        return;
    }
    let engine = Engine::start();
    let mut asked = 0;
    for line in [
        "run -p 3000:80 img",
        "run -p3000:80 img -p 1:1",
        "run -p=3000:80 img",
        "run --publish 3000:80 img",
        "run --publish=3000:80 img",
        "run -itp 3000:80 img",
        "run -dp3000:80 img",
        "run -dit=false -p 3000:80 img",
        "run --rm -p 127.0.0.1:3000:80 -p 127.0.0.2:3000:80 img",
        "run -p [::1]:3000:80 -p ::1:3001:81 -p [127.0.0.1]:3002:82 img",
        "run -p 53:53/udp -p 53:53/tcp -p 54:54/UDP -p 55:55/sctp -p 56:56/ img",
        "run -p 3000-3005:4000-4005 -p 5000-5001:90 -p 6000-6000:91 img",
        "run -p 3000 -p :3001 -p 127.0.0.1::3002 -p 0:3003 -p :4000:3004 img",
        "run -p 03000:080 img",
        "run -p published=3000,target=80 img",
        "run -p target=80,published=3000,protocol=udp,mode=host,published=3001 img",
        "run -p published=127.0.0.1:3000,target=80 img",
        "run -p target=80 img",
        "run -P --expose 80 img -p 3000:80",
        "run --name -p img 3000:80",
        "run -e -p -hp img -p 3000:80",
        "run -e p=3000:80 -ep=1 -vp:/x img",
        "run -l -p --link a:b -w /x -u 1 -m 64m -c 2 -a stdout --cpus 1 -p 3000:80 img sh -c x",
        "run --detach false -p 3000:80",
        "run -qi --no-healthcheck --init --privileged --read-only --sig-proxy=false -tp 3000:80 img",
        "run --net shop --net-alias x --dns-opt ndots:1 -p 3000:80 img",
        "run -p 3000:80 -- img -p 1:1",
        "create -p 3000:80 img",
        "container run -p 3000:80 img",
        "container create --pull never -p 3000:80 img x",
        "-D -l info --tls=false container run -p 3000:80 img",
        // What the client refuses.
        "run -p localhost:3000:80 img",
        "run -p 3005-3000:80 img",
        "run -p 3000-3001:80-82 img",
        "run -p +3000:80 img",
        "run -p 65536:80 img",
        "run -p 3000:80/x img",
        "run -p [fe80::1%lo]:3000:80 img",
        "run -p 3000: img",
        "run -p published=3000,80 img",
        "run --new -p 3000:80 img",
    ] {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let read = DockerRun::read(&args).unwrap_or_else(|| panic!("{line}"));
        let Some(mut container) = engine.asked_by(&args) else {
            continue;
        };
        asked += 1;
        assert_eq!(bindings(&read, 0), take_bindings(&mut container), "{line}");
        assert_eq!(read.unknown(), None, "{line}");
        let moved = read.rewrite(&args, |publish| Some(higher(publish.ports, 1000)));
        let mut other = engine
            .asked_by(&moved)
            .unwrap_or_else(|| panic!("{moved:?}"));
        assert_eq!(
            bindings(&read, 1000),
            take_bindings(&mut other),
            "{moved:?}"
        );
        assert_eq!(container, other, "{line}: nothing else has changed");
    }
    assert!(asked >= 29, "{asked} lines were taken by the client");
}
