//! How `freeport list` shows what it found: filters, what is hidden, watching, and terminals.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use support::app::App;
use support::processes::{Process, Server};
use support::{Home, NOBODY, finish, may_be_others, wait_for};
use unicode_width::UnicodeWidthStr as _;

/// The ports of the listeners in the JSON of a list.
fn ports(list: &Value) -> Vec<u16> {
    let all = list["listeners"].as_array().unwrap().iter();
    all.map(|found| found["port"].as_u64().unwrap().try_into().unwrap())
        .collect()
}

#[test]
fn filters_choose_by_port_range_name_and_project() {
    let home = Home::new();
    let name = format!("Harbour-{}", std::process::id());
    let in_project = Server::start_in(&home.project(&name), &home, "");
    let elsewhere = Server::start(&home, "");
    let (one, other) = (in_project.port, elsewhere.port);
    let list = |line: &str| ports(&home.run(&format!("list --json {line}")).ends(0).json());
    assert_eq!(list(&one.to_string()), [one]);
    assert_eq!(list(&name), [one]);
    assert_eq!(list(&name.to_uppercase()), [one], "whatever the case");
    assert_eq!(list(&name[2..]), [one], "a part is enough");
    let both = list(&format!("{name} {other}"));
    assert!(both.len() == 2 && both.contains(&one) && both.contains(&other));
    let (low, high) = (one.min(other), one.max(other));
    let range = list(&format!("{low}-{high}"));
    assert!(range.contains(&one) && range.contains(&other) && range.is_sorted());
    assert!(
        range.iter().all(|port| (low..=high).contains(port)),
        "{range:?}"
    );
    let by_service = list("listener.py");
    assert!(by_service.contains(&one) && by_service.contains(&other));
    let by_program = list("python");
    assert!(by_program.contains(&one));
    let all = list("");
    assert!(all.contains(&one) && all.contains(&other) && all.is_sorted());
}

#[test]
fn what_matches_nothing_is_status_3() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let port = server.port;
    drop(server);
    for filter in [port.to_string(), "no such thing anywhere".to_owned()] {
        let ran = finish(&mut home.freeport(["list", &filter])).ends(3);
        assert!(
            ran.err.starts_with("error: nothing") && ran.out.is_empty(),
            "{ran:?}"
        );
        let ran = finish(&mut home.freeport(["list", "--json", &filter])).ends(3);
        assert!(ports(&ran.json()).is_empty());
    }
}

#[test]
fn wrong_ports_are_status_2() {
    let home = Home::new();
    for bad in [
        "0",
        "65536",
        "-1",
        "0-10",
        "10-65536",
        "20-10",
        "99999999999999999999",
    ] {
        for verb in ["list", "kill", "why"] {
            let ran = finish(&mut home.freeport([verb, bad])).ends(2);
            assert!(
                ran.err.contains("error:") && ran.out.is_empty(),
                "{verb} {bad}: {ran:?}"
            );
        }
    }
    for verb in ["kill", "why"] {
        for bad in ["abc", "", "3000x", "+80", "0x50", "\u{1b}[31m80"] {
            let ran = finish(&mut home.freeport([verb, bad])).ends(2);
            assert!(
                ran.err.contains("is not a port") || bad.is_empty(),
                "{ran:?}"
            );
            assert!(!ran.err.contains('\x1b'), "{ran:?}");
        }
    }
    home.run("kill").ends(2);
    home.run("dance").ends(2);
}

#[test]
fn what_looks_like_a_client_is_hidden_and_counted() {
    let home = Home::new();
    let name = format!("tide-{}", std::process::id());
    let folder = home.project(&name);
    let shown = Server::start_in(&folder, &home, "");
    let hidden = Server::start_in(&folder, &home, "--udp --at 0.0.0.0");
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let list = home.run(&format!("list {name} --json")).ends(0).json();
        assert_eq!(
            (ports(&list), &list["hidden"]),
            (vec![shown.port], &1.into())
        );
        let table = home.run(&format!("list {name}")).ends(0).out;
        assert!(
            table.contains("1 more hidden (system, other users, UDP clients); --all"),
            "{table}"
        );
        let list = home
            .run(&format!("list {name} --json --all"))
            .ends(0)
            .json();
        assert_eq!((ports(&list).len(), &list["hidden"]), (2, &0.into()));
        assert!(ports(&list).contains(&hidden.port));
        assert!(
            !home
                .run(&format!("list {name} --all"))
                .ends(0)
                .out
                .contains("hidden")
        );
        // Who asks for the port wants to see it.
        assert_eq!(home.listener(hidden.port)["protocol"], "udp");
    }
    drop(shown);
    let ran = home.run(&format!("list {name}")).ends(3);
    assert!(
        ran.err
            .contains("1 hidden ones match (system, other users, UDP clients): --all"),
        "{ran:?}"
    );
}

#[test]
fn servers_of_other_users_are_hidden_unless_asked_for() {
    if !may_be_others("a server of another user") {
        return;
    }
    let home = Home::new();
    let server = Server::start(&home, &format!("--uid {NOBODY}"));
    let list = |line: &str| ports(&home.run(&format!("list --json {line}")).json());
    assert!(!list("").contains(&server.port));
    assert!(list("--all").contains(&server.port));
    assert_eq!(list(&server.port.to_string()), [server.port]);
    let found = home.listener(server.port);
    assert_eq!(
        (&found["uid"], &found["owner"]["pid"]),
        (&NOBODY.into(), &server.pid.into())
    );
}

#[test]
fn watching_prints_again_when_something_changes() {
    let home = Home::new();
    let name = format!("watched-{}", std::process::id());
    let folder = home.project(&name);
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let line = format!("list --watch --json {name}");
        let mut watch = home.freeport(line.split(' '));
        let mut watch = watch
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let mut next = || {
            let line = lines.next().unwrap().unwrap();
            ports(&serde_json::from_str(&line).unwrap())
        };
        assert_eq!(next(), [] as [u16; 0]);
        let server = Server::start_in(&folder, &home, "");
        assert_eq!(next(), [server.port]);
        drop(server);
        assert_eq!(next(), [] as [u16; 0]);
        // Nobody reads on: it ends at the next change, without a word.
        drop(lines);
        let _server = Server::start_in(&folder, &home, "");
        let status = wait_for("the end of the watch", || watch.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
        let mut said = String::new();
        std::io::Read::read_to_string(&mut watch.stderr.take().unwrap(), &mut said).unwrap();
        assert_eq!(said, "");
    }
}

#[test]
fn a_watched_table_is_plain_in_a_pipe() {
    let home = Home::new();
    let name = format!("plain-{}", std::process::id());
    let folder = home.project(&name);
    let server = Server::start_in(&folder, &home, "");
    let watch = Process::start(
        home.freeport(["list", "--watch", &name])
            .stderr(Stdio::inherit()),
    );
    assert!(watch.line().starts_with("PORT"));
    let row = watch.line();
    assert!(
        row.starts_with(&server.port.to_string()) && !row.contains('\x1b'),
        "{row:?}"
    );
    drop(server);
    assert!(watch.line().starts_with("nothing listens"));
}

#[test]
fn a_table_fits_its_terminal() {
    let home = Home::new();
    let name = format!(
        "a-project-with-a-name-that-is-quite-long-{}",
        std::process::id()
    );
    let tag = "x".repeat(300);
    let _server = Server::start_in(&home.project(&name), &home, &format!("--tag {tag}"));
    let plain = home.run(&format!("list {name}")).ends(0).out;
    assert!(plain.contains(&tag), "in a pipe nothing is cut");
    for columns in [80, 100, 200] {
        let mut command = home.on_terminal(columns, "", &format!("list {name}"));
        let table = finish(command.env("NO_COLOR", "1")).ends(0).out;
        assert!(
            table.lines().count() == 2 && !table.contains(&tag),
            "{table}"
        );
        for line in table.lines() {
            assert!(
                line.width() <= columns.into(),
                "{} > {columns}: {line}",
                line.width()
            );
        }
    }
}

#[test]
fn colours_only_on_a_terminal_that_wants_them() {
    let home = Home::new();
    let server = Server::start(&home, "");
    for verb in ["list", "why"] {
        let line = format!("{verb} {}", server.port);
        let coloured = finish(&mut home.on_terminal(80, "", &line)).ends(0).out;
        assert!(coloured.contains("\x1b["), "{coloured:?}");
        let mut plain = home.on_terminal(80, "", &line);
        let plain = finish(plain.env("NO_COLOR", "1")).ends(0).out;
        assert!(!plain.contains('\x1b'), "{plain:?}");
        let mut dumb = home.on_terminal(80, "", &line);
        assert!(
            !finish(dumb.env("TERM", "dumb"))
                .ends(0)
                .out
                .contains('\x1b')
        );
        assert!(!home.run(&line).ends(0).out.contains('\x1b'));
    }
    for line in [
        "kill 1 --dry-run",
        "list 1",
        "why 1",
        "status",
        "list 0",
        "--help",
        "list --help",
    ] {
        let ran = home.run(line);
        assert!(!(ran.out + &ran.err).contains('\x1b'), "{line}");
    }
}
