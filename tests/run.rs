//! `freeport run`: the command as if it was started without it, on a port that nobody else gets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use support::app::App;
use support::processes::{Process, is_alive};
use support::{
    Home, Ran, finish, fixture, is_root, may_be_others, ports, python, there_is, wait_for,
};

/// `freeport run` with its own words, and the command.
fn run(home: &Home, folder: &Path, line: &str, command: &[&str]) -> Command {
    let words = ["run"].into_iter().chain(line.split_ascii_whitespace());
    let mut run = home.freeport(words.chain(["--"]).chain(command.iter().copied()));
    run.current_dir(folder);
    run
}

/// So many ports in a row that nobody has. To look for them, they were listened on for a moment; a
/// process that another test starts just then has that open until it executes.
fn free_ports(count: u16) -> u16 {
    let first = ports::block(count);
    let is_there = |table: &str, port: u16| {
        let place = format!(":{port:04X} ");
        let text = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let mut lines = text.lines();
        lines.any(|line| line.get(..44).unwrap_or(line).contains(&place))
    };
    wait_for("ports that nobody has", || {
        let tables = ["tcp", "tcp6", "udp", "udp6"];
        let mut all = (first..first + count).flat_map(|port| tables.map(|table| (table, port)));
        (!all.any(|(table, port)| is_there(table, port))).then_some(first)
    })
}

fn web() -> String {
    fixture("web.py").to_str().unwrap().to_owned()
}

/// A server under `freeport run`.
struct Served {
    process: Process,
    /// Where it listens.
    port: u16,
    /// The server itself.
    pid: u32,
    said: std::path::PathBuf,
}

impl Served {
    fn start(home: &Home, folder: &Path, line: &str, more: &[&str]) -> Served {
        let python = python().to_str().unwrap();
        let web = web();
        let words: Vec<&str> = [python, &web]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        Served::of(home, &mut run(home, folder, line, &words))
    }

    fn of(home: &Home, command: &mut Command) -> Served {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let said = home.path(&format!("said-{number}"));
        let process = Process::start(command.stderr(File::create(&said).unwrap()));
        let mut line = process.line_within(support::PATIENCE).unwrap_or_default();
        while line.starts_with("also") || line.starts_with("note") {
            line = process.line();
        }
        let mut words = line.split(' ');
        let said_so_far = std::fs::read_to_string(&said).unwrap();
        assert_eq!(words.next(), Some("up"), "{line}: {said_so_far}");
        let mut number = || words.next().unwrap().parse::<u32>().unwrap();
        Served {
            port: number().try_into().unwrap(),
            pid: number(),
            process,
            said,
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    fn says(&self, what: &str) {
        wait_for(what, || self.said().contains(what).then_some(()));
    }

    /// Ends it as a user does; gives its exit status.
    fn end(&self) -> i32 {
        self.process.signal(Signal::TERM);
        self.process.status()
    }
}

/// The reservations of a home.
fn reserved(home: &Home) -> Vec<Value> {
    let ran = home.run("query --json");
    assert!(ran.code == 0 || ran.code == 3, "{ran:#?}");
    ran.json()["reservations"].as_array().unwrap().clone()
}

fn no_lease_left(home: &Home) {
    wait_for("the leases to be given back", || {
        reserved(home).is_empty().then_some(())
    });
}

fn answer(port: u16) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.rsplit("\r\n").next().unwrap().to_owned()
}

/// Runs a shell line, on a port that nobody else wants.
fn sh(home: &Home, line: &str, script: &str) -> Ran {
    let port = format!("--port {} {line}", free_ports(1));
    let line = if line.contains("--port") { line } else { &port };
    finish(&mut run(home, &home.path(""), line, &["sh", "-c", script]))
}

/// Whether this process, and all that it starts, ignores a signal, as jobs in the background do.
fn is_ignored(signal: i32) -> bool {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = text.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.unwrap_or(0) & (1 << (signal - 1)) != 0
}

#[test]
fn it_ends_as_the_command_ended() {
    let home = Home::new();
    for status in (0..=255).step_by(17) {
        let ran = sh(&home, "--quiet", &format!("exit {status}"));
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (status, "", "")
        );
    }
    for (name, number) in [
        ("KILL", 9),
        ("TERM", 15),
        ("SEGV", 11),
        ("INT", 2),
        ("HUP", 1),
    ] {
        if is_ignored(number) {
            support::skipped(&format!("SIG{name} is ignored here, and so by the command"));
            continue;
        }
        let script = format!("kill -{name} $$");
        let mut command = run(&home, &home.path(""), "--quiet", &["sh", "-c", &script]);
        let status = command.status().unwrap();
        assert_eq!(status.signal(), Some(number), "{name}: {status}");
        assert!(!status.core_dumped());
    }
    no_lease_left(&home);
}

#[test]
fn standard_streams_are_the_commands() {
    let home = Home::new();
    let mut command = run(
        &home,
        &home.path(""),
        "--quiet",
        &["sh", "-c", "cat; echo err >&2; echo $0", "x"],
    );
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "typed\nx\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "err\n");
    // Who reads what the command prints sees its end, whatever it has left running.
    let ran = sh(&home, "", "sleep 60 >/dev/null 2>&1 </dev/null & echo $!");
    let left: u32 = ran.ends(0).out.trim().parse().unwrap();
    assert!(is_alive(left));
    assert_eq!(
        reserved(&home).len(),
        1,
        "its port is held for what is left"
    );
    finish(home.command("kill").arg(left.to_string()));
    no_lease_left(&home);
}

#[test]
fn what_is_wrong_is_told() {
    let home = Home::new();
    home.write("file", "no program");
    for (line, code, said) in [
        ("run", 2, "required"),
        ("run --port 0 -- true", 2, "0 is not a port"),
        ("run --port 65536 -- true", 2, "65536 is not a port"),
        ("run --strict --replace -- true", 2, "cannot be used with"),
        (
            "run -- no-such-program",
            127,
            "there is no command 'no-such-program'",
        ),
        ("run -- ./file", 126, "'./file' cannot be executed"),
        ("run -- /", 126, "it is a folder"),
        (
            "run --service a --service a -- true",
            2,
            "the service 'a' is named twice",
        ),
        ("run --service a-b --service a.b -- true", 2, "PORT_A_B"),
        (
            "run --port 3000 --port 3001 -- true",
            2,
            "2 ports are given",
        ),
        ("run -- echo {port:nobody}", 2, "nobody"),
    ] {
        let ran = home.run(line);
        assert!(
            ran.code == code && ran.err.contains(said),
            "{line}: {ran:#?}"
        );
    }
    assert!(reserved(&home).is_empty(), "nothing stays claimed");
}

#[test]
fn broken_files_of_a_project_are_told_with_their_line() {
    let home = Home::new();
    let shop = home.project("shop");
    let node = home.write("bin/npm", "#!/bin/sh\nexec sh -c 'echo ran'\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&node, mode).unwrap();
    let path = format!(
        "{}:{}",
        home.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let npm =
        |line: &str, words: &[&str]| finish(run(&home, &shop, line, words).env("PATH", &path));
    home.write(
        "shop/freeport.toml",
        "[services.web]\nport = 3000\nprot = 1\n",
    );
    let ran = npm("", &["npm", "start"]).ends(2);
    assert!(
        ran.err.contains("freeport.toml") && ran.err.contains("prot"),
        "{ran:#?}"
    );
    assert!(ran.err.contains('3'), "the line: {ran:#?}");
    home.write("shop/freeport.toml", "[services.web]\n");
    let ran = npm("--service api", &["npm", "start"]).ends(2);
    assert!(
        ran.err
            .contains("freeport.toml has no service 'api': it has web"),
        "{ran:#?}"
    );
    std::fs::remove_file(home.path("shop/freeport.toml")).unwrap();
    home.write(
        "shop/package.json",
        "{\n  \"scripts\": {\n    \"start\" \"x\"\n}",
    );
    let ran = npm("", &["npm", "start"]).ends(2);
    assert!(ran.err.contains("package.json:3"), "{ran:#?}");
    home.write(
        "shop/package.json",
        "{\"scripts\": {\"start\": \"npm start\"}}",
    );
    let ran = npm(&format!("--port {}", free_ports(1)), &["npm", "start"]).ends(0);
    assert!(ran.err.contains("runs itself"), "{ran:#?}");
    assert_eq!(ran.out, "ran\n");
    assert!(reserved(&home).is_empty());
}

#[test]
fn a_privileged_port_is_refused() {
    if !may_be_others("a port that one may not bind") {
        return;
    }
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if first.is_ok_and(|first| first.trim().parse::<u16>().is_ok_and(|first| first <= 80)) {
        support::skipped("everybody may bind port 80 here");
        return;
    }
    let home = Home::new();
    std::fs::set_permissions(
        home.path(""),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let ran = finish(&mut home.freeport_as(support::NOBODY, "run --port 80 -- true")).ends(4);
    assert!(ran.err.contains("port 80 cannot be bound"), "{ran:#?}");
}

#[test]
fn a_server_gets_the_port_and_gives_it_back() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    let served = Served::start(&home, &shop, &format!("--port {port}"), &[]);
    assert_eq!(served.port, port);
    assert_eq!(answer(port), format!("port {port}"));
    let row = wait_for("the hand-over", || {
        let row = reserved(&home).pop()?;
        (row["hold"] == "handed-over").then_some(row)
    });
    assert_eq!(
        (&row["port"], &row["project"]),
        (&port.into(), &"shop".into())
    );
    assert_eq!(row["status"], "active");
    let listener = home.listener(port);
    assert_eq!(listener["owner"]["pid"], served.pid);
    assert_eq!(listener["hold"], "handed-over");
    assert_eq!(served.said(), "", "there is nothing to say");
    assert_eq!(served.end(), 143);
    assert!(!is_alive(served.pid));
    assert!(
        reserved(&home).is_empty(),
        "it was given back before the end"
    );
    assert!(ports::is_free(port));
}

#[test]
fn a_busy_port_is_told_and_another_one_taken() {
    let home = Home::new();
    let shop = home.project("shop");
    let first = free_ports(8);
    let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
    let served = Served::start(&home, &shop, &format!("--port {first}"), &[]);
    assert_ne!(served.port, first);
    let me = std::process::id();
    let said = served.said();
    assert!(
        said.starts_with(&format!("freeport: port {first} is taken by ")),
        "{said}"
    );
    assert!(said.contains(&format!("(pid {me}")), "{said}");
    assert!(
        said.ends_with(&format!("; using {}\n", served.port)),
        "{said}"
    );
    served.end();
    let ran = sh(&home, &format!("--strict --port {first}"), "exit 0").ends(5);
    assert!(
        ran.err.contains(&format!("port {first} is taken by")),
        "{ran:#?}"
    );
    let quiet = Served::start(&home, &shop, &format!("--quiet --port {first}"), &[]);
    assert_eq!(quiet.said(), "");
    quiet.end();
    drop(busy);
    // Bound and not listened on: no tool shows it.
    let socket = bound(first);
    let served = Served::start(&home, &shop, &format!("--port {first}"), &[]);
    let said = served.said();
    assert!(
        said.contains(&format!(
            "port {first} is bound by a program that does not listen"
        )),
        "{said}"
    );
    served.end();
    sh(&home, &format!("--strict --port {first}"), "exit 0").ends(5);
    drop(socket);
    no_lease_left(&home);
}

/// A socket that is bound and does not listen.
fn bound(port: u16) -> rustix::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketType, bind, socket};
    let made = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let address = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // A process that another test starts has what was closed here until it executes.
    wait_for("the port", || bind(&made, &address).ok());
    made
}

#[test]
fn the_last_port_of_a_service_comes_first() {
    let home = Home::new();
    let (shop, blog) = (home.project("shop"), home.project("blog"));
    let port = free_ports(1);
    Served::start(&home, &shop, &format!("--service web --port {port}"), &[]).end();
    let again = Served::start(&home, &shop, "--service web", &[]);
    assert_eq!(again.port, port);
    let other = Served::start(&home, &blog, "--service web", &[]);
    assert_ne!(other.port, port);
}

#[test]
fn an_older_run_is_replaced_and_nobody_else() {
    let home = Home::new();
    let (shop, blog) = (home.project("shop"), home.project("blog"));
    let port = free_ports(8);
    let line = format!("--service web --port {port}");
    let old = Served::start(&home, &shop, &line, &[]);
    let stranger = Served::start(&home, &blog, &format!("--replace {line}"), &[]);
    assert_ne!(stranger.port, port);
    let sibling = Served::start(
        &home,
        &shop,
        &format!("--replace --service api --port {port}"),
        &[],
    );
    assert_ne!(sibling.port, port);
    assert!(is_alive(old.pid));
    let new = Served::start(&home, &shop, &format!("--replace {line}"), &[]);
    assert_eq!(new.port, port, "{}", new.said());
    assert!(!is_alive(old.pid));
    assert!(
        new.said().contains("ended the older instance"),
        "{}",
        new.said()
    );
    assert_eq!(old.process.status(), 143);
}

#[test]
fn servers_that_are_told_no_port_are_moved() {
    let home = Home::new();
    let shop = home.project("shop");
    let first = free_ports(8);
    let _busy = TcpListener::bind((Ipv4Addr::UNSPECIFIED, first)).unwrap();
    let fixed = first.to_string();
    let served = Served::start(
        &home,
        &shop,
        &format!("--port {first}"),
        &["--port", &fixed],
    );
    let moved = format!(
        "freeport: the app asked for {first}, moved to {}: http://localhost:{}\n",
        served.port, served.port
    );
    assert!(served.said().ends_with(&moved), "{}", served.said());
    assert_eq!(answer(served.port), format!("port {}", served.port));
    let rows = reserved(&home);
    assert_eq!((rows.len(), &rows[0]["port"]), (1, &served.port.into()));
    served.end();
    // On purpose, though the port is free; and not at all.
    let (from, to) = (free_ports(1), free_ports(1));
    let line = format!("--remap {from}={to}");
    let served = Served::start(&home, &shop, &line, &["--port", &from.to_string()]);
    assert_eq!(served.port, to);
    served.end();
    let refused = finish(&mut run(
        &home,
        &shop,
        "--no-remap",
        &[python().to_str().unwrap(), &web(), "--port", &fixed],
    ));
    assert!(
        refused.code == 9 && refused.out.starts_with("refused"),
        "{refused:#?}"
    );
    if there_is("node") {
        let script = format!(
            "const s = require('http').createServer((q, r) => r.end('port ' + s.address().port)).listen({first}, () => console.log('up', s.address().port, process.pid))"
        );
        let served = Served::of(&home, &mut run(&home, &shop, "", &["node", "-e", &script]));
        assert_ne!(served.port, first);
        assert!(answer(served.port).contains(&format!("port {}", served.port)));
    }
}

#[test]
fn what_is_reserved_for_somebody_else_is_left_to_them() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    home.run(&format!("reserve {port} --project blog")).ends(0);
    let served = Served::start(&home, &shop, "", &["--port", &port.to_string()]);
    assert_ne!(served.port, port);
    served.end();
    home.run(&format!("release {port}")).ends(0);
    home.run(&format!("reserve {port} --project shop")).ends(0);
    let served = Served::start(&home, &shop, "", &["--port", &port.to_string()]);
    assert_eq!(served.port, port);
}

#[test]
fn signals_reach_the_command_once_however_they_are_sent() {
    if !there_is("bash") {
        return;
    }
    let home = Home::new();
    let mut command = home.command(python());
    command
        .arg(fixture("job_control.py"))
        .arg(env!("CARGO_BIN_EXE_freeport"))
        .args(["run", "--quiet", "--"])
        .arg(python())
        .arg(fixture("job_control_target.py"));
    let ran = finish(&mut command).ends(0);
    for (step, seen) in ran.json().as_object().unwrap() {
        assert_eq!(*seen, true, "{step}");
    }
    no_lease_left(&home);
}

#[test]
fn nothing_outlives_a_wrapper_that_is_killed() {
    let home = Home::new();
    let shop = home.project("shop");
    let script = format!(
        "trap '' TERM; {} {} & setsid sleep 61 & sleep 62",
        python().to_str().unwrap(),
        web()
    );
    for guard_too in [false, true] {
        let served = Served::of(&home, &mut run(&home, &shop, "", &["sh", "-c", &script]));
        let guard = reserved(&home)[0]["pid"].as_u64().unwrap() as u32;
        let below = below(guard);
        assert!(below.len() >= 4, "{below:?}");
        let killed = if guard_too {
            guard
        } else {
            served.process.pid()
        };
        finish(home.command("kill").args(["-9", &killed.to_string()]));
        for pid in &below {
            wait_for("the end of the whole tree", || {
                (!is_alive(*pid)).then_some(())
            });
        }
        assert_eq!(served.process.status(), 137);
        // Who is killed gives nothing back; it is found to be over by whoever looks.
        if guard_too {
            home.run("cleanup").ends(0);
        }
        no_lease_left(&home);
    }
}

/// All pids below a process.
fn below(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children: Vec<u32> = children
        .unwrap_or_default()
        .split_whitespace()
        .map(|child| child.parse().unwrap())
        .collect();
    let deeper: Vec<u32> = children.iter().flat_map(|child| below(*child)).collect();
    children.into_iter().chain(deeper).collect()
}

#[test]
fn a_thief_never_gets_the_port_not_even_while_a_server_reloads() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    let line = format!("--strict --port {port}");
    // Held before the thief starts, so that the port is nobody's but the wrapper's.
    let go = home.path("go");
    let script = format!(
        "echo note; while [ ! -e {} ]; do sleep 0.02; done; exec {} {} --times 50",
        go.display(),
        python().to_str().unwrap(),
        web()
    );
    let mut command = run(&home, &shop, &line, &["sh", "-c", &script]);
    let starting = Process::start(&mut command);
    assert_eq!(starting.line(), "note");
    let thief = Process::start(
        home.command(python())
            .arg(fixture("thief.py"))
            .arg(port.to_string()),
    );
    assert_eq!(thief.line(), "trying");
    std::fs::write(&go, "").unwrap();
    assert!(starting.line().starts_with(&format!("up {port} ")));
    assert_eq!(answer(port), format!("port {port}"));
    for _ in 0..20 {
        let ran = sh(&home, &format!("--port {port}"), "exit 3");
        assert_eq!(ran.code, 3);
    }
    assert_eq!(
        thief.line_within(std::time::Duration::from_millis(200)),
        None
    );
}

#[test]
fn an_open_gate_tells_who_came_in() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    let served = Served::start(&home, &shop, &format!("--hold gate --port {port}"), &[]);
    assert_eq!(served.port, port);
    wait_for("the hand-over", || {
        (reserved(&home)[0]["hold"] == "handed-over").then_some(())
    });
    served.end();
    let script = "echo up 1 $$; exec sleep 60";
    let served = Served::of(
        &home,
        &mut run(
            &home,
            &shop,
            &format!("--hold gate --port {port}"),
            &["sh", "-c", script],
        ),
    );
    let thief = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    served.says(&format!("port {port} was taken by"));
    assert!(
        served
            .said()
            .contains(&format!("(pid {}", std::process::id())),
        "{}",
        served.said()
    );
    drop(thief);
}

#[test]
fn who_listens_elsewhere_is_found_there() {
    let home = Home::new();
    let shop = home.project("shop");
    let (port, other) = (free_ports(1), free_ports(1));
    let line = format!("--hold off --port {port}");
    let served = Served::start(&home, &shop, &line, &["--port", &other.to_string()]);
    served.says(&format!("the app listens on {other}, not on {port}"));
    wait_for("the other port to be claimed", || {
        let rows = reserved(&home);
        (rows.len() == 1 && rows[0]["port"] == other).then_some(())
    });
}

#[test]
fn a_run_within_a_run_is_one() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    let freeport = env!("CARGO_BIN_EXE_freeport");
    let python = python().to_str().unwrap();
    let web = web();
    let words = [freeport, "run", "--", python, &web];
    let served = Served::of(
        &home,
        &mut run(&home, &shop, &format!("--port {port}"), &words),
    );
    assert_eq!((served.port, served.said().as_str()), (port, ""));
    assert_eq!(reserved(&home).len(), 1);
    served.end();
    // Another port is claimed by the inner one, which has no seam of its own.
    let inner = free_ports(1).to_string();
    let words = [freeport, "run", "--port", &inner, "--", python, &web];
    let served = Served::of(
        &home,
        &mut run(&home, &shop, &format!("--port {port}"), &words),
    );
    assert_eq!(served.port.to_string(), inner);
    assert!(
        served.said().contains("the run around this one"),
        "{}",
        served.said()
    );
    assert_eq!(reserved(&home).len(), 2);
    assert_eq!(served.end(), 143);
    no_lease_left(&home);
}

#[test]
fn many_at_once_get_a_port_each() {
    for with_app in [false, true] {
        let home = Home::new();
        let shop = home.project("shop");
        let _app = with_app.then(|| App::start(&home));
        let port = free_ports(32);
        let line = format!("--service web --port {port}");
        let mut all: Vec<Served> = std::thread::scope(|scope| {
            let (home, shop, line) = (&home, &shop, &line);
            let threads: Vec<_> = (0..50)
                .map(|_| scope.spawn(move || Served::start(home, shop, line, &[])))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let mut ports: Vec<u16> = all.iter().map(|served| served.port).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50, "with the app: {with_app}");
        for served in &all {
            assert_eq!(answer(served.port), format!("port {}", served.port));
        }
        let said: String = all.iter().map(Served::said).collect();
        assert!(!said.contains("not written down"), "{said}");
        assert_eq!(reserved(&home).len(), 50);
        all.iter()
            .for_each(|served| served.process.signal(Signal::TERM));
        for served in all.drain(..) {
            assert_eq!(served.process.status(), 143);
        }
        no_lease_left(&home);
    }
}

#[test]
fn several_services_get_their_ports_all_or_none() {
    let home = Home::new();
    let shop = home.project("shop");
    let first = free_ports(8);
    let line = format!(
        "--service web --service api --port {first} --port {}",
        first + 3
    );
    let script = "echo $PORT $FREEPORT_PORT $FREEPORT_URL $PORT_WEB $PORT_API $0 $1";
    let words = ["sh", "-c", script, "{port}", "--api={port:api}"];
    let ran = finish(&mut run(&home, &shop, &line, &words)).ends(0);
    let api = first + 3;
    assert_eq!(
        ran.out.trim(),
        format!("{first} {first} http://localhost:{first} {first} {api} {first} --api={api}")
    );
    let _busy = TcpListener::bind((Ipv4Addr::LOCALHOST, api)).unwrap();
    finish(&mut run(
        &home,
        &shop,
        &format!("--strict {line}"),
        &["true"],
    ))
    .ends(5);
    assert!(reserved(&home).is_empty());
    // The project says which there are.
    home.write(
        "shop/freeport.toml",
        &format!(
            "project = \"store\"\n[services.web]\nport = {first}\n[services.api]\nport = {}\n",
            first + 4
        ),
    );
    let words = ["sh", "-c", "echo up $PORT $$ $PORT_API; exec sleep 60"];
    let served = Served::of(&home, &mut run(&home, &shop, "", &words));
    assert_eq!(served.port, first);
    let env = finish(home.freeport(["env"]).current_dir(&shop)).ends(0);
    assert_eq!(
        env.out,
        format!(
            "export PORT={first}\nexport FREEPORT_PORT={first}\nexport FREEPORT_URL=http://localhost:{first}\nexport PORT_WEB={first}\nexport PORT_API={}\n",
            first + 4
        )
    );
    let json = home.run("env store --format json").ends(0).json();
    assert_eq!(json["PORT_API"], (first + 4).to_string());
    assert_eq!(home.run("env nobody").code, 3);
}

#[test]
fn working_copies_get_ports_of_their_own_and_keep_them() {
    if !there_is("git") {
        return;
    }
    let home = Home::new();
    let shop = home.project("shop");
    let git = |words: &[&str]| {
        let fixed = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
        let mut command = home.command("git");
        finish(command.args(fixed).args(words).current_dir(&shop)).ends(0);
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "first"]);
    git(&["worktree", "add", "-q", "../login"]);
    let login = home.path("login");
    let port = free_ports(8);
    let line = format!("--service web --port {port}");
    let ports = || {
        let one = Served::start(&home, &shop, &line, &[]);
        let two = Served::start(&home, &login, &line, &[]);
        (one.port, two.port)
    };
    let both = ports();
    assert_eq!(both.0, port);
    assert_ne!(both.0, both.1);
    assert_eq!(ports(), both);
    // Also where only one of them runs.
    assert_eq!(Served::start(&home, &login, &line, &[]).port, both.1);
}

#[test]
fn it_runs_without_a_home_and_beside_a_broken_app() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(4);
    let line = format!("--port {port}");
    home.write("not-a-folder", "");
    let python = python().to_str().unwrap();
    let web = web();
    let words = [python, web.as_str()];
    let start = |name: &str, value: &std::ffi::OsStr| {
        let mut command = run(&home, &shop, &line, &words);
        Served::of(&home, command.env(name, value))
    };
    // What it would write to cannot be made.
    let served = start("FREEPORT_DATA_DIR", home.path("not-a-folder").as_os_str());
    assert_eq!(served.port, port);
    assert!(
        served.said().contains("ports are not written down"),
        "{}",
        served.said()
    );
    assert_eq!(served.said().lines().count(), 1, "{}", served.said());
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok());
    let second = start("FREEPORT_DATA_DIR", home.path("not-a-folder").as_os_str());
    assert_eq!(second.port, port + 1, "{}", second.said());
    drop((served, second));
    // An app that accepts and says nonsense.
    let broken = home.path("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(broken.join("freeport.sock")).unwrap();
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let _ = stream.unwrap().write_all(b"nonsense\n");
        }
    });
    let served = start("FREEPORT_RUNTIME_DIR", broken.as_os_str());
    assert!(
        served.said().contains("going on without the app"),
        "{}",
        served.said()
    );
    assert_eq!(served.said().lines().count(), 1, "{}", served.said());
    assert_eq!(answer(served.port), format!("port {}", served.port));
    served.end();
}

#[test]
fn a_read_only_home_is_no_obstacle() {
    if !may_be_others("a home that cannot be written") {
        return;
    }
    let home = Home::new();
    let ran = finish(&mut home.freeport_as(support::NOBODY, "run -- true")).ends(0);
    assert!(ran.err.contains("ports are not written down"), "{ran:#?}");
}

#[test]
fn sockets_are_handed_over() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    let served = Served::start(
        &home,
        &shop,
        &format!("--pass-fd --port {port}"),
        &["--fds"],
    );
    assert_eq!(served.port, port);
    assert_eq!(answer(port), format!("port {port}"));
    served.end();
    let mut command = run(
        &home,
        &shop,
        "",
        &["sh", "-c", "echo \"x$LISTEN_FDS$LISTEN_PID\""],
    );
    command.env("LISTEN_FDS", "1").env("LISTEN_PID", "7");
    assert_eq!(finish(&mut command).ends(0).out, "x\n");
}

#[test]
fn a_command_that_fails_is_started_again_on_its_port() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    home.write("count", "");
    let script = format!(
        "echo x >> {0}; if [ $(wc -l < {0}) -lt 3 ]; then exit 4; fi; exec {1} {2}",
        home.path("count").display(),
        python().to_str().unwrap(),
        web()
    );
    let line = format!("--restart on-failure --port {port}");
    let served = Served::of(&home, &mut run(&home, &shop, &line, &["sh", "-c", &script]));
    assert_eq!(served.port, port);
    let said = served.said();
    assert_eq!(
        said.matches("ended with status 4; it is started again")
            .count(),
        2,
        "{said}"
    );
    assert_eq!(served.end(), 143, "what the user ends stays ended");
    finish(&mut run(&home, &shop, "--restart on-failure", &["true"])).ends(0);
    // Held while it is down, and given up at a word.
    let process = Process::start(&mut run(
        &home,
        &shop,
        &format!("--restart always --port {port}"),
        &["true"],
    ));
    wait_for("the wait", || (reserved(&home).len() == 1).then_some(()));
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err());
    process.signal(Signal::TERM);
    assert_eq!(process.status(), 0);
    no_lease_left(&home);
}

#[test]
fn one_can_wait_until_it_is_ready() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    let served = Served::start(&home, &shop, &format!("--wait-ready --port {port}"), &[]);
    served.says(&format!("freeport: ready: http://localhost:{port}\n"));
    home.run(&format!("wait {port}")).ends(0);
    home.run(&format!("wait {port} --pid {}", served.pid))
        .ends(0);
    let mut other = home.command("sleep");
    let other = Process::start(other.arg("60"));
    let ran = home
        .run(&format!(
            "wait {port} --pid {} --timeout 100ms",
            other.pid()
        ))
        .ends(5);
    assert!(
        ran.err.contains(&format!("(pid {}", served.pid)),
        "{ran:#?}"
    );
    served.end();
    let ran = home.run(&format!("wait {port} --timeout 100ms")).ends(1);
    assert!(ran.err.contains("nobody listens there"), "{ran:#?}");
    let ran = sh(&home, "--wait-ready=300ms", "sleep 60").ends(1);
    assert!(ran.err.contains("it is ended"), "{ran:#?}");
    no_lease_left(&home);
}

#[test]
fn udp_ports_are_held_and_handed_over() {
    let home = Home::new();
    let shop = home.project("shop");
    let port = free_ports(1);
    let served = Served::start(&home, &shop, &format!("--udp --port {port}"), &["--udp"]);
    assert_eq!(served.port, port);
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
    for _ in 0..20 {
        socket
            .send_to(b"hello", (Ipv4Addr::LOCALHOST, port))
            .unwrap();
        let mut bytes = [0; 16];
        let (length, _) = socket.recv_from(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"HELLO");
    }
    served.end();
    no_lease_left(&home);
}

#[test]
fn who_becomes_another_user_gets_an_open_port() {
    if !is_root() {
        support::skipped("another user needs root");
        return;
    }
    let home = Home::new();
    std::fs::set_permissions(
        home.path(""),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let su = home.write("bin/sudo", "#!/bin/sh\nexec \"$@\"\n");
    std::fs::set_permissions(&su, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = home.freeport_as(support::NOBODY, "run -- sudo sh");
    let path = format!(
        "{}:{}",
        home.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    command.args(["-c", "echo ran"]).env("PATH", path);
    let ran = finish(&mut command).ends(0);
    assert_eq!(ran.out, "ran\n");
    assert!(ran.err.contains("becomes another user"), "{ran:#?}");
}

#[test]
fn a_terminal_is_asked_where_that_is_wanted() {
    let home = Home::new();
    let first = free_ports(8);
    let _busy = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
    let line = format!("run --ask --port {first} -- echo started");
    let ran = finish(&mut home.on_terminal(100, "n", &line)).ends(5);
    assert!(
        ran.out.contains("[y/N]") && !ran.out.contains("started\n"),
        "{ran:#?}"
    );
    let ran = finish(&mut home.on_terminal(100, "y", &line)).ends(0);
    assert!(ran.out.contains("started"), "{ran:#?}");
    let ran = home.run(&line).ends(0);
    assert!(
        !ran.err.contains("[y/N]"),
        "nobody is asked without a terminal: {ran:#?}"
    );
    assert!(reserved(&home).is_empty());
}

#[test]
fn what_was_ignored_stays_ignored() {
    let home = Home::new();
    let freeport = env!("CARGO_BIN_EXE_freeport");
    let script = format!(
        "trap '' HUP; exec {freeport} run --quiet -- sh -c 'kill -HUP $$; kill -TERM $$; echo no'"
    );
    let ran = finish(home.command("sh").args(["-c", &script])).ends(143);
    assert_eq!(ran.out, "");
}
