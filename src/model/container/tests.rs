//! Which container a listener belongs to, by what engines say: recorded from Podman 4.3, and in the
//! form that Docker documents.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decode::{docker, podman};
use super::*;
use crate::model::attribute::tests::{process, socket};
use crate::model::{Process, attribute};

const ME: u32 = 1000;

/// A listener on port 8080 of 127.0.0.1, of this process and user.
pub(crate) fn listener(owner: Option<Arc<Process>>, uid: u32) -> Listener {
    let holders: Vec<Arc<Process>> = owner.into_iter().collect();
    let mut one = socket(8080, 1);
    one.uid = uid;
    attribute::listeners(&[one], |_| &holders, |_| None).remove(0)
}

pub(crate) fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// A container in the form of Docker, with these ports.
fn listed(digit: char, name: &str, ports: &Value) -> Value {
    json!({
        "Id": id(digit), "Names": [format!("/{name}"), "/other/link"], "Image": "nginx:alpine",
        "ImageID": "sha256:x", "Command": "nginx", "Created": 1, "Ports": ports,
        "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "x": "y"},
        "State": "running", "Status": "Up 2 hours", "HostConfig": {"NetworkMode": "bridge"}
    })
}

fn port(ip: &str, host: u16, inside: u16) -> Value {
    json!({"IP": ip, "PrivatePort": inside, "PublicPort": host, "Type": "tcp"})
}

pub(crate) fn seen(containers: &[Value]) -> Seen {
    Seen {
        places: vec!["/run/docker.sock".into()],
        running: docker(json!(containers).to_string().as_bytes(), 0).unwrap(),
        troubles: Vec::new(),
    }
}

/// A container that publishes port 8080 of 127.0.0.1.
pub(crate) fn web() -> Value {
    listed('a', "shop-web-1", &json!([port("127.0.0.1", 8080, 80)]))
}

fn name(listener: &Listener, seen: &Seen) -> Option<(String, Option<u16>)> {
    let mut all = [listener.clone()];
    attach(&mut all, seen, ME);
    let container = all[0].container.as_deref()?;
    Some((container.name.clone(), container.port))
}

#[test]
fn a_published_port_is_its_containers() {
    let seen = seen(&[
        web(),
        listed('b', "db", &json!([{"PrivatePort": 8080, "Type": "tcp"}])),
    ]);
    let proxy = listener(Some(process(5, "docker-proxy", &[1])), 0);
    let expected = Some(("shop-web-1".to_owned(), Some(80)));
    assert_eq!(name(&proxy, &seen), expected);
    assert_eq!(
        name(&listener(None, 0), &seen),
        expected,
        "a proxy that cannot be seen"
    );
    let container = &seen.running[0].container;
    assert_eq!(container.to_string(), "container shop-web-1 (nginx:alpine)");
    assert_eq!(
        (container.title(), container.project.as_deref()),
        ("web", Some("shop"))
    );
}

#[test]
fn what_is_somebody_elses_is_no_containers() {
    let seen = seen(&[web()]);
    let node = listener(Some(process(5, "node", &[1])), ME);
    assert_eq!(name(&node, &seen), None);
    assert_eq!(name(&listener(None, 33), &seen), None, "of another user");
    let elsewhere = json!([port("127.0.0.2", 8080, 80)]);
    let elsewhere = super::tests::seen(&[listed('a', "x", &elsewhere)]);
    assert_eq!(name(&listener(None, 0), &elsewhere), None);
    let udp = json!([{"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8080, "Type": "udp"}]);
    let udp = super::tests::seen(&[listed('a', "x", &udp)]);
    assert_eq!(
        name(&listener(Some(process(5, "dockerd", &[1])), 0), &udp),
        None
    );
}

#[test]
fn the_process_of_a_virtual_machine_listens_elsewhere_than_the_engine_says() {
    let inside = json!([port("0.0.0.0", 8080, 80), port("::", 8080, 80)]);
    let seen = seen(&[listed('a', "web", &inside)]);
    let backend = listener(Some(process(5, "com.docker.backend", &[1])), ME);
    assert_eq!(name(&backend, &seen), Some(("web".into(), Some(80))));
    assert_eq!(name(&listener(None, 0), &seen), None);
    let mut everywhere = listener(None, 0);
    everywhere.addresses = vec![Address::v4(Ipv4Addr::UNSPECIFIED)];
    assert_eq!(name(&everywhere, &seen), Some(("web".into(), Some(80))));
}

#[test]
fn of_several_containers_none_is_guessed() {
    let other = listed('b', "other", &json!([port("127.0.0.1", 8080, 80)]));
    let seen = seen(&[web(), other, web()]);
    let proxy = listener(Some(process(5, "docker-proxy", &[1])), 0);
    assert_eq!(name(&proxy, &seen), None);
    let Meant::Several(all) = publisher(&proxy, &seen) else {
        panic!("two are meant");
    };
    assert_eq!(all.len(), 2, "the same twice is one");
}

/// Recorded from Podman 4.3: a range of ports, two addresses, UDP, and a pod.
fn recorded() -> Vec<Value> {
    let one = |digit: char, name: &str, pod: &str, infra: bool, ports: Value| {
        json!({
            "AutoRemove": false, "Command": ["/srv", "8080"], "Created": "2026-11-21T15:32:02.3Z",
            "Exited": false, "ExitedAt": -62135596800i64, "ExitCode": 0, "Id": id(digit),
            "Image": "localhost/srv:made", "IsInfra": infra, "Labels": null, "Mounts": [],
            "Names": [name], "Namespaces": {}, "Networks": ["podman"], "Pid": 5679,
            "Pod": if pod.is_empty() { "" } else { "e2d45a1bdb2a" }, "PodName": pod, "Ports": ports,
            "Size": null, "StartedAt": 1795275122, "State": "running", "Status": ""
        })
    };
    let port = |ip: &str, inside: u16, host: u16, range: u16, protocol: &str| json!({"host_ip": ip, "container_port": inside, "host_port": host, "range": range, "protocol": protocol});
    let pod = json!([port("", 8080, 18095, 1, "tcp")]);
    vec![
        one(
            'a',
            "t1",
            "",
            false,
            json!([
                port("127.0.0.2", 8080, 18080, 1, "tcp"),
                port("127.0.0.1", 8080, 18080, 1, "tcp"),
                port("", 8081, 18081, 2, "tcp"),
                port("", 9000, 18081, 1, "udp")
            ]),
        ),
        one('b', "t3", "", false, Value::Null),
        one('c', "infra", "shoppod", true, pod.clone()),
        one('d', "t4", "shoppod", false, pod),
    ]
}

fn recorded_seen(containers: &[Value]) -> Seen {
    Seen {
        running: podman(json!(containers).to_string().as_bytes(), 0).unwrap(),
        ..Seen::default()
    }
}

fn at(port: u16, protocol: Protocol) -> Listener {
    let mut one = listener(Some(process(5, "conmon", &[1])), ME);
    (one.port, one.protocol) = (crate::model::Port::new(port).unwrap(), protocol);
    one
}

#[test]
fn ranges_addresses_protocols_and_pods() {
    let seen = recorded_seen(&recorded());
    for (port, protocol, expected) in [
        (18080, Protocol::Tcp, Some(("t1", 8080))),
        (18081, Protocol::Tcp, Some(("t1", 8081))),
        (18082, Protocol::Tcp, Some(("t1", 8082))),
        (18083, Protocol::Tcp, None),
        (18081, Protocol::Udp, Some(("t1", 9000))),
        (18095, Protocol::Tcp, Some(("t4", 8080))),
    ] {
        let expected = expected.map(|(name, port)| (name.to_owned(), Some(port)));
        assert_eq!(name(&at(port, protocol), &seen), expected, "{port}");
    }
}

#[test]
fn a_pod_of_several_is_called_by_its_own_name() {
    let mut all = recorded();
    let mut fifth = all[3].clone();
    (fifth["Id"], fifth["Names"]) = (json!(id('e')), json!(["t5"]));
    all.push(fifth);
    let seen = recorded_seen(&all);
    let pod = name(&at(18095, Protocol::Tcp), &seen);
    assert_eq!(pod, Some(("shoppod".into(), Some(8080))));
}

#[test]
fn what_has_ended_publishes_nothing() {
    let mut all = recorded();
    all[0]["State"] = json!("exited");
    assert_eq!(name(&at(18080, Protocol::Tcp), &recorded_seen(&all)), None);
}

#[test]
fn a_process_on_the_network_of_this_machine_is_in_its_container() {
    let mut inside = Arc::unwrap_or_clone(process(5, "nginx", &[1]));
    inside.container = Some((EngineKind::Docker, id('a').into()));
    let inside = listener(Some(inside.into()), ME);
    assert!(is_in_question(&inside, ME) && !may_be_published(&inside, ME));
    let known = name(&inside, &seen(&[web()]));
    assert_eq!(known, Some(("shop-web-1".into(), None)));
    let unknown = name(&inside, &Seen::default());
    assert_eq!(unknown, Some(("aaaaaaaaaaaa".into(), None)));
}

#[test]
fn what_is_no_list_is_refused_and_what_is_no_id_is_left_out() {
    for bad in [
        "",
        "{}",
        "[1]",
        "[{}]",
        r#"{"message":"no"}"#,
        "[{\"Id\":5}]",
    ] {
        assert!(docker(bad.as_bytes(), 0).is_err(), "{bad}");
    }
    let evil = |id: &str| json!([{"Id": id, "Names": ["/\u{1b}[2J"]}]).to_string();
    for bad in ["", "a/../b", "a b", "a\r\nX: y", "a?b", "%41"] {
        assert_eq!(docker(evil(bad).as_bytes(), 0).unwrap(), [], "{bad:?}");
    }
    let shown = docker(evil("abc").as_bytes(), 0).unwrap();
    assert_eq!(shown[0].container.to_string(), "container \\x1b[2J");
    let ip = json!([{"Id": "a", "Ports": [port("nowhere", 8080, 80), port("0.0.0.0", 0, 80)]}]);
    assert_eq!(docker(ip.to_string().as_bytes(), 0).unwrap()[0].ports, []);
}

proptest! {
    #[test]
    fn nothing_that_an_engine_says_makes_a_panic(
        cut in 0usize..700, change in any::<(u16, u8)>(), podmans: bool,
    ) {
        let mut text = json!([if podmans { recorded().remove(0) } else { web() }]).to_string().into_bytes();
        let at = usize::from(change.0) % text.len();
        text[at] = change.1;
        text.truncate(text.len().saturating_sub(cut));
        let running = if podmans { podman(&text, 0) } else { docker(&text, 0) };
        let seen = Seen { running: running.unwrap_or_default(), ..Seen::default() };
        let _ = name(&listener(None, 0), &seen);
    }

    #[test]
    fn ports_of_any_range_end(host: u16, inside: u16, count: u16, port: u16, ip in any::<Option<[u8; 4]>>()) {
        let one = Publication { ip: ip.map(IpAddr::from), host, inside, count, protocol: Protocol::Tcp };
        let behind = one.behind(port, Protocol::Tcp);
        prop_assert_eq!(behind.is_some(), port >= host && u32::from(port) < u32::from(host) + u32::from(count));
    }
}
