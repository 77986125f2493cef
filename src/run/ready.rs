//! Saying when a command is ready: it listens where it was told, and accepts connections.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::claims::Lease;
use super::told::Voice;
use super::verify::Verify;
use crate::model::{Port, Protocol};

/// How long a connection to this machine may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// The wait for a command to be ready.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    until: Instant,
    limit: Duration,
}

impl Ready {
    /// It is to be ready within this time.
    pub fn within(limit: Duration, now: Instant) -> Ready {
        Ready {
            until: now + limit,
            limit,
        }
    }

    /// When it is too late.
    pub fn next(&self) -> Option<Instant> {
        Some(self.until)
    }

    /// Says that it is ready, if it is.
    pub fn look(&self, verify: &Verify, leases: &[Lease], voice: Voice) -> bool {
        if !verify.is_settled() {
            return false;
        }
        let mut tcp = leases.iter().filter(|l| l.want.protocol == Protocol::Tcp);
        if !tcp.clone().all(|lease| accepts(lease.port)) {
            return false;
        }
        match tcp.next() {
            Some(first) => voice.say(&format!("ready: http://localhost:{}", first.port)),
            None => voice.say("ready"),
        }
        true
    }

    /// Whether it is too late, which is said.
    pub fn is_late(&self, leases: &[Lease], voice: Voice, now: Instant) -> bool {
        let late = now >= self.until;
        if late {
            let spots: Vec<String> = leases.iter().map(Lease::spot).collect();
            voice.say(&format!(
                "the command does not listen on port {} within {}: it is ended",
                spots.join(", "),
                humantime::format_duration(self.limit)
            ));
        }
        late
    }
}

/// Whether a port of this machine accepts connections.
pub fn accepts(port: Port) -> bool {
    let hosts = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    hosts.into_iter().any(|host: std::net::IpAddr| {
        TcpStream::connect_timeout(&SocketAddr::new(host, port.get()), PATIENCE).is_ok()
    })
}
