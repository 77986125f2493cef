//! `{port}` and `{port:NAME}` in the arguments: the user says where the port goes.
//!
//! `${port}` is a shell's, and `{{port}}` a template's: both stay as they are.

use std::ffi::{OsStr, OsString};
use std::ops::Range;

use crate::model::text::escape;
use crate::platform::os_text;
use crate::run::variables::{Named, first};

/// Why a placeholder cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// It names a service that has no port here.
    #[error(
        "{{port:{}}} names a service that has no port here: {}",
        escape(name),
        known_words(known)
    )]
    Unknown {
        /// The name.
        name: String,
        /// The services that have one.
        known: Vec<String>,
    },
}

fn known_words(known: &[String]) -> String {
    if known.is_empty() {
        return "use {port}".to_owned();
    }
    let known: Vec<_> = known.iter().map(|name| escape(name)).collect();
    format!("those that have are {}", known.join(", "))
}

/// Whether there is one in these words.
pub fn is_in(words: &[OsString]) -> bool {
    words.iter().any(|word| is_in_text(word))
}

/// Whether there is one in this word.
pub fn is_in_text(word: &OsStr) -> bool {
    next(word.as_encoded_bytes(), 0).is_some()
}

/// The words with the ports in them.
pub fn fill(words: Vec<OsString>, ports: &[Named]) -> Result<Vec<OsString>, PlaceholderError> {
    words
        .into_iter()
        .map(|word| fill_one(word, ports))
        .collect()
}

fn fill_one(word: OsString, ports: &[Named]) -> Result<OsString, PlaceholderError> {
    let bytes = word.as_encoded_bytes();
    let mut filled = Vec::with_capacity(bytes.len());
    let mut from = 0;
    while let Some((span, name)) = next(bytes, from) {
        filled.extend_from_slice(&bytes[from..span.start]);
        let port = match name {
            None => first(ports).map(|(port, _)| port),
            Some(name) => Some(named(name, ports)?),
        };
        match port {
            Some(port) => filled.extend_from_slice(port.to_string().as_bytes()),
            None => filled.extend_from_slice(&bytes[span.clone()]),
        }
        from = span.end;
    }
    if from == 0 {
        return Ok(word);
    }
    filled.extend_from_slice(&bytes[from..]);
    Ok(os_text(filled))
}

fn named(name: &[u8], ports: &[Named]) -> Result<crate::model::Port, PlaceholderError> {
    let is_it = |service: &Option<String>| service.as_deref().map(str::as_bytes) == Some(name);
    let found = ports.iter().find(|(service, _, _)| is_it(service));
    found
        .map(|(_, port, _)| *port)
        .ok_or_else(|| PlaceholderError::Unknown {
            name: String::from_utf8_lossy(name).into_owned(),
            known: ports
                .iter()
                .filter_map(|(name, _, _)| name.clone())
                .collect(),
        })
}

/// The next placeholder from a byte on: where it is, and whom it names.
fn next(bytes: &[u8], from: usize) -> Option<(Range<usize>, Option<&[u8]>)> {
    const START: &[u8] = b"{port";
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.windows(START.len()).position(|part| part == START)?;
        let after = at + START.len();
        let is_foreign = at > 0 && matches!(bytes[at - 1], b'$' | b'{');
        if !is_foreign {
            match bytes.get(after)? {
                b'}' => return Some((at..after + 1, None)),
                b':' => {
                    let name = &bytes[after + 1..];
                    if let Some(length) = name.iter().position(|b| matches!(b, b'}' | b'{'))
                        && length > 0
                        && name[length] == b'}'
                    {
                        return Some((at..after + length + 2, Some(&name[..length])));
                    }
                }
                _ => {}
            }
        }
        at = after;
    }
}
