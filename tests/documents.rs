//! The documents say what the program does: every request of the protocol page is sent, what help
//! says is compared, and statuses, verbs and links stand where they should.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is wrong"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::Home;
use support::app::{App, Wire};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The JSON lines in the fenced blocks of a page.
fn examples(page: &str) -> Vec<Value> {
    let blocks = page
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    blocks
        .flat_map(str::lines)
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// Whether a reply has the form that a page shows: the same keys, and values of the same kind. A
/// list may be empty in either.
fn fits(real: &Value, shown: &Value) -> bool {
    match (real, shown) {
        (Value::Object(real), Value::Object(shown)) => {
            let known = |key: &String| real.contains_key(key);
            real.len() == shown.len()
                && shown.keys().all(known)
                && shown.iter().all(|(key, value)| fits(&real[key], value))
        }
        (Value::Array(real), Value::Array(shown)) => real
            .iter()
            .zip(shown)
            .take(1)
            .all(|(real, shown)| fits(real, shown)),
        (Value::String(_), Value::String(_)) | (Value::Number(_), Value::Number(_)) => true,
        (real, shown) => real == shown,
    }
}

#[test]
fn every_request_of_the_protocol_page_gets_the_reply_that_it_shows() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let examples = examples(&read("docs/protocol.md"));
    let mut asked = BTreeSet::new();
    for (index, request) in examples
        .iter()
        .enumerate()
        .filter(|(_, example)| example.get("cmd").is_some())
    {
        let reply = wire.ask(request);
        assert_eq!(reply["status"], "success", "{request} gave {reply}");
        if let Some(shown) = examples
            .get(index + 1)
            .filter(|next| next.get("status").is_some())
        {
            assert!(fits(&reply, shown), "{request} gave {reply}");
        }
        asked.insert(request["cmd"].as_str().unwrap().to_owned());
    }
    let reply = wire.say(r#"{"cmd":"?"}"#);
    let commands: BTreeSet<String> = reply["hint"]
        .as_str()
        .unwrap()
        .trim_start_matches("the commands are ")
        .split(", ")
        .map(str::to_owned)
        .collect();
    assert_eq!(asked, commands, "the page has every command that there is");
}

#[test]
fn the_listener_in_the_guide_has_the_shape_of_a_real_one() {
    let home = Home::new();
    let project = home.project("shop");
    home.write("shop/.git/HEAD", "ref: refs/heads/main\n");
    let server = support::processes::Server::start_in(&project, &home, "");
    let shown = examples(&read("docs/guide.md")).remove(0);
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
        "allocate",
        "reserve",
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
