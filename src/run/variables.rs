//! The environment that tells a command its ports, and how `freeport env` writes it.
//!
//! Pure: a list of services with their ports becomes variables, and variables become text.

use std::fmt::Write as _;

use super::words::quote;
use crate::model::text::escape;
use crate::model::{Port, Protocol};

/// A port with the service that it is for.
pub type Named = (Option<String>, Port, Protocol);

/// A variable and its value.
pub type Variable = (String, String);

/// Why services cannot be told their ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// Two services would get the same variable.
    #[error(
        "the services '{}' and '{}' would both get the variable {variable}: rename one of them",
        escape(first),
        escape(second)
    )]
    Collision {
        /// The variable.
        variable: String,
        /// The service that has it.
        first: String,
        /// The service that would have it too.
        second: String,
    },
}

/// The port that a command is told first: the first one of TCP, else the first one.
pub fn first(ports: &[Named]) -> Option<(Port, Protocol)> {
    let tcp = ports.iter().find(|(_, _, p)| *p == Protocol::Tcp);
    tcp.or(ports.first())
        .map(|&(_, port, protocol)| (port, protocol))
}

/// The variables that tell a command its ports: `PORT` and `FREEPORT_PORT` the first one,
/// `FREEPORT_URL` where that is, and `PORT_NAME` those of services with names.
pub fn variables(ports: &[Named]) -> Result<Vec<Variable>, VariableError> {
    let mut all = Vec::with_capacity(ports.len() + 3);
    if let Some((port, protocol)) = first(ports) {
        all.push(("PORT".to_owned(), port.to_string()));
        all.push(("FREEPORT_PORT".to_owned(), port.to_string()));
        if protocol == Protocol::Tcp {
            all.push(("FREEPORT_URL".to_owned(), url(port)));
        }
    }
    let mut named: Vec<(String, &str)> = Vec::new();
    for (service, port, _) in ports {
        let Some(service) = service else { continue };
        let variable = variable_of(service);
        if let Some((_, first)) = named.iter().find(|(taken, _)| *taken == variable) {
            return Err(VariableError::Collision {
                variable,
                first: (*first).to_owned(),
                second: service.clone(),
            });
        }
        all.push((variable.clone(), port.to_string()));
        named.push((variable, service));
    }
    Ok(all)
}

/// Where a server on this port is reached.
pub fn url(port: Port) -> String {
    format!("http://localhost:{port}")
}

/// The variable with the port of a service: `PORT_WEB` of `web`, `PORT_DEV_API` of `dev:api`.
pub fn variable_of(service: &str) -> String {
    let letters = service.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    });
    "PORT_".chars().chain(letters).collect()
}

/// A form in which variables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `export` lines, for `eval` in a shell.
    Sh,
    /// Lines of a `.env` file.
    Dotenv,
    /// One JSON object.
    Json,
    /// Lines of an `.envrc` file, which bash reads.
    Direnv,
}

/// Variables in a form, with a line end after the last one.
pub fn render(variables: &[Variable], format: Format) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    match format {
        Format::Sh | Format::Direnv => {
            for (name, value) in variables {
                let _ = writeln!(text, "export {name}={}", quote(value));
            }
        }
        Format::Dotenv => {
            for (name, value) in variables {
                let _ = writeln!(text, "{name}={}", dotenv_quote(value));
            }
        }
        Format::Json => {
            let object: serde_json::Map<String, serde_json::Value> = variables
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect();
            let _ = writeln!(text, "{:#}", serde_json::Value::Object(object));
        }
    }
    text
}

/// A value as readers of `.env` files agree on it: plain where it can be, else between the quotes
/// in which nothing is expanded, else between those in which backslashes are read.
fn dotenv_quote(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n', '\r']) {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '"' | '\\' | '$' | '`' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(service: &str, port: u16, protocol: Protocol) -> Named {
        let service = (!service.is_empty()).then(|| service.to_owned());
        (service, Port::new(port).unwrap(), protocol)
    }

    fn told(ports: &[Named]) -> String {
        let all = variables(ports).unwrap();
        let all: Vec<String> = all.iter().map(|(n, v)| format!("{n}={v}")).collect();
        all.join(" ")
    }

    #[test]
    fn services_are_told_their_ports() {
        use Protocol::{Tcp, Udp};
        let cases: [(&[Named], &str); 5] = [
            (&[], ""),
            (
                &[named("", 3000, Tcp)],
                "PORT=3000 FREEPORT_PORT=3000 FREEPORT_URL=http://localhost:3000",
            ),
            (
                &[named("web", 3000, Tcp), named("dev:api v2", 3001, Tcp)],
                "PORT=3000 FREEPORT_PORT=3000 FREEPORT_URL=http://localhost:3000 PORT_WEB=3000 PORT_DEV_API_V2=3001",
            ),
            (
                &[named("dns", 5300, Udp), named("größe", 3001, Tcp)],
                "PORT=3001 FREEPORT_PORT=3001 FREEPORT_URL=http://localhost:3001 PORT_DNS=5300 PORT_GR__E=3001",
            ),
            (
                &[named("dns", 5300, Udp)],
                "PORT=5300 FREEPORT_PORT=5300 PORT_DNS=5300",
            ),
        ];
        for (ports, expected) in cases {
            assert_eq!(told(ports), expected);
        }
    }

    #[test]
    fn two_services_with_one_variable_are_refused() {
        let ports = [
            named("a-b", 1, Protocol::Tcp),
            named("A b", 2, Protocol::Tcp),
        ];
        assert_eq!(
            variables(&ports).unwrap_err().to_string(),
            "the services 'a-b' and 'A b' would both get the variable PORT_A_B: rename one of them"
        );
    }

    #[test]
    fn each_format_is_quoted_as_its_readers_need_it() {
        let all = [
            ("PORT".to_owned(), "3000".to_owned()),
            ("X".to_owned(), "it's $HOME\n\"".to_owned()),
            ("Y".to_owned(), "a b$".to_owned()),
        ];
        assert_eq!(
            render(&all, Format::Sh),
            "export PORT=3000\nexport X='it'\\''s $HOME\n\"'\nexport Y='a b$'\n"
        );
        assert_eq!(render(&all, Format::Sh), render(&all, Format::Direnv));
        assert_eq!(
            render(&all, Format::Dotenv),
            "PORT=3000\nX=\"it's \\$HOME\\n\\\"\"\nY='a b$'\n"
        );
        assert_eq!(
            render(&all, Format::Json),
            "{\n  \"PORT\": \"3000\",\n  \"X\": \"it's $HOME\\n\\\"\",\n  \"Y\": \"a b$\"\n}\n"
        );
        assert_eq!(render(&[], Format::Json), "{}\n");
    }
}
