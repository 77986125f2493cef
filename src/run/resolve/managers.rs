//! Package managers: their scripts, and the programs that they run.

use std::path::{Path, PathBuf};

use super::files::{DEPTH, Files, Scripts};
use super::layers::{Gap, Word};
use super::manager_table::{Dashes, MANAGERS, Manager, Short};
use super::options::{any, joined, operand, value};
use super::walk::{Command, Step, Walk, package};
use super::{Note, ResolveError, shell};

/// Looks into what a package manager runs.
pub fn step(
    walk: &mut Walk<'_>,
    name: &str,
    command: &Command,
) -> Result<Option<Step>, ResolveError> {
    if ["run-p", "run-s", "npm-run-all", "npm-run-all2"].contains(&name) {
        return several(walk, command).map(Some);
    }
    if ["node", "nodejs"].contains(&name) {
        return node_run(walk, command);
    }
    let name = if name == "yarnpkg" { "yarn" } else { name };
    let Some(manager) = MANAGERS.iter().find(|known| known.name == name) else {
        return Ok(None);
    };
    let mut manager = *manager;
    if name == "yarn" && is_modern_yarn(&command.folder, walk.files) {
        manager.dashes = Dashes::Kept;
        manager.exec_dashes = Dashes::Kept;
    }
    let words = &command.words;
    let (at, _) = operand(words, 1, manager.valued);
    let Some(verb) = words.get(at) else {
        return Ok(None);
    };
    let verb = verb.text.as_str();
    let leads_away = any(words, at, manager.workspace);
    let is_away = || {
        manager
            .workspace
            .iter()
            .find(|word| **word == verb)
            .copied()
    };
    if let Some(word) = leads_away.or_else(is_away) {
        return Ok(Some(away(walk, word, command)));
    }
    if manager.exec.contains(&verb) {
        return manager.exec(walk, command, at + 1).map(Some);
    }
    if manager.run.contains(&verb) {
        let (at, _) = operand(words, at + 1, manager.valued);
        return manager.script(walk, command, at);
    }
    let is_short = match manager.short {
        Short::Only(names) => names.contains(&verb),
        Short::AllBut(names) => !names.contains(&verb),
    };
    if is_short {
        return manager.script(walk, command, at);
    }
    Ok(None)
}

impl Manager {
    /// The folder that it works in.
    fn folder(&self, words: &[Word], until: usize, command: &Command) -> PathBuf {
        let named = value(words, until, self.folder).map(|word| word.text.clone());
        match named.or_else(|| joined(words, until, self.folder)) {
            Some(folder) => command.folder.join(folder),
            None => command.folder.clone(),
        }
    }

    /// The script, or else the program, that is named by a word.
    fn script(
        &self,
        walk: &mut Walk<'_>,
        command: &Command,
        at: usize,
    ) -> Result<Option<Step>, ResolveError> {
        let words = &command.words;
        let Some(name) = words.get(at) else {
            return Ok(None);
        };
        let until = self.own_until(words, at);
        if let Some(word) = any(words, until, self.workspace) {
            return Ok(Some(away(walk, word, command)));
        }
        let folder = self.folder(words, until, command);
        let text = name.text.clone();
        let scripts = match self.name {
            "deno" => match Scripts::near(&folder, "deno.json", "tasks", walk.files)? {
                Some(found) if found.get(&text).is_some() => Some(found),
                _ => Scripts::near(&folder, "package.json", "scripts", walk.files)?,
            },
            _ => Scripts::near(&folder, "package.json", "scripts", walk.files)?,
        };
        let found = scripts.as_ref().and_then(|scripts| scripts.get(&text));
        let implied = (self.name == "npm" && text == "start").then_some("node server.js");
        let (Some(scripts), Some(script)) = (&scripts, found.or(implied)) else {
            // The others run a program of that name.
            return Ok(match self.name {
                "pnpm" | "yarn" => Some(Step::On(Command {
                    folder,
                    ..command.clone().after(at)
                })),
                "bun" => None,
                _ => Some(Step::Program(command.clone())),
            });
        };
        let mut inner = command.clone();
        inner.folder.clone_from(&scripts.folder);
        let more = Manager::passed_on(self.dashes, &mut inner, at + 1);
        run(walk, scripts, &text, script, more, &inner)?;
        Ok(Some(Step::Done))
    }

    /// How far its own options may stand, where a script is named by this word.
    fn own_until(&self, words: &[Word], name: usize) -> usize {
        match self.dashes {
            Dashes::Needed => {
                let dashes = words.iter().skip(name).position(|word| word.text == "--");
                dashes.map_or(words.len(), |at| name + at)
            }
            _ => name,
        }
    }

    /// The words after a script's name that it gets.
    fn passed_on(what: Dashes, command: &mut Command, from: usize) -> Vec<Word> {
        let words = command.words.get(from..).unwrap_or_default();
        let dashes = words.iter().position(|word| word.text == "--");
        match what {
            Dashes::Kept => words.to_vec(),
            Dashes::Dropped => {
                let mut words = words.to_vec();
                if dashes == Some(0) {
                    words.remove(0);
                } else if let Some(gap) = &mut command.gap {
                    gap.drops_dashes = true;
                }
                words
            }
            Dashes::Needed => {
                if dashes.is_none() {
                    command.gap = command.gap.take().map(Gap::after_dashes);
                }
                let (before, after) = match dashes {
                    Some(at) => (&words[..at], &words[at + 1..]),
                    None => (words, &[][..]),
                };
                let before = before.iter().filter(|word| !word.text.starts_with('-'));
                before.chain(after).cloned().collect()
            }
        }
    }

    /// A program of the packages, or of one that is fetched.
    fn exec(
        &self,
        walk: &mut Walk<'_>,
        command: &Command,
        from: usize,
    ) -> Result<Step, ResolveError> {
        let words = &command.words;
        let (at, dashes) = operand(words, from, self.valued);
        if let Some(line) = shell::called(words, from).filter(|_| self.name == "npm") {
            shell::lines(walk, &line, command)?;
            return Ok(Step::Done);
        }
        let mut inner = Command {
            folder: self.folder(words, at, command),
            ..command.clone().after(at)
        };
        // Only those yarns that keep each `--` have it.
        let is_dlx = command.words[from - 1].text == "dlx";
        if self.exec_dashes == Dashes::Needed && !dashes && !is_dlx {
            inner.words = Manager::passed_on(self.exec_dashes, &mut inner, 0);
        }
        if let Some(first) = inner.words.first_mut() {
            first.text = package(&first.text).to_owned();
        }
        Ok(match inner.words.is_empty() {
            true => Step::Program(command.clone()),
            false => Step::On(inner),
        })
    }
}

/// Whether a folder's yarn is one of version 2 or later, which passes everything on as it is.
fn is_modern_yarn(folder: &Path, files: &dyn Files) -> bool {
    folder.ancestors().take(DEPTH).any(|folder| {
        let named = || {
            let text = files.read(&folder.join("package.json"))?;
            let (_, rest) = text.split_once("\"packageManager\"")?;
            let (_, version) = rest.split_once("yarn@")?;
            version.chars().next().filter(|c| ('2'..='9').contains(c))
        };
        files.read(&folder.join(".yarnrc.yml")).is_some() || named().is_some()
    })
}

/// Scripts of other packages are not looked into.
fn away(walk: &mut Walk<'_>, word: &str, command: &Command) -> Step {
    walk.note(Note::Workspace {
        word: word.to_owned(),
    });
    Step::Program(command.clone())
}

/// Looks through a script, unless this is inside of it already.
fn run(
    walk: &mut Walk<'_>,
    scripts: &Scripts,
    name: &str,
    text: &str,
    more: Vec<Word>,
    command: &Command,
) -> Result<(), ResolveError> {
    walk.script(name);
    let this = (scripts.file.clone(), name.to_owned());
    if walk.inside.contains(&this) {
        walk.note(Note::Loop {
            script: this.1,
            file: this.0,
        });
        return Ok(());
    }
    walk.inside.push(this);
    let looked = shell::script(walk, text, more, command);
    walk.inside.pop();
    looked
}

/// `node --run NAME`.
fn node_run(walk: &mut Walk<'_>, command: &Command) -> Result<Option<Step>, ResolveError> {
    let words = &command.words;
    let (end, _) = operand(words, 1, &["-r", "--require", "--import", "--env-file"]);
    let Some(at) = words[..end].iter().position(|word| word.text == "--run") else {
        return Ok(None);
    };
    // It passes words on as npm does.
    let [npm, ..] = &MANAGERS;
    npm.script(walk, command, at + 1)
}

/// Scripts that are started at once or one after the other, without words of their own.
fn several(walk: &mut Walk<'_>, command: &Command) -> Result<Step, ResolveError> {
    let Some(scripts) = Scripts::near(&command.folder, "package.json", "scripts", walk.files)?
    else {
        return Ok(Step::Done);
    };
    for word in command.words.iter().skip(1) {
        if let Some(text) = scripts.get(&word.text) {
            let apart = Command {
                gap: None,
                folder: scripts.folder.clone(),
                ..command.clone()
            };
            run(walk, &scripts, &word.text, text, Vec::new(), &apart)?;
        }
    }
    Ok(Step::Done)
}
