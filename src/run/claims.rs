//! The ports of a command: claimed in the registry, bound by this process, and given back.

use std::io;
use std::time::{Duration, Instant};

use super::asking::Asking;
use super::options::{HoldMode, Policy};
use super::told::{RunError, Voice, spot, status, who};
use crate::ipc::protocol::{
    Claim, ErrorCode, ErrorReply, Fallback, HoldChange, HoldState, LeaseReply, Release, Reply,
    Request,
};
use crate::model::reservation::{Hold, LEASE_LIMIT};
use crate::model::{Port, Protocol};
use crate::platform::{self, PortHold};

/// How long a registry that is locked is asked again.
const PATIENCE: Duration = Duration::from_secs(8);
/// How many ports are tried at most, where they turn out to be bound.
const TRIES: usize = 64;

/// A port that a command is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The service that it is for.
    pub service: Option<String>,
    /// The port.
    pub port: Port,
    /// The protocol.
    pub protocol: Protocol,
    /// Whether the ports that the service had before come first.
    pub remembered: bool,
    /// What to do where it is taken.
    pub policy: Policy,
    /// How it is held.
    pub hold: HoldMode,
}

/// A port that a command has.
#[derive(Debug)]
pub struct Lease {
    /// What it was claimed for.
    pub want: Want,
    /// The port.
    pub port: Port,
    /// What the claim is shown by; `None` where it could not be written down.
    pub token: Option<String>,
    /// The port, bound.
    pub hold: Option<PortHold>,
}

impl Lease {
    /// The port, as people say it.
    pub fn spot(&self) -> String {
        spot(self.port, self.want.protocol)
    }
}

/// Claims ports, all of them or none.
pub struct Claims<'a> {
    /// Who is asked.
    pub asking: &'a mut Asking,
    /// What says so.
    pub voice: Voice,
    /// The project that they are for.
    pub project: Option<&'a str>,
    /// Before another port is taken than the first: whether that one will do.
    pub agree: &'a mut dyn FnMut(&str, Port) -> bool,
    /// What ends an older instance of the service on a port.
    pub replace: &'a mut dyn FnMut(&mut Asking, &Want),
}

impl Claims<'_> {
    /// Claims all of these.
    pub fn all(&mut self, wants: &[Want]) -> Result<Vec<Lease>, RunError> {
        let mut leases = Vec::new();
        for want in wants {
            match self.one(want, &leases) {
                Ok(lease) => leases.push(lease),
                Err(error) => {
                    release(leases, self.asking);
                    return Err(error);
                }
            }
        }
        Ok(leases)
    }

    /// Claims a port and binds it; where that one is taken, another one, if that will do.
    pub fn one(&mut self, want: &Want, before: &[Lease]) -> Result<Lease, RunError> {
        // Those that this run has already are renewed by a claim, and not refused.
        let own = before.iter().filter(|l| l.want.protocol == want.protocol);
        let mut avoid: Vec<Port> = own.map(|lease| lease.port).collect();
        let mut why = avoid
            .contains(&want.port)
            .then(|| format!("port {} is another service's", want.port));
        if want.policy == Policy::Replace && why.is_none() {
            (self.replace)(self.asking, want);
        }
        for _ in 0..TRIES {
            let reply = match self.ask_patiently(want, &avoid) {
                Ok(reply) => reply,
                Err(error) if is_unusable(&error) => {
                    self.voice.note(&format!(
                        "ports are not written down, as the registry cannot be used: {}",
                        error.message
                    ));
                    return self.alone(want, &avoid);
                }
                Err(error) => return Err(error.into()),
            };
            if reply.port != want.port {
                let taken = reply.taken.clone().map(|who| {
                    format!("port {} is taken by {who}", spot(want.port, want.protocol))
                });
                why = why.or(taken);
            }
            let bound = match want.hold {
                HoldMode::Off => Ok(None),
                _ => bind(&reply, want.protocol).map(Some),
            };
            let mut lease = Lease {
                want: want.clone(),
                port: reply.port,
                token: reply.token.clone(),
                hold: None,
            };
            match bound {
                Ok(hold) => {
                    if let Err(error) = self.settle(want, &reply, why.as_deref()) {
                        release(vec![lease], self.asking);
                        return Err(error);
                    }
                    lease.hold = hold;
                    return Ok(lease);
                }
                Err(error) => {
                    release(vec![lease], self.asking);
                    why = why.or(Some(self.refused(want, reply.port, &error)?));
                    avoid.push(reply.port);
                }
            }
        }
        Err(none_left(want))
    }

    /// Asks again where the registry cannot be used, as it may be locked by many that start at once.
    fn ask_patiently(&mut self, want: &Want, avoid: &[Port]) -> Result<LeaseReply, ErrorReply> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ask(want, avoid) {
                Err(error) if is_locked(&error) && Instant::now() < deadline => {}
                result => return result,
            }
        }
    }

    fn ask(&mut self, want: &Want, avoid: &[Port]) -> Result<LeaseReply, ErrorReply> {
        let fallback = (want.policy != Policy::Strict).then(|| Fallback {
            remembered: want.remembered,
            avoid: avoid.to_vec(),
        });
        let claim = Claim {
            protocol: want.protocol,
            project: self.project.map(str::to_owned),
            service: want.service.clone(),
            ttl_s: Some(LEASE_LIMIT.as_secs()),
            fallback,
            ..Claim::of(want.port)
        };
        match self.asking.ask(Request::Claim(claim))? {
            Reply::Lease(lease) => Ok(*lease),
            _ => Err(ErrorReply::new(
                ErrorCode::Failed,
                "the app gave another answer than was asked for",
            )),
        }
    }

    /// A port that could not be bound: why, where another one will do.
    fn refused(&self, want: &Want, port: Port, error: &io::Error) -> Result<String, RunError> {
        let spot = spot(port, want.protocol);
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                let seen = platform::look(&[port]);
                let mut seen = seen.listeners.iter();
                let why = match seen.find(|found| found.protocol == want.protocol) {
                    Some(found) => format!("port {spot} is taken by {}", who(found)),
                    None => format!("port {spot} is bound by a program that does not listen"),
                };
                if want.policy == Policy::Strict {
                    return Err(RunError::new(status::CONFLICT, why)
                        .hint("leave '--strict' out, and another port is taken"));
                }
                Ok(why)
            }
            io::ErrorKind::PermissionDenied => Err(RunError::new(
                status::NOT_PERMITTED,
                format!("port {spot} cannot be bound: you have no right to ports below 1024"),
            )
            .hint("ask for a higher one, or run it as root")),
            _ => Err(RunError::new(
                status::FAILED,
                format!("port {spot} cannot be bound: {error}"),
            )
            .hint("'--hold off' only claims it")),
        }
    }

    /// Says that it is another port than the one that was asked for.
    fn settle(
        &mut self,
        want: &Want,
        reply: &LeaseReply,
        why: Option<&str>,
    ) -> Result<(), RunError> {
        let Some(why) = why.filter(|_| reply.port != want.port) else {
            return Ok(());
        };
        if !(self.agree)(why, reply.port) {
            return Err(RunError::new(status::CONFLICT, why.to_owned()));
        }
        self.voice.note(&format!("{why}; using {}", reply.port));
        Ok(())
    }

    /// A port without the registry: bound, and nothing else.
    fn alone(&mut self, want: &Want, avoid: &[Port]) -> Result<Lease, RunError> {
        let first = want.port.get();
        let near = (first..=u16::MAX).filter_map(Port::new);
        for port in near.filter(|port| !avoid.contains(port)).take(TRIES) {
            match PortHold::new(port, want.protocol) {
                Ok(hold) => {
                    if port != want.port {
                        self.voice
                            .note(&format!("port {} is taken; using {port}", want.port));
                    }
                    return Ok(Lease {
                        want: want.clone(),
                        port,
                        token: None,
                        hold: (want.hold != HoldMode::Off).then_some(hold),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    if want.policy == Policy::Strict {
                        let message = format!("port {port} is taken");
                        return Err(RunError::new(status::CONFLICT, message)
                            .hint(format!("'freeport why {port}' tells by whom")));
                    }
                }
                Err(error) => {
                    self.refused(want, port, &error)?;
                }
            }
        }
        Err(none_left(want))
    }
}

fn none_left(want: &Want) -> RunError {
    let message = format!(
        "port {} is taken, and so are {TRIES} others",
        spot(want.port, want.protocol)
    );
    RunError::new(status::CONFLICT, message).hint("'freeport list' shows who listens")
}

/// Whether others keep the registry locked: each asking waits for it for a while already.
fn is_locked(error: &ErrorReply) -> bool {
    error.code == ErrorCode::RegistryUnavailable && error.message.contains("locked")
}

/// Whether the registry is what failed, and not the claim.
pub(super) fn is_unusable(error: &ErrorReply) -> bool {
    matches!(
        error.code,
        ErrorCode::RegistryUnavailable | ErrorCode::Failed | ErrorCode::Busy | ErrorCode::Unknown
    )
}

/// Binds a port that was claimed; beside the app, where that holds it and lends it.
fn bind(reply: &LeaseReply, protocol: Protocol) -> io::Result<PortHold> {
    if reply.reservation.hold == Hold::Held
        && let Ok(hold) = PortHold::beside(reply.port, protocol)
    {
        return Ok(hold);
    }
    PortHold::new(reply.port, protocol)
}

/// Tells the registry how really a claimed port is held now.
pub fn tell_held(lease: &Lease, asking: &mut Asking) {
    if let (Some(_), Some(token)) = (&lease.hold, &lease.token) {
        // It is held all the same, where that cannot be written down.
        let _ = asking.ask(Request::Hold(HoldChange {
            port: lease.port,
            protocol: lease.want.protocol,
            token: Some(token.clone()),
            state: HoldState::Client,
        }));
    }
}

/// Gives ports back. They are let go of first, so that who is given one next can bind it.
pub fn release(leases: Vec<Lease>, asking: &mut Asking) {
    for lease in leases {
        drop(lease.hold);
        let Some(token) = lease.token else { continue };
        // Where it cannot be given back, it ends with this process.
        let _ = asking.ask(Request::Release(Release {
            ports: vec![lease.port],
            job_id: None,
            protocol: Some(lease.want.protocol),
            token: Some(token),
            as_user: false,
            created_at: None,
        }));
    }
}

/// The command listens on another port than the one that was claimed for it: claims that one in
/// its place. Whether that was done.
pub fn elsewhere(
    leases: &mut [Lease],
    number: usize,
    port: Port,
    asking: &mut Asking,
    project: Option<&str>,
    voice: Voice,
) -> bool {
    let Some(lease) = leases.get_mut(number) else {
        return false;
    };
    voice.note(&format!(
        "the app listens on {}, not on {}",
        spot(port, lease.want.protocol),
        lease.spot()
    ));
    let claim = Claim {
        protocol: lease.want.protocol,
        project: project.map(str::to_owned),
        service: lease.want.service.clone(),
        ttl_s: Some(LEASE_LIMIT.as_secs()),
        ..Claim::of(port)
    };
    let Ok(Reply::Lease(reply)) = asking.ask(Request::Claim(claim)) else {
        return false;
    };
    let there = Lease {
        want: lease.want.clone(),
        port,
        token: reply.token.clone(),
        hold: None,
    };
    release(vec![std::mem::replace(lease, there)], asking);
    true
}
