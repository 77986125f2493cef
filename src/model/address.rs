//! The local address of a socket, and which addresses collide or are confused with each other.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A local address that a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The address; an IPv4-mapped IPv6 address is stored as the IPv4 address that it stands for.
    pub ip: IpAddr,
    /// An IPv6 wildcard socket that takes IPv4 connections too (`IPV6_V6ONLY` is off).
    pub dual_stack: bool,
}

impl Address {
    /// An IPv4 address.
    pub fn v4(ip: Ipv4Addr) -> Address {
        Address {
            ip: IpAddr::V4(ip),
            dual_stack: false,
        }
    }

    /// An IPv6 address of a socket whose `IPV6_V6ONLY` option is `v6only`.
    pub fn v6(ip: Ipv6Addr, v6only: bool) -> Address {
        match ip.to_ipv4_mapped() {
            Some(v4) => Address::v4(v4),
            None => Address {
                ip: IpAddr::V6(ip),
                dual_stack: ip.is_unspecified() && !v6only,
            },
        }
    }

    /// Whether the socket accepts connections to every address of the machine.
    pub fn is_wildcard(self) -> bool {
        self.ip.is_unspecified()
    }

    /// Whether some connection could be meant for either: one address equals the other, or one is
    /// a wildcard that covers the other.
    pub fn overlaps(self, other: Address) -> bool {
        self.covers(other.ip)
            || other.covers(self.ip)
            || (self.takes_v4() && other.takes_v4() && self.is_wildcard() && other.is_wildcard())
    }

    /// Whether `localhost` on IPv4 (127.0.0.1) reaches it.
    pub fn serves_localhost_v4(self) -> bool {
        self.covers(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Whether `localhost` on IPv6 (`::1`) reaches it.
    pub fn serves_localhost_v6(self) -> bool {
        self.covers(IpAddr::V6(Ipv6Addr::LOCALHOST))
    }

    fn takes_v4(self) -> bool {
        self.ip.is_ipv4() || self.dual_stack
    }

    fn covers(self, ip: IpAddr) -> bool {
        if self.ip == ip {
            return true;
        }
        self.is_wildcard()
            && match ip {
                IpAddr::V4(_) => self.takes_v4(),
                IpAddr::V6(_) => self.ip.is_ipv6(),
            }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(text: &str) -> Address {
        match text.strip_suffix(" v6only") {
            Some(text) => Address::v6(text.parse().unwrap(), true),
            None => match text.parse().unwrap() {
                IpAddr::V4(ip) => Address::v4(ip),
                IpAddr::V6(ip) => Address::v6(ip, false),
            },
        }
    }

    #[test]
    fn overlap_is_symmetric_and_knows_dual_stack() {
        let cases = [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "0.0.0.0", true),
            ("127.0.0.1", "::", true),
            ("127.0.0.1", ":: v6only", false),
            ("0.0.0.0", "::", true),
            ("0.0.0.0", ":: v6only", false),
            ("127.0.0.1", "::1", false),
            ("::1", "::", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("::", ":: v6only", true),
        ];
        for (x, y, expected) in cases {
            assert_eq!(a(x).overlaps(a(y)), expected, "{x} and {y}");
            assert_eq!(a(y).overlaps(a(x)), expected, "{y} and {x}");
        }
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address() {
        assert_eq!(a("::ffff:127.0.0.1"), a("127.0.0.1"));
    }

    #[test]
    fn localhost_is_reached_by_loopback_and_wildcards() {
        assert!(a("0.0.0.0").serves_localhost_v4() && !a("0.0.0.0").serves_localhost_v6());
        assert!(a("::").serves_localhost_v4() && a("::").serves_localhost_v6());
        assert!(!a(":: v6only").serves_localhost_v4());
        assert!(!a("127.0.0.2").serves_localhost_v4());
    }
}
