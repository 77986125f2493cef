//! What `--publish` of `docker run` takes: `[ADDRESS:][HOST]:CONTAINER[/PROTOCOL]`, or the same with
//! names (`published=3000,target=80`). Pure.
//!
//! As the docker client reads it (`nat.ParsePortSpec` of go-connections). What it refuses is nothing
//! here, so that it is docker who says what is wrong.

use std::net::IpAddr;
use std::ops::Range;

use crate::model::{Port, PortRange, Protocol};

/// Ports of this machine that are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) host_ip: Option<IpAddr>,
    pub(super) ports: PortRange,
    pub(super) container: PortRange,
    pub(super) protocol: Protocol,
    /// Where the ports of this machine stand in the text.
    pub(super) at: Range<usize>,
}

/// Reads a text. Nothing where docker chooses the port, where the protocol is none that Freeport
/// sees (SCTP), and where it is wrong.
pub(super) fn read(text: &str) -> Option<Spec> {
    if text.contains('=') {
        named(text)
    } else {
        plain(text)
    }
}

fn plain(text: &str) -> Option<Spec> {
    let (host, container) = text.rsplit_once(':')?;
    let start = host.rfind(':').map_or(0, |colon| colon + 1);
    let ports = range(&host[start..])?;
    let (container, protocol) = container.split_once('/').unwrap_or((container, "tcp"));
    let container = range(container)?;
    let length = |range: PortRange| range.last().get() - range.first().get();
    // Several ports of this machine for one of the container: docker takes one of them.
    if length(ports) != length(container) && container.single().is_none() {
        return None;
    }
    Some(Spec {
        host_ip: address(&host[..start])?,
        ports,
        container,
        protocol: match protocol.to_ascii_lowercase().as_str() {
            "" | "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        },
        at: start..host.len(),
    })
}

/// The form with names. The client makes the other one of it, whatever else is named.
fn named(text: &str) -> Option<Spec> {
    let (mut published, mut target, mut protocol) = ((0, ""), "", "tcp");
    let mut start = 0;
    for part in text.split(',') {
        let (name, value) = part.split_once('=')?;
        let value = value.split('=').next().unwrap_or_default();
        match name {
            "published" => published = (start + name.len() + 1, value),
            "target" => target = value,
            "protocol" => protocol = value,
            _ => {}
        }
        start += part.len() + 1;
    }
    let (start, published) = published;
    let spec = plain(&format!("{published}:{target}/{protocol}"))?;
    let at = start + spec.at.start..start + spec.at.end;
    Some(Spec { at, ..spec })
}

/// The address before the ports: nothing, or one that ends with a colon. The outer `None` is a
/// wrong one.
fn address(text: &str) -> Option<Option<IpAddr>> {
    let text = text.strip_suffix(':').unwrap_or(text);
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match inner.unwrap_or(text) {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    }
}

fn range(text: &str) -> Option<PortRange> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    PortRange::new(port(first)?, port(last)?).ok()
}

/// 0 means that docker chooses, and is no port.
fn port(text: &str) -> Option<Port> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    Port::new(text.parse().ok().filter(|_| digits)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was read, as `ADDRESS PORTS CONTAINER PROTOCOL` and the text that would be replaced.
    fn told(text: &str) -> Option<String> {
        let spec = read(text)?;
        let address = spec.host_ip.map_or("*".to_owned(), |ip| ip.to_string());
        let Spec {
            ports,
            container,
            protocol,
            at,
            ..
        } = spec;
        Some(format!(
            "{address} {ports} {container} {protocol} '{}'",
            &text[at]
        ))
    }

    #[test]
    fn what_is_published_is_read() {
        for (text, expected) in [
            ("3000:80", "* 3000 80 tcp '3000'"),
            ("03000:80", "* 3000 80 tcp '03000'"),
            ("3000:80/", "* 3000 80 tcp '3000'"),
            ("5353:53/udp", "* 5353 53 udp '5353'"),
            ("5353:53/UDP", "* 5353 53 udp '5353'"),
            ("127.0.0.1:3000:80", "127.0.0.1 3000 80 tcp '3000'"),
            ("[127.0.0.1]:3000:80", "127.0.0.1 3000 80 tcp '3000'"),
            (":3000:80", "* 3000 80 tcp '3000'"),
            ("[]:3000:80", "* 3000 80 tcp '3000'"),
            ("[::1]:3000:80", "::1 3000 80 tcp '3000'"),
            ("::1:3000:80", "::1 3000 80 tcp '3000'"),
            ("fe80::3000:3000:3000", "fe80::3000 3000 3000 tcp '3000'"),
            (
                "3000-3005:4000-4005",
                "* 3000-3005 4000-4005 tcp '3000-3005'",
            ),
            ("3000-3000:80", "* 3000 80 tcp '3000-3000'"),
            ("[::]:3000-3005:80/udp", ":: 3000-3005 80 udp '3000-3005'"),
            ("published=3000,target=80", "* 3000 80 tcp '3000'"),
            (
                "target=80,published=3000,protocol=udp,mode=host",
                "* 3000 80 udp '3000'",
            ),
            (
                "published=127.0.0.1:3000,target=80",
                "127.0.0.1 3000 80 tcp '3000'",
            ),
            (
                "published=1,target=80,published=3000-3001",
                "* 3000-3001 80 tcp '3000-3001'",
            ),
        ] {
            assert_eq!(told(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_docker_chooses_or_refuses_is_left_to_it() {
        for text in [
            "",
            "3000",
            "3000/udp",
            ":3000",
            "127.0.0.1::80",
            "[::1]::80",
            "0:80",
            "0-5:80",
            "3000:",
            ":",
            "::",
            "abc",
            "a:b",
            "+3000:80",
            "3000:80/sctp",
            "3000:80/x",
            "3000:80/tcp/x",
            "/3000",
            "65536:80",
            "3000:65536",
            "3000:0",
            "3005-3000:80",
            "3000-3001:80-82",
            "3000-:80",
            "3000-3001-3002:80",
            "localhost:3000:80",
            "1.2.3:3000:80",
            "[::1:3000:80",
            "[fe80::1%lo]:3000:80",
            "3000:80:99",
            "published=3000",
            "target=80",
            "published=3000,80",
            "=",
            "=,=",
            "published=,target=80",
            "３:80",
            "3000:80/\u{fffd}",
        ] {
            assert_eq!(told(text), None, "{text:?}");
        }
    }
}
