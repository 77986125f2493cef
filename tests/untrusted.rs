//! Text that comes from other programs: whatever they call themselves, nothing of it acts on the
//! terminal or breaks the JSON.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;

use support::app::App;
use support::processes::{Process, Server};
use support::{Home, finish, fixture, python};

/// Clears the screen, sets the title, rings, turns the reading direction, starts a new line, and
/// is not UTF-8 at the end.
const EVIL: &[u8] = b"\x1b[2J\x1b]0;owned\x07\xc2\x9b31m\xe2\x80\xae\r\n99999 \xff\xfe\x80";

/// A listener with an evil name, command line, folder and project.
fn evil(home: &Home) -> Server {
    let folder = home.path("").join(OsStr::from_bytes(EVIL));
    std::fs::create_dir(&folder).unwrap();
    let manifest = "{\"name\": \"\\u001b[31mshop\\u0007\\n\\u202e\"}";
    std::fs::write(folder.join("package.json"), manifest).unwrap();
    let mut command = home.command(python());
    // Without a name that is known, what it calls itself is its service's name.
    command
        .arg0(OsStr::from_bytes(b"\x1b[31mmine"))
        .arg(fixture("listener.py"))
        .args(["--rename", "1b5b33316d0a076576696cff", "--tag"])
        .arg(OsStr::from_bytes(EVIL))
        .current_dir(&folder);
    Server::of(Process::start(&mut command))
}

#[track_caller]
fn is_harmless(text: &str) {
    let harmful = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(harmful), "{text:?}");
}

#[test]
fn it_is_escaped_wherever_a_person_reads_it() {
    let home = Home::new();
    let server = evil(&home);
    let port = server.port;
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        let table = home.run(&format!("list {port}")).ends(0).out;
        assert_eq!(
            table.lines().count(),
            2,
            "one row, whatever it says: {table:?}"
        );
        assert!(table.contains("evil") && table.contains("owned"), "{table}");
        let why = home.run(&format!("why {port}")).ends(0).out;
        assert!(
            why.contains("evil") && !why.lines().any(|line| line.starts_with("99999")),
            "{why}"
        );
        let dry = home
            .run(&format!("kill {port} --dry-run --tree"))
            .ends(0)
            .out;
        let refused = home.run(&format!("kill {port} --pid 1")).ends(5);
        for text in [&table, &why, &dry, &refused.err, &refused.out] {
            is_harmless(text);
        }
        // On a terminal there are colours, and nothing else.
        for verb in ["list", "why"] {
            let mut command = home.on_terminal(80, "", &format!("{verb} {port}"));
            is_harmless(&finish(command.env("NO_COLOR", "1")).ends(0).out);
            let coloured = finish(&mut home.on_terminal(80, "", &format!("{verb} {port}")));
            let sequences = coloured.out.split('\x1b').skip(1);
            for sequence in sequences {
                let end = sequence.find(|c: char| !c.is_ascii_digit() && !"[;".contains(c));
                let last = end.and_then(|end| sequence[end..].chars().next());
                assert_eq!(last, Some('m'), "only colours: {:?}", coloured.out);
            }
        }
    }
    let killed = home.run(&format!("kill {port}")).ends(0).out;
    is_harmless(&killed);
}

#[test]
fn json_is_one_line_that_parses() {
    let home = Home::new();
    let server = evil(&home);
    for with_app in [false, true] {
        let _app = with_app.then(|| App::start(&home));
        for line in ["list", "why"] {
            let ran = home.run(&format!("{line} {} --json", server.port)).ends(0);
            assert_eq!(ran.out.lines().count(), 1);
            is_harmless(&ran.out.replace(['\u{202e}', '\u{9b}'], ""));
            let owner = &ran.json()["listeners"][0]["owner"];
            let text = |key: &str| owner[key].as_str().unwrap().to_owned();
            // The kernel keeps 15 bytes of a name, and what is no UTF-8 is replaced.
            assert_eq!(text("name"), "\u{1b}[31m\n\u{7}evil\u{fffd}");
            assert_eq!(text("project"), "\u{1b}[31mshop\u{7}\n\u{202e}");
            assert!(text("command").contains("99999 \u{fffd}"), "{owner}");
            assert!(text("cwd").contains("owned"), "{owner}");
        }
    }
}

#[test]
fn a_command_line_without_end_is_cut() {
    let home = Home::new();
    let server = Server::start(&home, &format!("--tag {}", "y".repeat(100_000)));
    let owner = &home.listener(server.port)["owner"];
    let command = owner["command"].as_str().unwrap();
    assert!(
        command.contains("--tag yyy") && command.len() <= 4096,
        "{}",
        command.len()
    );
    assert!(home.run(&format!("why {}", server.port)).ends(0).out.len() < 20_000);
}
