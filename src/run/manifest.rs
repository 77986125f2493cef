//! `freeport.toml`: what a project says of its services and their ports.
//!
//! ```toml
//! project = "shop"
//! strict = false
//!
//! [services.web]
//! port = 3000
//! hold = "seam"
//! ```

use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::HoldMode;
use crate::model::reservation::check_name;
use crate::model::text::escape;
use crate::model::{Port, Protocol};
use crate::platform::files::open_at_once;
use crate::platform::project;

/// The name of the file.
pub const NAME: &str = "freeport.toml";
/// The longest file that is read.
const LIMIT: u64 = 256 * 1024;

/// What the file of a project says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Where it is.
    pub file: PathBuf,
    /// What the project is called.
    pub project: Option<String>,
    /// Whether its services take no other port than theirs.
    pub strict: bool,
    /// Its services, in the order of the file.
    pub services: Vec<Service>,
}

/// A service of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What it is called.
    pub name: String,
    /// The port that it prefers.
    pub port: Option<Port>,
    /// Whether no other one will do; what holds for the project, where it does not say.
    pub strict: bool,
    /// Its protocol.
    pub protocol: Option<Protocol>,
    /// How its port is held.
    pub hold: Option<HoldMode>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is there, and cannot be read.
    #[error("{} cannot be read: {source}", shown(file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {message}", shown(file))]
    Wrong {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what is allowed.
        message: String,
    },
}

fn shown(file: &Path) -> String {
    escape(&file.to_string_lossy()).into_owned()
}

/// The file of the project that a folder belongs to: the nearest one, from the folder up to the
/// project's root. `None` where there is none.
pub fn find(folder: &Path) -> Result<Option<Manifest>, ManifestError> {
    let root = project::of(folder).map_or_else(|| folder.to_owned(), |project| project.root);
    for folder in folder.ancestors() {
        let file = folder.join(NAME);
        if let Some(text) = read(&file)? {
            return parse(&text, &file).map(Some);
        }
        if folder == root {
            break;
        }
    }
    Ok(None)
}

fn read(file: &Path) -> Result<Option<String>, ManifestError> {
    let failed = |source| ManifestError::Unreadable {
        file: file.to_owned(),
        source,
    };
    let opened = match open_at_once(file) {
        Ok(opened) => opened,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(failed(error)),
            };
        }
    };
    let about = opened.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    let mut text = String::new();
    opened
        .take(LIMIT + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > LIMIT {
        return Err(failed(io::Error::other("it is longer than 256 KiB")));
    }
    Ok(Some(text))
}

/// Something wrong, and where.
struct Wrong {
    span: Range<usize>,
    message: String,
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the text of a file.
pub fn parse(text: &str, file: &Path) -> Result<Manifest, ManifestError> {
    let wrong = |wrong: Wrong| ManifestError::Wrong {
        file: file.to_owned(),
        line: text[..wrong.span.start.min(text.len())]
            .matches('\n')
            .count()
            + 1,
        message: wrong.message,
    };
    let table = DeTable::parse(text).map_err(|error| {
        wrong(Wrong {
            span: error.span().unwrap_or_default(),
            message: escape(error.message().trim()).into_owned(),
        })
    })?;
    let mut manifest = Manifest {
        file: file.to_owned(),
        ..Manifest::default()
    };
    manifest.fill(&table).map_err(wrong)?;
    Ok(manifest)
}

impl Manifest {
    fn fill(&mut self, table: &Spanned<DeTable<'_>>) -> Result<(), Wrong> {
        let mut services = Vec::new();
        for (key, value) in in_order(table.get_ref()) {
            match key.get_ref().as_ref() {
                "project" => self.project = Some(name(key, value)?),
                "strict" => self.strict = switch(key, value)?,
                "services" => services = in_order(sub_table(key, value)?),
                _ => return Err(unknown(key, "", "project, strict and [services.NAME]")),
            }
        }
        for (key, value) in services {
            let service = Service::read(key, value, self.strict)?;
            self.services.push(service);
        }
        Ok(())
    }
}

impl Service {
    fn read(key: &Key<'_>, value: &Value<'_>, strict: bool) -> Result<Service, Wrong> {
        let named = key.get_ref();
        check_name(named).map_err(|error| Wrong {
            span: key.span(),
            message: format!("services: {error}"),
        })?;
        let mut service = Service {
            name: named.to_string(),
            port: None,
            strict,
            protocol: None,
            hold: None,
        };
        for (key, value) in in_order(sub_table(key, value)?) {
            match key.get_ref().as_ref() {
                "port" => service.port = Some(port(key, value)?),
                "strict" => service.strict = switch(key, value)?,
                "protocol" => {
                    let known = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
                    service.protocol = Some(one_of(key, value, &known)?);
                }
                "hold" => {
                    let known = [
                        ("seam", HoldMode::Seam),
                        ("gate", HoldMode::Gate),
                        ("off", HoldMode::Off),
                    ];
                    service.hold = Some(one_of(key, value, &known)?);
                }
                _ => {
                    let place = format!(" in services.{}", service.name);
                    return Err(unknown(key, &place, "port, strict, protocol and hold"));
                }
            }
        }
        Ok(service)
    }
}

/// The entries of a table as they stand in the file.
fn in_order<'t, 'a>(table: &'t DeTable<'a>) -> Vec<(&'t Key<'a>, &'t Value<'a>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn unknown(key: &Key<'_>, place: &str, allowed: &str) -> Wrong {
    Wrong {
        span: key.span(),
        message: format!(
            "there is no key '{}'{place}: use {allowed}",
            escape(key.get_ref())
        ),
    }
}

fn unfit(key: &Key<'_>, value: &Value<'_>, allowed: &str) -> Wrong {
    let given = match value.get_ref() {
        DeValue::String(text) => format!("'{}'", escape(text)),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        other => format!("a value of type {}", other.type_str()),
    };
    Wrong {
        span: value.span(),
        message: format!("{} cannot be {given}: use {allowed}", escape(key.get_ref())),
    }
}

fn sub_table<'t, 'a>(key: &Key<'a>, value: &'t Value<'a>) -> Result<&'t DeTable<'a>, Wrong> {
    let allowed = match key.get_ref().as_ref() {
        "services" => "a table: [services.web]".to_owned(),
        name => format!("a table: [services.{name}]"),
    };
    let table = value.get_ref().as_table();
    table.ok_or_else(|| unfit(key, value, &allowed))
}

fn switch(key: &Key<'_>, value: &Value<'_>) -> Result<bool, Wrong> {
    let switch = value.get_ref().as_bool();
    switch.ok_or_else(|| unfit(key, value, "true or false"))
}

fn name(key: &Key<'_>, value: &Value<'_>) -> Result<String, Wrong> {
    let text = value.get_ref().as_str();
    let text = text.ok_or_else(|| unfit(key, value, "a name in quotes"))?;
    check_name(text).map_err(|error| Wrong {
        span: value.span(),
        message: format!("{}: {error}", escape(key.get_ref())),
    })?;
    Ok(text.to_owned())
}

fn port(key: &Key<'_>, value: &Value<'_>) -> Result<Port, Wrong> {
    let number = value.get_ref().as_integer();
    let number = number.and_then(|n| u16::from_str_radix(n.as_str(), n.radix()).ok());
    number
        .and_then(Port::new)
        .ok_or_else(|| unfit(key, value, "a number from 1 to 65535"))
}

fn one_of<T: Copy>(key: &Key<'_>, value: &Value<'_>, known: &[(&str, T)]) -> Result<T, Wrong> {
    let text = value.get_ref().as_str();
    let found = known.iter().find(|(name, _)| Some(*name) == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<String> = known.iter().map(|(name, _)| format!("'{name}'")).collect();
        unfit(key, value, &names.join(" or "))
    })
}

#[cfg(test)]
mod tests;
