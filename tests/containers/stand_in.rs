//! What needs Docker, or an engine that misbehaves: told by the stand-in.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::engine::{Engine, Proxy, contain, container, id};
use crate::support::app::{App, Wire};
use crate::support::processes::Server;
use crate::support::{Home, NOBODY, Ran, finish, may_be_others, python, wait_for};
use serde_json::{Value, json};

/// Freeport, with docker at this address.
fn freeport(home: &Home, address: &str, line: &str) -> Command {
    let mut command = home.freeport(line.split_ascii_whitespace());
    command.env("DOCKER_HOST", address);
    command
}

fn run(home: &Home, engine: &Engine, line: &str) -> Ran {
    finish(&mut freeport(home, &engine.address(), line))
}

#[test]
fn a_port_is_shown_as_its_container_and_stopped_by_its_engine() {
    let home = Home::new();
    let (engine, proxy) = (
        Engine::start(&home, &[]),
        Proxy::start(&home, "docker-proxy"),
    );
    let (port, pid) = (proxy.port, proxy.process.pid());
    contain(&home, &[container('a', "web", port, &[pid])]);
    let listed = run(&home, &engine, &format!("list {port} --json"))
        .ends(0)
        .json();
    let expected = json!({
        "id": id('a'), "name": "web", "image": "nginx:alpine", "engine": "docker",
        "project": "shop", "service": "web", "pod": null, "port": 80
    });
    assert_eq!(listed["listeners"][0]["container"], expected);
    assert_eq!(listed["listeners"][0]["owner"]["pid"], pid);
    let shown = run(&home, &engine, "list nginx").ends(0).out;
    for part in ["web", "shop", "docker: nginx:alpine, container port 80"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let why = run(&home, &engine, &format!("why {port}")).ends(0).out;
    for part in ["container web (nginx:alpine)", "docker-proxy", "shop · web"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let dry = run(&home, &engine, &format!("kill {port} --dry-run"))
        .ends(0)
        .out;
    let would = format!(
        "would stop container web (nginx:alpine) to free port {port}; nothing was stopped\n"
    );
    assert_eq!(dry, would);
    assert_eq!(engine.change(), None);
    let killed = run(&home, &engine, &format!("kill {port} --grace 7s"))
        .ends(0)
        .out;
    assert_eq!(
        killed,
        format!("port {port} is free; stopped container web (nginx:alpine)\n")
    );
    assert_eq!(
        engine.change(),
        Some(format!("/containers/{}/stop?t=7", id('a')))
    );
    assert_eq!(
        proxy.process.status(),
        128 + 9,
        "its engine ended it, and no SIGTERM did"
    );
}

#[test]
fn the_time_is_the_containers_own_and_force_kills() {
    let home = Home::new();
    let engine = Engine::start(&home, &[]);
    for (options, request) in [("", "stop"), ("--force --grace 0s", "kill")] {
        let proxy = Proxy::start(&home, "docker-proxy");
        let port = proxy.port;
        contain(
            &home,
            &[container('a', "web", port, &[proxy.process.pid()])],
        );
        run(&home, &engine, &format!("kill {port} {options}")).ends(0);
        assert_eq!(
            engine.change(),
            Some(format!("/containers/{}/{request}", id('a')))
        );
    }
}

#[test]
fn what_passes_a_port_on_is_never_signalled() {
    let home = Home::new();
    let nowhere = format!("unix://{}", home.path("none.sock").display());
    for (name, why, way) in [
        (
            "docker-proxy",
            "only passes the port on to a container",
            "docker stop",
        ),
        (
            "rootlessport",
            "only passes ports on to a container",
            "podman stop",
        ),
        ("com.docker.backend", "is Docker Desktop", "docker context"),
        ("limactl", "a whole virtual machine", "limactl stop"),
        (
            "qemu-system-x86_64",
            "is a whole virtual machine",
            "shut the machine down",
        ),
    ] {
        let proxy = Proxy::start(&home, name);
        let (port, pid) = (proxy.port, proxy.process.pid());
        // The kernel keeps 15 bytes of it, and its file is Python's.
        let shown = name.get(..15).unwrap_or(name);
        for options in ["", "--force", &format!("--pid {pid}"), "--tree"] {
            let ran = finish(&mut freeport(
                &home,
                &nowhere,
                &format!("kill {port} {options}"),
            ))
            .ends(5);
            for part in ["nothing was signalled", shown, why, way] {
                assert!(ran.err.contains(part), "{part}: {ran:?}");
            }
        }
        assert!(!proxy.process.has_ended(), "{name}");
    }
}

#[test]
fn an_engine_that_cannot_be_asked_stops_nothing_and_delays_nothing() {
    for (options, told) in [
        (&["--slow", "60"][..], "it does not answer in time"),
        (
            &["--broken", "SSH-2.0-x\\r\\n"],
            "it does not speak HTTP as it should",
        ),
        (
            &["--broken", "HTTP/1.1 200 OK\\r\\n\\r\\n{}"],
            "it does not answer with a list",
        ),
        (
            &[
                "--broken",
                "HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\n[",
            ],
            "before its answer was over",
        ),
        (
            &[
                "--broken",
                "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nffffffff\\r\\n[",
            ],
            "too large",
        ),
    ] {
        let home = Home::new();
        let (engine, proxy) = (
            Engine::start(&home, options),
            Proxy::start(&home, "docker-proxy"),
        );
        let port = proxy.port;
        let start = Instant::now();
        let why = run(&home, &engine, &format!("why {port}")).ends(0).out;
        assert!(why.contains(told), "{told}: {why}");
        assert_eq!(why.matches("could not be asked").count(), 1, "{why}");
        let killed = run(&home, &engine, &format!("kill {port}")).ends(5).err;
        assert!(
            killed.contains(told) && killed.contains("only passes the port on"),
            "{killed}"
        );
        assert!(!proxy.process.has_ended());
        assert!(start.elapsed() < Duration::from_secs(40), "a hang");
    }
}

#[test]
fn the_engine_of_another_user_is_not_believed() {
    if !may_be_others("an engine of another user") {
        return;
    }
    let home = Home::new();
    std::os::unix::fs::chown(home.path(""), Some(NOBODY), None).unwrap();
    let mut python_of_nobody = home.command("setpriv");
    python_of_nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    python_of_nobody.arg(python());
    let engine = Engine::start_by(python_of_nobody, &home, &[]);
    let proxy = Proxy::start(&home, "docker-proxy");
    let port = proxy.port;
    contain(
        &home,
        &[container('a', "web", port, &[proxy.process.pid()])],
    );
    let why = run(&home, &engine, &format!("why {port}")).ends(0).out;
    assert!(why.contains("belongs to another user (uid 65534)"), "{why}");
    run(&home, &engine, &format!("kill {port}")).ends(5);
    assert!(!proxy.process.has_ended());
    assert_eq!(engine.lists(), 0, "it was not asked");
}

#[test]
fn a_socket_without_permission_is_told_with_what_helps() {
    use std::os::unix::fs::PermissionsExt as _;
    if !may_be_others("a socket that may not be used") {
        return;
    }
    let home = Home::new();
    let engine = Engine::start(&home, &[]);
    let socket = home.path("docker.sock");
    std::fs::rename(home.path("engine.sock"), &socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).unwrap();
    let proxy = Proxy::start(&home, "docker-proxy");
    contain(
        &home,
        &[container('a', "web", proxy.port, &[proxy.process.pid()])],
    );
    let address = format!("unix://{}", socket.display());
    let mut command = home.freeport_as(NOBODY, &format!("why {}", proxy.port));
    let why = finish(command.env("DOCKER_HOST", &address)).ends(0).out;
    for part in ["permission denied", "usermod -aG docker", "docker.sock"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert_eq!(engine.lists(), 0);
}

#[test]
fn other_machines_are_not_asked() {
    let home = Home::new();
    let proxy = Proxy::start(&home, "docker-proxy");
    for address in ["ssh://me@build", "tcp://192.0.2.1:2375"] {
        let start = Instant::now();
        let line = format!("why {}", proxy.port);
        let why = finish(&mut freeport(&home, address, &line)).ends(0).out;
        assert!(why.contains("another machine's engine"), "{why}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn the_container_that_was_shown_is_the_one_or_none() {
    let home = Home::new();
    let (engine, proxy) = (
        Engine::start(&home, &[]),
        Proxy::start(&home, "docker-proxy"),
    );
    let (port, pid) = (proxy.port, proxy.process.pid());
    contain(&home, &[container('b', "next", port, &[pid])]);
    let named = format!("kill {port} --container {}", id('a'));
    let refused = run(&home, &engine, &named).ends(5).err;
    assert!(
        refused.contains("nothing was stopped: no container aaaa"),
        "{refused}"
    );
    contain(
        &home,
        &[
            container('a', "web", port, &[pid]),
            container('b', "next", port, &[pid]),
        ],
    );
    let refused = run(&home, &engine, &format!("kill {port}")).ends(5).err;
    for part in [
        "container web (nginx:alpine)",
        "container next (nginx:alpine)",
        "--container web",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(!proxy.process.has_ended());
    run(&home, &engine, &format!("kill {port} --container next")).ends(0);
    assert_eq!(
        engine.change(),
        Some(format!("/containers/{}/stop", id('b')))
    );
}

#[test]
fn a_refusal_of_the_engine_and_a_lie_are_told() {
    let home = Home::new();
    let proxy = Proxy::start(&home, "docker-proxy");
    let port = proxy.port;
    contain(
        &home,
        &[container('a', "web", port, &[proxy.process.pid()])],
    );
    let engine = Engine::start(&home, &["--refuse"]);
    let refused = run(&home, &engine, &format!("kill {port}")).ends(1).err;
    assert!(
        refused.contains("cannot stop container: permission \\x1b denied"),
        "{refused}"
    );
    drop(engine);
    let engine = Engine::start(&home, &["--deaf"]);
    let lie = run(&home, &engine, &format!("kill {port} --json"))
        .ends(5)
        .json();
    assert_eq!(lie["outcomes"][0]["result"], "still_held");
    assert_eq!(lie["outcomes"][0]["container"]["name"], "web");
    assert!(!proxy.process.has_ended());
}

fn app(home: &Home, engine: &Engine) -> App {
    let mut command = home.freeport(["app", "--headless"]);
    App::start_by(home, command.env("DOCKER_HOST", engine.address()))
}

fn shown(wire: &mut Wire, port: u16) -> Value {
    wire.listeners(port)
        .first()
        .map_or(Value::Null, |listener| listener["container"].clone())
}

#[test]
fn the_app_asks_when_a_port_appears_and_not_otherwise() {
    let home = Home::new();
    let engine = Engine::start(&home, &[]);
    let app = app(&home, &engine);
    let mut wire = Wire::open(&home);
    let proxy = Proxy::start(&home, "docker-proxy");
    let (port, pid) = (proxy.port, proxy.process.pid());
    // The port is bound before the engine says so.
    assert_eq!(shown(&mut wire, port), Value::Null);
    contain(&home, &[container('a', "web", port, &[pid])]);
    wait_for("the container", || {
        (shown(&mut wire, port)["name"] == "web").then_some(())
    });
    engine.lists();
    let server = Server::start(&home, "");
    wait_for("the server", || {
        (!wire.listeners(server.port).is_empty()).then_some(())
    });
    drop(server);
    for _ in 0..5 {
        assert_eq!(shown(&mut wire, port)["name"], "web");
    }
    assert!(
        engine.lists() <= 3,
        "only a port that may be a container's is a question"
    );
    let killed = wire.ask(&json!({"cmd": "KILL", "ports": [port], "container": id('a')}));
    assert_eq!(killed["outcomes"][0]["result"], "freed", "{killed}");
    contain(&home, &[]);
    let next = Proxy::start_at(&home, "docker-proxy", port);
    wait_for("the next one", || {
        (!wire.listeners(port).is_empty()).then_some(())
    });
    assert_eq!(
        shown(&mut wire, port),
        Value::Null,
        "it is another container's, if any"
    );
    drop((next, app));
}

#[test]
fn an_engine_that_hangs_does_not_keep_the_app() {
    let home = Home::new();
    let engine = Engine::start(&home, &["--slow", "60"]);
    let app = app(&home, &engine);
    let mut wire = Wire::open(&home);
    let proxy = Proxy::start(&home, "docker-proxy");
    wait_for("the port", || {
        (!wire.listeners(proxy.port).is_empty()).then_some(())
    });
    let start = Instant::now();
    for _ in 0..20 {
        wire.listeners(proxy.port);
        wire.done(&json!({"cmd": "PING"}));
    }
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "each of them waited"
    );
    drop(app);
}
