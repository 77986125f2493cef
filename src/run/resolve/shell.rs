//! Shells with a line of their own, and those who start several lines at once.

use super::layers::{Opened, Word};
use super::options::{operand, value};
use super::walk::{Assigned, Command, Step, Walk};
use super::{ResolveError, layers};
use crate::run::words;

/// Shells that take a line with `-c`.
const SHELLS: [&str; 7] = ["sh", "bash", "zsh", "dash", "ksh", "ash", "fish"];
/// Options of shells with a value.
const SHELL_VALUED: [&str; 5] = ["-o", "+o", "-O", "--rcfile", "--init-file"];

/// Options of nodemon with a value, before what it runs.
const NODEMON_VALUED: [&str; 11] = [
    "-x", "--exec", "-w", "--watch", "-e", "--ext", "-i", "--ignore", "-d", "--delay", "--config",
];

/// Looks into a shell, or into who starts lines.
pub fn step(
    walk: &mut Walk<'_>,
    name: &str,
    command: &Command,
) -> Result<Option<Step>, ResolveError> {
    let words = &command.words;
    let line = match name {
        shell if SHELLS.contains(&shell) => line_of_shell(words),
        "su" => value(words, words.len(), &["-c", "--command"]).cloned(),
        "npx" | "pnpx" => called(words, 1),
        "nodemon" => {
            let (end, _) = operand(words, 1, &NODEMON_VALUED);
            value(words, end, &["-x", "--exec"]).cloned()
        }
        "concurrently" | "conc" => {
            for word in several(words) {
                let apart = Command {
                    gap: None,
                    ..command.clone()
                };
                lines(walk, &fixed(word), &apart)?;
            }
            return Ok(Some(Step::Done));
        }
        _ => return Ok(None),
    };
    match line {
        Some(line) => {
            lines(walk, &line, command)?;
            Ok(Some(Step::Done))
        }
        None => Ok(None),
    }
}

/// The line of `sh -c LINE`, `bash -lc LINE`.
fn line_of_shell(words: &[Word]) -> Option<Word> {
    let (end, _) = operand(words, 1, &SHELL_VALUED);
    let takes_line = |word: &Word| {
        let text = word.text.as_str();
        text.starts_with('-') && !text.starts_with("--") && text.contains('c')
    };
    let has_line = words.get(1..end)?.iter().any(takes_line);
    words.get(end).filter(|_| has_line).cloned()
}

/// The line of `npx -c LINE`, `npm exec -c LINE`: one that comes before any program.
pub fn called(words: &[Word], from: usize) -> Option<Word> {
    const VALUED: [&str; 8] = [
        "-c",
        "--call",
        "-p",
        "--package",
        "-w",
        "--workspace",
        "--prefix",
        "--loglevel",
    ];
    let (end, _) = operand(words, from, &VALUED);
    value(words, end, &["-c", "--call"]).cloned()
}

/// The lines of those who start several: each word that is no option or its value.
fn several(words: &[Word]) -> impl Iterator<Item = &Word> {
    const VALUED: [&str; 14] = [
        "-n",
        "--names",
        "-c",
        "--prefix-colors",
        "-p",
        "--prefix",
        "-m",
        "--max-processes",
        "-s",
        "--success",
        "-t",
        "--timestamp-format",
        "--restart-tries",
        "--restart-after",
    ];
    let mut after_option = false;
    words[1..].iter().filter(move |word| {
        let is_value = std::mem::take(&mut after_option);
        let is_option = word.text.starts_with('-');
        after_option = VALUED.contains(&word.text.as_str());
        !is_option && !is_value
    })
}

/// A word that is left as it is, in which `npm:NAME` stands for a script.
fn fixed(word: &Word) -> Word {
    let text = ["npm:", "pnpm:", "yarn:", "bun:"]
        .iter()
        .find_map(|start| {
            let name = word.text.strip_prefix(start)?;
            Some(format!("{} run {name}", start.trim_end_matches(':')))
        })
        .unwrap_or_else(|| word.text.clone());
    Word {
        text,
        place: None,
        ..word.clone()
    }
}

/// Looks through the commands of a line that is a word of `command`.
pub fn lines(walk: &mut Walk<'_>, line: &Word, command: &Command) -> Result<(), ResolveError> {
    let Some(commands) = walk.layers.open(line) else {
        return Ok(());
    };
    each(walk, commands, command)
}

/// Looks through the commands of a script, of which the last one gets these words.
pub fn script(
    walk: &mut Walk<'_>,
    text: &str,
    more: Vec<Word>,
    command: &Command,
) -> Result<(), ResolveError> {
    let Some(line) = words::parse(text) else {
        return Ok(());
    };
    let last = line.commands.len().wrapping_sub(1);
    let commands = line.commands.into_iter().enumerate().map(|(at, simple)| {
        let mut words = layers::placed(&simple, None);
        let gets_more = at == last && line.open_end;
        if gets_more {
            words.extend(more.iter().cloned());
        }
        let gap = command.gap.clone().filter(|_| gets_more);
        Opened {
            words,
            gap,
            apart: simple.apart,
        }
    });
    each(walk, commands.collect(), command)
}

fn each(walk: &mut Walk<'_>, commands: Vec<Opened>, outer: &Command) -> Result<(), ResolveError> {
    let mut folder = outer.folder.clone();
    let mut exported = outer.assigned.clone();
    for Opened {
        mut words,
        gap,
        apart,
    } in commands
    {
        let assigned: Vec<Assigned> = words.iter().map_while(Assigned::of).collect();
        words.drain(..assigned.len());
        let text = |at: usize| words.get(at).map(|word| word.text.as_str());
        match (text(0), text(1)) {
            (None, _) | (Some("export"), _) => {
                exported.extend(assigned);
                exported.extend(words.iter().filter_map(Assigned::of));
                continue;
            }
            (Some("cd"), Some(to)) if !apart => {
                if words.get(1).is_some_and(|word| !word.expands) {
                    folder = folder.join(to);
                }
                continue;
            }
            _ => {}
        }
        let mut all = exported.clone();
        all.extend(assigned);
        walk.command(Command {
            words,
            gap,
            assigned: all,
            folder: folder.clone(),
            depth: outer.depth,
        })?;
    }
    Ok(())
}
