//! The whole story of a port, as `freeport why` tells it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use serde_json::{Value, json};
use support::app::App;
use support::processes::{Process, Server, has_ipv6};
use support::{Home, finish, fixture, python};

#[test]
fn it_tells_process_ancestry_and_project() {
    let home = Home::new();
    let folder = home.project("shop");
    let script = home.write(
        "start.sh",
        "cd shop\n\"$PYTHON\" \"$LISTENER\" --workers 1\n:\n",
    );
    let mut bash = home.command("bash");
    bash.arg(&script)
        .env("PYTHON", python())
        .env("LISTENER", fixture("listener.py"));
    let server = Server::of(Process::start(&mut bash));
    let (port, pid, shell) = (server.port, server.pid, server.process.pid());
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let told = home.run(&format!("why {port}")).ends(0).out;
        let expected = [
            format!("tcp 127.0.0.1:{port}  python listener.py (pid {pid})"),
            "command".to_owned(),
            "listener.py --workers 1".to_owned(),
            "shop (~/shop".to_owned(),
            format!("shared by  pid {}", server.workers[0]),
            format!("bash (pid {shell})"),
            format!("(pid {})", std::process::id()),
        ];
        for text in expected {
            assert!(told.contains(&text), "{text:?} in {told}");
        }
        assert!(
            !told.contains('\x1b') && !told.contains("ambiguous"),
            "{told}"
        );

        let story = home.run(&format!("why {port} --json")).ends(0).json();
        assert_eq!(story["port"], port);
        assert_eq!(
            story["localhost"],
            json!({"ambiguous": false, "ipv4": pid, "ipv6": null})
        );
        let owner = &story["listeners"][0]["owner"];
        assert_eq!(
            owner["project_root"],
            folder.canonicalize().unwrap().to_str().unwrap()
        );
        let details = &owner["details"];
        let parents = details["parents"].as_array().unwrap();
        assert_eq!(
            (&parents[0]["pid"], &parents[0]["name"]),
            (&json!(shell), &json!("bash"))
        );
        assert_eq!(parents[1]["pid"], std::process::id());
        assert_eq!(details["uid"], rustix::process::geteuid().as_raw());
        assert_eq!(details["cwd_deleted"], false);
        assert!(story["scanned_at"].is_string() && story["gaps"].is_array());
    }
}

#[test]
fn localhost_may_be_ambiguous() {
    if !has_ipv6() {
        return;
    }
    let home = Home::new();
    let v4 = Server::start(&home, "--at 127.0.0.1");
    let port = v4.port;
    let v6 = Server::start(&home, &format!("--at ::1 --port {port}"));
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let told = home.run(&format!("why {port}")).ends(0).out;
        let expected = [
            "localhost is ambiguous".to_owned(),
            format!("127.0.0.1:{port} is python listener.py (pid {})", v4.pid),
            format!("[::1]:{port} is python listener.py (pid {})", v6.pid),
        ];
        for text in expected {
            assert!(told.contains(&text), "{text:?} in {told}");
        }
        let story = home.run(&format!("why {port} --json")).ends(0).json();
        let localhost = json!({"ambiguous": true, "ipv4": v4.pid, "ipv6": v6.pid});
        assert_eq!(story["localhost"], localhost);
        let conflicts: Vec<&Value> = story["listeners"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| &found["conflict"])
            .collect();
        assert_eq!(conflicts, ["shadowed", "shadowed"]);
    }
    assert!(
        home.listeners(port)
            .iter()
            .all(|found| found["conflict"] == "shadowed")
    );
}

#[test]
fn one_process_on_both_is_not_ambiguous() {
    if !has_ipv6() {
        return;
    }
    let home = Home::new();
    for line in ["--at 127.0.0.1 --at ::1", "--at ::"] {
        let server = Server::start(&home, line);
        let story = home
            .run(&format!("why {} --json", server.port))
            .ends(0)
            .json();
        let localhost = json!({"ambiguous": false, "ipv4": server.pid, "ipv6": server.pid});
        assert_eq!(story["localhost"], localhost, "{line}");
        assert_eq!(story["listeners"][0]["conflict"], Value::Null);
    }
}

#[test]
fn nothing_there_is_said() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let port = server.port;
    drop(server);
    let ran = home.run(&format!("why {port}")).ends(3);
    assert!(
        ran.err.contains(&format!("nothing listens on port {port}")),
        "{ran:?}"
    );
    assert!(ran.out.is_empty());
    let story = home.run(&format!("why {port} --json")).ends(3).json();
    assert_eq!(story["listeners"], json!([]));
    for bad in ["0", "65536", "-1", "abc", "", "3000-3001"] {
        let ran = finish(&mut home.freeport(["why", bad])).ends(2);
        assert!(ran.err.contains("error:"), "{ran:?}");
    }
}
