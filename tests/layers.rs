//! The architecture, checked: which module may use which, where the operating system may be asked
//! for by name, where `unsafe` may stand, and that every file says what it owns.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it must be"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those that it may use, itself aside.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("platform", &["model"]),
    ("registry", &["model", "platform"]),
    ("ipc", &["model", "platform"]),
    ("notify", &["model", "platform"]),
    ("engine", &["model", "platform", "registry", "ipc"]),
    ("tray", &["model", "platform", "ipc", "notify", "engine"]),
    ("run", &["model", "platform", "ipc"]),
    ("tui", &["model", "platform", "ipc"]),
    (
        "cli",
        &["model", "platform", "registry", "ipc", "run", "tui"],
    ),
    (
        "app",
        &[
            "model", "platform", "registry", "ipc", "notify", "engine", "tray", "run", "tui", "cli",
        ],
    ),
];

/// The files whose `mod` and `use` lines choose what belongs to a system.
const SEAMS: [&str; 2] = ["platform/mod.rs", "tray/mod.rs"];

fn sources() -> Vec<(String, String)> {
    fn visit(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, files);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    visit(&src, &mut files);
    assert!(files.len() > 30, "the sources were found");
    let named = files.into_iter().map(|path| {
        let name = path
            .strip_prefix(&src)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    named.collect()
}

/// The modules at the root that the code of a file names, tests and comments aside.
fn used(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]\n").next().unwrap_or(text);
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|line| {
            line.match_indices("crate::")
                .map(|(at, found)| &line[at + found.len()..])
        })
        .map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or(rest)
        })
        .collect()
}

#[test]
fn nothing_imports_upwards() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let layer = |module: &str| file.starts_with(&format!("{module}/"));
        let Some((_, allowed)) = MAY_USE.iter().find(|(module, _)| layer(module)) else {
            assert!(
                ["lib.rs", "main.rs"].contains(&file.as_str()),
                "{file} belongs to no layer"
            );
            continue;
        };
        let known = |name: &&str| MAY_USE.iter().any(|(module, _)| module == name);
        for name in used(&text).into_iter().filter(known) {
            if !layer(name) && !allowed.contains(&name) {
                wrong.push(format!("{file} uses {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_system_is_named_only_at_the_seams() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| !line.starts_with("//"))
        {
            let words = [
                "target_os",
                "cfg(unix)",
                "cfg(windows)",
                "cfg!(",
                "target_family",
            ];
            let asks = words.iter().any(|word| line.contains(word));
            let next = lines.get(index + 1).copied().unwrap_or_default();
            let starts = ["mod ", "use ", "pub mod ", "pub use ", "pub(crate) use "];
            let chooses = starts.iter().any(|start| next.starts_with(start));
            if asks && !(SEAMS.contains(&file.as_str()) && chooses) {
                wrong.push(format!("{file}:{}: {line}", index + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_stands_only_in_platform() {
    let is_unsafe = |line: &str| {
        let marks = [
            "unsafe {",
            "unsafe fn",
            "unsafe impl",
            "unsafe extern",
            "unsafe_code",
        ];
        !line.trim_start().starts_with("//") && marks.iter().any(|mark| line.contains(mark))
    };
    let all = sources()
        .into_iter()
        .filter(|(file, _)| !file.starts_with("platform/"));
    let wrong: Vec<String> = all
        .filter(|(_, text)| text.lines().any(is_unsafe))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_file_says_what_it_owns() {
    let silent = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "));
    let wrong: Vec<String> = silent.map(|(file, _)| file).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_check_sees_imports() {
    let text = "use crate::model::Port;\n// crate::app\nlet x = crate::engine::y();\n";
    assert_eq!(used(text), ["model", "engine"]);
}
