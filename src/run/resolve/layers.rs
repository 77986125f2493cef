//! Texts within texts: the arguments, a shell line in one of them, a line within that. Words know
//! where they stand, so that one can be changed however deep it is.

use std::ffi::OsString;
use std::ops::Range;

use crate::run::words::{self, Simple, quote};

/// Where a word can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of its layer.
    pub layer: usize,
    /// In the arguments: which ones. In a line: which bytes.
    pub span: Range<usize>,
}

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it is.
    pub text: String,
    /// Whether a shell fills something in.
    pub expands: bool,
    /// Where it can be changed; `None` in a script, which is the project's.
    pub place: Option<Place>,
}

/// Where words can be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The number of the layer.
    pub layer: usize,
    /// Before which argument, or at which byte.
    pub at: usize,
    /// How many `--` have to come first, for those who pass on what follows one.
    pub dashes: usize,
    /// Whether the first `--` is left out on the way.
    pub drops_dashes: bool,
}

/// A command of a line.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its words.
    pub words: Vec<Word>,
    /// Where words can be added to it.
    pub gap: Option<Gap>,
    /// Whether it runs beside the next one.
    pub apart: bool,
}

/// What is to be in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The place.
    pub place: Place,
    /// The words.
    pub words: Vec<String>,
}

/// All the texts that can be changed.
#[derive(Clone, Debug)]
pub struct Layers {
    argv: Vec<OsString>,
    lines: Vec<Line>,
}

/// A shell line that is a word of another layer.
#[derive(Clone, Debug)]
struct Line {
    text: String,
    place: Place,
}

impl Layers {
    /// The arguments alone.
    pub fn new(argv: &[OsString]) -> Layers {
        Layers {
            argv: argv.to_vec(),
            lines: Vec::new(),
        }
    }

    /// The arguments as words, and where more can be added.
    pub fn words(&self) -> (Vec<Word>, Gap) {
        let words = self.argv.iter().enumerate().map(|(at, word)| Word {
            text: word.to_string_lossy().into_owned(),
            expands: false,
            place: Some(Place {
                layer: 0,
                span: at..at + 1,
            }),
        });
        (words.collect(), Gap::new(0, self.argv.len()))
    }

    /// The commands of a word that is a shell line, each with where words can be added to it.
    pub fn open(&mut self, word: &Word) -> Option<Vec<Opened>> {
        if word.expands {
            return None;
        }
        let line = words::parse(&word.text)?;
        let layer = word.place.as_ref().map(|place| {
            self.lines.push(Line {
                text: word.text.clone(),
                place: place.clone(),
            });
            self.lines.len()
        });
        let commands = line.commands.into_iter().map(|simple| {
            let words = placed(&simple, layer);
            let gap = layer.and_then(|layer| Some(Gap::new(layer, simple.words.last()?.span.end)));
            Opened {
                words,
                gap,
                apart: simple.apart,
            }
        });
        Some(commands.collect())
    }

    /// The arguments with these changes, from the innermost texts outwards.
    pub fn with(&self, mut changes: Vec<Change>) -> Vec<OsString> {
        for (number, line) in self.lines.iter().enumerate().rev() {
            let (mut own, others): (Vec<Change>, Vec<Change>) = changes
                .into_iter()
                .partition(|change| change.place.layer == number + 1);
            changes = others;
            if own.is_empty() {
                continue;
            }
            let mut text = line.text.clone();
            own.sort_by_key(|change| std::cmp::Reverse(change.place.span.start));
            for change in own {
                let words: Vec<String> = change.words.iter().map(|word| quote(word)).collect();
                let mut words = words.join(" ");
                let span = change.place.span;
                if span.is_empty() {
                    let is_before = text[span.start..].starts_with(|c: char| c != ' ')
                        && text[..span.start].ends_with([' ', '\t']);
                    words = if is_before {
                        words + " "
                    } else {
                        format!(" {words}")
                    };
                }
                text.replace_range(span, &words);
            }
            changes.push(Change {
                place: line.place.clone(),
                words: vec![text],
            });
        }
        let mut argv = self.argv.clone();
        changes.sort_by_key(|change| std::cmp::Reverse(change.place.span.start));
        for change in changes {
            argv.splice(
                change.place.span,
                change.words.into_iter().map(OsString::from),
            );
        }
        argv
    }
}

impl Gap {
    /// A gap before an argument, or at a byte.
    pub fn new(layer: usize, at: usize) -> Gap {
        Gap {
            layer,
            at,
            dashes: 0,
            drops_dashes: false,
        }
    }

    /// The gap where what is added has to come after a `--` that is not left out.
    pub fn after_dashes(self) -> Gap {
        Gap {
            dashes: self.dashes + 1 + usize::from(self.drops_dashes),
            drops_dashes: false,
            ..self
        }
    }

    /// The change that adds words here.
    pub fn filled(&self, words: Vec<String>) -> Change {
        let dashes = std::iter::repeat_n("--".to_owned(), self.dashes);
        Change {
            place: Place {
                layer: self.layer,
                span: self.at..self.at,
            },
            words: dashes.chain(words).collect(),
        }
    }
}

/// The words of a line, in a layer that can be changed or in none.
pub fn placed(simple: &Simple, layer: Option<usize>) -> Vec<Word> {
    let words = simple.words.iter().map(|word| Word {
        text: word.text.clone(),
        expands: word.expands,
        place: layer.map(|layer| Place {
            layer,
            span: word.span.clone(),
        }),
    });
    words.collect()
}
