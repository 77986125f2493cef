//! With a real Podman and a real Docker, and real containers. Each is started once, as that takes longer
//! than the tests.

use serde_json::{Value, json};

use crate::machine::{Kind, Machine};
use crate::support::app::{App, Wire};
use crate::support::{Home, finish, ports, wait_for};

fn listed(machine: &Machine<'_>, port: u16) -> Vec<Value> {
    let ran = finish(&mut machine.freeport(&format!("list {port} --json")));
    ran.json()["listeners"].as_array().unwrap().clone()
}

fn container(machine: &Machine<'_>, port: u16) -> Value {
    let all = listed(machine, port);
    assert!(!all.is_empty(), "nobody listens on port {port}");
    all[0]["container"].clone()
}

/// Starts a container with a network of its own.
fn start(machine: &Machine<'_>, name: &str, rest: &str) {
    let network = machine.kind.network();
    let line = format!("run --detach --name {name} --network {network} {rest}");
    machine.run(&line).ends(0);
}

fn engine(machine: &Machine<'_>) -> (&'static str, &'static str, &'static str) {
    match machine.kind {
        Kind::Podman => ("podman", "localhost/made:1", "rootlessport"),
        Kind::Docker => ("docker", "made:1", "docker-proxy"),
    }
}

#[test]
fn containers_of_a_real_podman() {
    let home = Home::new();
    if let Some(machine) = Machine::start(&home, Kind::Podman) {
        published(&machine);
        through_the_app(&home, &machine);
        in_a_pod(&machine);
        on_the_network_of_the_machine(&machine);
        without_its_engine(&machine);
    }
}

#[test]
fn containers_of_a_real_docker() {
    let home = Home::new();
    if let Some(machine) = Machine::start(&home, Kind::Docker) {
        published(&machine);
        through_the_app(&home, &machine);
        on_the_network_of_the_machine(&machine);
        without_its_engine(&machine);
    }
}

/// A range of ports, two protocols and an address: all are the container's, and go with it.
fn published(machine: &Machine<'_>) {
    let (command, image, proxy) = engine(machine);
    let first = ports::block(3);
    let (second, third) = (first + 1, first + 2);
    let labels = "--label com.docker.compose.project=shop --label com.docker.compose.service=web";
    let publish = format!("-p 127.0.0.1:{first}-{second}:8080-8081 -p 127.0.0.1:{third}:9000/udp");
    let rest = format!("{labels} {publish} made:1 8080 8081 udp:9000");
    start(machine, "shop-web-1", &rest);
    for (port, inside) in [(first, 8080), (second, 8081), (third, 9000)] {
        let found = container(machine, port);
        let expected = json!({
            "id": found["id"], "name": "shop-web-1", "image": image, "engine": command,
            "project": "shop", "service": "web", "pod": null, "port": inside
        });
        assert_eq!(found, expected);
    }
    let listed = finish(&mut machine.freeport("list shop-web-1"));
    let row = format!("{command}: {image}, container port");
    assert_eq!(listed.out.matches(&row).count(), 3, "{listed:?}");
    let why = finish(&mut machine.freeport(&format!("why {first}")));
    let title = format!("container shop-web-1 ({image})");
    for part in [title, format!("{proxy} (pid "), "shop · web".to_owned()] {
        assert!(why.out.contains(&part), "{part}: {why:?}");
    }
    let wrong = finish(&mut machine.freeport(&format!("kill {first} --container db")));
    let wrong = wrong.ends(5).err;
    assert!(wrong.contains("no container db publishes port"), "{wrong}");
    finish(&mut machine.freeport(&format!("kill {first} --dry-run"))).ends(0);
    assert!(machine.runs("shop-web-1"));
    let killed = finish(&mut machine.freeport(&format!("kill {second}")))
        .ends(0)
        .out;
    let told = format!("port {second} is free; stopped container shop-web-1 ({image})\n");
    assert_eq!(killed, told);
    assert!(!machine.runs("shop-web-1"));
    assert_eq!(self::listed(machine, first), [] as [Value; 0]);
}

/// The app sees it come, go and come again.
fn through_the_app(home: &Home, machine: &Machine<'_>) {
    let app = App::start_by(home, &mut machine.freeport("app --headless"));
    let (mut wire, port) = (Wire::open(home), ports::one());
    let mut shown = || {
        let all = wire.listeners(port);
        all.first().map(|found| found["container"].clone())
    };
    // On all addresses: Docker has a process for each of IPv4 and IPv6.
    start(machine, "again", &format!("-p {port}:8080 made:1 8080"));
    let found = wait_for("the container", || shown().filter(|now| !now.is_null()));
    assert_eq!(
        (&found["name"], &found["port"]),
        (&json!("again"), &json!(8080))
    );
    machine.run("restart --time 5 again").ends(0);
    wait_for("the container again", || {
        shown().filter(|now| now == &found)
    });
    let why = finish(&mut machine.freeport(&format!("why {port}")))
        .ends(0)
        .out;
    assert!(
        !why.contains("ambiguous"),
        "both lead to one container: {why}"
    );
    let mut wire = Wire::open(home);
    let mut kill = |id: &Value| {
        let reply = wire.ask(&json!({"cmd": "KILL", "ports": [port], "container": id}));
        reply["outcomes"][0]["result"].clone()
    };
    assert_eq!(kill(&json!("f".repeat(64))), "other_process");
    assert!(machine.runs("again"));
    assert_eq!(kill(&found["id"]), "freed");
    assert!(!machine.runs("again"));
    drop(app);
}

/// A port of a pod is told by the container that does the work, and frees no pod.
fn in_a_pod(machine: &Machine<'_>) {
    let port = ports::one();
    let infra = "--infra-image localhost/made:1 --infra-command /server";
    let publish = format!("-p 127.0.0.1:{port}:8080");
    let pod = format!("pod create --name shop --network slirp4netns {infra} {publish}");
    machine.run(&pod).ends(0);
    machine
        .run("run --detach --name worker --pod shop made:1 8080")
        .ends(0);
    let found = container(machine, port);
    assert_eq!(
        (&found["name"], &found["pod"]),
        (&json!("worker"), &json!("shop"))
    );
    let refused = finish(&mut machine.freeport(&format!("kill {port}")))
        .ends(5)
        .err;
    for part in ["that of the pod shop", "podman pod stop shop"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(machine.runs("worker"));
}

/// A process on the network of the machine is a process, and is said to be in a container.
fn on_the_network_of_the_machine(machine: &Machine<'_>) {
    let (_, image, _) = engine(machine);
    let port = ports::one();
    let line = format!("run --detach --name host --network host made:1 {port}");
    machine.run(&line).ends(0);
    let found = wait_for("the server", || listed(machine, port).into_iter().next());
    assert_eq!(found["owner"]["name"], "server");
    let container = &found["container"];
    assert_eq!(
        (&container["name"], &container["port"]),
        (&json!("host"), &Value::Null)
    );
    let why = finish(&mut machine.freeport(&format!("why {port}")))
        .ends(0)
        .out;
    let title = format!("container host ({image})");
    for part in [&title, "on the network of this machine"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let killed = finish(&mut machine.freeport(&format!("kill {port}")))
        .ends(0)
        .out;
    let told = format!("port {port} is free; ended server (pid ");
    assert!(killed.starts_with(&told), "{killed}");
    wait_for("the end of the container", || {
        (!machine.runs("host")).then_some(())
    });
}

/// Where its engine does not answer, what passes the port on is left alone.
fn without_its_engine(machine: &Machine<'_>) {
    let (command, _, proxy) = engine(machine);
    let port = ports::one();
    start(
        machine,
        "left",
        &format!("-p 127.0.0.1:{port}:8080 made:1 8080"),
    );
    machine.freeze();
    let line = format!("kill {port} --force");
    let refused = finish(&mut machine.freeport(&line)).ends(5).err;
    machine.thaw();
    let start = format!("nothing was signalled: {proxy} (pid ");
    let way = format!("{command} stop NAME");
    for part in [&start, &way, "it does not answer in time"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert_eq!(container(machine, port)["name"], "left");
    assert!(machine.runs("left"));
    finish(&mut machine.freeport(&format!("kill {port}"))).ends(0);
}
