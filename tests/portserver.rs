//! The portserver: python_portpicker's wire, with ports that are remembered.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::Process;
use support::{Home, NOBODY, finish, may_be_others, ports, python, skipped, wait_for};

const CLIENTS: usize = 4;
const PICKS: usize = 500;

fn socket(home: &Home) -> PathBuf {
    home.runtime().join("portserver.sock")
}

/// What is answered to some bytes, to the end of the stream.
fn say(home: &Home, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket(home)).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    // Who is refused early may be closed while it writes.
    let _ = stream.write_all(bytes);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// A port for a process; none where none is given.
fn pick(home: &Home, pid: u32) -> Option<u16> {
    let reply = say(home, format!("{pid}\n").as_bytes());
    let port = reply.strip_suffix('\n').map(|port| port.parse().unwrap());
    assert!(port.is_some() || reply.is_empty(), "{reply:?}");
    port
}

/// A process that ports can be for.
fn process(home: &Home) -> Process {
    Process::start(home.command("sleep").arg("600"))
}

fn end(process: &Process) {
    process.signal(Signal::KILL);
    process.status();
}

/// Lets the portserver give out so many ports, the first of them.
fn give_out(home: &Home, count: u16) -> u16 {
    let first = ports::block(count);
    let last = first + count - 1;
    home.run(&format!("config set portserver_ports {first}-{last}"))
        .ends(0);
    first
}

/// The Python that has python_portpicker; says so where there is none.
fn portpicker() -> Option<PathBuf> {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin");
    let found = venv.join("portserver.py").exists();
    if !found {
        skipped("there is no portpicker in target/test-venv: scripts/test makes it");
    }
    found.then(|| venv.join("python"))
}

#[test]
fn the_client_of_python_portpicker_gets_2000_distinct_ports() {
    let Some(python) = portpicker() else { return };
    let home = Home::new();
    let _app = App::start(&home);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/portserver/picks.py");
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut command = home.command(&python);
            command
                .arg(&script)
                .arg(PICKS.to_string())
                .arg(socket(&home));
            let (process, input) = Process::start_told(&mut command);
            assert_eq!(process.line(), "ready");
            (process, input)
        })
        .collect();
    for (_, input) in &mut clients {
        writeln!(input, "go").unwrap();
    }
    let mut picked = BTreeSet::new();
    for (client, _) in &clients {
        let told: Value = serde_json::from_str(&client.line()).unwrap();
        for port in told["ports"].as_array().unwrap() {
            let port = port.as_u64().unwrap_or_else(|| panic!("refused: {told}"));
            assert!((15_000..25_000).contains(&port), "{port}");
            assert!(picked.insert(port), "{port} was given out twice");
        }
    }
    assert_eq!(picked.len(), CLIENTS * PICKS);
    let reserved = |home: &Home| {
        let rows = home.run("query portserver --json");
        rows.json()["reservations"].as_array().unwrap().len()
    };
    assert_eq!(reserved(&home), CLIENTS * PICKS);
    let (first, _) = &clients[0];
    end(first);
    wait_for("the ports of a dead client to come back", || {
        (reserved(&home) == (CLIENTS - 1) * PICKS).then_some(())
    });
    // What test suites pick is not what the log is for.
    let log = home.run("log --json").ends(0).json();
    assert_eq!(log["entries"], json!([]));
}

#[test]
fn bad_requests_are_closed_without_a_byte() {
    let home = Home::new();
    let _app = App::start(&home);
    let (me, dead) = (std::process::id(), process(&home));
    end(&dead);
    let long = "1".repeat(35);
    let huge = "1".repeat(20_000);
    for request in [
        "",
        "\n",
        "99Z",
        "99 8",
        &long,
        &huge,
        "0",
        "-1",
        "1",
        "1\n",
        "4194304\n",
        "\0\0",
        "{}",
    ] {
        assert_eq!(say(&home, request.as_bytes()), "", "{:.40}", request);
    }
    assert_eq!(pick(&home, dead.pid()), None);
    for request in [format!("{me}"), format!("{me}\n"), format!(" {me}\r\n")] {
        let reply = say(&home, request.as_bytes());
        assert!(
            reply.ends_with('\n') && reply.trim().parse::<u16>().is_ok(),
            "{reply:?}"
        );
    }
    assert_eq!(
        std::fs::metadata(socket(&home))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

#[test]
fn who_is_slow_or_says_nothing_is_in_nobodys_way() {
    let home = Home::new();
    let _app = App::start(&home);
    let me = std::process::id();
    let silent: Vec<UnixStream> = (0..40)
        .map(|_| UnixStream::connect(socket(&home)).unwrap())
        .collect();
    let mut late = UnixStream::connect(socket(&home)).unwrap();
    assert!(pick(&home, me).is_some());
    late.write_all(format!("{me}\n").as_bytes()).unwrap();
    let mut reply = String::new();
    late.read_to_string(&mut reply).unwrap();
    assert!(reply.trim().parse::<u16>().is_ok(), "{reply:?}");
    // They are not waited for without end.
    for mut stream in silent {
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);
    }
}

#[test]
fn more_clients_than_there_is_room_for_are_served_all_the_same() {
    let home = Home::new();
    let _app = App::start(&home);
    let me = std::process::id();
    let connect = || UnixStream::connect(socket(&home));
    let silent: Vec<_> = (0..600).map_while(|_| connect().ok()).collect();
    assert_eq!(silent.len(), 600);
    assert!(pick(&home, me).is_some());
}

#[test]
fn what_was_given_out_survives_a_kill_of_the_app() {
    let home = Home::new();
    let app = App::start(&home);
    let first = give_out(&home, 6);
    let (one, other) = (process(&home), process(&home));
    assert_eq!(pick(&home, one.pid()), Some(first));
    assert_eq!(pick(&home, other.pid()), Some(first + 1));
    assert_eq!(pick(&home, one.pid()), Some(first + 2));
    app.end(Signal::KILL);
    end(&other);
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    wire.until(first + 1, "");
    assert_eq!(wire.reservation(first)["pid"], one.pid());
    // In turn: the one that came back is the last one.
    let picks: Vec<_> = (0..5).map(|_| pick(&home, one.pid())).collect();
    assert_eq!(
        picks,
        [
            Some(first + 3),
            Some(first + 4),
            Some(first + 5),
            Some(first + 1),
            None
        ]
    );
    home.run(&format!("release --job-id {}", one.pid())).ends(0);
    assert!(pick(&home, one.pid()).is_some());
}

#[test]
fn a_port_is_free_when_its_process_is_gone_and_nobody_has_it_bound() {
    let home = Home::new();
    let _app = App::start(&home);
    let first = give_out(&home, 2);
    let (one, other) = (process(&home), process(&home));
    assert_eq!(pick(&home, one.pid()), Some(first));
    // Each in a way of its own, and not by the process that has the port.
    for kind in ["listen", "bind", "datagrams"] {
        let script = "import socket, sys
kind, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(type=socket.SOCK_DGRAM if kind == 'datagrams' else socket.SOCK_STREAM)
s.bind(('127.0.0.1', port))
if kind == 'listen': s.listen()
print('bound', flush=True)
sys.stdin.read()";
        let mut command = home.command(python());
        command.args(["-c", script, kind, &first.to_string()]);
        let (holder, input) = Process::start_told(&mut command);
        assert_eq!(holder.line(), "bound");
        home.run(&format!("release --job-id {}", one.pid()));
        let client = process(&home);
        assert_eq!(pick(&home, client.pid()), Some(first + 1), "{kind}");
        assert_eq!(pick(&home, client.pid()), None, "{kind}");
        drop(input);
        holder.status();
        assert_eq!(pick(&home, one.pid()), Some(first), "{kind}");
        end(&client);
        Wire::open(&home).until(first + 1, "");
    }
    assert_eq!(pick(&home, other.pid()), Some(first + 1));
    end(&one);
    wait_for("the port of a dead process", || {
        (pick(&home, other.pid()) == Some(first)).then_some(())
    });
}

/// Asks at an abstract address, as python_portpicker does.
const ASK: &str = "import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect('\\0' + sys.argv[1])
s.sendall(sys.argv[2].encode())
print(s.recv(1024).decode(), end='')";

#[test]
fn an_abstract_address_is_served_while_it_is_set() {
    let home = Home::new();
    let _app = App::start(&home);
    let name = format!("freeport-test-{}", std::process::id());
    let ask = || {
        finish(
            home.command(python())
                .args(["-c", ASK, &name, &std::process::id().to_string()]),
        )
    };
    assert_ne!(ask().code, 0, "it is not set");
    for address in [format!("@{name}"), format!("@{name}")] {
        home.run(&format!("config set portserver_address {address}"))
            .ends(0);
        wait_for("the portserver to listen there", || {
            let ran = ask();
            (ran.code == 0).then(|| ran.out.trim().parse::<u16>().unwrap())
        });
    }
    home.run("config unset portserver_address").ends(0);
    wait_for("the portserver to leave", || {
        (ask().code != 0).then_some(())
    });
    for bad in ["portserver", "@", "/tmp/x"] {
        home.run(&format!("config set portserver_address {bad}"))
            .ends(2);
    }
    assert!(pick(&home, std::process::id()).is_some());
}

#[test]
fn a_name_that_somebody_else_has_is_told() {
    let home = Home::new();
    let name = format!("freeport-test-taken-{}", std::process::id());
    let script = "import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind('\\0' + sys.argv[1]); s.listen()
print('bound', flush=True); sys.stdin.read()";
    let (taken, _input) = Process::start_told(home.command(python()).args(["-c", script, &name]));
    assert_eq!(taken.line(), "bound");
    home.run(&format!("config set portserver_address @{name}"))
        .ends(0);
    let _app = App::start(&home);
    wait_for("the app to say so", || {
        let told = format!("the portserver cannot listen at @{name}");
        App::log(&home).contains(&told).then_some(())
    });
    assert!(
        pick(&home, std::process::id()).is_some(),
        "its file is served"
    );
}

#[test]
fn other_users_get_nothing_and_no_port_is_for_theirs() {
    if !may_be_others("to be another user") {
        return;
    }
    let home = Home::new();
    let _app = App::start(&home);
    let name = format!("freeport-test-others-{}", std::process::id());
    home.run(&format!("config set portserver_address @{name}"))
        .ends(0);
    let theirs = Process::start(home.command("setpriv").args([
        &format!("--reuid={NOBODY}"),
        "--clear-groups",
        "sleep",
        "600",
    ]));
    let uid = || std::fs::read_to_string(format!("/proc/{}/status", theirs.pid())).unwrap();
    wait_for("the other user", || {
        uid().contains(&format!("Uid:\t{NOBODY}")).then_some(())
    });
    assert_eq!(pick(&home, theirs.pid()), None);
    let me = std::process::id().to_string();
    let ran = wait_for("the address", || {
        let mut command = home.command("setpriv");
        command
            .args([&format!("--reuid={NOBODY}"), "--clear-groups"])
            .arg(python())
            .args(["-c", ASK, &name, &me])
            .current_dir("/");
        let ran = finish(&mut command);
        (!ran.err.contains("ConnectionRefused")).then_some(ran)
    });
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert!(say(&home, me.as_bytes()).trim().parse::<u16>().is_ok());
}
