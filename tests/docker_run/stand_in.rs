//! A stand-in for docker, first in PATH: it writes its arguments down, and ends or waits as it is told.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::support::app::App;
use crate::support::{Home, Ran, finish};

/// What it does: `STAND_IN_WAITS` keeps it running under its own pid, which it prints.
const SCRIPT: &str = r#"#!/bin/sh
printf '%s\0' "$#" "$@" > "$STAND_IN_RECORD"
if [ -n "$STAND_IN_WAITS" ]; then
    echo "$$"
    exec sleep 600
fi
exit "${STAND_IN_STATUS:-0}"
"#;

/// A home with a stand-in.
pub struct Docker {
    pub home: Home,
}

/// What came of a run: of Freeport, and what docker was given, if it was run.
#[derive(Debug)]
pub struct Came {
    pub ran: Ran,
    pub given: Option<Vec<OsString>>,
}

impl Came {
    /// The words that docker was given, in one line.
    #[track_caller]
    pub fn line(&self) -> String {
        let given = self.given.as_ref().unwrap_or_else(|| panic!("{self:#?}"));
        let words: Vec<&str> = given.iter().map(|word| word.to_str().unwrap()).collect();
        words.join(" ")
    }

    /// Docker was given these words, and nothing was said.
    #[track_caller]
    pub fn is_unchanged(&self, line: &str) {
        assert_eq!(self.line(), line, "{self:#?}");
        assert_eq!((self.ran.code, self.ran.err.as_str()), (0, ""), "{self:#?}");
    }

    /// The port that stands where `{}` is in a line, which is as it was given to docker.
    #[track_caller]
    pub fn port_in(&self, template: &str) -> u16 {
        let line = self.line();
        let (before, after) = template.split_once("{}").unwrap();
        let inner = line
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after));
        let port = inner.and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("{template}: {self:#?}"))
    }
}

impl Docker {
    pub fn new() -> Docker {
        let home = Home::new();
        let file = home.write("bin/docker", SCRIPT);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        Docker { home }
    }

    /// `freeport docker` with these words, and where docker writes down what it was given.
    pub fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> (Command, std::path::PathBuf) {
        let mut command = self.home.freeport(["docker"]);
        command.args(words);
        let record = self.prepare(&mut command);
        (command, record)
    }

    /// Lets a command find the stand-in.
    pub fn prepare(&self, command: &mut Command) -> std::path::PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let record = self.home.path(&format!("given-{number}"));
        let others = std::env::var("PATH").unwrap();
        let path = format!("{}:{others}", self.home.path("bin").display());
        command.env("PATH", path).env("STAND_IN_RECORD", &record);
        record
    }

    pub fn run(&self, line: &str) -> Came {
        self.run_with(line, |_| {})
    }

    /// Runs it with a change of the command.
    pub fn run_with(&self, line: &str, change: impl FnOnce(&mut Command)) -> Came {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (mut command, record) = self.command(&words);
        change(&mut command);
        Docker::finish(&mut command, &record)
    }

    pub fn finish(command: &mut Command, record: &std::path::Path) -> Came {
        let ran = finish(command);
        Came {
            ran,
            given: given(record),
        }
    }

    /// What is reserved.
    pub fn reserved(&self) -> Vec<Value> {
        let ran = self.home.run("query --json");
        assert!([0, 3].contains(&ran.code), "{ran:#?}");
        ran.json()["reservations"].as_array().unwrap().clone()
    }

    /// What is reserved at a port; null where nothing is.
    pub fn reserved_at(&self, port: u16) -> Value {
        let found = self.reserved().into_iter().find(|row| row["port"] == port);
        found.unwrap_or_default()
    }
}

/// The words that were written down.
pub fn given(record: &std::path::Path) -> Option<Vec<OsString>> {
    let bytes = std::fs::read(record).ok()?;
    let mut words = bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let count: usize = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let words: Vec<OsString> = words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    (words.len() == count).then_some(words)
}

/// Does the same in a home without the app, and in one with it.
pub fn both(test: impl Fn(&Docker)) {
    for runs in [false, true] {
        let docker = Docker::new();
        let _app = runs.then(|| App::start(&docker.home));
        test(&docker);
    }
}
