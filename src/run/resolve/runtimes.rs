//! Programs that run a file or a module: what counts is what they run.

use super::ResolveError;
use super::options::operand;
use super::walk::{Command, Step, Walk, package};

/// A program that runs a file in its arguments.
struct Runtime {
    names: &'static [&'static str],
    /// The options that have a value.
    valued: &'static [&'static str],
    /// Words that may stand before the file.
    verbs: &'static [&'static str],
}

const RUNTIMES: [Runtime; 6] = [
    Runtime {
        names: &["node", "nodejs"],
        valued: &[
            "-r",
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
            "-C",
            "--conditions",
            "--env-file",
            "--env-file-if-exists",
            "--title",
            "--watch-path",
        ],
        verbs: &[],
    },
    Runtime {
        names: &[
            "tsx",
            "ts-node",
            "ts-node-dev",
            "node-dev",
            "babel-node",
            "vite-node",
        ],
        valued: &[
            "-r",
            "--require",
            "--import",
            "--tsconfig",
            "-P",
            "--project",
            "--ignore",
        ],
        verbs: &["watch"],
    },
    Runtime {
        names: &["nodemon"],
        valued: &[
            "-w", "--watch", "-e", "--ext", "-i", "--ignore", "-d", "--delay", "--config",
        ],
        verbs: &[],
    },
    Runtime {
        names: &["ruby", "php", "perl"],
        valued: &["-r", "-I", "-d", "-c", "-C"],
        verbs: &[],
    },
    Runtime {
        names: &["deno"],
        valued: &["-c", "--config", "--import-map", "--lock"],
        verbs: &["run"],
    },
    Runtime {
        names: &["bun"],
        valued: &[
            "-r",
            "--preload",
            "--cwd",
            "-c",
            "--config",
            "--env-file",
            "--port",
        ],
        verbs: &["run"],
    },
];

/// Looks at what a program runs.
pub fn step(walk: &mut Walk<'_>, name: &str, command: Command) -> Result<Step, ResolveError> {
    if is_python(name) {
        return Ok(python(walk, command));
    }
    let Some(runtime) = RUNTIMES.iter().find(|known| known.names.contains(&name)) else {
        return Ok(Step::Program(command));
    };
    let (mut at, _) = operand(&command.words, 1, runtime.valued);
    let verb = command.words.get(at).map(|word| word.text.as_str());
    if verb.is_some_and(|verb| runtime.verbs.contains(&verb)) {
        (at, _) = operand(&command.words, at + 1, runtime.valued);
    }
    Ok(run_file(walk, command, at))
}

fn is_python(name: &str) -> bool {
    ["python", "pypy", "py"].iter().any(|start| {
        name.strip_prefix(start)
            .is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
    })
}

/// `python -m MODULE` or `python FILE`.
fn python(walk: &mut Walk<'_>, command: Command) -> Step {
    let mut at = 1;
    while let Some(word) = command.words.get(at) {
        let text = word.text.as_str();
        let letters = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        match (text, letters) {
            ("-W" | "-X" | "--check-hash-based-pycs", _) => at += 2,
            ("-" | "--", _) => break,
            (_, Some(letters)) if letters.contains('m') && !letters.starts_with(['W', 'X']) => {
                return module(walk, command, at);
            }
            (_, Some(letters)) if letters.starts_with('c') => break,
            (text, _) if text.starts_with('-') => at += 1,
            _ => return run_file(walk, command, at),
        }
    }
    Step::Program(command)
}

/// The module that an option names: in the same word or in the next one.
fn module(walk: &mut Walk<'_>, command: Command, at: usize) -> Step {
    let text = command.words.get(at).map_or("", |word| word.text.as_str());
    let attached = text.split_once('m').map_or("", |(_, rest)| rest).to_owned();
    let from = at + usize::from(attached.is_empty());
    let mut started = command.clone().after(from);
    if !attached.is_empty()
        && let Some(first) = started.words.first_mut()
    {
        first.text = attached;
    }
    match walk.framework(&started, true) {
        Some(target) => {
            walk.seen.found.push(target);
            Step::Done
        }
        None => Step::Program(command),
    }
}

/// A file that is run: a program of its own, if it is known as one.
fn run_file(walk: &mut Walk<'_>, command: Command, at: usize) -> Step {
    let mut started = command.clone().after(at);
    if let Some(first) = started.words.first_mut() {
        first.text = program_of(&first.text).to_owned();
    }
    match walk.framework(&started, false) {
        Some(target) => {
            walk.seen.found.push(target);
            Step::Done
        }
        None => Step::Program(command),
    }
}

/// The program that a file is: its package, where it belongs to one.
fn program_of(file: &str) -> &str {
    let Some((_, inside)) = file.rsplit_once("node_modules/") else {
        return file.strip_prefix("npm:").map_or(file, package);
    };
    let inside = inside.strip_prefix(".bin/").unwrap_or(inside);
    let slashes = usize::from(inside.starts_with('@'));
    let end = inside.match_indices('/').nth(slashes);
    end.map_or(inside, |(at, _)| &inside[..at])
}
