//! Reading a file: what is in it, all checked, or the place and the kind of the first thing that is
//! wrong with it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::FILE_LIMIT;
use super::entry::{Entry, Table};
use super::field::{Date, Name, PortField, Ranges, Version};
use crate::model::reservation::RESERVATIONS_LIMIT;
use crate::model::settings::Settings;
use crate::model::text::{escape, shorten};
use crate::model::{Port, Timestamp};

/// The most pools in a file.
const POOLS_LIMIT: usize = 1024;
/// The most characters of a message that the parser gives.
const MESSAGE_LIMIT: usize = 400;

/// What a file brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Those in the full form before those in the short one.
    pub(super) entries: Vec<Entry>,
    pub(super) settings: Settings,
    /// The ports that services had, the last one first.
    pub(super) history: BTreeMap<(String, String), Vec<Port>>,
    pub(super) pools: BTreeMap<String, (String, Option<Timestamp>)>,
}

impl Import {
    /// Whether it brings nothing at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.settings.iter().next().is_none()
            && self.history.is_empty()
            && self.pools.is_empty()
    }

    /// How many reservations it brings.
    pub fn reservations(&self) -> usize {
        self.entries.len()
    }

    /// Leaves out the claims of processes that ended with an earlier boot of the system, or that ran
    /// on another one; what was reserved without expiry before it was claimed stays, as that. Gives
    /// how many are gone.
    pub fn leave_out_ended(&mut self, boot: &str) -> usize {
        let before = self.entries.len();
        let entries = std::mem::take(&mut self.entries);
        self.entries = entries
            .into_iter()
            .filter_map(|entry| entry.in_boot(boot))
            .collect();
        before - self.entries.len()
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is longer than [`FILE_LIMIT`].
    #[error("the file has {0} bytes: at most {FILE_LIMIT} are read")]
    TooLong(usize),
    /// It has more than can be taken.
    #[error("the file has {count} {what}: there can be at most {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there can be.
        limit: usize,
    },
    /// It is not TOML, or not of this form.
    #[error("line {line}: {message}")]
    Wrong {
        /// In which line, from 1.
        line: usize,
        /// What is wrong, for a person.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: Option<Version>,
    #[serde(default)]
    settings: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    reservation: Vec<Spanned<Table>>,
    #[serde(default)]
    history: BTreeMap<Name, BTreeMap<Name, Vec<PortField>>>,
    #[serde(default)]
    pools: BTreeMap<Name, PoolTable>,
    #[serde(default)]
    projects: BTreeMap<Name, BTreeMap<Name, PortField>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolTable {
    ports: Ranges,
    created_at: Option<Date>,
}

/// Reads what [`super::export`] writes, and services with their ports as people write them.
pub fn parse(text: &str) -> Result<Import, ImportError> {
    if text.len() > FILE_LIMIT {
        return Err(ImportError::TooLong(text.len()));
    }
    let file: File = toml::from_str(text)
        .map_err(|error: toml::de::Error| wrong(text, error.span(), error.message()))?;
    let mut entries = Vec::with_capacity(file.reservation.len());
    for table in file.reservation {
        let span = table.span();
        let entry = Entry::try_from(table.into_inner())
            .map_err(|message| wrong(text, Some(span), message))?;
        entries.push(entry);
    }
    for (Name(project), services) in file.projects {
        for (Name(service), PortField(port)) in services {
            entries.push(Entry::plain(project.clone(), service, port));
        }
    }
    let mut settings = Settings::default();
    for (name, value) in file.settings {
        set(&mut settings, &name, value.get_ref())
            .map_err(|message| wrong(text, Some(value.span()), &message))?;
    }
    let history = file
        .history
        .into_iter()
        .flat_map(|(Name(project), services)| {
            services.into_iter().map(move |(Name(service), ports)| {
                let ports = ports.into_iter().map(|PortField(port)| port).collect();
                ((project.clone(), service), ports)
            })
        })
        .collect();
    let pools = file
        .pools
        .into_iter()
        .map(|(Name(name), pool)| (name, (pool.ports.0, pool.created_at.map(|Date(time)| time))))
        .collect();
    let import = Import {
        entries,
        settings,
        history,
        pools,
    };
    check_bounds(&import)?;
    Ok(import)
}

fn check_bounds(import: &Import) -> Result<(), ImportError> {
    let bounds = [
        ("reservations", import.entries.len(), RESERVATIONS_LIMIT),
        (
            "services in its history",
            import.history.len(),
            RESERVATIONS_LIMIT,
        ),
        ("pools", import.pools.len(), POOLS_LIMIT),
    ];
    let over = bounds.into_iter().find(|(_, count, limit)| count > limit);
    match over {
        Some((what, count, limit)) => Err(ImportError::TooMany { what, count, limit }),
        None => Ok(()),
    }
}

/// Sets a key to a value as TOML has it: a number, a switch, a text, or a list of ports.
fn set(settings: &mut Settings, name: &str, value: &Value) -> Result<(), String> {
    let text = match value {
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_integer().map(|number| number.to_string()))
            .collect::<Option<Vec<_>>>()
            .map(|items| items.join(",")),
        value => plain(value),
    };
    let text = text.ok_or_else(|| {
        format!(
            "{} takes a number, true or false, a text, or a list of ports",
            escape(name)
        )
    })?;
    settings
        .set(name, &text)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(switch) => Some(switch.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn wrong(text: &str, at: Option<Range<usize>>, message: &str) -> ImportError {
    let before = text.get(..at.map_or(0, |at| at.start)).unwrap_or(text);
    ImportError::Wrong {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        message: escape(&shorten(message, MESSAGE_LIMIT)).into_owned(),
    }
}
