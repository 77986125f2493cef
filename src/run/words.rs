//! Shell lines as words: what a shell would run, as far as that can be seen without running it.
//!
//! Each word keeps its place in the line, so that a line can be changed where it has to be, and
//! stays as it was written everywhere else. What a shell would fill in is marked, not filled in.

use std::ops::Range;

/// A word of a shell line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellWord {
    /// What it is without its quotes.
    pub text: String,
    /// Whether the shell would fill something in.
    pub expands: bool,
    /// Where it stands, in bytes.
    pub span: Range<usize>,
}

/// A simple command: a program with its arguments, and what is assigned before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// Its words. Redirections are left out.
    pub words: Vec<ShellWord>,
    /// Whether it runs beside the next one, so that `cd` does not last.
    pub apart: bool,
}

/// A shell line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its simple commands, in order.
    pub commands: Vec<Simple>,
    /// Whether words that are written after the line become arguments of the last command.
    pub open_end: bool,
}

/// Words after which a shell expects a command.
const BEFORE_COMMANDS: [&str; 9] = [
    "!", "{", "do", "elif", "else", "if", "then", "until", "while",
];
/// Words that end what these have begun.
const ENDS: [&str; 4] = ["}", "done", "esac", "fi"];

/// Reads a line. What cannot be understood, such as a quote that is not closed, gives `None`.
pub fn parse(text: &str) -> Option<Line> {
    let mut reader = Reader {
        text,
        at: 0,
        line: Line::default(),
        current: Simple::default(),
        depth: 0,
        open: false,
        compound: false,
    };
    reader.read()?;
    Some(reader.line)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: Line,
    current: Simple,
    depth: usize,
    open: bool,
    compound: bool,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn takes(&mut self, start: &str) -> bool {
        let is_next = self.rest().starts_with(start);
        if is_next {
            self.at += start.len();
        }
        is_next
    }

    fn read(&mut self) -> Option<()> {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' => {
                    self.at += 1;
                }
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '#' => {
                    let end = self.rest().find('\n').unwrap_or(self.rest().len());
                    self.at += end;
                    // What follows a comment in its line belongs to it.
                    self.compound |= self.at == self.text.len();
                }
                '\n' | ';' => {
                    while self.peek().is_some_and(|c| c == ';' || c == '\n') {
                        self.at += 1;
                    }
                    self.end(false);
                }
                '&' if self.rest().starts_with("&>") => {
                    self.at += 1;
                    self.redirection()?;
                }
                '&' => {
                    let both = self.takes("&&");
                    self.at += usize::from(!both);
                    self.end(!both);
                }
                '|' => {
                    let either = self.takes("||");
                    if !either {
                        self.at += 1;
                        self.takes("&");
                    }
                    self.end(!either);
                }
                '(' => {
                    self.at += 1;
                    self.depth += 1;
                    self.end(false);
                }
                ')' => {
                    self.at += 1;
                    self.end(false);
                    self.depth = self.depth.saturating_sub(1);
                    self.compound |= self.depth == 0 && self.rest().trim().is_empty();
                }
                '<' | '>' => self.redirection()?,
                _ => self.word()?,
            }
        }
        self.open = !self.current.words.is_empty();
        self.end(false);
        self.line.open_end = self.open && !self.compound && self.depth == 0;
        Some(())
    }

    /// A word, or the number before a redirection.
    fn word(&mut self) -> Option<()> {
        let word = self.quoted()?;
        let is_number = !word.text.is_empty() && word.text.bytes().all(|b| b.is_ascii_digit());
        if is_number && matches!(self.peek(), Some('<' | '>')) {
            return self.redirection();
        }
        if self.current.words.is_empty() && !word.expands {
            if BEFORE_COMMANDS.contains(&word.text.as_str()) {
                return Some(());
            }
            if ENDS.contains(&word.text.as_str()) {
                self.compound = true;
                return Some(());
            }
        }
        self.compound = false;
        self.current.words.push(word);
        Some(())
    }

    fn redirection(&mut self) -> Option<()> {
        while matches!(self.peek(), Some('<' | '>' | '&' | '|')) {
            self.at += 1;
        }
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
        // The file is no word of the command.
        self.quoted().map(|_| ())
    }

    fn end(&mut self, apart: bool) {
        let mut simple = std::mem::take(&mut self.current);
        if !simple.words.is_empty() {
            simple.apart = apart;
            self.line.commands.push(simple);
        }
    }

    fn quoted(&mut self) -> Option<ShellWord> {
        let start = self.at;
        let mut text = String::new();
        let mut expands = false;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\'' => {
                    self.at += 1;
                    let end = self.rest().find('\'')?;
                    text.push_str(&self.rest()[..end]);
                    self.at += end + 1;
                }
                '"' => {
                    self.at += 1;
                    expands |= self.double_quoted(&mut text)?;
                }
                '\\' => {
                    self.at += 1;
                    match self.take()? {
                        '\n' => {}
                        c => text.push(c),
                    }
                }
                '$' | '`' => {
                    expands = true;
                    self.expansion(&mut text)?;
                }
                '*' | '?' | '[' => {
                    expands = true;
                    text.push(c);
                    self.at += 1;
                }
                c => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        (self.at > start).then_some(ShellWord {
            text,
            expands,
            span: start..self.at,
        })
    }

    fn double_quoted(&mut self, text: &mut String) -> Option<bool> {
        let mut expands = false;
        loop {
            match self.peek()? {
                '"' => {
                    self.at += 1;
                    return Some(expands);
                }
                '\\' => {
                    self.at += 1;
                    match self.take()? {
                        '\n' => {}
                        c @ ('"' | '\\' | '$' | '`') => text.push(c),
                        c => text.extend(['\\', c]),
                    }
                }
                '$' | '`' => {
                    expands = true;
                    self.expansion(text)?;
                }
                c => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// What the shell fills in, as it is written.
    fn expansion(&mut self, text: &mut String) -> Option<()> {
        let start = self.at;
        match self.take()? {
            '`' => {
                let end = self.rest().find('`')?;
                self.at += end + 1;
            }
            _ => match self.peek() {
                Some('(') => self.until('(', ')')?,
                Some('{') => self.until('{', '}')?,
                _ => {}
            },
        }
        text.push_str(&self.text[start..self.at]);
        Some(())
    }

    /// Up to what closes the bracket that comes next.
    fn until(&mut self, open: char, close: char) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.take()? {
                '\\' => {
                    self.take()?;
                }
                c if c == open => depth += 1,
                c if c == close && depth == 1 => return Some(()),
                c if c == close => depth -= 1,
                _ => {}
            }
        }
    }
}

/// The name and the value where a word of a shell assigns a variable.
pub fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let mut letters = name.chars();
    let starts = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let goes_on = letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    (starts && goes_on).then_some((name, value))
}

/// A word as a shell reads it back, with quotes where it needs them.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
