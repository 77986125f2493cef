//! Ports for services of projects: the one that a service has, or a free one chosen for it.

use super::lease::{Refusal, lease_reply, not_yours, owns};
use super::ledger::clock;
use super::reserve::set_aside;
use super::{Caller, Engine, taken};
use crate::ipc::protocol::{
    Allocate, ErrorCode, ErrorReply, Free, Reply, ReservationsReply, Suggest, SuggestReply,
};
use crate::ipc::view::ReservationView;
use crate::model::choice::{Exhausted, PortSet, Wishes, choose};
use crate::model::log::{Entry, Happened};
use crate::model::reservation::{Hold, Status};
use crate::model::settings::Settings;
use crate::model::{Port, PortRange, Protocol, Reservation, Timestamp};
use crate::registry::judge;

impl Engine {
    /// Gives a service its port: the one that it has, or else a free one.
    pub(super) fn allocate(
        &mut self,
        allocate: &Allocate,
        caller: &Caller,
    ) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let result = self.judged(&clock, |change, scene| {
            let has = change.all().find(|row| {
                row.protocol == Protocol::Tcp
                    && row.project.as_ref() == Some(&allocate.project)
                    && row.service.as_ref() == Some(&allocate.service)
            });
            let has = has.cloned();
            let keeps = |row: &&Reservation| allocate.port.is_none_or(|port| port == row.port);
            if let Some(row) = has.as_ref().filter(keeps) {
                // What was claimed for the service stays its port when the claim ends.
                let kept = Reservation {
                    kept: true,
                    reserved_service: row.service.clone(),
                    ..row.clone()
                };
                if !row.kept {
                    change.put(kept.clone())?;
                }
                return Ok(lease_reply(&kept, true));
            }
            let port = match allocate.port {
                Some(port) => port,
                None => {
                    let remembered = change.remembered(&allocate.project, &allocate.service)?;
                    let taken = taken::in_use(scene.snapshot, change.all());
                    pick(1, false, &remembered, None, change.settings(), &taken)?[0]
                }
            };
            let wanted = allocated(port, allocate, caller.uid, clock.now);
            let row = set_aside(wanted, scene, change, caller, Happened::Allocate)?;
            if let Some(before) = &has {
                change.remove(before.key())?;
                change.note(
                    &Entry::new(clock.now, Happened::Release, &caller.asker())
                        .of(before)
                        .detail(format!("moved to {port}")),
                )?;
            }
            Ok::<_, Refusal>(lease_reply(&row, false))
        });
        let port = allocate.port.unwrap_or(Port::MIN);
        result
            .map_err(|refusal| self.refused((port, Protocol::Tcp), refusal, caller, false, &clock))
    }

    /// Gives the ports of a project back.
    pub(super) fn free(&mut self, free: &Free, caller: &Caller) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let freed = self.judged(&clock, |change, scene| {
            let meant = |row: &&Reservation| {
                let of_service = free.service.is_none() || row.service == free.service;
                row.project.as_ref() == Some(&free.project) && of_service
            };
            let mut freed: Vec<Reservation> = change.all().filter(meant).cloned().collect();
            freed.sort_by_key(Reservation::key);
            for row in &freed {
                let is_over = judge::end(row, scene).is_some();
                if row.token.is_some()
                    && !(free.as_user || is_over || owns(row, None, caller, scene))
                {
                    return Err(not_yours(row, None, "freed"));
                }
                change.remove(row.key())?;
                change.note(&Entry::new(clock.now, Happened::Release, &caller.asker()).of(row))?;
            }
            if freed.is_empty() {
                let service = free
                    .service
                    .as_ref()
                    .map(|service| format!(" {service}"))
                    .unwrap_or_default();
                let message = format!("nothing is reserved for {}{service}", free.project);
                return Err(ErrorReply::new(ErrorCode::NotFound, message)
                    .hint("'freeport query' lists what is"));
            }
            Ok(freed)
        })?;
        Ok(Reply::Reservations(ReservationsReply {
            reservations: freed.iter().map(ReservationView::of).collect(),
        }))
    }

    /// Finds ports that are free now.
    pub(super) fn suggest(&mut self, suggest: &Suggest) -> Result<Reply, ErrorReply> {
        let registry = self.ledger.for_reading(&clock())?;
        let defaults = Settings::default();
        let (settings, taken) = match &registry {
            Some(registry) => (
                registry.settings(),
                taken::in_use(&self.snapshot, registry.rows().values()),
            ),
            None => (&defaults, taken::in_use(&self.snapshot, [].iter())),
        };
        let ports = pick(
            suggest.count,
            suggest.block,
            &[],
            suggest.range,
            settings,
            &taken,
        )?;
        Ok(Reply::Suggest(SuggestReply { ports }))
    }
}

fn allocated(port: Port, allocate: &Allocate, uid: u32, now: Timestamp) -> Reservation {
    Reservation {
        port,
        protocol: Protocol::Tcp,
        project: Some(allocate.project.clone()),
        service: Some(allocate.service.clone()),
        uid,
        owner: None,
        lease: None,
        kept: true,
        status: Status::Reserved,
        hold: Hold::Advisory,
        held_by: None,
        keep_held: false,
        reserved_service: Some(allocate.service.clone()),
        drawn: None,
        metadata: None,
        created_at: now,
        last_heartbeat: None,
        token: None,
    }
}

/// Chooses ports: `first`, then the preferred ones, then the range, then whatever the system has. A
/// range that was asked for is not left.
pub(super) fn pick(
    count: usize,
    block: bool,
    first: &[Port],
    range: Option<PortRange>,
    settings: &Settings,
    taken: &PortSet,
) -> Result<Vec<Port>, ErrorReply> {
    let mut tried = first.to_vec();
    if range.is_none() {
        tried.extend(settings.preferred_ports());
    }
    let whole = || PortRange::new(Port::MIN, Port::MAX).ok();
    let Some(within) = range.or_else(|| settings.port_range()).or_else(whole) else {
        return Err(ErrorReply::new(
            ErrorCode::Failed,
            "no range of ports is set",
        ));
    };
    let wishes = Wishes {
        count,
        block,
        first: &tried,
        range: within,
        beyond: range.is_none(),
    };
    choose(&wishes, &taken::grounds(), taken).map_err(|exhausted| told(&exhausted, block))
}

fn told(exhausted: &Exhausted, block: bool) -> ErrorReply {
    let Exhausted {
        range,
        wished,
        free,
    } = exhausted;
    let wanted = match (wished, block) {
        (1, _) => "a free port".to_owned(),
        (n, false) => format!("{n} free ports"),
        (n, true) => format!("{n} free ports in a row"),
    };
    let left = match free {
        0 => "none is free there".to_owned(),
        1 => "1 is free there".to_owned(),
        n => format!("{n} are free there"),
    };
    ErrorReply::new(ErrorCode::Exhausted, format!("{wanted} cannot be found in {range}: {left}")).hint(
        "use a larger range (--range A-B, or 'freeport config set port_range A-B'), give reservations back ('freeport query' lists them), or end what listens there ('freeport list')",
    )
}
