//! The version stands in Cargo.toml. Where a file must have it as well, it has the same; where one is
//! made from a template, the template has a place for it and no version of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is wrong"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Home, skipped};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A file of the repository; None, said aloud, where the tests came without it, as in the crate.
fn read(file: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok();
    if text.is_none() {
        skipped(&format!("there is no {file}"));
    }
    text
}

/// Which version a lock file has for the package `freeport`.
fn locked(text: &str) -> Option<&str> {
    let (_, package) = text.split_once("[[package]]\nname = \"freeport\"\nversion = \"")?;
    package.split('"').next()
}

#[test]
fn the_program_says_it() {
    let said = Home::new().run("--version").out;
    assert_eq!(said.trim_end(), format!("freeport {VERSION}"));
}

#[test]
fn lock_files_have_it() {
    for file in ["Cargo.lock", "fuzz/Cargo.lock"] {
        if let Some(text) = read(file) {
            assert_eq!(locked(&text), Some(VERSION), "{file}: run 'cargo check'");
        }
    }
}

#[test]
fn the_changelog_is_at_it() {
    let Some(text) = read("CHANGELOG.md") else {
        return;
    };
    let newest = text
        .lines()
        .find_map(|line| line.strip_prefix("## "))
        .unwrap();
    let name = newest.trim_start_matches('[').split([']', ' ']).next();
    assert!(
        matches!(name, Some("Unreleased" | VERSION)),
        "CHANGELOG.md: the newest heading is '{newest}', and the version {VERSION}"
    );
}

#[test]
fn the_debian_changelog_is_at_it() {
    let Some(text) = read("debian/changelog") else {
        return;
    };
    // Debian writes a version before 1.0.0 as 1.0.0~rc.1.
    let version = VERSION.replacen('-', "~", 1);
    assert_eq!(
        text.lines().next().unwrap().split(' ').nth(1),
        Some(format!("({version})").as_str()),
        "debian/changelog"
    );
}

#[test]
fn templates_have_a_place_for_it() {
    for (file, place) in [
        ("bundle/aur/PKGBUILD.in", "pkgver=@VERSION@"),
        ("bundle/rpm/freeport.spec", "%{freeport_version}"),
        ("macos/Info.plist", "@VERSION@"),
        ("macos/homebrew/formula.rb.in", "@VERSION@"),
        ("macos/homebrew/cask.rb.in", "@VERSION@"),
    ] {
        if let Some(text) = read(file) {
            assert!(text.contains(place), "{file} lacks {place}");
        }
    }
    if let Some(text) = read("bundle/freeport.metainfo.xml") {
        let current = format!("<release version=\"{VERSION}\"");
        assert!(
            !text.contains("<release ") || text.contains(&current),
            "the metainfo has releases, and not {VERSION}"
        );
    }
}

#[test]
fn no_file_for_packages_has_a_version_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = ["bundle", "macos", "scripts", ".github"]
        .iter()
        .map(|name| root.join(name))
        .filter(|folder| folder.is_dir())
        .collect();
    if folders.is_empty() {
        skipped("the files for packages are in the repository only");
    }
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit() || c == '.');
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // What is no text has none.
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            for (line, text) in text.lines().enumerate() {
                let own = text.match_indices(VERSION).any(|(at, found)| {
                    let before = text[..at].chars().next_back();
                    // Part of a longer number, such as 10.1.0 or 0.1.0.2.
                    !is_digit(before) && !is_digit(text[at + found.len()..].chars().next())
                });
                // CC0-1.0 and the like.
                let licence = text.contains("CC0-");
                assert!(
                    !own || licence,
                    "{}:{}: has the version; take it from Cargo.toml",
                    path.display(),
                    line + 1
                );
            }
        }
    }
}
