//! Other ports than those that a line of `docker run` names: one, or as many in a row.

use super::Publish;
use super::claims::{Claiming, Key, is_at};
use crate::ipc::protocol::{ErrorCode, ErrorReply, Fallback, Reply, Request, Suggest};
use crate::model::choice::{Grounds, PortSet, Wishes, choose};
use crate::model::{Port, PortRange};
use crate::platform::{self, limits};
use crate::run::claims::{self, is_unusable};
use crate::run::told::{RunError, status};

/// How often ports are chosen at most, where somebody else is faster each time.
const TRIES: usize = 32;
/// How far above ports that are taken others are looked for first.
const NEARBY: u16 = 100;

impl Claiming<'_> {
    /// Claims other ports; the first one.
    pub(super) fn claim_other(
        &mut self,
        publish: &Publish,
        number: usize,
    ) -> Result<Port, RunError> {
        match publish.count() {
            1 => self.claim_single(publish, number),
            count => self.claim_row(publish, count, number),
        }
    }

    fn claim_single(&mut self, publish: &Publish, number: usize) -> Result<Port, RunError> {
        let (asked, protocol) = (publish.ports.first(), publish.protocol);
        // Those that the line has already would be renewed.
        let own = self.leases.iter().map(|lease| lease.port);
        let mut avoid: Vec<Port> = own.chain([asked]).collect();
        for _ in 0..TRIES {
            let fallback = Fallback {
                remembered: false,
                avoid: avoid.clone(),
            };
            let Some(port) = self.claim_one((asked, protocol), number, Some(fallback))? else {
                return self.choose_without_registry(publish, number);
            };
            // A claim for a project is not refused where that project listens; docker is.
            let listeners = platform::look(&[port]).listeners;
            if !listeners.iter().any(|found| is_at(found, (port, protocol))) {
                return Ok(port);
            }
            self.let_go_of(&[(port, protocol)]);
            avoid.push(port);
        }
        Err(none_left(publish))
    }

    fn claim_row(
        &mut self,
        publish: &Publish,
        count: u16,
        number: usize,
    ) -> Result<Port, RunError> {
        for _ in 0..TRIES {
            let ports = match self.suggest(publish, count) {
                Ok(ports) if self.is_written => ports,
                Err(error) if !is_unusable(&error) => return Err(RunError::from(error).hint(HINT)),
                _ => return self.choose_without_registry(publish, number),
            };
            let keys: Vec<Key> = ports.iter().map(|port| (*port, publish.protocol)).collect();
            if self.claim_keys(&keys, number)?
                && let Some(first) = ports.first()
            {
                return Ok(*first);
            }
        }
        Err(none_left(publish))
    }

    /// Ports in a row that are free: close above those that were asked for, or else anywhere.
    fn suggest(&mut self, publish: &Publish, count: u16) -> Result<Vec<Port>, ErrorReply> {
        let last = publish.ports.last().get();
        let near = |above: u16| Port::new(last.checked_add(above)?);
        let close = near(1).zip(near(count.saturating_add(NEARBY)));
        let close = close.and_then(|(first, last)| PortRange::new(first, last).ok());
        let mut suggest = |range| {
            let suggest = Suggest {
                count: count.into(),
                range,
                block: true,
            };
            match self.asking.ask(Request::Suggest(suggest))? {
                Reply::Suggest(reply) => Ok(reply.ports),
                _ => Ok(Vec::new()),
            }
        };
        match close.map(|close| suggest(Some(close))) {
            Some(Ok(ports)) => Ok(ports),
            _ => suggest(None),
        }
    }

    /// Claims all of these ports, or none; whether it did.
    fn claim_keys(&mut self, keys: &[Key], number: usize) -> Result<bool, RunError> {
        for (done, key) in keys.iter().enumerate() {
            match self.claim_one(*key, number, None) {
                Ok(Some(_)) => {}
                Ok(None) => self.leases.push(self.lease(*key, number, None)),
                Err(error) => {
                    self.let_go_of(&keys[..done]);
                    return match error.code {
                        ErrorCode::PortTaken => Ok(false),
                        _ => Err(error.into()),
                    };
                }
            }
        }
        Ok(true)
    }

    fn let_go_of(&mut self, keys: &[Key]) {
        let all = std::mem::take(&mut self.leases);
        let (others, these) = all
            .into_iter()
            .partition(|lease| !keys.contains(&(lease.port, lease.want.protocol)));
        self.leases = others;
        claims::release(these, self.asking);
    }

    /// Ports on which nobody listens, where nothing can be claimed: those above the ones that were
    /// asked for come first.
    fn choose_without_registry(
        &mut self,
        publish: &Publish,
        number: usize,
    ) -> Result<Port, RunError> {
        let count = publish.count();
        let listening = platform::look(&[]).listeners;
        let own = self.leases.iter().map(|lease| lease.port);
        let named = self
            .terms
            .line
            .published
            .iter()
            .flat_map(|p| p.ports.iter());
        let listening = listening.iter().map(|listener| listener.port);
        let taken: PortSet = listening.chain(own).chain(named).collect();
        let above = publish.ports.first();
        let near = PortRange::new(above, Port::MAX).map(|range| range.iter().collect());
        let near: Vec<Port> = near.unwrap_or_default();
        let range = PortRange::new(Port::MIN, Port::MAX);
        let range = range.map_err(|error| RunError::new(status::FAILED, error.to_string()))?;
        let wishes = Wishes {
            count: count.into(),
            block: true,
            first: &near,
            range,
            beyond: false,
        };
        let grounds = Grounds {
            first_unprivileged: limits::first_unprivileged_port(),
            ephemeral: limits::ephemeral_ports(),
        };
        let ports = choose(&wishes, &grounds, &taken).map_err(|_| none_left(publish))?;
        for port in &ports {
            let lease = self.lease((*port, publish.protocol), number, None);
            self.leases.push(lease);
        }
        ports.first().copied().ok_or_else(|| none_left(publish))
    }
}

/// What to do where nothing is free.
const HINT: &str = "'freeport list' shows who listens, 'freeport query' what is reserved, and 'freeport config set port_range A-B' where ports are looked for";

fn none_left(publish: &Publish) -> RunError {
    let message = match publish.count() {
        1 => format!("port {} is taken, and no other one was free", publish.ports),
        count => format!(
            "the ports {} are taken, and no other {count} in a row were free",
            publish.ports
        ),
    };
    RunError::new(status::CONFLICT, message).hint(HINT)
}
