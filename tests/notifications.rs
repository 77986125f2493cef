//! What the user is told without asking: conflicts on reserved ports with what can be done about
//! them, and claims that were cleaned up. The real program, a real session bus, and a notification
//! daemon that does what a user would.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod dbus;
mod support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use dbus::{Desktop, Note, Notifier, PROMPT, Relay, Watcher};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire};
use support::processes::{Process, Server};
use support::{PATIENCE, ports, python, wait_for};

/// Reserves ports for the service "web" of a project.
fn reserve(desktop: &Desktop, ports: &[u16], project: &str) {
    let reserve = json!({"cmd": "RESERVE", "ports": ports, "project": project, "service": "web"});
    Wire::open(&desktop.home).done(&reserve);
}

fn set(desktop: &Desktop, key: &str, value: &str) {
    let set = json!({"cmd": "CONFIG", "key": key, "value": value});
    Wire::open(&desktop.home).done(&set);
}

/// How many conflicts there are.
fn conflicts(desktop: &Desktop) -> u64 {
    let status = Wire::open(&desktop.home).done(&json!({"cmd": "STATUS"}));
    status["conflicts"].as_u64().unwrap()
}

fn wait_conflicts(desktop: &Desktop, count: u64) {
    wait_for("the conflicts to change", || {
        (conflicts(desktop) == count).then_some(())
    });
}

/// Says how long something took, and that it did not hang.
fn took(what: &str, time: Duration) {
    let _ = writeln!(std::io::stderr(), "{what}: {time:?}");
    assert!(time < PROMPT, "{what}: {time:?}");
}

/// A panel, a notification daemon, the app, and a port that is reserved for "blog web".
fn start(desktop: &Desktop) -> (Watcher, Notifier, dbus::App<'_>, u16) {
    let watcher = Watcher::start(&desktop.bus);
    let notifier = Notifier::start(&desktop.bus);
    let app = desktop.app();
    desktop.wait_shown(true);
    let port = ports::one();
    reserve(desktop, &[port], "blog");
    (watcher, notifier, app, port)
}

/// A server on the port, and what is told of it.
fn intrude(desktop: &Desktop, notifier: &Notifier, port: u16) -> (Server, Note) {
    let before = Instant::now();
    let thief = desktop.server(&format!("--port {port}"));
    let listens = Instant::now();
    let (note, others) = notifier.wait(&format!("Port {port} is reserved for blog web"));
    assert!(others.is_empty(), "{others:?}");
    took(
        "from a process that listens to the notification",
        note.at.saturating_duration_since(listens),
    );
    took("and from its start", note.at - before);
    (thief, note)
}

#[test]
fn an_intruder_is_told_of_and_ended_by_its_notification() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, port) = start(&desktop);
    let (thief, note) = intrude(&desktop, &notifier, port);
    assert_eq!(
        note.body,
        format!("python listener.py (pid {}) listens on it.", thief.pid)
    );
    assert_eq!(note.labels(), ["Kill", "Release", "Ignore"]);
    assert_eq!(note.timeout, 0, "it asks something, and so it stays");
    let pressed = Instant::now();
    notifier.press(&note, "Kill");
    assert_eq!(thief.process.status(), 128 + 15);
    took("from the press to the end", pressed.elapsed());
    let (note, others) = notifier.wait(&format!("Port {port} is free"));
    assert_eq!(
        note.body,
        format!("Ended python listener.py (pid {}).", thief.pid)
    );
    assert!(others.is_empty(), "{others:?}");
    wait_conflicts(&desktop, 0);
    let kept = Wire::open(&desktop.home).reservation(port);
    assert_eq!(kept["project"], "blog", "the port is still reserved");
}

#[test]
fn release_lets_the_intruder_have_the_port() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, port) = start(&desktop);
    let (thief, note) = intrude(&desktop, &notifier, port);
    notifier.press(&note, "Release");
    wait_for("the reservation to go", || {
        let reservation = Wire::open(&desktop.home).reservation(port);
        reservation.is_null().then_some(())
    });
    wait_conflicts(&desktop, 0);
    assert!(thief.is_alive());
    assert!(notifier.rest().is_empty(), "that is no news");
}

#[test]
fn ignore_silences_this_process_on_this_port_only() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, port) = start(&desktop);
    let (thief, note) = intrude(&desktop, &notifier, port);
    notifier.press(&note, "Ignore");
    wait_conflicts(&desktop, 0);
    let passing = desktop.server("");
    Wire::open(&desktop.home).listeners(passing.port);
    assert!(notifier.within(Duration::from_millis(700)).is_empty());
    assert_eq!(conflicts(&desktop), 0);
    assert!(thief.is_alive());
    thief.process.signal(Signal::KILL);
    thief.process.status();
    let heir = desktop.server(&format!("--port {port}"));
    let (note, others) = notifier.wait(&format!("Port {port} is reserved"));
    assert!(
        note.body.contains(&format!("(pid {})", heir.pid)),
        "{note:?}"
    );
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn a_press_never_means_a_process_that_came_later() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, port) = start(&desktop);
    let mut relay = Relay::start(&desktop, port, "");
    let (note, _) = notifier.wait(&format!("Port {port} is reserved"));
    let first = relay.pid;
    relay.hand_over();
    notifier.press(&note, "Kill");
    let (told, _) = notifier.wait("Nothing was killed");
    assert!(told.body.contains(&format!("pid {first}")), "{told:?}");
    assert!(relay.is_alive());
}

#[test]
fn a_press_never_means_another_reservation() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, port) = start(&desktop);
    let (thief, note) = intrude(&desktop, &notifier, port);
    thief.process.signal(Signal::KILL);
    thief.process.status();
    wait_conflicts(&desktop, 0);
    let release = json!({"cmd": "RELEASE", "ports": [port], "as_user": true});
    Wire::open(&desktop.home).done(&release);
    reserve(&desktop, &[port], "docs");
    notifier.press(&note, "Release");
    notifier.wait(&format!("Port {port} was not released"));
    let kept = Wire::open(&desktop.home).reservation(port);
    assert_eq!(kept["project"], "docs");
}

#[test]
fn a_claimant_that_is_killed_is_cleaned_up_and_announced_at_once() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, kept) = start(&desktop);
    let port = ports::one();
    let claim = |port: u16, project: &str| {
        let mut claimant = Agent::start(&desktop.home);
        let claim = json!({"cmd": "CLAIM", "port": port, "project": project, "service": "web"});
        support::app::succeeds(claimant.ask(&claim));
        claimant
    };
    for (port, project, stays) in [(port, "shop", false), (kept, "blog", true)] {
        let claimant = claim(port, project);
        claimant.kill();
        let killed = Instant::now();
        let (note, others) = notifier.wait(&format!("Port {port} is free again"));
        took(
            "from kill -9 to the notification",
            note.at.saturating_duration_since(killed),
        );
        assert!(others.is_empty(), "{others:?}");
        let purpose = format!("It was claimed for {project} web; ");
        let ended = format!(" (pid {}) has ended", claimant.pid());
        assert!(note.body.starts_with(&purpose), "{note:?}");
        assert!(note.body.contains(&ended), "{note:?}");
        assert_eq!(note.body.contains("stays reserved"), stays, "{note:?}");
        assert!(note.buttons.is_empty(), "there is nothing to be done");
        let left = Wire::open(&desktop.home).reservation(port);
        assert_eq!(left.is_null(), !stays, "{left}");
    }
    assert!(notifier.rest().is_empty());
}

#[test]
fn a_program_that_is_refused_a_port_is_told_of() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, port) = start(&desktop);
    let mut other = Agent::start(&desktop.home);
    let claim = json!({"cmd": "CLAIM", "port": port, "project": "shop"});
    support::app::fails(other.ask(&claim), "port_taken");
    let (note, others) = notifier.wait(&format!("Port {port} was refused"));
    assert!(
        note.body.contains(&format!("(pid {})", other.pid())),
        "{note:?}"
    );
    assert!(note.body.ends_with("; blog web has it."), "{note:?}");
    assert!(others.is_empty(), "{others:?}");
}

/// One of each kind of news, on ports of its own; the ports.
fn one_of_each(desktop: &Desktop, kept: &mut Vec<Server>) -> [u16; 3] {
    let first = ports::block(3);
    let [intruded, refused, cleaned] = [first, first + 1, first + 2];
    reserve(desktop, &[intruded, refused], "blog");
    kept.push(desktop.server(&format!("--port {intruded}")));
    let mut other = Agent::start(&desktop.home);
    let claim = |port: u16| json!({"cmd": "CLAIM", "port": port, "project": "shop"});
    support::app::fails(other.ask(&claim(refused)), "port_taken");
    support::app::succeeds(other.ask(&claim(cleaned)));
    other.kill();
    [intruded, refused, cleaned]
}

#[test]
fn kinds_that_are_switched_off_are_silent() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, _) = start(&desktop);
    let keys = ["notify_intruder", "notify_refused", "notify_cleanup"];
    let mut kept = Vec::new();
    for off in 0..keys.len() {
        for (index, key) in keys.iter().enumerate() {
            set(&desktop, key, if index == off { "false" } else { "true" });
        }
        let before = conflicts(&desktop);
        let ports = one_of_each(&desktop, &mut kept);
        // What is told waits for its turn, so it may be told together; what is not told never is.
        let mut told = String::new();
        for (index, port) in ports.iter().enumerate().filter(|(index, _)| *index != off) {
            wait_for(keys[index], || {
                for note in notifier.rest() {
                    told += &format!("{} {}\n", note.summary, note.body);
                }
                told.contains(&port.to_string()).then_some(())
            });
        }
        wait_conflicts(&desktop, before + 1);
        // Longer than whatever came at the same time waits for others.
        for note in notifier.within(Duration::from_millis(700)) {
            told += &format!("{} {}\n", note.summary, note.body);
        }
        assert!(
            !told.contains(&ports[off].to_string()),
            "{}: {told}",
            keys[off]
        );
    }
}

#[test]
fn shared_ports_are_told_unless_that_is_switched_off() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    if !support::processes::has_ipv6() {
        return;
    }
    let (_watcher, notifier, _app, _) = start(&desktop);
    let first = desktop.server("");
    let share = |port: u16| desktop.server(&format!("--at ::1 --v6only --port {port}"));
    let second = share(first.port);
    let (note, _) = notifier.wait(&format!("Two processes use port {}", first.port));
    for pid in [first.pid, second.pid] {
        assert!(note.body.contains(&format!("(pid {pid})")), "{note:?}");
    }
    set(&desktop, "notify_shadowed", "false");
    let third = desktop.server("");
    let _fourth = share(third.port);
    wait_conflicts(&desktop, 2);
    assert!(notifier.within(Duration::from_millis(700)).is_empty());
}

/// A process that listens on the ports of its arguments, all at once.
fn many(desktop: &Desktop, ports: &[u16]) -> Process {
    const MANY: &str = "\
import signal, socket, sys
kept = [socket.create_server(('127.0.0.1', int(port))) for port in sys.argv[1:]]
print('ready', flush=True)
signal.pause()";
    let mut command = desktop.command(python().to_str().unwrap());
    command.args(["-c", MANY]);
    command.args(ports.iter().map(u16::to_string));
    let process = Process::start(command.current_dir(desktop.home.project("shop")));
    assert_eq!(process.line(), "ready");
    process
}

/// How many conflicts a notification tells of.
fn many_of(note: &Note) -> usize {
    let told = note.summary.strip_suffix(" ports are in conflict");
    told.map_or(1, |count| count.parse().unwrap())
}

#[test]
fn bursts_are_gathered() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, _) = start(&desktop);
    let start = Instant::now();
    let mut floods = Vec::new();
    let mut count = 0;
    for _ in 0..5 {
        let first = ports::block(32);
        let ports: Vec<u16> = (first..first + 32).collect();
        reserve(&desktop, &ports, "blog");
        floods.push(many(&desktop, &ports));
        count += 32;
        wait_conflicts(&desktop, count);
    }
    let mut told = vec![notifier.next(PATIENCE)];
    while told.iter().map(many_of).sum::<usize>() < 160 {
        told.push(notifier.next(PATIENCE));
    }
    // Two at once, and one every five seconds.
    let most = 2 + start.elapsed().as_secs() as usize / 5;
    assert!(told.len() <= most, "{:?}: {told:#?}", start.elapsed());
    for note in told.iter().filter(|note| many_of(note) > 1) {
        assert!(note.body.ends_with(" more."), "{note:?}");
        assert!(note.buttons.is_empty(), "{note:?}");
    }
    assert!(notifier.within(Duration::from_millis(700)).is_empty());
    let _ = writeln!(
        std::io::stderr(),
        "160 conflicts within {:?} were told in {} notifications",
        start.elapsed(),
        told.len()
    );
}

#[test]
fn without_a_daemon_it_is_quiet() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let watcher = Watcher::start(&desktop.bus);
    let app = desktop.app();
    let item = watcher.item(PATIENCE);
    desktop.wait_shown(true);
    let port = ports::one();
    reserve(&desktop, &[port], "blog");
    let thief = desktop.server(&format!("--port {port}"));
    let told = wait_for("the log to have it", || {
        let log = App::log(&desktop.home);
        let line = log
            .lines()
            .find(|line| line.contains("is reserved for blog web"));
        line.map(str::to_owned)
    });
    assert!(told.contains("no notification can be shown"), "{told}");
    item.wait_menu("the conflict", |menu| menu.conflict(port).map(drop));
    // A daemon that comes later is told what happens then.
    let notifier = Notifier::start(&desktop.bus);
    let mut claimant = Agent::start(&desktop.home);
    let other = ports::one();
    support::app::succeeds(claimant.ask(&json!({"cmd": "CLAIM", "port": other})));
    claimant.kill();
    let (_, before) = notifier.wait(&format!("Port {other} is free again"));
    assert!(before.is_empty(), "{before:?}");
    assert!(thief.is_alive());
    app.process.signal(Signal::TERM);
    assert_eq!(app.ends(), 0);
    let log = App::log(&desktop.home);
    let loud = |line: &&str| [" WARN ", " ERROR"].iter().any(|word| line.contains(word));
    assert_eq!(log.lines().filter(loud).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_daemon_without_buttons_or_that_hangs_is_no_trouble() {
    for hangs in [false, true] {
        let Some(desktop) = Desktop::new() else {
            return;
        };
        let watcher = Watcher::start(&desktop.bus);
        let notifier = if hangs {
            Notifier::that_hangs(&desktop.bus)
        } else {
            Notifier::without_buttons(&desktop.bus)
        };
        let app = desktop.app();
        let item = watcher.item(PATIENCE);
        desktop.wait_shown(true);
        let first = ports::block(3);
        reserve(&desktop, &[first, first + 1, first + 2], "blog");
        let thieves: Vec<Server> = (first..first + 3)
            .map(|port| desktop.server(&format!("--port {port}")))
            .collect();
        let (note, _) = notifier.wait("");
        assert!(note.buttons.is_empty(), "{note:?}");
        item.wait_menu("three conflicts", |menu| {
            let labels = menu.labels();
            labels[0].ends_with(" · 3 conflicts").then_some(())
        });
        let start = Instant::now();
        item.click(&format!("Kill python listener.py (pid {})", thieves[1].pid));
        assert_eq!(thieves[1].process.status(), 128 + 15);
        took("a kill meanwhile", start.elapsed());
        assert_eq!(conflicts(&desktop).min(2), 2);
        app.process.signal(Signal::TERM);
        assert_eq!(app.ends(), 0);
    }
}

#[test]
fn what_was_told_is_not_told_again() {
    let Some(desktop) = Desktop::new() else {
        return;
    };
    let (_watcher, notifier, _app, port) = start(&desktop);
    let (thief, _note) = intrude(&desktop, &notifier, port);
    // Others come and go, and the conflict stays what it is.
    for _ in 0..3 {
        let passing = desktop.server("");
        let of = |port: u16| Wire::open(&desktop.home).listeners(port);
        wait_for("the app to see it", || {
            (!of(passing.port).is_empty()).then_some(())
        });
        passing.process.signal(Signal::KILL);
        passing.process.status();
        wait_for("the app to miss it", || {
            of(passing.port).is_empty().then_some(())
        });
    }
    assert!(notifier.within(Duration::from_millis(700)).is_empty());
    assert!(thief.is_alive());
    let told: Value = Wire::open(&desktop.home).done(&json!({"cmd": "LOG", "port": port}));
    let entries = told["entries"].as_array().unwrap();
    let conflicts = entries.iter().filter(|entry| entry["event"] == "conflict");
    assert_eq!(conflicts.count(), 1, "{entries:#?}");
}
