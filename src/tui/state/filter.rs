//! The filter that is typed: the words of `freeport list`, and the beginnings of ports.

use crate::ipc::view::filter::Filter;
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::Port;
use crate::model::log::Entry;

/// The longest filter.
const LONGEST: usize = 200;

/// What is typed, and what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterLine {
    /// What is typed.
    pub text: String,
    /// Whether it is being typed.
    pub typing: bool,
    /// Why it means nothing yet, as with `3000-` on the way to `3000-3999`. What it meant before
    /// goes on.
    pub problem: Option<String>,
    words: Vec<Word>,
}

/// A word of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    filter: Filter,
    /// Its digits, where it is a port that nobody is on: those that begin so are meant then.
    beginning: Option<String>,
}

impl FilterLine {
    /// Adds to it.
    pub fn push(&mut self, text: &str) {
        let text = text.chars().filter(|c| !c.is_control());
        let room = LONGEST.saturating_sub(self.text.chars().count());
        self.text.extend(text.take(room));
        self.read();
    }

    /// Takes the last character away.
    pub fn pop(&mut self) {
        self.text.pop();
        self.read();
    }

    /// Takes the last word away.
    pub fn pop_word(&mut self) {
        let kept = self.text.trim_end();
        let end = kept.rfind(' ').map_or(0, |space| space + 1);
        self.text.truncate(end);
        self.read();
    }

    /// Takes all of it away.
    pub fn clear(&mut self) {
        *self = FilterLine::default();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn read(&mut self) {
        let words = self.text.split_whitespace().map(str::parse::<Filter>);
        match words.collect::<Result<Vec<_>, _>>() {
            Ok(filters) => {
                let word = |filter| Word {
                    filter,
                    beginning: None,
                };
                self.words = filters.into_iter().map(word).collect();
                self.problem = None;
            }
            Err(error) => self.problem = Some(error.to_string()),
        }
    }

    /// Takes the ports that there are: a port that is not among them stands for those that begin so.
    pub fn meet(&mut self, ports: impl Iterator<Item = Port> + Clone) {
        for word in &mut self.words {
            let port = word.filter.port();
            let alone = port.filter(|port| !ports.clone().any(|there| there == *port));
            word.beginning = alone.map(|port| port.to_string());
        }
    }

    /// Whether a port is one that is named, which is shown whoever it belongs to.
    pub fn names(&self, port: Port) -> bool {
        let named = |word: &Word| word.filter.port() == Some(port) || word.begins(port);
        self.words.iter().any(named)
    }

    /// Whether a listener is chosen.
    pub fn matches(&self, listener: &ListenerView) -> bool {
        self.any(|word| word.filter.matches(listener) || word.begins(listener.port))
    }

    /// Whether a reservation is chosen.
    pub fn matches_reserved(&self, view: &ReservationView) -> bool {
        self.any(|word| word.filter.matches_held(view) || word.begins(view.port))
    }

    /// Whether an entry of the log is chosen.
    pub fn matches_entry(&self, entry: &Entry) -> bool {
        let texts = [
            Some(entry.event.word()),
            entry.project.as_deref(),
            entry.service.as_deref(),
            entry.name.as_deref(),
        ];
        self.any(|word| {
            let at = |port: Port| word.holds(port) || word.begins(port);
            entry.port.is_some_and(at) || word.is_in(texts.into_iter().flatten())
        })
    }

    /// Whether something that is called so, and has these ports, is chosen.
    pub fn matches_named(&self, name: &str, has: impl Fn(Port) -> bool) -> bool {
        self.any(|word| {
            let port = match &word.filter {
                Filter::Ports(range) => range.iter().any(&has),
                Filter::Text(_) => false,
            };
            port || word.is_in([name])
        })
    }

    fn any(&self, chosen: impl Fn(&Word) -> bool) -> bool {
        self.words.is_empty() || self.words.iter().any(chosen)
    }
}

impl Word {
    fn begins(&self, port: Port) -> bool {
        let beginning = self.beginning.as_ref();
        beginning.is_some_and(|digits| port.to_string().starts_with(digits))
    }

    fn holds(&self, port: Port) -> bool {
        matches!(&self.filter, Filter::Ports(range) if range.contains(port))
    }

    fn is_in<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        match &self.filter {
            Filter::Text(text) => texts
                .into_iter()
                .any(|candidate| candidate.to_lowercase().contains(text.as_str())),
            Filter::Ports(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(all: &[u16]) -> Vec<Port> {
        all.iter().filter_map(|&port| Port::new(port)).collect()
    }

    #[test]
    fn a_port_that_is_there_is_meant_alone_and_any_other_is_a_beginning() {
        let there = ports(&[300, 3000, 3001, 30001, 80]);
        let chosen = |text: &str| {
            let mut line = FilterLine::default();
            line.push(text);
            line.meet(there.iter().copied());
            let named = there.iter().filter(|port| line.names(**port));
            named.map(|port| port.get()).collect::<Vec<_>>()
        };
        assert_eq!(chosen("3000"), [3000]);
        assert_eq!(chosen("300"), [300]);
        assert_eq!(chosen("30"), [300, 3000, 3001, 30001]);
        assert_eq!(chosen("8 3001"), [3001, 80]);
        assert_eq!(chosen("vite"), [0; 0]);
    }

    #[test]
    fn what_is_half_typed_leaves_what_was_meant_before() {
        let mut line = FilterLine::default();
        line.push("3000");
        let before = line.words.clone();
        line.push("-");
        assert!(line.problem.is_some() && line.words == before);
        line.push("3999");
        assert!(line.problem.is_none() && line.words != before);
        line.pop_word();
        assert!(line.is_empty() && line.text.is_empty());
        line.push("a\u{1b}\nb");
        assert_eq!(line.text, "ab");
    }
}
