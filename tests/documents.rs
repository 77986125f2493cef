//! The documents say what the program does: the pages of commands and settings are written from it,
//! and statuses, examples and links stand where they should. The protocol page has a test of its own.

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

/// The page as it should be, which is compared with what is there, or written with `UPDATE_DOCS=1`.
#[track_caller]
fn is_generated(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differ = || text.lines().zip(kept.lines()).find(|(one, two)| one != two);
    assert!(
        text == kept,
        "{name} is not what the program says: read what has changed, and run this test with UPDATE_DOCS=1: {:?}",
        differ()
    );
}

/// All commands, those below others too, in the order of their names.
fn verbs(home: &Home) -> Vec<String> {
    home.run("man --write pages").ends(0);
    let pages = fs::read_dir(home.path("pages/man1")).unwrap();
    let names = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let verb = |name: String| {
        let name = name.strip_suffix(".1").unwrap();
        let verb = name.strip_prefix("freeport-")?;
        Some(verb.replace('-', " "))
    };
    let mut verbs: Vec<String> = names.filter_map(verb).collect();
    verbs.sort();
    assert!(verbs.len() > 30, "{verbs:?}");
    verbs
}

#[test]
fn the_reference_of_commands_is_what_help_says() {
    let home = Home::new();
    let mut page = String::from(
        "# Commands\n\nWhat `freeport --help` and the help of each command say. Written by a test, from the program.\n",
    );
    for verb in std::iter::once(String::new()).chain(verbs(&home)) {
        let help = home.run(&format!("{verb} --help")).ends(0).out;
        let lines = help.lines().map(str::trim_end);
        let help = lines.collect::<Vec<_>>().join("\n");
        let name = format!("freeport {verb}");
        page += &format!("\n## {}\n\n```text\n{help}\n```\n", name.trim_end());
    }
    is_generated("docs/cli.md", &page);
}

#[test]
fn the_page_of_settings_is_what_config_says() {
    let settings = Home::new().run("config list --json").ends(0).json();
    let mut page = String::from(
        "# Settings\n\n`freeport config list` shows them, `freeport config set KEY VALUE` changes one, `freeport config unset KEY`\nbrings its default back. They are kept in the database, and the running app follows at once. Written by a\ntest, from the program.\n\n| key | default | meaning |\n|---|---|---|\n",
    );
    for one in settings["settings"].as_array().unwrap() {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        let default = match text("default") {
            default if default.is_empty() => String::from("none"),
            default => format!("`{default}`"),
        };
        page += &format!("| `{}` | {default} | {} |\n", text("key"), text("meaning"));
    }
    page += "\nTimes are in seconds. What a *project* wants, such as its services and their ports, is in its\n[`freeport.toml`](run.md#freeporttoml). Where things are kept is set by the [environment](guide.md#places-and-settings).\n";
    is_generated("docs/config.md", &page);
}

#[test]
fn every_page_is_in_the_book() {
    let summary = read("docs/SUMMARY.md");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for entry in fs::read_dir(docs).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") && name != "SUMMARY.md" {
            assert!(summary.contains(&format!("]({name})")), "{name}");
        }
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
    let pages: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ]
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
