//! From a command to the servers in it: step by step through launchers, shells and scripts.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::layers::{Gap, Layers, Word};
use super::tell::Target;
use super::{Note, ResolveError, launchers, managers, runtimes, shell};
use crate::run::frameworks;
use crate::run::words::assignment;

/// How many steps are taken into one command.
const DEPTH: usize = 32;
/// How many steps are taken in all.
const STEPS: usize = 256;

/// What was seen of a command.
#[derive(Debug, Default)]
pub struct Seen {
    /// What may be the server.
    pub found: Vec<Target>,
    /// The name of the first script.
    pub script: Option<String>,
    /// The name of the first program that is no launcher.
    pub program: String,
    /// Whether rights are gained.
    pub gains_rights: bool,
    /// Whether Freeport itself is run.
    pub is_nested: bool,
    /// What could not be followed.
    pub notes: Vec<Note>,
}

/// A variable that is assigned for a command.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// Its name.
    pub name: String,
    /// The word that assigns it.
    pub word: Word,
}

impl Assigned {
    /// What a word assigns.
    pub fn of(word: &Word) -> Option<Assigned> {
        let (name, _) = assignment(&word.text)?;
        Some(Assigned {
            name: name.to_owned(),
            word: word.clone(),
        })
    }

    /// Its value.
    pub fn value(&self) -> &str {
        assignment(&self.word.text).map_or("", |(_, value)| value)
    }
}

/// A command on the way.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its words.
    pub words: Vec<Word>,
    /// Where words can be added to it.
    pub gap: Option<Gap>,
    /// What is assigned for it.
    pub assigned: Vec<Assigned>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// How deep it is.
    pub depth: usize,
}

impl Command {
    /// Without its first words.
    pub fn after(self, count: usize) -> Command {
        Command {
            words: self.words.into_iter().skip(count).collect(),
            ..self
        }
    }

    /// Its first word without the folders before it.
    pub fn name(&self) -> Option<String> {
        let first = self.words.first()?;
        base(&first.text).map(str::to_owned)
    }
}

/// The last part of a path.
pub fn base(path: &str) -> Option<&str> {
    path.trim_end_matches('/')
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
}

/// All that goes into a walk and comes out of it.
pub struct Walk<'a> {
    /// The texts.
    pub layers: &'a mut Layers,
    /// What reads files.
    pub files: &'a dyn Files,
    /// The scripts that this is inside of.
    pub inside: Vec<(PathBuf, String)>,
    /// What was seen.
    pub seen: Seen,
    steps: usize,
}

/// Looks through a command.
pub fn walk(layers: &mut Layers, folder: &Path, files: &dyn Files) -> Result<Seen, ResolveError> {
    let (words, gap) = layers.words();
    let mut walk = Walk {
        layers,
        files,
        inside: Vec::new(),
        seen: Seen::default(),
        steps: 0,
    };
    walk.command(Command {
        words,
        gap: Some(gap),
        assigned: Vec::new(),
        folder: folder.to_owned(),
        depth: 0,
    })?;
    Ok(walk.seen)
}

impl Walk<'_> {
    /// Looks through a command.
    pub fn command(&mut self, mut command: Command) -> Result<(), ResolveError> {
        loop {
            self.steps += 1;
            command.depth += 1;
            if command.depth > DEPTH || self.steps > STEPS {
                self.note(Note::TooDeep);
                return Ok(());
            }
            let Some(name) = command.name() else {
                return Ok(());
            };
            if command.words.first().is_some_and(|word| word.expands) {
                return Ok(());
            }
            self.seen.gains_rights |= launchers::gains_rights(&name);
            if name == "freeport" && command.words.get(1).is_some_and(|word| word.text == "run") {
                self.seen.is_nested = true;
                return Ok(());
            }
            if let Some(target) = self.framework(&command, false) {
                self.seen.found.push(target);
                return Ok(());
            }
            match self.step(&name, command)? {
                Step::On(next) => command = next,
                Step::Done => return Ok(()),
                Step::Program(last) => {
                    self.program(last);
                    return Ok(());
                }
            }
        }
    }

    fn step(&mut self, name: &str, command: Command) -> Result<Step, ResolveError> {
        if let Some(step) = shell::step(self, name, &command)? {
            return Ok(step);
        }
        if let Some(step) = launchers::launched(name, &command.words) {
            return Ok(Step::On(launched(command, &step)));
        }
        if let Some(step) = managers::step(self, name, &command)? {
            return Ok(step);
        }
        runtimes::step(self, name, command)
    }

    /// The framework that a command starts, or a module of Python.
    pub fn framework(&self, command: &Command, is_module: bool) -> Option<Target> {
        let first = command.words.first()?;
        let names = [Some(first.text.as_str()), base(&first.text)];
        let arguments: Vec<&str> = command.words[1..].iter().map(|w| w.text.as_str()).collect();
        frameworks::all().iter().find_map(|framework| {
            let starts = framework.started_by.iter();
            let length = starts.flat_map(|start| {
                let names = names.iter().flatten();
                names.map(|name| start.matches(name, is_module, &arguments))
            });
            let verb = length.flatten().next()?;
            Some(Target::new(Some(framework), command, verb))
        })
    }

    /// A program that is no framework: of interest where a port is assigned for it.
    pub fn program(&mut self, command: Command) {
        if self.seen.program.is_empty()
            && let Some(name) = command.name()
        {
            self.seen.program = name;
        }
        if command.assigned.iter().any(|a| a.name == "PORT") {
            self.seen.found.push(Target::new(None, &command, 1));
        }
    }

    /// Notes something, once.
    pub fn note(&mut self, note: Note) {
        if !self.seen.notes.contains(&note) {
            self.seen.notes.push(note);
        }
    }

    /// Remembers the first script.
    pub fn script(&mut self, name: &str) {
        self.seen.script.get_or_insert_with(|| name.to_owned());
    }
}

/// What comes of a step into a command.
pub enum Step {
    /// The command that it starts.
    On(Command),
    /// All of it was looked through.
    Done,
    /// It starts nothing that is known.
    Program(Command),
}

fn launched(mut command: Command, step: &launchers::Launched) -> Command {
    if let Some(from) = step.assigned_from {
        let assigned = command.words[from..step.at].iter();
        command.assigned.extend(assigned.filter_map(Assigned::of));
    }
    if step.needs_dashes {
        command.gap = command.gap.take().map(Gap::after_dashes);
    }
    let mut command = command.after(step.at);
    if step.is_package
        && let Some(first) = command.words.first_mut()
    {
        first.text = package(&first.text).to_owned();
    }
    command
}

/// A package without its version: `vite` of `vite@7`, `@scope/name` of `@scope/name@1`.
pub fn package(text: &str) -> &str {
    match text.rsplit_once('@') {
        Some((name, _)) if !name.is_empty() => name,
        _ => text,
    }
}
