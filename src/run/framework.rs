//! What a framework is: how it is recognised, and how it is told its port. The facts themselves are
//! in [`super::frameworks`].

use crate::model::Port;

/// A program that serves on a port.
#[derive(Debug)]
pub struct Framework {
    /// What it is called.
    pub name: &'static str,
    /// The commands that start it.
    pub started_by: &'static [Start],
    /// How its command line says the port.
    pub told: Told,
    /// What makes it give up where the port is busy, rather than take another one.
    pub strict: &'static [&'static str],
    /// The variables that say its port, with `{port}` in their values; `PORT` aside, which every
    /// command gets.
    pub variables: &'static [(&'static str, &'static str)],
    /// What it makes of the variable `PORT`.
    pub heeds: Heeds,
    /// The port that it takes by itself.
    pub default_port: u16,
    /// What it does where its port is busy.
    pub when_busy: WhenBusy,
    /// The version that this was seen with; empty where it is from its documentation.
    pub seen_with: &'static str,
}

/// A way to start a framework.
#[derive(Debug)]
pub struct Start {
    /// The names of the program, or of the Python module.
    pub programs: &'static [&'static str],
    /// Whether those are modules: `python -m NAME`.
    pub is_module: bool,
    /// The words that have to follow.
    pub verbs: Verbs,
}

/// Which words after a program make it serve.
#[derive(Debug)]
pub enum Verbs {
    /// It always does.
    Any,
    /// With one of these as its first argument.
    Only(&'static [&'static str]),
    /// Unless its first argument is one of these.
    AllBut(&'static [&'static str]),
    /// With one of these options among its arguments.
    With(&'static [&'static str]),
}

/// How the port stands on a command line.
#[derive(Debug)]
pub enum Told {
    /// As the value of an option.
    Option {
        /// The option's names, all of which are understood.
        names: &'static [&'static str],
        /// How it is written, with `{port}` for the port.
        written: &'static [&'static str],
        /// Whether it has to stand before what follows the verb.
        first: bool,
        /// Whether the last one counts where there are several.
        last_counts: bool,
    },
    /// As an argument, `8000` or `127.0.0.1:8000`.
    Argument {
        /// The options that have no value; the word after any other one is its value.
        switches: &'static [&'static str],
    },
    /// Not at all.
    Nowhere,
}

/// What a framework makes of the variable `PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heeds {
    /// It takes it as its port.
    Yes,
    /// It does not look at it.
    No,
}

/// What a framework does where its port is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBusy {
    /// It ends with an error.
    Fails,
    /// It takes another port.
    TakesAnother,
    /// It takes another port unless one was named, where it ends with an error.
    TakesAnotherUnlessTold,
    /// It asks on a terminal, and ends with an error without one.
    Asks,
    /// Not known.
    Unknown,
}

impl Framework {
    /// The port that it takes by itself.
    pub fn port(&self) -> Option<Port> {
        Port::new(self.default_port)
    }

    /// Whether a variable tells it its port.
    pub fn heeds_a_variable(&self) -> bool {
        self.heeds == Heeds::Yes || !self.variables.is_empty()
    }

    /// Its own variables for a port.
    pub fn variables_for(&self, port: Port) -> Vec<(String, String)> {
        let filled = |text: &str| text.replace("{port}", &port.to_string());
        let all = self.variables.iter();
        all.map(|(name, value)| ((*name).to_owned(), filled(value)))
            .collect()
    }
}

impl Start {
    /// Where a program is followed by what makes it serve: the number of words that make up the
    /// command, the program included. `words` are the arguments.
    pub fn matches(&self, program: &str, is_module: bool, words: &[&str]) -> Option<usize> {
        if is_module != self.is_module || !self.programs.contains(&program) {
            return None;
        }
        match self.verbs {
            Verbs::Any => Some(1),
            Verbs::Only(verbs) => verb(words, verbs).map(|at| at + 2),
            Verbs::AllBut(verbs) => match verb(words, verbs) {
                Some(_) => None,
                None => Some(1),
            },
            Verbs::With(options) => words.iter().any(|word| options.contains(word)).then_some(1),
        }
    }
}

/// Where one of the verbs is the first argument. Of a word after an option it is not known whether
/// it is that one's value: it is a verb if it reads as one, else it is not looked at.
fn verb(words: &[&str], verbs: &[&str]) -> Option<usize> {
    let mut after_option = false;
    for (at, word) in words.iter().enumerate() {
        if *word == "--" {
            return None;
        }
        if word.starts_with('-') {
            after_option = !word.contains('=');
            continue;
        }
        if verbs.contains(word) {
            return Some(at);
        }
        if !std::mem::take(&mut after_option) {
            return None;
        }
    }
    None
}

/// A value with another port in it: `5000`, `127.0.0.1:5000`, `:5000`. `None` where there is none.
pub fn with_port(value: &str, port: Port) -> Option<String> {
    let (before, number) = value
        .rsplit_once(':')
        .map_or(("", value), |(address, n)| (&value[..=address.len()], n));
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| format!("{before}{port}"))
}

/// The port in such a value.
pub fn port_in(value: &str) -> Option<Port> {
    value.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::frameworks::all;

    #[test]
    fn the_table_is_whole() {
        let mut names: Vec<&str> = all().iter().map(|framework| framework.name).collect();
        for framework in all() {
            let name = framework.name;
            assert!(!framework.started_by.is_empty(), "{name} is never started");
            for start in framework.started_by {
                assert!(!start.programs.is_empty(), "{name} has no program");
            }
            let is_told = match framework.told {
                Told::Option { names, written, .. } => {
                    let first = written.first().and_then(|word| word.split('=').next());
                    let is_its_own = first.is_some_and(|first| names.contains(&first));
                    assert!(is_its_own, "{name} writes an option that it does not read");
                    let ports = written.concat().matches("{port}").count();
                    assert_eq!(ports, 1, "{name} writes the port once");
                    true
                }
                Told::Argument { .. } => true,
                Told::Nowhere => framework.heeds_a_variable(),
            };
            assert!(is_told, "{name} cannot be told its port");
            for (variable, value) in framework.variables {
                assert_ne!(*variable, "PORT", "{name}: every command gets that one");
                assert!(value.contains("{port}"), "{name}: {variable} has no port");
            }
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "no framework stands there twice");
    }

    #[test]
    fn verbs() {
        let only = |words: &[&str]| {
            let start = Start {
                programs: &["x"],
                is_module: false,
                verbs: Verbs::Only(&["run", "serve"]),
            };
            start.matches("x", false, words)
        };
        assert_eq!(only(&["run"]), Some(2));
        assert_eq!(only(&["--app", "a", "run", "b"]), Some(4));
        assert_eq!(only(&["--debug", "run"]), Some(3));
        assert_eq!(only(&["--app=a", "run"]), Some(3));
        for not in [
            &["build", "run"][..],
            &["--app=a", "b", "run"],
            &["--", "run"],
            &["--run"],
            &[],
        ] {
            assert_eq!(only(not), None, "{not:?}");
        }
    }

    #[test]
    fn values_get_another_port() {
        let port = Port::MAX;
        for (value, expected) in [
            ("5000", Some("65535")),
            (":5000", Some(":65535")),
            ("[::1]:80", Some("[::1]:65535")),
            ("tcp://0.0.0.0:80", Some("tcp://0.0.0.0:65535")),
            ("auto", None),
            ("host:", None),
            ("unix:/x", None),
            ("", None),
        ] {
            assert_eq!(with_port(value, port).as_deref(), expected, "{value}");
        }
    }
}
