//! How a server that was found is told its port: by words in its command, or by a variable.

use std::ffi::OsStr;

use super::Telling;
use super::layers::{Change, Gap, Place, Word};
use super::placeholder;
use super::walk::{Assigned, Command};
use crate::model::Port;
use crate::run::framework::{Framework, Heeds, Told, port_in, with_port};

/// What may be the server of a command.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its framework; `None` of a program that is only known to have a port assigned.
    pub framework: Option<&'static Framework>,
    words: Vec<Word>,
    /// How many of the words make it serve.
    verb: usize,
    gap: Option<Gap>,
    assigned: Vec<Assigned>,
}

/// The port as the words say it.
struct Spoken<'a> {
    /// What stands before it in the same word.
    before: &'a str,
    value: &'a str,
    expands: bool,
    place: Option<&'a Place>,
}

/// The server that is to be told, and another framework that is there as well.
pub fn choose(found: Vec<Target>) -> (Option<Target>, Option<&'static Framework>) {
    let rank = |target: &Target| match (target.framework, target.telling()) {
        (None, _) => 4,
        (_, Telling::Words | Telling::Placeholder) => 0,
        (_, Telling::Variable) => 1,
        (_, Telling::NamedInScript | Telling::PerhapsVariable) => 2,
        (_, Telling::OutOfReach) => 3,
    };
    let best = (0..found.len()).min_by_key(|&at| rank(&found[at]));
    let other = found.iter().enumerate().find_map(|(at, target)| {
        let framework = target.framework?;
        (Some(at) != best).then_some(framework)
    });
    (best.and_then(|at| found.into_iter().nth(at)), other)
}

impl Target {
    /// A command whose first words make it serve.
    pub fn new(framework: Option<&'static Framework>, command: &Command, verb: usize) -> Target {
        Target {
            framework,
            words: command.words.clone(),
            verb,
            gap: command.gap.clone(),
            assigned: command.assigned.clone(),
        }
    }

    /// The port that it names itself.
    pub fn named(&self) -> Option<Port> {
        match self.spoken() {
            Some(spoken) => port_in(spoken.value).filter(|_| !spoken.expands),
            None => self.assignment().and_then(|found| port_in(found.value())),
        }
    }

    /// How it is told another one.
    pub fn telling(&self) -> Telling {
        if let Some(spoken) = self.spoken() {
            if self.replaced(spoken.value, Port::MAX).is_none() && !spoken.expands {
                // It listens on something else, such as a file.
                return Telling::OutOfReach;
            }
            return match (spoken.expands, spoken.place) {
                (true, _) => Telling::Variable,
                (false, Some(_)) => Telling::Words,
                (false, None) if self.last_counts() && self.end().is_some() => Telling::Words,
                (false, None) => Telling::NamedInScript,
            };
        }
        if self.written(Port::MAX).is_some() && self.end().is_some() {
            return Telling::Words;
        }
        match (self.assignment(), self.framework) {
            (Some(found), _) if found.word.place.is_some() => Telling::Words,
            (Some(found), _) if !found.word.expands => Telling::NamedInScript,
            (_, Some(framework)) if framework.heeds_a_variable() => Telling::Variable,
            (_, Some(_)) => Telling::OutOfReach,
            (_, None) => Telling::PerhapsVariable,
        }
    }

    /// What has to be changed for a port.
    pub fn changes(&self, port: Port, telling: Telling) -> Vec<Change> {
        let mut changes = Vec::new();
        let spoken = self.spoken();
        let mut words = match telling {
            Telling::Words => {
                changes.extend(self.reassigned(port));
                match &spoken {
                    Some(Spoken {
                        place: Some(place),
                        before,
                        value,
                        ..
                    }) => {
                        let value = self.replaced(value, port).unwrap_or_default();
                        changes.push(Change {
                            place: (*place).clone(),
                            words: vec![format!("{before}{value}")],
                        });
                        Vec::new()
                    }
                    _ => self.written(port).unwrap_or_default(),
                }
            }
            // The port is where it has to be.
            Telling::Variable if spoken.is_some() => Vec::new(),
            Telling::Placeholder
                if spoken.is_some_and(|s| placeholder::is_in_text(OsStr::new(s.value))) =>
            {
                Vec::new()
            }
            _ => return changes,
        };
        let strict = self.framework.map_or(&[][..], |framework| framework.strict);
        let is_there = |word: &str| self.words.iter().any(|w| w.text == word);
        words.extend(
            strict
                .iter()
                .filter(|word| !is_there(word))
                .map(|word| (*word).to_owned()),
        );
        if let Some(gap) = self.end().filter(|_| !words.is_empty()) {
            changes.push(gap.filled(words));
        }
        changes
    }

    /// What is assigned in the arguments, with another port.
    fn reassigned(&self, port: Port) -> impl Iterator<Item = Change> {
        let heeded = self.assigned.iter().filter(|found| self.heeds(&found.name));
        heeded.filter_map(move |found| {
            let value = with_port(found.value(), port)?;
            Some(Change {
                place: found.word.place.clone()?,
                words: vec![format!("{}={value}", found.name)],
            })
        })
    }

    /// A value with another port in it, or in its place. `None` where it is no port at all.
    fn replaced(&self, value: &str, port: Port) -> Option<String> {
        let is_address = self
            .written(port)
            .is_some_and(|words| words.iter().any(|word| word.contains(':')));
        match with_port(value, port) {
            Some(_) if is_address && !value.contains(':') => Some(format!("127.0.0.1:{port}")),
            None if value.contains([':', '/']) => None,
            None if is_address => Some(format!("{value}:{port}")),
            None => Some(port.to_string()),
            replaced => replaced,
        }
    }

    /// The words that say a port.
    fn written(&self, port: Port) -> Option<Vec<String>> {
        let written: &[&str] = match self.framework?.told {
            Told::Option { written, .. } => written,
            Told::Argument { .. } => &["{port}"],
            Told::Nowhere => return None,
        };
        let filled = |word: &&str| word.replace("{port}", &port.to_string());
        Some(written.iter().map(filled).collect())
    }

    fn last_counts(&self) -> bool {
        let told = self.framework.map(|framework| &framework.told);
        matches!(
            told,
            Some(Told::Option {
                last_counts: true,
                ..
            })
        )
    }

    fn heeds(&self, variable: &str) -> bool {
        let Some(framework) = self.framework else {
            return variable == "PORT";
        };
        (variable == "PORT" && framework.heeds == Heeds::Yes)
            || framework
                .variables
                .iter()
                .any(|(name, _)| *name == variable)
    }

    /// The last assignment that it heeds.
    fn assignment(&self) -> Option<&Assigned> {
        let mut assigned = self.assigned.iter().rev();
        assigned.find(|found| self.heeds(&found.name))
    }

    /// Where words can be added that it takes for its own.
    fn end(&self) -> Option<Gap> {
        let told = self.framework.map(|framework| &framework.told);
        if let Some(Told::Option { first: true, .. }) = told {
            let gap = self.gap.as_ref().filter(|gap| gap.dashes == 0);
            let verb = self.words.get(self.verb.wrapping_sub(1))?.place.as_ref();
            return gap
                .and(verb)
                .map(|place| Gap::new(place.layer, place.span.end));
        }
        match self.own().len() {
            length if length == self.words.len() => self.gap.clone(),
            length => {
                let dashes = self.words.get(length)?.place.as_ref();
                dashes.map(|place| Gap::new(place.layer, place.span.start))
            }
        }
    }

    /// The words before a `--`.
    fn own(&self) -> &[Word] {
        let after = self.words.get(self.verb..).unwrap_or_default();
        let dashes = after.iter().position(|word| word.text == "--");
        let end = dashes.map_or(self.words.len(), |at| self.verb + at);
        &self.words[..end]
    }

    fn spoken(&self) -> Option<Spoken<'_>> {
        let words = self.own().get(1..)?;
        match &self.framework?.told {
            Told::Option { names, .. } => (0..words.len())
                .rev()
                .find_map(|at| names.iter().find_map(|name| option(words, at, name))),
            Told::Argument { switches } => argument(words, self.verb - 1, switches),
            Told::Nowhere => None,
        }
    }
}

/// An option with its value, in one word or in two.
fn option<'a>(words: &'a [Word], at: usize, name: &str) -> Option<Spoken<'a>> {
    let word = words.get(at)?;
    let rest = word.text.strip_prefix(name)?;
    if rest.is_empty() {
        return words.get(at + 1).map(Spoken::whole);
    }
    let is_short = name.len() == 2 && with_port(rest, Port::MAX).is_some();
    let before = match rest.strip_prefix('=') {
        Some(_) => name.len() + 1,
        None if is_short => name.len(),
        None => return None,
    };
    let (before, value) = word.text.split_at(before);
    Some(Spoken {
        before,
        value,
        expands: word.expands,
        place: word.place.as_ref(),
    })
}

/// The first argument that says a port.
fn argument<'a>(words: &'a [Word], from: usize, switches: &[&str]) -> Option<Spoken<'a>> {
    let mut at = from;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text.starts_with('-') {
            let has_value = !text.contains('=') && !switches.contains(&text);
            at += 1 + usize::from(has_value);
            continue;
        }
        let says =
            with_port(text, Port::MAX).is_some() || placeholder::is_in_text(OsStr::new(text));
        if says || word.expands {
            return Some(Spoken::whole(word));
        }
        at += 1;
    }
    None
}

impl<'a> Spoken<'a> {
    fn whole(word: &'a Word) -> Spoken<'a> {
        Spoken {
            before: "",
            value: &word.text,
            expands: word.expands,
            place: word.place.as_ref(),
        }
    }
}
