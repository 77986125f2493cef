//! Drawing ports of a pool for a job: who gets which, who waits, and what is said to who gets none.

use std::collections::HashMap;
use std::time::Duration;

use super::ledger::clock;
use super::pools::no_pool;
use super::reserve::check_limit;
use super::{Caller, Engine, exhausted, taken};
use crate::ipc::protocol::{ErrorCode, ErrorReply, PoolDraw, Reply, ReservationsReply};
use crate::ipc::view::ReservationView;
use crate::model::choice::PortSet;
use crate::model::log::{Entry, Happened};
use crate::model::pool::{Pool, Standing, TooFew, Waiter, draw};
use crate::model::reservation::{Drawn, End, Hold, Lease, LeaseOwner, ReservationKey, Status};
use crate::model::{Port, ProcessKey, Protocol, Reservation};
use crate::platform::{self, Vacancy};
use crate::registry::judge::{self, Scene};
use crate::registry::{Change, Clock};

/// For how long a place is kept for who does not ask again.
const KEPT: Duration = Duration::from_secs(2);
/// How often it is written down that somebody has asked.
const SEEN: Duration = Duration::from_millis(500);
/// How many ports are tried at most, whether a program has bound them without listening.
const TRIES: usize = 1024;

impl Engine {
    /// Draws ports for a job: all of them, or none.
    pub(super) fn draw(&mut self, draw: &PoolDraw, caller: &Caller) -> Result<Reply, ErrorReply> {
        let clock = clock();
        let Some(subject) = &caller.subject else {
            return Err(ErrorReply::new(
                ErrorCode::BadRequest,
                "the process that asks has ended",
            ));
        };
        let asks = Asks {
            draw,
            caller,
            clock: &clock,
            owner: LeaseOwner {
                key: subject.key,
                boot: clock.boot.to_owned(),
                name: subject.name.clone(),
            },
            asker: platform::claimant(caller.pid).map(|found| found.key),
        };
        // Who is refused keeps a place all the same: that is written, too.
        let drawn = self.judged(&clock, |change, scene| asks.draw(change, scene))?;
        let rows = drawn?;
        Ok(Reply::Reservations(ReservationsReply {
            reservations: rows.iter().map(ReservationView::of).collect(),
        }))
    }
}

/// Who draws, and for whom.
struct Asks<'a> {
    draw: &'a PoolDraw,
    caller: &'a Caller,
    clock: &'a Clock,
    owner: LeaseOwner,
    /// The process that asks, which has the place in the queue.
    asker: Option<ProcessKey>,
}

type Drew = Result<Vec<Reservation>, ErrorReply>;

impl Asks<'_> {
    fn draw(&self, change: &mut Change<'_>, scene: &Scene<'_>) -> Result<Drew, ErrorReply> {
        let Some(pool) = change.pool(&self.draw.name)? else {
            return Err(no_pool(&self.draw.name));
        };
        let queue = self.queue(change, scene)?;
        let mine = queue.iter().position(|waiter| self.is_mine(waiter));
        let (ahead, place) = match mine {
            Some(at) => (&queue[..at], Some(queue[at].place)),
            None => (&queue[..], None),
        };
        let given_back = change.given_back()?;
        let mut scope = Scope {
            given_back: given_back
                .into_iter()
                .map(|((port, _), id)| (port, id))
                .collect(),
            ..Scope::of(change.all(), scene)
        };
        let chosen = self.choose(&pool, &mut scope);
        let told = exhausted::Told {
            pool: &pool,
            draw: self.draw,
            ahead,
            scope: &scope,
            now: scene.now,
        };
        match chosen {
            Ok(ports) if ahead.is_empty() => {
                if let Some(place) = place {
                    change.unqueue(place)?;
                }
                let rows = ports
                    .iter()
                    .map(|port| self.take(*port, &scope, change, scene));
                // Nothing of it is written unless all of it is.
                rows.collect::<Result<Vec<_>, _>>().map(Ok)
            }
            Err(TooFew::Ever) => {
                if let Some(place) = place {
                    change.unqueue(place)?;
                }
                Ok(Err(told.never()))
            }
            few => {
                self.keep_place(mine.map(|at| &queue[at]), change)?;
                Ok(Err(told.not_now(few.is_ok(), change.all(), scene)))
            }
        }
    }

    /// Who waits for this pool, in turn. Who has gone loses the place.
    fn queue(&self, change: &mut Change<'_>, scene: &Scene<'_>) -> Result<Vec<Waiter>, ErrorReply> {
        let gone = Gone {
            scene,
            clock: self.clock,
        };
        let (mut queue, over): (Vec<Waiter>, Vec<Waiter>) = change
            .waiters()?
            .into_iter()
            .partition(|waiter| !gone.has(waiter));
        over.iter()
            .try_for_each(|waiter| change.unqueue(waiter.place))?;
        queue.retain(|waiter| waiter.pool == self.draw.name);
        Ok(queue)
    }

    fn is_mine(&self, waiter: &Waiter) -> bool {
        self.asker == Some(waiter.process) && waiter.job_id == self.draw.job_id
    }

    /// Keeps the place of who waits, or gives one; takes it from who does not wait any more.
    fn keep_place(&self, mine: Option<&Waiter>, change: &mut Change<'_>) -> Result<(), ErrorReply> {
        let now = awake_ms(self.clock);
        match (mine, self.asker.filter(|_| self.draw.wait)) {
            (Some(mine), None) => change.unqueue(mine.place)?,
            (Some(mine), Some(_)) => {
                if now - mine.seen_ms >= millis(SEEN) {
                    change.saw_waiter(mine.place, now)?;
                }
            }
            (None, Some(process)) => change.queue(&Waiter {
                place: 0,
                pool: self.draw.name.clone(),
                job_id: self.draw.job_id.clone(),
                count: self.draw.count,
                process,
                boot: self.clock.boot.to_owned(),
                since: self.clock.now,
                seen_ms: now,
            })?,
            (None, None) => {}
        }
        Ok(())
    }

    /// Chooses ports that nobody has, and that nobody has bound without listening either.
    fn choose(&self, pool: &Pool, scope: &mut Scope) -> Result<Vec<Port>, TooFew> {
        let mut left = TRIES;
        loop {
            let standing = |port| scope.standing(port);
            let ports = draw(&pool.ports, standing, self.draw.count, self.draw.block)?;
            let bound: Vec<Port> = ports
                .iter()
                .copied()
                .filter(|port| platform::vacancy(*port) == Vacancy::Taken)
                .collect();
            if bound.is_empty() {
                return Ok(ports);
            }
            bound.iter().for_each(|port| scope.bound.insert(*port));
            left = left.saturating_sub(ports.len());
            if left == 0 {
                return Err(TooFew::Now);
            }
        }
    }

    fn take(
        &self,
        port: Port,
        scope: &Scope,
        change: &mut Change<'_>,
        scene: &Scene<'_>,
    ) -> Result<Reservation, ErrorReply> {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let key = (port, protocol);
            if let (Some(end), Some(row)) = (scope.over.get(&key), change.get(key).cloned()) {
                let entry = Entry::new(scene.now, Happened::Cleanup, &self.caller.asker()).of(&row);
                change.remove(key)?;
                change.note(&entry.detail(end.reason()))?;
            }
        }
        let key = (port, self.draw.protocol);
        check_limit(change, key)?;
        let ttl = self.draw.ttl_s.map(Duration::from_secs);
        let ttl = ttl.unwrap_or_else(|| change.settings().seconds("default_lease_duration"));
        let row = Reservation {
            port,
            protocol: self.draw.protocol,
            project: Some(self.draw.name.clone()),
            service: None,
            uid: self.caller.uid,
            owner: Some(self.owner.clone()),
            lease: Some(Lease::from(scene.now, ttl)),
            kept: false,
            status: Status::Claimed,
            hold: Hold::Advisory,
            held_by: None,
            keep_held: self.draw.hold,
            reserved_service: None,
            drawn: Some(Drawn {
                pool: self.draw.name.clone(),
                job_id: self.draw.job_id.clone(),
            }),
            metadata: None,
            created_at: scene.now,
            last_heartbeat: None,
            token: Some(change.token()?),
        };
        change.put(row.clone())?;
        let entry = Entry::new(scene.now, Happened::Claim, &self.caller.asker()).of(&row);
        change.note(&entry.detail(format!("drawn for the job {}", self.draw.job_id)))?;
        Ok(row)
    }
}

/// Which of those who waited have gone.
pub(super) struct Gone<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) clock: &'a Clock,
}

impl Gone<'_> {
    /// Whether this one has ended, or has not asked for too long.
    pub(super) fn has(&self, waiter: &Waiter) -> bool {
        let silent = awake_ms(self.clock) - waiter.seen_ms;
        waiter.boot != self.clock.boot
            || !(0..=millis(KEPT)).contains(&silent)
            || !(self.scene.lives)(waiter.process)
    }
}

fn awake_ms(clock: &Clock) -> i64 {
    millis(clock.awake)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Who has which ports, whatever the pool.
pub(super) struct Scope {
    listening: PortSet,
    reserved: PortSet,
    /// Ports that were found to be bound by who does not listen.
    pub(super) bound: PortSet,
    /// What is over, and has not been removed yet.
    over: HashMap<ReservationKey, End>,
    /// When ports were given back: the higher, the later.
    given_back: HashMap<Port, i64>,
    first_usable: u16,
}

impl Scope {
    pub(super) fn of<'r>(rows: impl Iterator<Item = &'r Reservation>, scene: &Scene<'_>) -> Scope {
        let mut over = HashMap::new();
        let mut reserved = PortSet::default();
        for row in rows {
            match judge::end(row, scene).filter(|_| !row.kept) {
                Some(end) => drop(over.insert(row.key(), end)),
                None => reserved.insert(row.port),
            }
        }
        Scope {
            listening: scene
                .snapshot
                .listeners
                .iter()
                .map(|one| one.port)
                .collect(),
            reserved,
            bound: PortSet::default(),
            over,
            given_back: HashMap::new(),
            first_usable: taken::first_usable(),
        }
    }

    /// How this port stands.
    pub(super) fn standing(&self, port: Port) -> Standing {
        if port.get() < self.first_usable {
            Standing::Never
        } else if [&self.listening, &self.reserved, &self.bound]
            .iter()
            .any(|taken| taken.contains(port))
        {
            Standing::Taken
        } else {
            Standing::Free(self.given_back.get(&port).copied().unwrap_or(0))
        }
    }

    /// Whether what is reserved there is over.
    pub(super) fn is_over(&self, key: ReservationKey) -> bool {
        self.over.contains_key(&key)
    }
}
