//! What is acknowledged stays: through the death of the app, through a restart of the machine, and
//! where the registry cannot be used.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire, succeeds};
use support::processes::Server;
use support::{Home, PATIENCE, ports, wait_for};

fn database(home: &Home) -> PathBuf {
    home.path(".local/share/freeport/freeport.db")
}

fn open(home: &Home) -> Connection {
    let db = Connection::open(database(home)).unwrap();
    db.busy_timeout(PATIENCE).unwrap();
    db
}

/// What is reserved, without what may change by itself.
fn rows(wire: &mut Wire) -> Vec<Value> {
    let mut all = wire.done(&json!({"cmd": "QUERY"}))["reservations"].take();
    let rows = all.as_array_mut().unwrap();
    for row in rows.iter_mut() {
        row.as_object_mut().unwrap().remove("last_heartbeat");
    }
    std::mem::take(rows)
}

#[test]
fn the_registry_is_closed_to_others() {
    let home = Home::new();
    let _app = App::start(&home);
    Wire::open(&home).done(&json!({"cmd": "CLAIM", "port": ports::one()}));
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = database(&home);
    assert_eq!(mode(file.parent().unwrap().to_owned()), 0o700);
    for ending in ["db", "db-wal", "db-shm"] {
        assert_eq!(mode(file.with_extension(ending)), 0o600, "{ending}");
    }
    let db = open(&home);
    let mode: String = db
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let home = Home::new();
    let mut agent = Agent::start(&home);
    let first = ports::block(30);
    let mut next = first..first + 30;
    let mut known: Vec<Value> = Vec::new();
    for round in 0..5 {
        let app = App::start(&home);
        let mut wire = Wire::open(&home);
        assert_eq!(rows(&mut wire), known, "round {round}");
        let mut told = |mut row: Value| {
            row.as_object_mut().unwrap().remove("last_heartbeat");
            known.push(row);
        };
        for port in next.by_ref().take(2) {
            let claim = json!({"cmd": "CLAIM", "port": port, "service": format!("s{port}"), "metadata": {"round": round}});
            told(wire.done(&claim)["reservation"].take());
        }
        for port in next.by_ref().take(2) {
            let reserve = json!({"cmd": "RESERVE", "ports": [port], "project": "shop"});
            told(wire.done(&reserve)["reservations"][0].take());
        }
        let port = next.next().unwrap();
        told(wire.done(&json!({"cmd": "ALLOCATE", "project": "shop", "service": format!("a{port}"), "port": port}))["reservation"].take());
        // Between the reply and the end, nothing but the end.
        app.process.signal(Signal::KILL);
        app.process.status();
    }
    let _app = App::start(&home);
    // Connections are those of an app: this is another one.
    succeeds(agent.ask(&json!({"cmd": "PING"})));
    assert_eq!(known.len(), 25);
    assert_eq!(rows(&mut Wire::open(&home)), known);
}

#[test]
fn of_claims_made_while_it_is_killed_all_that_were_acknowledged_are_there() {
    let home = Home::new();
    let app = App::start(&home);
    let first = ports::block(32);
    let clients: Vec<_> = (0..4u16)
        .map(|client| {
            let mut wire = Wire::open(&home);
            std::thread::spawn(move || {
                let mut acknowledged = Vec::new();
                for round in 0u32.. {
                    let port = first + client * 8 + u16::try_from(round % 8).unwrap();
                    let claim = json!({"cmd": "CLAIM", "port": port, "metadata": round});
                    if !wire.send(format!("{claim}\n").as_bytes()) {
                        break;
                    }
                    let Some(reply) = wire.receive() else { break };
                    assert_eq!(reply["status"], "success", "{reply}");
                    acknowledged.retain(|(of, _)| *of != port);
                    acknowledged.push((port, round));
                }
                acknowledged
            })
        })
        .collect();
    // Until there was some work.
    wait_for("some claims", || {
        (rows(&mut Wire::open(&home)).len() > 16).then_some(())
    });
    app.process.signal(Signal::KILL);
    app.process.status();
    let acknowledged: Vec<(u16, u32)> = clients
        .into_iter()
        .flat_map(|client| client.join().unwrap())
        .collect();
    assert!(acknowledged.len() > 16);
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    for (port, round) in acknowledged {
        let metadata = wire.reservation(port)["metadata"]
            .as_u64()
            .unwrap_or_else(|| panic!("{port} is gone"));
        // One more may have been written, and not have been told any more.
        assert!(
            metadata == u64::from(round) || metadata == u64::from(round) + 8,
            "{port}: {metadata} after {round}"
        );
    }
}

#[test]
fn owners_that_ended_meanwhile_are_noticed() {
    let home = Home::new();
    let app = App::start(&home);
    let block = ports::block(5);
    let mut agents: Vec<Agent> = (0..3).map(|_| Agent::start(&home)).collect();
    for (port, agent) in (block..).zip(&mut agents) {
        succeeds(agent.ask(&json!({"cmd": "CLAIM", "port": port})));
    }
    Wire::open(&home).done(&json!({"cmd": "RESERVE", "ports": [block + 3], "project": "shop"}));
    Wire::open(&home).done(
        &json!({"cmd": "CLAIM", "port": block + 3, "project": "shop", "pid": agents[0].pid()}),
    );
    agents[1].listen(block + 1);
    assert_eq!(Wire::open(&home).status_of(block + 1), "active");
    app.end(Signal::KILL);
    agents[0].kill();
    agents[1].close();
    agents[2].listen(block + 2);
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let status: Vec<String> = (block..block + 4)
        .map(|port| wire.status_of(port))
        .collect();
    assert_eq!(status, ["", "claimed", "active", "reserved"]);
    // Their ends are seen at once now, as if they had claimed from this app.
    agents[2].kill();
    let start = Instant::now();
    wait_for("the end to be noticed", || {
        wire.status_of(block + 2).is_empty().then_some(())
    });
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn leases_go_on_while_the_app_does_not_run() {
    let home = Home::new();
    let app = App::start(&home);
    let port = ports::block(2);
    let mut wire = Wire::open(&home);
    wire.done(&json!({"cmd": "CLAIM", "port": port, "ttl_s": 1}));
    let lease = wire.done(&json!({"cmd": "CLAIM", "port": port + 1, "ttl_s": 3600}));
    app.end(Signal::KILL);
    let over = humantime::parse_rfc3339(lease["reservation"]["created_at"].as_str().unwrap())
        .unwrap()
        + Duration::from_secs(1);
    wait_for("the lease to run out", || {
        (std::time::SystemTime::now() > over).then_some(())
    });
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    wait_for("it to be noticed", || {
        ["stale", ""]
            .contains(&wire.status_of(port).as_str())
            .then_some(())
    });
    assert_eq!(
        wire.reservation(port + 1)["expires_at"],
        lease["expires_at"]
    );
}

#[test]
fn leases_stand_still_while_the_machine_sleeps() {
    const HOUR_MS: i64 = 60 * 60 * 1000;
    let home = Home::new();
    let port = ports::block(2);
    for slept in [HOUR_MS, -HOUR_MS] {
        let app = App::start(&home);
        let mut wire = Wire::open(&home);
        let before = wire
            .done(&json!({"cmd": "CLAIM", "port": port, "ttl_s": 60, "pid": std::process::id()}));
        wire.done(&json!({"cmd": "HEARTBEAT", "port": port}));
        app.end(Signal::KILL);
        // As if all of that had been an hour earlier and the machine had not been awake since; or as
        // if its clock had been put back by an hour.
        let db = open(&home);
        db.execute("UPDATE clock SET wall = wall - ?1", [slept])
            .unwrap();
        let earlier =
            "UPDATE ports SET expires_at = expires_at - ?1, last_heartbeat = last_heartbeat - ?1";
        assert_eq!(db.execute(earlier, [slept]).unwrap(), 1);
        drop(db);
        let app = App::start(&home);
        let mut wire = Wire::open(&home);
        let row = wire.reservation(port);
        assert_eq!(row["status"], "claimed", "{slept}: {row}");
        let at = |value: &Value| humantime::parse_rfc3339(value.as_str().unwrap()).unwrap();
        let (now, then) = (at(&row["expires_at"]), at(&before["expires_at"]));
        let off = now
            .duration_since(then)
            .unwrap_or_else(|error| error.duration());
        assert!(
            off < Duration::from_secs(30),
            "{slept}: {row} after {before}"
        );
        app.end(Signal::TERM);
    }
}

#[test]
fn processes_of_another_boot_are_gone() {
    let home = Home::new();
    let app = App::start(&home);
    let port = ports::block(4);
    let mut agent = Agent::start(&home);
    for at in port..port + 3 {
        succeeds(agent.ask(&json!({"cmd": "CLAIM", "port": at})));
    }
    let mut wire = Wire::open(&home);
    wire.done(&json!({"cmd": "CLAIM", "port": port + 3, "detached": true, "service": "db"}));
    agent.listen(port);
    assert_eq!(wire.status_of(port), "active");
    app.end(Signal::KILL);
    // The machine was started again: the same pid and start time mean another process now.
    let db = open(&home);
    let rebooted = db.execute(
        "UPDATE ports SET boot_id = 'another' WHERE port <> ?1 AND pid IS NOT NULL",
        [port + 2],
    );
    assert_eq!(rebooted.unwrap(), 2);
    drop(db);
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let status: Vec<String> = (port..port + 4).map(|at| wire.status_of(at)).collect();
    assert_eq!(
        status,
        ["", "", "claimed", "claimed"],
        "what has no process stays"
    );
    assert_eq!(wire.listeners(port)[0]["conflict"], Value::Null);
}

#[test]
fn what_another_program_writes_is_seen() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(2);
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
    let db = open(&home);
    db.execute("DELETE FROM ports", []).unwrap();
    let insert = "INSERT INTO ports (port, protocol, project, uid, status, hold, kept, created_at) VALUES (?1, 'tcp', 'blog', ?2, 'reserved', 'advisory', 1, 0)";
    db.execute(
        insert,
        params![port + 1, rustix::process::geteuid().as_raw()],
    )
    .unwrap();
    assert_eq!(
        (wire.status_of(port), wire.status_of(port + 1)),
        (String::new(), "reserved".to_owned())
    );
    wire.refused(
        &json!({"cmd": "RESERVE", "ports": [port + 1], "project": "shop"}),
        "port_taken",
    );
}

#[test]
fn a_registry_that_is_locked_holds_up_nobody_who_does_not_need_it() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(2);
    wire.done(&json!({"cmd": "CLAIM", "port": port, "ttl_s": 1}));
    let db = open(&home);
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    // A lease runs out, which cannot be written: still the app does its other work, and quickly.
    // Others come and go meanwhile, each of which is looked at.
    let (mut slow, mut all) = (0, 0);
    let end = Instant::now() + Duration::from_secs(6);
    while Instant::now() < end {
        let _server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let start = Instant::now();
        wire.done(&json!({"cmd": "LIST"}));
        all += 1;
        slow += usize::from(start.elapsed() > Duration::from_secs(1));
    }
    assert!(slow <= 2 && all > 20, "{slow} of {all} were slow");
    let told = wire.refused(
        &json!({"cmd": "CLAIM", "port": port + 1}),
        "registry_unavailable",
    );
    assert!(
        told.contains("locked") && told.contains("try again"),
        "{told}"
    );
    let server = Server::start(&home, "");
    assert_eq!(wire.listeners(server.port)[0]["owner"]["pid"], server.pid);
    db.execute_batch("ROLLBACK").unwrap();
    wire.done(&json!({"cmd": "CLAIM", "port": port + 1}));
    wait_for("the lease to be seen as over", || {
        (wire.status_of(port) == "stale").then_some(())
    });
}
