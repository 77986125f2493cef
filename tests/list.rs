//! What `freeport list` finds: real servers with their names and projects, every address family,
//! and the JSON that other programs read.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use support::app::App;
use support::processes::{Process, Server, has_ipv6};
use support::{Home, finish, is_root, python, skipped, there_is, wait_for};

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// `python3 -m http.server` on a port that the kernel chose.
fn http_server(home: &Home, command: &mut Command) -> (Process, u16) {
    command.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]);
    let process = Process::start(command.stderr(std::process::Stdio::null()));
    let line = process.line();
    let port = line
        .split(" port ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let port = port
        .parse()
        .unwrap_or_else(|error| panic!("{error}: {line}"));
    wait_for("the server to listen", || {
        (!home.listeners(port).is_empty()).then_some((process.pid(), port))
    });
    (process, port)
}

#[test]
fn the_json_is_as_the_contract_says() {
    let home = Home::new();
    let folder = home.project("shop");
    let (process, port) = http_server(&home, home.command(python()).current_dir(&folder));
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let ran = home.run(&format!("list {port} --json")).ends(0);
        assert_eq!(ran.out.lines().count(), 1);
        let list = ran.json();
        assert_eq!(
            keys(&list),
            BTreeSet::from(["scanned_at", "gaps", "listeners", "held", "hidden"])
        );
        let listener = &list["listeners"][0];
        let expected = [
            "port",
            "protocol",
            "addresses",
            "dual_stack",
            "uid",
            "user",
            "owner",
            "workers",
            "container",
            "reservation",
            "conflict",
            "hold",
            "leftover",
        ];
        assert_eq!(keys(listener), BTreeSet::from(expected));
        assert_eq!(listener["port"], port);
        assert_eq!(listener["protocol"], "tcp");
        assert_eq!(listener["addresses"], json!(["127.0.0.1"]));
        assert_eq!(listener["uid"], rustix::process::geteuid().as_raw());
        assert!(!is_root() || listener["user"] == "root");
        assert_eq!(listener["workers"], json!([]));
        for nothing in ["container", "reservation", "conflict", "hold"] {
            assert_eq!(listener[nothing], Value::Null);
        }
        let owner = &listener["owner"];
        let expected = [
            "pid",
            "key",
            "name",
            "service",
            "kind",
            "command",
            "exe",
            "cwd",
            "project",
            "project_root",
            "branch",
            "started_at",
        ];
        assert_eq!(keys(owner), BTreeSet::from(expected));
        assert_eq!(owner["pid"], process.pid());
        assert!(
            owner["key"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{}@", process.pid()))
        );
        assert!(owner["name"].as_str().unwrap().starts_with("python"));
        assert_eq!(owner["service"], "http.server");
        assert!(
            owner["command"]
                .as_str()
                .unwrap()
                .ends_with("-m http.server 0 --bind 127.0.0.1")
        );
        let exe = std::fs::read_link(format!("/proc/{}/exe", process.pid())).unwrap();
        assert_eq!(owner["exe"], exe.to_str().unwrap());
        let folder = folder.canonicalize().unwrap();
        assert_eq!(owner["cwd"], folder.to_str().unwrap());
        assert_eq!(owner["project_root"], folder.to_str().unwrap());
        assert_eq!(owner["project"], "shop");
        for time in [&list["scanned_at"], &owner["started_at"]] {
            let time = time.as_str().unwrap();
            assert!(
                time.ends_with('Z') && time.parse::<humantime::Timestamp>().is_ok(),
                "{time}"
            );
        }
        assert!(owner["started_at"].as_str() <= list["scanned_at"].as_str());
    }
}

#[test]
fn every_family_has_its_addresses() {
    let home = Home::new();
    let mut cases = vec![
        ("--at 127.0.0.1", "tcp", json!(["127.0.0.1"]), false),
        ("--at 0.0.0.0", "tcp", json!(["0.0.0.0"]), false),
        (
            "--at 127.0.0.1 --at 127.0.0.2",
            "tcp",
            json!(["127.0.0.1", "127.0.0.2"]),
            false,
        ),
        ("--udp --at 127.0.0.1", "udp", json!(["127.0.0.1"]), false),
    ];
    if has_ipv6() {
        cases.extend([
            ("--at ::1", "tcp", json!(["::1"]), false),
            ("--at ::", "tcp", json!(["::"]), true),
            ("--at :: --v6only", "tcp", json!(["::"]), false),
            (
                "--at 127.0.0.1 --at ::1",
                "tcp",
                json!(["127.0.0.1", "::1"]),
                false,
            ),
            ("--at ::ffff:127.0.0.1", "tcp", json!(["127.0.0.1"]), false),
            ("--udp --at ::1", "udp", json!(["::1"]), false),
            ("--udp --at ::", "udp", json!(["::"]), true),
        ]);
    }
    let _app = App::start(&home);
    let alone = Home::new();
    for (line, protocol, addresses, dual_stack) in cases {
        let server = Server::start(&home, line);
        for home in [&home, &alone] {
            let found = home.listener(server.port);
            assert_eq!(found["protocol"], protocol, "{line}");
            assert_eq!(found["addresses"], addresses, "{line}");
            assert_eq!(found["dual_stack"], dual_stack, "{line}");
            assert_eq!(found["owner"]["pid"], server.pid, "{line}");
        }
    }
}

#[test]
fn what_is_connected_does_not_listen() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let client = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    assert_eq!(
        home.listeners(client.local_addr().unwrap().port()),
        [] as [Value; 0]
    );
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = udp.local_addr().unwrap().port();
    assert_eq!(home.listeners(port).len(), 1);
    udp.connect(("127.0.0.1", server.port)).unwrap();
    assert_eq!(home.listeners(port), [] as [Value; 0]);
}

#[test]
fn a_node_server_has_its_script_for_a_name() {
    if !there_is("node") {
        return;
    }
    let home = Home::new();
    let script = "require('http').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })";
    home.write("web/server.js", script);
    home.project("web");
    let mut node = home.command("node");
    let node = Process::start(node.arg("server.js").current_dir(home.path("web")));
    let port = node.line().parse().unwrap();
    let owner = &home.listener(port)["owner"];
    assert_eq!(owner["pid"], node.pid());
    assert_eq!(owner["service"], "node server.js");
    assert_eq!(owner["name"], "node");
    assert_eq!(owner["kind"], "development");
    assert_eq!(owner["project"], "web");
}

#[test]
fn services_are_named_by_what_they_run() {
    let home = Home::new();
    let (_process, port) = http_server(&home, &mut home.command(python()));
    assert_eq!(home.listener(port)["owner"]["service"], "http.server");
    let listener = Server::start(&home, "");
    assert_eq!(
        home.listener(listener.port)["owner"]["service"],
        "python listener.py"
    );
}

#[test]
fn the_project_comes_from_the_nearest_manifest() {
    let home = Home::new();
    home.write("js/package.json", r#"{"name": "storefront"}"#);
    home.write("rs/Cargo.toml", "[package]\nname = \"engine-room\"\n");
    home.write("rs/src/deep/x", "");
    home.write("broken/package.json", "{not json");
    home.write("no project at all/x", "");
    let cases = [
        ("js", json!("storefront"), Some("js")),
        ("rs/src/deep", json!("engine-room"), Some("rs")),
        ("broken", json!("broken"), Some("broken")),
    ];
    for (folder, name, root) in cases {
        let server = Server::start_in(&home.path(folder), &home, "");
        let owner = &home.listener(server.port)["owner"];
        assert_eq!(owner["project"], name, "{folder}");
        let root = root.map(|root| home.path(root).canonicalize().unwrap());
        assert_eq!(
            owner["project_root"].as_str(),
            root.as_ref().and_then(|root| root.to_str())
        );
    }
    // The folder is deleted under the server.
    let folder = home.path("js");
    let server = Server::start_in(&folder, &home, "");
    std::fs::remove_dir_all(&folder).unwrap();
    let owner = &home.listener(server.port)["owner"];
    assert_eq!(owner["project"], Value::Null);
    assert!(owner["cwd"].as_str().unwrap().ends_with("/js"), "{owner}");
    let ran = home.run(&format!("why {}", server.port)).ends(0);
    assert!(ran.out.contains("(deleted)"), "{ran:?}");
}

#[test]
fn a_git_worktree_is_a_project_with_its_branch() {
    if !there_is("git") {
        return;
    }
    let home = Home::new();
    home.write("shop/file", "");
    let git = |line: &str| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let mut git = home.command("git");
        let words = line.split_ascii_whitespace();
        finish(git.args(who).args(words).current_dir(home.path("shop"))).ends(0)
    };
    git("init --initial-branch trunk");
    git("add file");
    git("commit --message one");
    git("worktree add -b feature/cart ../shop-cart");
    for (folder, name, branch) in [
        ("shop", "shop", "trunk"),
        ("shop-cart", "shop@shop-cart", "feature/cart"),
    ] {
        let server = Server::start_in(&home.path(folder), &home, "");
        let owner = &home.listener(server.port)["owner"];
        assert_eq!(
            (&owner["project"], &owner["branch"]),
            (&json!(name), &json!(branch))
        );
        let why = home.run(&format!("why {}", server.port)).ends(0).out;
        assert!(why.contains(&format!("branch {branch}")), "{why}");
        assert_eq!(
            why.contains("a linked worktree"),
            folder == "shop-cart",
            "{why}"
        );
    }
}

#[test]
fn another_network_is_none_of_ours() {
    if !is_root() || !there_is("unshare") {
        return skipped("a network of its own needs root");
    }
    let home = Home::new();
    let mut inside = home.command("unshare");
    inside
        .arg("-n")
        .arg(python())
        .arg(support::fixture("listener.py"));
    let server = Server::of(Process::start(inside.args(["--at", "0.0.0.0"])));
    let ran = home.run(&format!("list {} --json", server.port)).ends(3);
    assert_eq!(ran.json()["listeners"], json!([]));
    assert_eq!(ran.json()["gaps"], json!([]));
    home.run(&format!("kill {}", server.port)).ends(3);
    assert!(server.is_alive());
}
