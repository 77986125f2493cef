//! Claims: a port for a process, or for a while; the one that was asked for, or another one.

use std::time::Duration;

use super::allocate::pick;
use super::holds::{Table, Terms, take_on};
use super::lease::{Refusal, lease_reply};
use super::ledger::clock;
use super::reserve::{check_limit, refuse_listeners};
use super::{Caller, Engine, taken};
use crate::ipc::protocol::{Claim, ErrorCode, ErrorReply, Fallback, Reply};
use crate::model::log::{Entry, Happened};
use crate::model::project;
use crate::model::reservation::{HeldBy, Hold, Lease, LeaseOwner, Status};
use crate::model::text::escape;
use crate::model::{Port, Reservation};
use crate::registry::judge::{self, Claimant, Claimed, Scene};
use crate::registry::{Change, Clock};

/// How far above a taken port another one is looked for first.
const NEARBY: u16 = 100;
/// How many ports are tried at most.
const TRIES: usize = 64;

/// Who claims, and for what.
struct Asks<'a> {
    claim: &'a Claim,
    caller: &'a Caller,
    owner: Option<LeaseOwner>,
    project: Option<String>,
    event: Happened,
}

impl Engine {
    /// The ports that a claim may be given although somebody listens there: who that is matters to
    /// it. Of all others it matters only whether anybody does.
    pub fn concerned(&mut self, claim: &Claim, caller: &Caller) -> Vec<Port> {
        let mut ports = vec![claim.port];
        let subject = caller.subject.as_ref();
        let project = claim.project.as_deref();
        let project = project.or_else(|| subject.and_then(|subject| subject.project.as_deref()));
        if let (Some(_), Some(project), Some(service)) = (&claim.fallback, project, &claim.service)
            && let Ok(registry) = self.ledger.for_writing(&clock())
        {
            // Where this cannot be read, the claim cannot be made, and tells why.
            ports.extend(registry.remembered(project, service).unwrap_or_default());
        }
        ports
    }

    /// Claims a port.
    pub(super) fn claim(
        &mut self,
        claim: &Claim,
        event: Happened,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let asked_itself = claim.pid.is_none() && !claim.detached && claim.fallback.is_none();
        let result = self.try_claim(claim, event, caller, &clock);
        let key = (claim.port, claim.protocol);
        result.map_err(|refusal| self.refused(key, refusal, caller, asked_itself, &clock))
    }

    fn try_claim(
        &mut self,
        claim: &Claim,
        event: Happened,
        caller: &Caller,
        clock: &Clock,
    ) -> Result<Reply, Refusal> {
        let subject = caller.subject.as_ref();
        let asks = Asks {
            claim,
            caller,
            owner: subject.map(|subject| LeaseOwner {
                key: subject.key,
                boot: clock.boot.to_owned(),
                name: subject.name.clone(),
            }),
            project: claim
                .project
                .clone()
                .or_else(|| subject.and_then(|subject| subject.project.clone())),
            event,
        };
        let mut table = self.holds.take();
        let result = self.judged(clock, |change, scene| match &claim.fallback {
            None => {
                let (row, renewed) = asks.claim(claim.port, change, scene, table.as_mut())?;
                Ok(lease_reply(&row, renewed))
            }
            Some(fallback) => asks.claim_any(fallback, change, scene, table.as_mut()),
        });
        self.holds = table;
        result
    }
}

impl Asks<'_> {
    /// Claims the port that was asked for, or else one that suits. What one try has written before
    /// it was refused is nothing but the removal of what is over.
    fn claim_any(
        &self,
        fallback: &Fallback,
        change: &mut Change<'_>,
        scene: &Scene<'_>,
        mut table: Option<&mut Table>,
    ) -> Result<Reply, Refusal> {
        let asked = self.claim.port;
        let service = self.claim.service.as_deref();
        let (own, others) = match (&self.project, service) {
            (Some(project), Some(service)) => (
                change.remembered(project, service)?,
                change.remembered_by_others(project, service)?,
            ),
            _ => (Vec::new(), Vec::new()),
        };
        // Another working copy of the same project has it, even where it does not run now.
        let spoken_for = |port: Port| {
            let mine = self.project.as_deref()?;
            let other = others
                .iter()
                .filter(|(other, had)| *had == port && other != mine)
                .find(|(other, _)| project::base(other) == project::base(mine))?;
            (!own.contains(&port)).then(|| escape(&other.0).into_owned())
        };
        let mut first = own.clone();
        if fallback.remembered {
            first.push(asked);
        } else {
            first.insert(0, asked);
        }
        let mut holder = None;
        for port in first {
            if fallback.avoid.contains(&port) {
                continue;
            }
            // Somebody else has it, and it was remembered only since it was looked.
            if scene.snapshot.elsewhere.binary_search(&port).is_ok() {
                continue;
            }
            if let Some(other) = spoken_for(port) {
                if port == asked {
                    holder = Some(other);
                }
                continue;
            }
            match self.claim(port, change, scene, table.as_deref_mut()) {
                Ok((row, renewed)) => return Ok(self.given(&row, renewed, holder)),
                Err(Refusal::Taken { holder: who, .. }) if port == asked => holder = Some(who),
                Err(Refusal::Taken { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        let mut taken = taken::in_use(scene.snapshot, change.all());
        let avoid = fallback.avoid.iter().chain([&asked]);
        avoid.for_each(|port| taken.insert(*port));
        let above = (1..=NEARBY).filter_map(|step| Port::new(asked.get().checked_add(step)?));
        let near: Vec<Port> = above.collect();
        // What others had is left to them, as long as there is anything else.
        let mut cautious = taken.clone();
        others.iter().for_each(|(_, port)| cautious.insert(*port));
        for _ in 0..TRIES {
            let picked = pick(1, false, &near, None, change.settings(), &cautious)
                .or_else(|_| pick(1, false, &near, None, change.settings(), &taken))?;
            let Some(&port) = picked.first() else { break };
            match self.claim(port, change, scene, table.as_deref_mut()) {
                Ok((row, renewed)) => return Ok(self.given(&row, renewed, holder)),
                Err(Refusal::Taken { .. }) => {
                    taken.insert(port);
                    cautious.insert(port);
                }
                Err(other) => return Err(other),
            }
        }
        let message = format!("port {asked} is taken, and no other one could be claimed");
        Err(ErrorReply::new(ErrorCode::Exhausted, message)
            .hint("'freeport list' shows who listens, 'freeport query' what is reserved")
            .into())
    }

    fn given(&self, row: &Reservation, renewed: bool, holder: Option<String>) -> Reply {
        let mut reply = lease_reply(row, renewed);
        if let Reply::Lease(lease) = &mut reply
            && row.port != self.claim.port
        {
            lease.taken = holder;
        }
        reply
    }

    /// Claims this port; whether the claim was there before.
    fn claim(
        &self,
        port: Port,
        change: &mut Change<'_>,
        scene: &Scene<'_>,
        table: Option<&mut Table>,
    ) -> Result<(Reservation, bool), Refusal> {
        let key = (port, self.claim.protocol);
        let existing = change.get(key).cloned();
        let claimant = Claimant {
            owner: self.owner.as_ref(),
            project: self.project.as_deref(),
            service: self.claim.service.as_deref(),
            token: self.claim.token.as_deref(),
        };
        let judged = existing
            .as_ref()
            .map(|existing| judge::claim(existing, &claimant, scene));
        let ttl = self.claim.ttl_s.map(Duration::from_secs);
        let ttl = ttl.unwrap_or_else(|| change.settings().seconds("default_lease_duration"));
        let lease = Lease::from(scene.now, ttl);
        let renewed = matches!(judged, Some(Claimed::Renewed));
        let mut over = None;
        let mut row = match (existing, judged) {
            (Some(existing), Some(Claimed::Refused)) => {
                return Err(taken::by_reservation(&existing, scene, change));
            }
            (Some(existing), Some(Claimed::Anew(end))) => {
                over = end.map(|end| (existing, end));
                self.fresh(port, lease)
            }
            (Some(existing), Some(Claimed::Reserved | Claimed::Renewed)) => {
                self.continued(existing, renewed, lease, scene)
            }
            _ => self.fresh(port, lease),
        };
        if !renewed {
            refuse_listeners(&row, self.claim.detached, scene, change)?;
            check_limit(change, key)?;
        }
        if let Some((before, end)) = over {
            let entry = Entry::new(scene.now, Happened::Cleanup, &self.caller.asker()).of(&before);
            change.note(&entry.detail(end.reason()))?;
        }
        row.keep_held |= self.claim.hold;
        if let Some(metadata) = &self.claim.metadata {
            row.metadata = Some(metadata.to_string());
        }
        if row.token.is_none() {
            row.token = Some(change.token()?);
        }
        let terms = Terms {
            strictly: self.claim.hold && !renewed,
            lend: self.owner.is_some(),
        };
        let row = take_on(table, row, terms, scene, change)?;
        let row = judge::next(&row, scene).unwrap_or(row);
        change.put(row.clone())?;
        change.note(&Entry::new(scene.now, self.event, &self.caller.asker()).of(&row))?;
        if let (Some(project), Some(service)) = (&row.project, &row.service) {
            change.remember(project, service, row.port, scene.now)?;
        }
        Ok((row, renewed))
    }

    fn fresh(&self, port: Port, lease: Lease) -> Reservation {
        Reservation {
            port,
            protocol: self.claim.protocol,
            project: self.project.clone(),
            service: self.claim.service.clone(),
            uid: self.caller.uid,
            owner: self.owner.clone(),
            lease: Some(lease),
            kept: false,
            status: Status::Claimed,
            hold: Hold::Advisory,
            held_by: None,
            keep_held: false,
            reserved_service: None,
            drawn: None,
            metadata: None,
            created_at: lease.expires_at.before(lease.ttl),
            last_heartbeat: None,
            token: None,
        }
    }

    /// What was there, as a claim of whoever claims it now.
    fn continued(
        &self,
        existing: Reservation,
        renewed: bool,
        lease: Lease,
        scene: &Scene<'_>,
    ) -> Reservation {
        let is_claim = existing.token.is_some();
        Reservation {
            service: self
                .claim
                .service
                .clone()
                .or_else(|| existing.service.clone()),
            project: self.project.clone().or_else(|| existing.project.clone()),
            reserved_service: if is_claim {
                existing.reserved_service.clone()
            } else {
                existing.service.clone()
            },
            // Renewed by its token alone, it stays its process's, if that still runs.
            owner: self.owner.clone().or_else(|| {
                let before = existing.owner.clone().filter(|_| renewed)?;
                let lives = before.boot == scene.boot && (scene.lives)(before.key);
                lives.then_some(before)
            }),
            // Who had it before has no say any more.
            token: existing.token.clone().filter(|_| renewed),
            // Nor does its hold go over.
            held_by: existing
                .held_by
                .filter(|by| renewed || *by != HeldBy::Client),
            lease: Some(lease),
            status: Status::Claimed,
            last_heartbeat: existing
                .last_heartbeat
                .filter(|_| renewed)
                .map(|_| scene.now),
            ..existing
        }
    }
}
