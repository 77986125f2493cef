//! Pools: named sets of ports that jobs draw from. Making them, telling them, and removing them.

use super::draw::{Gone, Scope};
use super::lease::scene_of;
use super::ledger::clock;
use super::{Caller, Engine, taken};
use crate::ipc::protocol::{
    ErrorCode, ErrorReply, Pool, PoolCreate, PoolDelete, PoolView, PoolsReply, Reply,
};
use crate::ipc::view::ReservationView;
use crate::model::log::{Entry, Happened};
use crate::model::pool::{self, POOLS_LIMIT, PORTSERVER, Standing};
use crate::model::text::escape;
use crate::registry::{Change, Clock, RegistryError};

impl Engine {
    /// Makes, tells and removes pools, and draws from them.
    pub(super) fn pool(&mut self, pool: &Pool, caller: &Caller) -> Result<Reply, ErrorReply> {
        match pool {
            Pool::Create(create) => self.create_pool(create, caller),
            Pool::List => Ok(Reply::Pools(PoolsReply {
                pools: self.pools(&clock())?,
            })),
            Pool::Delete(delete) => self.delete_pool(delete, caller),
            Pool::Draw(draw) => self.draw(draw, caller),
        }
    }

    fn create_pool(&mut self, create: &PoolCreate, caller: &Caller) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let name = &create.name;
        self.judged(&clock, |change, _| {
            if name == PORTSERVER {
                let message = "'portserver' is the name of what the portserver gives out";
                return Err(ErrorReply::new(ErrorCode::BadRequest, message).hint(
                    "choose another name; 'freeport config set portserver_ports' sets its ports",
                ));
            }
            let pools = change.pools()?;
            if let Some(found) = pools.iter().find(|pool| pool.name == *name) {
                if found.ports == create.ports {
                    return Ok(());
                }
                let message = format!("the pool {} has the ports {}", escape(name), found.ports);
                return Err(ErrorReply::new(ErrorCode::PortTaken, message).hint(format!(
                    "to give it others, remove it first: freeport pool delete {}",
                    escape(name)
                )));
            }
            if pools.len() >= POOLS_LIMIT {
                let message = format!("there are {POOLS_LIMIT} pools already");
                return Err(ErrorReply::new(ErrorCode::LimitReached, message)
                    .hint("remove some: 'freeport pool list' shows them"));
            }
            change.add_pool(&pool::Pool {
                name: name.clone(),
                ports: create.ports.clone(),
                created_at: clock.now,
            })?;
            note(
                change,
                &clock,
                caller,
                format!("pool {name} made: {}", create.ports),
            )?;
            Ok(())
        })?;
        self.told(name, &clock)
    }

    fn delete_pool(&mut self, delete: &PoolDelete, caller: &Caller) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let told = self.told(&delete.name, &clock)?;
        self.judged(&clock, |change, _| {
            if change.pool(&delete.name)?.is_none() {
                return Err(no_pool(&delete.name));
            }
            change.remove_pool(&delete.name)?;
            note(
                change,
                &clock,
                caller,
                format!("pool {} removed", delete.name),
            )?;
            Ok::<_, ErrorReply>(())
        })?;
        Ok(told)
    }

    /// One pool, as a reply.
    fn told(&mut self, name: &str, clock: &Clock) -> Result<Reply, ErrorReply> {
        let mut pools = self.pools(clock)?;
        pools.retain(|pool| pool.name == name);
        if pools.is_empty() {
            return Err(no_pool(name));
        }
        Ok(Reply::Pools(PoolsReply { pools }))
    }

    /// All pools, as they are now.
    fn pools(&mut self, clock: &Clock) -> Result<Vec<PoolView>, ErrorReply> {
        let (snapshot, heard_since) = (&*self.snapshot, self.heard_since);
        let Some(registry) = self.ledger.for_reading(clock)? else {
            return Ok(Vec::new());
        };
        let scene = scene_of(registry, snapshot, heard_since, clock);
        let (pools, waiters) = (registry.pools()?, registry.waiters()?);
        let scope = Scope::of(registry.rows().values(), &scene);
        let gone = Gone {
            scene: &scene,
            clock,
        };
        let grounds = taken::grounds();
        let view = |pool: &pool::Pool| {
            let is_drawn = |row: &&crate::model::Reservation| {
                row.drawn
                    .as_ref()
                    .is_some_and(|drawn| drawn.pool == pool.name)
            };
            let drawn = registry.rows().values().filter(is_drawn);
            let free =
                |port: &crate::model::Port| matches!(scope.standing(*port), Standing::Free(_));
            PoolView {
                name: pool.name.clone(),
                size: pool.ports.size(),
                free: pool.ports.iter().filter(free).count(),
                created_at: pool.created_at,
                drawn: drawn
                    .filter(|row| !scope.is_over(row.key()))
                    .map(ReservationView::of)
                    .collect(),
                waiting: waiters
                    .iter()
                    .filter(|waiter| waiter.pool == pool.name && !gone.has(waiter))
                    .count(),
                warnings: pool::warnings(&pool.name, &pool.ports, &grounds, &pools),
                ports: pool.ports.clone(),
            }
        };
        Ok(pools.iter().map(view).collect())
    }
}

fn note(
    change: &mut Change<'_>,
    clock: &Clock,
    caller: &Caller,
    detail: String,
) -> Result<(), RegistryError> {
    change.note(&Entry::new(clock.now, Happened::Config, &caller.asker()).detail(detail))
}

pub(super) fn no_pool(name: &str) -> ErrorReply {
    let name = escape(name);
    ErrorReply::new(ErrorCode::NotFound, format!("there is no pool '{name}'")).hint(format!(
        "'freeport pool list' shows which there are; make it with 'freeport pool create {name} --ports 15000-15999'"
    ))
}
