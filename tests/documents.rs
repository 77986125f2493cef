//! The documents say what the program does: what help says is compared, and statuses, verbs and
//! links stand where they should. The protocol page has a test of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is wrong"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::Home;
use support::page::{examples, fits, read};

#[test]
fn the_listener_in_the_guide_has_the_shape_of_a_real_one() {
    let home = Home::new();
    let project = home.project("shop");
    home.write("shop/.git/HEAD", "ref: refs/heads/main\n");
    let server = support::processes::Server::start_in(&project, &home, "");
    let shown = examples(&read("docs/guide.md"), "json").remove(0);
    let real = home.run(&format!("list {} --json", server.port)).json();
    assert!(fits(&real, &shown), "{real}");
}

#[test]
fn help_is_as_it_was_read_last() {
    let home = Home::new();
    for verb in [
        "",
        "list",
        "why",
        "kill",
        "run",
        "wait",
        "env",
        "docker",
        "allocate",
        "reserve",
        "pool",
        "pool create",
        "pool list",
        "pool delete",
        "claim",
        "register",
        "heartbeat",
        "release",
        "free",
        "query",
        "suggest",
        "cleanup",
        "log",
        "config",
        "export",
        "import",
        "backup",
        "restore",
        "status",
        "app",
        "autostart",
        "completions",
        "man",
    ] {
        let help = home.run(&format!("{verb} --help")).ends(0).out;
        let name = if verb.is_empty() { "freeport" } else { verb };
        let name = name.replace(' ', "-");
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/help-{name}.txt"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &help).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            help, kept,
            "the help of '{name}' has changed: read it, and run this test with UPDATE_SNAPSHOTS=1"
        );
    }
}

#[test]
fn exit_statuses_are_told_alike() {
    let home = Home::new();
    let help = home.run("--help").ends(0).out;
    let guide = read("docs/guide.md");
    let manual = home.run("man").ends(0).out;
    let statuses: Vec<&str> = help
        .split("Exit status:\n")
        .nth(1)
        .unwrap()
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(statuses.len(), 7);
    for line in statuses {
        let (status, meaning) = line.split_once("  ").unwrap();
        assert!(
            guide.contains(&format!("| {status} | {meaning} |")),
            "the guide: {line}"
        );
        assert!(
            manual.contains(&format!("\\fB{status}\\fR\n{meaning}")),
            "the manual: {line}"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .into_iter()
        .map(|name| root.join(name))
        .chain(
            fs::read_dir(root.join("docs"))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|ending| ending == "md")),
        )
        .collect();
    let mut dead = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let text = &text;
        let after = |mark: &'static str, end: char| {
            let found = text.match_indices(mark);
            found.map(move |(at, _)| text[at + mark.len()..].split(end).next().unwrap())
        };
        let targets = after("](", ')').chain(after("src=\"", '"'));
        for target in targets.filter(|target| !target.starts_with("http")) {
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !page.parent().unwrap().join(file).exists() {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
