//! For whom ports are claimed, and for how long: the client while it stays, or the container that it
//! leaves behind.

use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::stand_in::{Docker, both};
use crate::support::app::App;
use crate::support::processes::{Process, is_alive};
use crate::support::{NOBODY, may_be_others, ports, skipped, wait_for};

/// A client that goes on, with its pid.
fn waiting(docker: &Docker, line: &str) -> (Process, u32) {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (mut command, _) = docker.command(&words);
    let process = Process::start(command.env("STAND_IN_WAITS", "1").stderr(Stdio::null()));
    let pid = process.line().parse().unwrap();
    (process, pid)
}

#[test]
fn a_client_that_stays_has_the_claim_itself() {
    both(|docker| {
        let p = ports::one();
        docker.home.project("shop");
        let line = format!("--project shop run --name web -p {p}:80 img");
        let (process, pid) = waiting(docker, &line);
        assert_eq!(process.pid(), pid, "nothing stands in between");
        let row = docker.reserved_at(p);
        assert_eq!(
            [
                &row["pid"],
                &row["project"],
                &row["service"],
                &row["status"]
            ],
            [
                &json!(pid),
                &json!("shop"),
                &json!("web"),
                &json!("claimed")
            ],
            "{row}"
        );
        // Another one is told so, and gets another port.
        let other = docker.run(&format!("run -p {p}:80 img"));
        assert_ne!(other.port_in("run -p {}:80 img"), p);
        let said = format!("port {p} is claimed by freeport (pid {pid}), for shop web");
        assert!(other.ran.err.contains(&said), "{other:#?}");
        process.signal(Signal::TERM);
        assert_eq!(process.status(), 128 + 15);
        wait_for("the end of the claim", || {
            let line = format!("run -p {p}:80 img");
            (docker.run(&line).line() == line).then_some(())
        });
    });
}

#[test]
fn a_container_that_is_left_behind_has_a_lease() {
    both(|docker| {
        let p = ports::block(2);
        let line = format!(
            "run -d --name db -p {p}:5432 -p {}:9000/udp postgres",
            p + 1
        );
        docker
            .run(&format!("--project shop {line}"))
            .is_unchanged(&line);
        for (port, protocol, service) in [(p, "tcp", "db"), (p + 1, "udp", "db-9000-udp")] {
            let row = docker.reserved_at(port);
            assert_eq!(
                (&row["pid"], &row["project"], &row["service"]),
                (&Value::Null, &json!("shop"), &json!(service)),
                "{row}"
            );
            assert_eq!(
                (&row["protocol"], &row["status"]),
                (&json!(protocol), &json!("claimed"))
            );
            assert!(row["expires_at"].is_string(), "{row}");
        }
        let ran = docker.home.run(&format!("query {p}")).ends(0);
        assert!(
            ran.out.contains("shop") && ran.out.contains("db"),
            "{ran:?}"
        );
        // Others are kept away from it, also those of the same image.
        let other = docker.run(&format!("--project shop run -d -p {p}:5432 postgres"));
        assert_ne!(other.port_in("run -d -p {}:5432 postgres"), p);
        let said = format!("port {p} is claimed for shop db, until ");
        assert!(other.ran.err.contains(&said), "{other:#?}");
        // The next one of its name has its ports.
        docker
            .run(&format!("--project shop {line}"))
            .is_unchanged(&line);
        let wiki = docker.run(&format!("--project wiki {line}"));
        assert_ne!(wiki.line(), line, "{wiki:#?}");
        let attached = format!("run --name db -p {p}:5432 postgres");
        docker
            .run(&format!("--project shop {attached}"))
            .is_unchanged(&attached);
    });
}

#[test]
fn a_container_that_was_moved_stays_where_it_is() {
    both(|docker| {
        let p = ports::one();
        let _taken = TcpListener::bind(("127.0.0.1", p)).unwrap();
        let run = || {
            let came = docker.run(&format!(
                "--project shop run -d --name db -p {p}:5432 postgres"
            ));
            came.port_in("run -d --name db -p {}:5432 postgres")
        };
        let first = run();
        assert_ne!(first, p);
        assert_eq!(run(), first);
        // Where the older one still listens, it keeps its port.
        let _listens = TcpListener::bind(("127.0.0.1", first)).unwrap();
        assert_ne!(run(), first);
    });
}

#[test]
fn what_was_reserved_for_good_is_used_again() {
    both(|docker| {
        let p = ports::one();
        docker
            .home
            .run(&format!("reserve {p} --project shop --service db"))
            .ends(0);
        let line = format!("run -d --name db -p {p}:5432 postgres");
        for _ in 0..3 {
            docker
                .run(&format!("--project shop {line}"))
                .is_unchanged(&line);
            let row = docker.reserved_at(p);
            assert_eq!(
                (&row["kept"], &row["status"]),
                (&json!(true), &json!("claimed")),
                "{row}"
            );
            assert_eq!(row["metadata"], Value::Null, "{row}");
        }
    });
}

#[test]
fn where_docker_fails_nothing_stays_claimed() {
    both(|docker| {
        let p = ports::one();
        for verb in ["run -d", "create", "run --rm -d"] {
            let line = format!("{verb} -p {p}:80 img");
            for status in [1, 125, 127] {
                let came = docker.run_with(&line, |command| {
                    command.env("STAND_IN_STATUS", status.to_string());
                });
                assert_eq!(
                    (came.ran.code, came.line()),
                    (status, line.clone()),
                    "{came:#?}"
                );
                assert_eq!(docker.reserved_at(p), Value::Null);
            }
        }
    });
}

#[test]
fn a_signal_reaches_docker_and_ends_the_claim() {
    both(|docker| {
        let p = ports::one();
        let (process, pid) = waiting(docker, &format!("run -d -p {p}:80 img"));
        assert_ne!(process.pid(), pid, "it is guarded");
        assert_eq!(docker.reserved_at(p)["pid"], Value::Null);
        process.signal(Signal::TERM);
        assert_eq!(process.status(), 128 + 15);
        assert!(!is_alive(pid));
        assert_eq!(docker.reserved_at(p), Value::Null);
    });
}

#[test]
fn of_several_at_once_each_gets_its_own() {
    both(|docker| {
        let p = ports::block(2);
        let line = format!("run -d -p {p}-{}:80-81 img", p + 1);
        let all: Vec<(u16, u16)> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..6).map(|_| scope.spawn(|| docker.run(&line))).collect();
            let came = runs.into_iter().map(|run| run.join().unwrap());
            let row = |line: String| {
                let row = line.split(' ').nth(3)?.split_once(':')?.0.to_owned();
                let (first, last) = row.split_once('-')?;
                Some((first.parse().ok()?, last.parse().ok()?))
            };
            came.map(|came| row(came.line()).unwrap()).collect()
        });
        let mut every: Vec<u16> = all.iter().flat_map(|row| [row.0, row.1]).collect();
        every.sort_unstable();
        every.dedup();
        assert_eq!(every.len(), 12, "{all:?}");
        assert!(all.iter().all(|row| row.1 == row.0 + 1), "{all:?}");
    });
}

#[test]
fn docker_gets_in_where_the_app_holds_the_port() {
    let docker = Docker::new();
    let _app = App::start(&docker.home);
    let p = ports::one();
    docker
        .home
        .run(&format!("reserve {p} --project shop --service db --hold"))
        .ends(0);
    TcpListener::bind(("127.0.0.1", p)).unwrap_err();
    for words in ["run", "run -d"] {
        let line = format!("{words} --name db -p {p}:5432 img");
        let (process, _) = waiting(&docker, &format!("--project shop {line}"));
        // As docker does it.
        drop(TcpListener::bind(("0.0.0.0", p)).unwrap());
        process.signal(Signal::KILL);
        process.status();
        wait_for("the hold", || TcpListener::bind(("127.0.0.1", p)).err());
    }
}

#[test]
fn a_port_below_1024_needs_no_right_of_its_own() {
    if !may_be_others("a user without rights") {
        return;
    }
    let docker = Docker::new();
    let mine = |path: &std::path::Path| {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    };
    mine(&docker.home.path(""));
    let Some(p) = (900..1000).find(|port| ports::is_free(*port)) else {
        skipped("no port from 900 to 999 is free");
        return;
    };
    let run = |line: &str| {
        let mut command = docker.home.freeport_as(NOBODY, &format!("docker {line}"));
        let record = docker.prepare(&mut command);
        Docker::finish(&mut command, &record)
    };
    for words in ["run", "run -d"] {
        let line = format!("{words} --name web -p {p}:80 img");
        run(&line).is_unchanged(&line);
    }
    // One that is taken is moved to where everybody may be.
    let server = TcpListener::bind(("127.0.0.1", p)).unwrap();
    let came = run(&format!("run -p {p}:80 img"));
    assert!(came.port_in("run -p {}:80 img") >= 1024, "{came:#?}");
    assert!(
        came.ran
            .err
            .contains(&format!("port {p} is taken by a process of root")),
        "{came:#?}"
    );
    drop(server);
}

#[test]
fn without_a_registry_ports_are_looked_at() {
    let docker = Docker::new();
    let p = ports::block(4);
    let _taken = TcpListener::bind(("127.0.0.1", p)).unwrap();
    docker.home.write("no-folder", "");
    let nowhere = docker.home.path("no-folder").join("data");
    let line = |row: &str, p| format!("run -d -p {row} -p {p}:80 img");
    let came = docker.run_with(&line(&format!("{p}-{}:80-81", p + 1), p), |command| {
        command.env("FREEPORT_DATA_DIR", nowhere);
    });
    let words = came.line();
    let published: Vec<&str> = words
        .split(' ')
        .filter_map(|word| word.split_once(':'))
        .map(|(host, _)| host)
        .collect();
    assert_eq!(published.len(), 2, "{came:#?}");
    let (first, last) = published[0].split_once('-').unwrap();
    let row: [u16; 2] = [first.parse().unwrap(), last.parse().unwrap()];
    let single: u16 = published[1].parse().unwrap();
    assert_eq!(row[1], row[0] + 1, "{came:#?}");
    assert!(
        !row.contains(&single) && single != p && row[0] > p,
        "{came:#?}"
    );
    let said = "ports are not written down, as the registry cannot be used";
    assert_eq!(came.ran.err.matches(said).count(), 1, "{came:#?}");
    assert_eq!(came.ran.code, 0);
}

#[test]
fn the_folder_and_the_image_say_what_it_is_for() {
    let docker = Docker::new();
    let p = ports::one();
    let folder = docker.home.project("shop");
    let line = format!("run -d -p {p}:80 example.org:5000/team/web:2@sha256:ab");
    let came = docker.run_with(&line, |command| {
        command.current_dir(folder);
    });
    came.is_unchanged(&line);
    let row = docker.reserved_at(p);
    assert_eq!(
        (&row["project"], &row["service"]),
        (&json!("shop"), &json!("web")),
        "{row}"
    );
}
