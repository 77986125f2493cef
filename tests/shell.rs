//! What a shell sees: closed outputs, completions, the manual, and the entry that starts the app
//! at login.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::app::App;
use support::processes::Server;
use support::{Home, Ran, finish, there_is};

/// Runs a line of shell with `freeport` in its path.
fn shell(home: &Home, line: &str) -> Ran {
    let program = Path::new(env!("CARGO_BIN_EXE_freeport"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    finish(home.command("bash").env("PATH", path).args(["-c", line]))
}

#[test]
fn a_closed_output_is_no_panic() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let port = server.port;
    for verb in [
        "list",
        "list --json",
        "--help",
        "list --help",
        "--version",
        "man",
        "completions bash",
        &format!("why {port}"),
        &format!("kill {port} --dry-run"),
    ] {
        let ran = shell(
            &home,
            &format!("freeport {verb} | true; echo ${{PIPESTATUS[0]}}"),
        );
        assert_eq!((ran.out.trim(), ran.err.as_str()), ("0", ""), "{verb}");
        let ran = shell(&home, &format!("freeport {verb} >&-; echo $?"));
        assert!(
            ran.out.trim() == "0" || ran.out.trim() == "1",
            "{verb}: {ran:?}"
        );
        // Everything closed: whatever is opened next must not get their numbers.
        shell(&home, &format!("freeport {verb} <&- >&- 2>&-"));
        let ran = shell(&home, &format!("freeport {verb} > /dev/full; echo $?"));
        assert!(
            ran.err.contains("No space left") || verb.contains("help") || verb == "--version",
            "{verb}: {ran:?}"
        );
    }
    assert!(server.is_alive());
    let ran = shell(&home, "freeport list | head -1");
    assert_eq!((ran.out.lines().count(), ran.err.as_str()), (1, ""));
    let ran = shell(&home, "freeport list 0 2>&-; echo $?");
    assert_eq!(ran.out.trim(), "2", "the status tells, where words cannot");
}

#[test]
fn completions_are_there_for_every_shell() {
    let home = Home::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(&format!("completions {name}")).ends(0).out;
        for verb in ["list", "why", "kill", "status", "app", "autostart"] {
            assert!(script.contains(verb), "{name} knows {verb}");
        }
        assert!(script.contains("dry-run"), "{name}");
        let file = home.write(&format!("completions.{name}"), &script);
        let checks = ["bash", "zsh", "fish"];
        if checks.contains(&name) && there_is(name) {
            finish(home.command(name).arg("-n").arg(file)).ends(0);
        }
    }
    home.run("completions tcsh").ends(2);
    let line = "eval \"$(freeport completions bash)\"; COMP_WORDS=(freeport ki); COMP_CWORD=1; _freeport freeport ki freeport; echo \"${COMPREPLY[@]}\"";
    assert_eq!(shell(&home, line).ends(0).out.trim(), "kill");
}

#[test]
fn the_manual_is_a_clean_page() {
    let home = Home::new();
    let verbs = [
        "",
        "list",
        "why",
        "kill",
        "status",
        "app",
        "autostart",
        "completions",
        "man",
    ];
    let can_read = there_is("man");
    for verb in verbs {
        let text = home.run(&format!("man {verb}")).ends(0).out;
        assert!(text.contains(".TH ") && text.contains(verb), "{verb}");
        if verb.is_empty() {
            assert!(text.contains("EXIT STATUS") && text.contains("FREEPORT_RUNTIME_DIR"));
        }
        if can_read {
            let page = home.write("freeport.1", &text);
            let mut man = home.command("man");
            man.args(["--warnings", "-l"])
                .arg(page)
                .env("MANWIDTH", "80")
                .env("MANPAGER", "cat");
            let ran = finish(&mut man).ends(0);
            assert_eq!(ran.err, "", "{verb}");
            assert!(ran.out.contains("SYNOPSIS"), "{verb}: {ran:?}");
        }
    }
    let ran = home.run("man dance").ends(2);
    assert!(ran.err.contains("kill"), "it names what there is: {ran:?}");
}

/// What `autostart status` says.
fn autostart(home: &Home) -> Value {
    home.run("autostart status --json").ends(0).json()
}

#[test]
fn it_starts_at_login_or_not() {
    for with_app in [false, true] {
        let home = Home::new();
        let _app = with_app.then(|| App::start(&home));
        let entry = home.path("config/autostart/freeport.desktop");
        assert_eq!(autostart(&home)["enabled"], false);
        home.run("autostart disable").ends(0);
        home.run("autostart enable").ends(0);
        let told = autostart(&home);
        let expected =
            json!({"enabled": true, "entry": entry.to_str().unwrap(), "elsewhere": null});
        assert_eq!(told, expected);
        let text = std::fs::read_to_string(&entry).unwrap();
        let exec = format!("Exec=\"{}\" app\n", env!("CARGO_BIN_EXE_freeport"));
        assert!(
            text.starts_with("[Desktop Entry]\n") && text.contains(&exec),
            "{text}"
        );
        if there_is("desktop-file-validate") {
            finish(home.command("desktop-file-validate").arg(&entry)).ends(0);
        }
        assert!(
            home.run("autostart status")
                .ends(0)
                .out
                .contains("starts at login")
        );
        home.run("autostart enable").ends(0);
        // A panel's settings switch an entry off in one of two ways.
        std::fs::write(&entry, text.clone() + "Hidden=true\n").unwrap();
        assert_eq!(autostart(&home)["enabled"], false);
        let off = text.replace("enabled=true", "enabled=false");
        std::fs::write(&entry, off).unwrap();
        assert_eq!(autostart(&home)["enabled"], false);
        // An older copy, somewhere else.
        let other = text.replace(env!("CARGO_BIN_EXE_freeport"), "/opt/old/\x1bfreeport");
        std::fs::write(&entry, other).unwrap();
        let told = autostart(&home);
        assert_eq!(told["enabled"], false);
        assert!(told["elsewhere"].as_str().unwrap().contains("/opt/old/"));
        let said = home.run("autostart status").ends(0).out;
        assert!(
            said.contains("/opt/old/") && !said.contains('\x1b'),
            "{said:?}"
        );
        home.run("autostart enable").ends(0);
        assert_eq!(std::fs::read_to_string(&entry).unwrap(), text);
        home.run("autostart disable").ends(0);
        assert!(!entry.exists());
        assert!(
            home.run("autostart status")
                .ends(0)
                .out
                .contains("does not start at login")
        );
    }
}

#[test]
fn the_login_entry_copes_with_odd_folders() {
    let home = Home::new();
    // The program in a folder with spaces and worse, and a configuration folder with spaces.
    let folder = home.path("my programs $HOME 100% \"x\"");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("freeport");
    if std::fs::hard_link(env!("CARGO_BIN_EXE_freeport"), &program).is_err() {
        std::fs::copy(env!("CARGO_BIN_EXE_freeport"), &program).unwrap();
    }
    let run = |line: &str| {
        let mut command: Command = home.command(&program);
        command.env("XDG_CONFIG_HOME", home.path("my configuration"));
        finish(command.args(line.split(' '))).ends(0)
    };
    run("autostart enable");
    assert_eq!(run("autostart status --json").json()["enabled"], true);
    let entry = home.path("my configuration/autostart/freeport.desktop");
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(
        text.contains("my programs \\\\$HOME 100%% \\\\\"x\\\\\""),
        "{text}"
    );
    if there_is("desktop-file-validate") {
        finish(home.command("desktop-file-validate").arg(&entry)).ends(0);
    }
    // Seen by the program at its usual place, that is another one.
    let mut usual = home.freeport(["autostart", "status", "--json"]);
    let told = finish(usual.env("XDG_CONFIG_HOME", home.path("my configuration"))).json();
    assert_eq!(told["enabled"], false);
    assert!(told["elsewhere"].is_string());
    // A configuration folder that cannot be made is said.
    home.write("a file", "");
    let mut blocked = home.freeport(["autostart", "enable"]);
    let ran = finish(
        blocked
            .env("XDG_CONFIG_HOME", home.path("a file"))
            .stdin(Stdio::null()),
    )
    .ends(1);
    assert!(ran.err.contains("autostart"), "{ran:?}");
}
