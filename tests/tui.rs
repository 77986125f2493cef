//! `freeport tui` on a real terminal: what is seen, what keys do to real servers, and that the
//! terminal is given back whatever happens.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;
#[path = "tui/terminal.rs"]
mod terminal;

use rustix::process::{Pid, Signal, kill_process};
use support::app::{App, Wire};
use support::processes::{Server, is_alive};
use support::{Home, finish, ports, there_is, wait_for};
use terminal::Terminal;

const USUAL: (u16, u16) = (80, 24);

fn can_run() -> bool {
    there_is("tmux")
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn ends(pid: u32) {
    wait_for("freeport to end", || (!is_alive(pid)).then_some(()));
}

#[test]
fn a_server_is_found_and_exactly_it_is_killed() {
    if !can_run() {
        return;
    }
    for with_app in [false, true] {
        let home = Home::new();
        let _app = with_app.then(|| App::start(&home));
        let name = format!("quay-{}", std::process::id());
        let folder = home.project(&name);
        let meant = Server::start_in(&folder, &home, "");
        let other = Server::start_in(&folder, &home, "");
        let terminal = Terminal::of_freeport(&home, (110, 24), "");
        terminal.sees("1 Ports");
        terminal.sees(if with_app {
            "● app"
        } else {
            "○ without the app"
        });
        terminal.types(&format!("/{name}"));
        terminal.until("both servers alone", |screen| {
            let pids = [&meant, &other].map(|server| format!(" {} ", server.pid));
            screen.contains("2 ports ") && pids.iter().all(|pid| screen.contains(pid))
        });
        terminal.keys(&["BSpace"]);
        terminal.keys(&["Escape"]);
        terminal.sees_no_more("Esc ends it");
        terminal.types(&format!("/{}", meant.port));
        terminal.keys(&["Enter"]);
        terminal.until("one server", |screen| {
            !screen.contains(&format!(" {} ", other.pid))
        });
        terminal.types("x");
        let asked = terminal.sees(&format!("Kill python listener.py (pid {})?", meant.pid));
        assert!(
            asked.contains(&format!("To free port {} of {name}:", meant.port))
                && asked.contains(&format!(
                    "SIGTERM to python listener.py (pid {})",
                    meant.pid
                )),
            "{asked}"
        );
        // No is what Enter says.
        terminal.keys(&["Enter"]);
        terminal.sees_no_more("[ Kill ]");
        assert!(meant.is_alive());
        terminal.types("x");
        terminal.sees("[ Kill ]");
        terminal.types("y");
        terminal.sees(&format!(
            "port {} is free; ended python listener.py",
            meant.port
        ));
        assert!(!is_alive(meant.pid) && other.is_alive());
        assert!(home.listeners(meant.port).is_empty());
        terminal.keys(&["Escape"]);
        terminal.sees(&format!(" {} ", other.pid));
        terminal.types("q");
        terminal.is_as_before(0);
    }
}

#[test]
fn a_whole_tree_and_what_survives_sigterm() {
    if !can_run() {
        return;
    }
    let home = Home::new();
    let tree = Server::start(&home, "--child cat");
    let stubborn = Server::start(&home, "--ignore-term");
    let terminal = Terminal::of_freeport(&home, (110, 30), "");
    terminal.types(&format!("/{}", tree.port));
    terminal.keys(&["Enter"]);
    terminal.until("the server alone", |screen| {
        screen.contains(&format!(" {} ", tree.pid)) && screen.contains("1 port ")
    });
    terminal.types("X");
    let child = tree.child.unwrap();
    let asked = terminal.sees("[ Kill all ]");
    assert!(
        asked.contains(&format!("(pid {child})")) && asked.contains(&format!("(pid {})", tree.pid)),
        "all are named: {asked}"
    );
    terminal.types("y");
    terminal.sees("is free; ended");
    wait_for("the child to end", || (!is_alive(child)).then_some(()));
    terminal.keys(&["Escape"]);
    terminal.types(&format!("/{}", stubborn.port));
    terminal.keys(&["Enter"]);
    terminal.until("the server alone", |screen| {
        screen.contains(&format!(" {} ", stubborn.pid)) && screen.contains("1 port ")
    });
    terminal.types("x");
    terminal.sees("[ Kill ]");
    terminal.types("y");
    terminal.sees("ending python listener.py");
    terminal.sees("[ SIGKILL ]");
    assert!(stubborn.is_alive());
    terminal.types("y");
    terminal.sees("is free; ended");
    assert!(!stubborn.is_alive());
}

#[test]
fn ports_are_reserved_and_given_back() {
    if !can_run() {
        return;
    }
    let home = Home::new();
    let port = ports::one();
    let terminal = Terminal::of_freeport(&home, USUAL, "");
    terminal.sees("1 Ports");
    terminal.types("2");
    terminal.sees("nothing is reserved");
    terminal.types("r");
    terminal.sees("[ Reserve ]");
    terminal.types(&port.to_string());
    terminal.keys(&["Tab"]);
    terminal.types("harbour");
    terminal.keys(&["Tab"]);
    terminal.types("web");
    terminal.keys(&["Enter"]);
    terminal.sees(&format!("port {port} is reserved for harbour web"));
    let told = home.run(&format!("query {port}")).ends(0).out;
    assert!(told.contains("harbour"), "{told}");
    terminal.until("its row", |screen| screen.contains("never"));
    terminal.keys(&["Enter"]);
    terminal.sees("advisory: others can still bind it");
    terminal.types("u");
    terminal.sees(&format!("Give port {port} back?"));
    terminal.types("y");
    terminal.sees(&format!("port {port} is released; it was for harbour web"));
    terminal.sees("nothing is reserved");
    home.run(&format!("query {port}")).ends(3);
    terminal.types("5");
    terminal.until("both in the log", |screen| {
        screen.contains("release") && screen.contains("reserve ")
    });
}

#[test]
fn every_size_is_filled() {
    if !can_run() {
        return;
    }
    let home = Home::new();
    let server = Server::start_in(&home.project("pier"), &home, "");
    let terminal = Terminal::of_freeport(&home, USUAL, "");
    let row = format!(" {} ", server.pid);
    terminal.types("/pier");
    terminal.keys(&["Enter"]);
    terminal.sees(&row);
    terminal.keys(&["Enter"]);
    terminal.sees("started by");
    terminal.resize((160, 50));
    let wide = terminal.sees("┌─ port");
    assert!(wide.contains(&row), "{wide}");
    terminal.resize((40, 10));
    terminal.sees("this terminal is 40x10");
    terminal.resize((60, 14));
    terminal.until("the rows again", |screen| {
        screen.contains(&row) && screen.contains("? keys")
    });
    terminal.resize(USUAL);
    terminal.sees("started by");
    // Drawn anew on demand, whatever is there.
    terminal.keys(&["C-l"]);
    terminal.sees(&row);
    terminal.types("q");
    terminal.is_as_before(0);
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    if !can_run() {
        return;
    }
    for (sent, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let home = Home::new();
        let terminal = Terminal::of_freeport(&home, USUAL, "");
        terminal.sees("? keys");
        assert!(terminal.is_filled() && terminal.has_mouse());
        signal(terminal.freeport(), sent);
        terminal.is_as_before(status);
    }
}

#[test]
fn a_panic_is_told_on_a_terminal_as_it_was() {
    if !can_run() {
        return;
    }
    let home = Home::new();
    let this = std::env::current_exe().unwrap();
    let command = format!(
        "FREEPORT_TEST_PANICS=1 '{}' --exact a_program_that_panics --nocapture",
        this.display()
    );
    let terminal = Terminal::around(&home, (100, 40), &command);
    let screen = terminal.is_as_before(101);
    assert!(screen.contains("nobody looks"), "{screen}");
}

/// The screens with eyes that panic: not a test, but run by one.
#[test]
fn a_program_that_panics() {
    if std::env::var_os("FREEPORT_TEST_PANICS").is_none() {
        return;
    }
    let answers = freeport::tui::Answers {
        connect: || panic!("nobody asks"),
        local: || panic!("nobody looks"),
    };
    freeport::tui::run(answers).unwrap();
}

#[test]
fn a_terminal_that_is_gone_ends_it() {
    if !can_run() {
        return;
    }
    // Told by a signal, not told because that is ignored, and not told because it is no terminal of
    // the session.
    for before in ["", "trap '' HUP;", "setsid -w"] {
        let home = Home::new();
        let terminal = Terminal::of_freeport(&home, USUAL, before);
        terminal.sees("? keys");
        let pid = terminal.freeport();
        terminal.vanish();
        ends(pid);
        // The shell that ignores the signal goes on, and tells.
        if before.starts_with("trap") {
            let status = wait_for("the status", || {
                let told = std::fs::read_to_string(home.path("status")).ok()?;
                told.trim().parse::<i32>().ok()
            });
            assert_eq!(status, 129);
        }
    }
}

#[test]
fn the_shell_is_there_in_between() {
    if !can_run() {
        return;
    }
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_freeport");
    let shell = "exec bash --norc -i";
    let terminal = Terminal::start(&home, USUAL, shell);
    terminal.types(&format!("PS1='ready '; '{program}' tui"));
    terminal.keys(&["Enter"]);
    terminal.sees("? keys");
    terminal.keys(&["C-z"]);
    terminal.sees("Stopped");
    assert!(!terminal.is_filled());
    terminal.types("fg");
    terminal.keys(&["Enter"]);
    terminal.sees("? keys");
    assert!(terminal.is_filled());
    terminal.types("q");
    terminal.until("the shell", |screen| !screen.contains("? keys"));
}

#[test]
fn the_app_is_followed_and_done_without() {
    if !can_run() {
        return;
    }
    let home = Home::new();
    let app = App::start(&home);
    let terminal = Terminal::of_freeport(&home, (110, 24), "");
    terminal.sees("● app");
    let first = Server::start_in(&home.project("mole"), &home, "");
    terminal.types("/mole");
    terminal.sees(&format!(" {} ", first.pid));
    terminal.keys(&["Enter"]);
    app.end(Signal::TERM);
    terminal.sees("the app has ended; this goes on looking by itself");
    terminal.sees("○ without the app");
    let second = Server::start_in(&home.project("mole"), &home, "");
    terminal.sees(&format!(" {} ", second.pid));
    drop(app);
    let _app = App::start(&home);
    terminal.sees("the app runs now");
    terminal.sees("● app");
    let gone = second.pid;
    drop(second);
    terminal.sees_no_more(&format!(" {gone} "));
    // What is reserved elsewhere is seen as it happens.
    let port = ports::one();
    terminal.types("2");
    terminal.keys(&["Escape"]);
    let mut wire = Wire::open(&home);
    wire.done(&serde_json::json!({"cmd": "RESERVE", "ports": [port], "project": "breakwater"}));
    terminal.sees("breakwater");
    terminal.types("q");
    terminal.is_as_before(0);
}

#[test]
fn colours_can_be_done_without() {
    if !can_run() {
        return;
    }
    for (before, coloured) in [("", true), ("NO_COLOR=1", false)] {
        let home = Home::new();
        let terminal = Terminal::of_freeport(&home, USUAL, before);
        terminal.sees("? keys");
        let screen = terminal.coloured();
        let has = [
            "\u{1b}[36m",
            "\u{1b}[38;5;6m",
            "\u{1b}[1;36m",
            "\u{1b}[1;38;5;6m",
            "\u{1b}[1m\u{1b}[36m",
        ]
        .iter()
        .any(|colour| screen.contains(colour));
        assert_eq!(has, coloured, "{screen:?}");
    }
}

#[test]
fn where_there_is_no_terminal_that_is_said() {
    let home = Home::new();
    let ran = finish(&mut home.freeport(["tui"])).ends(2);
    assert!(
        ran.out.is_empty() && ran.err.contains("no terminal") && ran.err.contains("list --watch"),
        "{ran:?}"
    );
}
