//! What the user can set: the keys, their defaults, and what values they take. One table, from
//! which the command line, the protocol and the documents follow.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Port, PortList, PortRange};

/// What kind of value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number of seconds, from the first to the second; also written as `90s`, `5m`, `1h`.
    Seconds(u64, u64),
    /// A number, from the first to the second.
    Number(u64, u64),
    /// `true` or `false`.
    Switch,
    /// Ports with commas between them.
    Ports,
    /// A range of ports.
    Range,
    /// Ports and ranges of them.
    List,
    /// The name of an abstract Unix socket, `@name`, or nothing.
    Socket,
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it is when it is not set.
    pub default: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What it decides.
    pub meaning: &'static str,
}

const DAY: u64 = 24 * 60 * 60;
/// The longest name of an abstract socket (unix(7): 108 bytes with the zero before it).
const SOCKET_NAME_LIMIT: usize = 107;

/// All keys, by name.
pub const KEYS: [Key; 16] = [
    key(
        "audit_days",
        "30",
        Kind::Number(1, 3650),
        "how many days the log goes back",
    ),
    key(
        "audit_rows",
        "10000",
        Kind::Number(100, 1_000_000),
        "how many entries the log has at most",
    ),
    key(
        "backup_count",
        "7",
        Kind::Number(1, 365),
        "how many daily backups are kept",
    ),
    key(
        "cleanup_interval",
        "60",
        Kind::Seconds(5, DAY),
        "how often the app looks for what is to be cleaned up, beside what it notices at once",
    ),
    key(
        "default_lease_duration",
        "3600",
        Kind::Seconds(1, 30 * DAY),
        "how long a claim lasts without a heartbeat, where none was asked for",
    ),
    key(
        "heartbeat_interval",
        "30",
        Kind::Seconds(1, DAY),
        "how often a client that sends heartbeats is expected to",
    ),
    key(
        "leftover_age",
        "3600",
        Kind::Seconds(0, 365 * DAY),
        "how old a server without terminal, parent or folder must be to be called a leftover",
    ),
    key(
        "notify_cleanup",
        "true",
        Kind::Switch,
        "whether a notification tells of reservations that were cleaned up",
    ),
    key(
        "notify_intruder",
        "true",
        Kind::Switch,
        "whether a notification warns of somebody else on a reserved port",
    ),
    key(
        "notify_refused",
        "true",
        Kind::Switch,
        "whether a notification tells that a program was refused a port",
    ),
    key(
        "notify_shadowed",
        "true",
        Kind::Switch,
        "whether a notification warns of two processes that share a port number",
    ),
    key(
        "port_range",
        "3000-9999",
        Kind::Range,
        "where ports are chosen from, after the preferred ones",
    ),
    key(
        "portserver_address",
        "",
        Kind::Socket,
        "where the portserver listens beside its file: @name, an abstract Unix socket",
    ),
    key(
        "portserver_ports",
        "15000-24999",
        Kind::List,
        "which ports the portserver gives out, in turn",
    ),
    key(
        "preferred_ports",
        "3000,3001,3002,8000,8001,8080,8081,5000,5001",
        Kind::Ports,
        "which ports are chosen first, in this order",
    ),
    key(
        "stale_threshold",
        "120",
        Kind::Seconds(2, 30 * DAY),
        "how long a client that has sent heartbeats may be silent",
    ),
];

const fn key(name: &'static str, default: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key {
        name,
        default,
        kind,
        meaning,
    }
}

/// Why a key cannot be read or set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such key.
    #[error("there is no setting '{0}'")]
    Unknown(String),
    /// The value is not one that the key takes.
    #[error("'{value}' is no value for {key}: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What it takes.
        why: String,
    },
}

/// The settings: what was set, and the defaults of everything else. Values are kept in their
/// normal form, and are valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<&'static str, String>);

/// The key with this name.
pub fn find(name: &str) -> Result<&'static Key, SettingError> {
    KEYS.iter()
        .find(|key| key.name == name)
        .ok_or_else(|| SettingError::Unknown(super::text::escape(name).into_owned()))
}

impl Settings {
    /// Sets a key; gives the value in its normal form.
    pub fn set(&mut self, name: &str, value: &str) -> Result<&str, SettingError> {
        let key = find(name)?;
        let value = key.normal(value)?;
        let entry = self.0.entry(key.name).or_default();
        *entry = value;
        Ok(entry)
    }

    /// Takes a key back to its default.
    pub fn unset(&mut self, name: &str) -> Result<(), SettingError> {
        self.0.remove(find(name)?.name);
        Ok(())
    }

    /// The value of a key; its default when it was not set.
    pub fn get<'a>(&'a self, key: &Key) -> &'a str {
        self.0.get(key.name).map_or(key.default, String::as_str)
    }

    /// Whether a key was set.
    pub fn is_set(&self, key: &Key) -> bool {
        self.0.contains_key(key.name)
    }

    /// What was set, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, value)| (*key, value.as_str()))
    }

    fn value(&self, name: &str) -> &str {
        find(name).map_or("", |key| self.get(key))
    }

    /// A duration.
    pub fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.number(name))
    }

    /// A number.
    pub fn number(&self, name: &str) -> u64 {
        self.value(name).parse().unwrap_or_default()
    }

    /// A switch.
    pub fn is_on(&self, name: &str) -> bool {
        self.value(name) == "true"
    }

    /// The ports that are chosen first.
    pub fn preferred_ports(&self) -> Vec<Port> {
        ports(self.value("preferred_ports")).unwrap_or_default()
    }

    /// The ports that the portserver gives out.
    pub fn portserver_ports(&self) -> Option<PortList> {
        self.value("portserver_ports").parse().ok()
    }

    /// Where the portserver listens beside its file; empty where it does not.
    pub fn portserver_address(&self) -> &str {
        self.value("portserver_address")
    }

    /// Where ports are chosen from.
    pub fn port_range(&self) -> Option<PortRange> {
        self.value("port_range").parse().ok()
    }
}

impl Key {
    /// A value in its normal form.
    fn normal(&'static self, value: &str) -> Result<String, SettingError> {
        let bad = |why: String| SettingError::Value {
            key: self.name,
            value: super::text::escape(value).into_owned(),
            why,
        };
        let within = |number: Option<u64>, least: u64, most: u64, unit: &str| {
            number
                .filter(|number| (least..=most).contains(number))
                .map(|number| number.to_string())
                .ok_or_else(|| bad(format!("use {least} to {most}{unit}")))
        };
        match self.kind {
            Kind::Seconds(least, most) => {
                let seconds = value.parse().ok().or_else(|| {
                    let duration = humantime::parse_duration(value).ok()?;
                    (duration.subsec_nanos() == 0).then_some(duration.as_secs())
                });
                within(
                    seconds,
                    least,
                    most,
                    " seconds, or write it as 90s, 5m or 1h",
                )
            }
            Kind::Number(least, most) => within(value.parse().ok(), least, most, ""),
            Kind::Switch => match value {
                "true" | "on" | "yes" | "1" => Ok("true".to_owned()),
                "false" | "off" | "no" | "0" => Ok("false".to_owned()),
                _ => Err(bad("use true or false".to_owned())),
            },
            Kind::Ports => {
                let ports = ports(value).map_err(|error| bad(error.to_string()))?;
                let texts: Vec<String> = ports.iter().map(ToString::to_string).collect();
                Ok(texts.join(","))
            }
            Kind::List => value
                .parse::<PortList>()
                .map(|list| list.to_string())
                .map_err(|error| bad(error.to_string())),
            Kind::Socket => match value.strip_prefix('@') {
                _ if value.is_empty() => Ok(String::new()),
                Some(name) if (1..=SOCKET_NAME_LIMIT).contains(&name.len()) => {
                    match name.bytes().all(|byte| byte.is_ascii_graphic()) {
                        true => Ok(value.to_owned()),
                        false => Err(bad("use letters, digits and signs of ASCII".to_owned())),
                    }
                }
                Some(_) => Err(bad(format!(
                    "use 1 to {SOCKET_NAME_LIMIT} bytes after the @"
                ))),
                None => Err(bad("use @name, or nothing".to_owned())),
            },
            Kind::Range => value
                .parse::<PortRange>()
                .map(|range| range.to_string())
                .map_err(|error| bad(error.to_string())),
        }
    }
}

fn ports(text: &str) -> Result<Vec<Port>, super::PortError> {
    text.split(',')
        .map(str::trim)
        .filter(|port| !port.is_empty())
        .map(str::parse)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_values_in_their_normal_form() {
        for key in &KEYS {
            assert_eq!(
                key.normal(key.default).as_deref(),
                Ok(key.default),
                "{}",
                key.name
            );
        }
        assert!(KEYS.is_sorted_by_key(|key| key.name));
    }

    #[test]
    fn values_are_checked_and_brought_into_form() {
        let mut settings = Settings::default();
        assert_eq!(settings.set("default_lease_duration", "2h"), Ok("7200"));
        assert_eq!(
            settings.seconds("default_lease_duration"),
            Duration::from_secs(7200)
        );
        assert_eq!(settings.set("notify_cleanup", "off"), Ok("false"));
        assert!(!settings.is_on("notify_cleanup"));
        assert_eq!(
            settings.set("preferred_ports", " 4000, 4001 "),
            Ok("4000,4001")
        );
        assert_eq!(settings.preferred_ports().len(), 2);
        assert_eq!(
            settings.set("portserver_ports", "20000, 15001-15999,15000"),
            Ok("15000-15999,20000")
        );
        assert_eq!(settings.set("portserver_address", "@tests"), Ok("@tests"));
        assert_eq!(settings.set("portserver_address", ""), Ok(""));
        for (key, bad) in [
            ("default_lease_duration", "0"),
            ("default_lease_duration", "-1"),
            ("default_lease_duration", "500ms"),
            ("stale_threshold", "1"),
            ("notify_cleanup", "maybe"),
            ("preferred_ports", "0"),
            ("port_range", "9-8"),
            ("audit_rows", "1e9"),
            ("portserver_ports", ""),
            ("portserver_ports", "1-0"),
            ("portserver_address", "/tmp/portserver"),
            ("portserver_address", "@"),
            ("portserver_address", "@a b"),
        ] {
            assert!(
                matches!(settings.set(key, bad), Err(SettingError::Value { .. })),
                "{key}={bad}"
            );
        }
        assert!(matches!(
            settings.set("no_such", "1"),
            Err(SettingError::Unknown(_))
        ));
        settings.unset("default_lease_duration").unwrap();
        assert_eq!(settings.number("default_lease_duration"), 3600);
        assert_eq!(settings.iter().count(), 4);
    }
}
