//! Random histories of claims, deaths, listeners and time, in which what must always hold does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::judge::{self, Belongs, Claimant, Claimed, Holder, Scene};
use super::reconcile::reconcile;
use crate::model::attribute::tests::{process, socket};
use crate::model::reservation::tests::reserved;
use crate::model::reservation::{End, Lease, LeaseOwner, ReservationKey, Status};
use crate::model::{Listener, ProcessKey, Protocol, Reservation, Snapshot, Timestamp, attribute};

const PORTS: [u16; 3] = [3000, 3001, 3002];
const BOOT: &str = "boot";
const THRESHOLD: u64 = 120;

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Claim { port: usize, by: u32, ttl: u64 },
    ClaimDetached { port: usize, ttl: u64 },
    Reserve { port: usize },
    Heartbeat { port: usize, by: u32 },
    ReleaseBy { port: usize, by: u32 },
    ReleaseByToken { port: usize, right: bool },
    ReleaseByUser { port: usize },
    Listen { port: usize, by: u32 },
    Close { port: usize },
    Die { who: u32 },
    Pass { seconds: u64 },
    CleanUp,
}

fn step() -> impl Strategy<Value = Step> {
    let port = || 0..PORTS.len();
    let pid = || 5u32..9;
    prop_oneof![
        4 => (port(), pid(), 1u64..300).prop_map(|(port, by, ttl)| Step::Claim { port, by, ttl }),
        1 => (port(), 1u64..300).prop_map(|(port, ttl)| Step::ClaimDetached { port, ttl }),
        1 => port().prop_map(|port| Step::Reserve { port }),
        2 => (port(), pid()).prop_map(|(port, by)| Step::Heartbeat { port, by }),
        2 => (port(), pid()).prop_map(|(port, by)| Step::ReleaseBy { port, by }),
        1 => (port(), any::<bool>()).prop_map(|(port, right)| Step::ReleaseByToken { port, right }),
        1 => port().prop_map(|port| Step::ReleaseByUser { port }),
        4 => (port(), pid()).prop_map(|(port, by)| Step::Listen { port, by }),
        2 => port().prop_map(|port| Step::Close { port }),
        1 => pid().prop_map(|who| Step::Die { who }),
        3 => (1u64..400).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::CleanUp),
    ]
}

/// The world that the registry is about: pids 5 to 8, of which 6 is a child of 5.
struct World {
    now: u64,
    dead: RefCell<BTreeSet<u32>>,
    listening: BTreeMap<u16, u32>,
    rows: BTreeMap<ReservationKey, Reservation>,
    tokens: u32,
}

impl World {
    fn new() -> World {
        World {
            now: 1_000,
            dead: RefCell::default(),
            listening: BTreeMap::new(),
            rows: BTreeMap::new(),
            tokens: 0,
        }
    }

    fn time(&self) -> Timestamp {
        Timestamp(SystemTime::UNIX_EPOCH).after(Duration::from_secs(self.now))
    }

    fn key(pid: u32) -> ProcessKey {
        process(pid, "node", &[]).key
    }

    fn snapshot(&self) -> Snapshot {
        let listener = |(&port, &pid): (&u16, &u32)| -> Listener {
            let parents: &[u32] = if pid == 6 { &[5, 1] } else { &[1] };
            let holder = [process(pid, &format!("program{pid}"), parents)];
            attribute::listeners(&[socket(port, u64::from(port))], |_| &holder, |_| None).remove(0)
        };
        Snapshot {
            scanned_at: self.time(),
            gaps: vec![],
            listeners: self.listening.iter().map(listener).collect(),
            elsewhere: vec![],
        }
    }

    fn with<T>(&self, work: impl FnOnce(&Scene<'_>) -> T) -> T {
        let snapshot = self.snapshot();
        let lives = |key: ProcessKey| !self.dead.borrow().contains(&key.pid);
        work(&Scene {
            snapshot: &snapshot,
            lives: &lives,
            runs_as: &|_, _| false,
            boot: BOOT,
            now: self.time(),
            heard_since: Timestamp(SystemTime::UNIX_EPOCH),
            stale_threshold: Duration::from_secs(THRESHOLD),
        })
    }

    fn row(port: usize) -> ReservationKey {
        (crate::model::Port::new(PORTS[port]).unwrap(), Protocol::Tcp)
    }

    fn is_dead(&self, pid: u32) -> bool {
        self.dead.borrow().contains(&pid)
    }

    /// Does what the engine does after everything that happens.
    fn settle(&mut self, cleaning: bool) {
        let (changed, over) = self.with(|scene| {
            let verdict = reconcile(&self.rows, scene);
            let over = verdict.ended.iter().filter(|(key, end)| {
                *end == End::OwnerEnded || cleaning && self.rows[key].status == Status::Stale
            });
            (
                verdict.changed,
                over.map(|(key, _)| *key).collect::<Vec<_>>(),
            )
        });
        for row in changed {
            self.rows.insert(row.key(), row);
        }
        for key in over {
            if let Some(kept) = self.rows.remove(&key).and_then(|row| row.unclaimed()) {
                self.rows.insert(key, kept);
            }
        }
    }

    fn claim(&mut self, port: usize, by: Option<u32>, ttl: u64) {
        let key = World::row(port);
        let owner = by.map(|pid| LeaseOwner {
            key: World::key(pid),
            boot: BOOT.into(),
            name: "node".into(),
        });
        let claimant = Claimant {
            owner: owner.as_ref(),
            project: Some("shop"),
            service: None,
            token: None,
        };
        let before = self.rows.get(&key).cloned();
        let judged = before
            .as_ref()
            .map(|row| self.with(|scene| judge::claim(row, &claimant, scene)));
        if let (Some(before), Some(Claimed::Refused)) = (&before, &judged) {
            assert!(
                before.token.is_some(),
                "only a claim refuses here: all is reserved for one project"
            );
            assert!(
                !before
                    .owner
                    .as_ref()
                    .is_some_and(|owner| self.is_dead(owner.key.pid)),
                "the dead refuse nobody"
            );
            return;
        }
        if let (Some(before), Some(Claimed::Renewed)) = (&before, &judged) {
            assert_eq!(before.owner, owner, "nobody but the owner renews");
        }
        if let (Some(before), Some(Claimed::Anew(_))) = (&before, &judged) {
            assert!(!before.kept, "what is reserved for good is not lost");
        }
        self.tokens += 1;
        let kept = before.is_some_and(|row| row.kept);
        let row = Reservation {
            owner,
            lease: Some(Lease::from(self.time(), Duration::from_secs(ttl))),
            kept,
            status: Status::Claimed,
            token: Some(format!("token{}", self.tokens)),
            created_at: self.time(),
            ..reserved(PORTS[port], "shop")
        };
        self.rows.insert(key, row);
    }

    fn release(&mut self, port: usize, holder: &Holder<'_>, is_above: bool) {
        let key = World::row(port);
        let Some(row) = self.rows.get(&key).cloned() else {
            return;
        };
        if self.with(|scene| judge::may_dispose(&row, holder, scene, |_| is_above)) {
            let owner = holder.process.is_some()
                && row.owner.as_ref().map(|owner| owner.key) == holder.process;
            let token = holder.token.is_some() && row.token.as_deref() == holder.token;
            assert!(owner || token, "nobody but the owner releases");
            self.rows.remove(&key);
            if let Some(kept) = row.unclaimed() {
                self.rows.insert(key, kept);
            }
            assert!(
                self.rows.get(&key).is_none_or(|row| row.token.is_none()),
                "released means gone"
            );
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Claim { port, by, ttl } if !self.is_dead(by) => self.claim(port, Some(by), ttl),
            Step::ClaimDetached { port, ttl } => self.claim(port, None, ttl),
            Step::Reserve { port } => {
                self.rows
                    .entry(World::row(port))
                    .or_insert_with(|| reserved(PORTS[port], "shop"));
            }
            Step::Heartbeat { port, by } if !self.is_dead(by) => {
                let now = self.time();
                if let Some(row) = self.rows.get_mut(&World::row(port))
                    && row.is_owned_by(World::key(by), BOOT)
                {
                    row.last_heartbeat = Some(now);
                    row.renew(now);
                }
            }
            Step::ReleaseBy { port, by } => {
                let holder = Holder {
                    process: Some(World::key(by)),
                    token: None,
                };
                self.release(port, &holder, false);
            }
            Step::ReleaseByToken { port, right } => {
                let token = self
                    .rows
                    .get(&World::row(port))
                    .and_then(|row| row.token.clone())
                    .filter(|_| right);
                let holder = Holder {
                    process: None,
                    token: token.as_deref().or(Some("guess")),
                };
                self.release(port, &holder, false);
            }
            Step::ReleaseByUser { port } => {
                self.rows.remove(&World::row(port));
            }
            Step::Listen { port, by } if !self.is_dead(by) => {
                self.listening.insert(PORTS[port], by);
            }
            Step::Close { port } => {
                self.listening.remove(&PORTS[port]);
            }
            Step::Die { who } => {
                self.dead.borrow_mut().insert(who);
                self.listening.retain(|_, pid| *pid != who);
            }
            Step::Pass { seconds } => self.now += seconds,
            _ => {}
        }
    }

    fn check(&self) {
        self.with(|scene| {
            let verdict = reconcile(&self.rows, scene);
            assert!(
                verdict.changed.is_empty(),
                "what was settled stays settled: {:?}",
                verdict.changed
            );
            for (key, row) in &self.rows {
                assert_eq!(*key, row.key());
                let mut here = judge::at(scene.snapshot, row);
                let meant =
                    here.any(|listener| judge::belongs(row, listener, scene) == Belongs::Yes);
                if meant {
                    assert_eq!(
                        row.status,
                        Status::Active,
                        "never stale while its owner listens"
                    );
                } else {
                    assert_ne!(row.status, Status::Active, "nobody whom it is for listens");
                }
                if let Some(owner) = &row.owner {
                    assert!(!self.is_dead(owner.key.pid), "the dead claim nothing");
                }
                if row.kept && row.token.is_none() {
                    assert!(matches!(row.status, Status::Reserved | Status::Active));
                }
                if row.status == Status::Stale {
                    let lease = row.lease.unwrap();
                    let silent = row
                        .last_heartbeat
                        .is_some_and(|last| last.age(scene.now).as_secs() >= THRESHOLD);
                    assert!(
                        lease.expires_at <= scene.now || silent,
                        "stale for a reason"
                    );
                }
            }
            for found in &verdict.intruders {
                let owner = found.reservation.owner.as_ref().map(|owner| owner.key.pid);
                let who = found.listener.owner.as_ref().map(|who| who.key.pid);
                assert_ne!(owner, who, "an owner is no intruder");
                assert!((owner, who) != (Some(5), Some(6)), "nor is its child");
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_must_hold_holds(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            let before = world.rows.clone();
            world.take(step);
            world.settle(matches!(step, Step::CleanUp));
            world.check();
            // What was reserved for good is gone only when the user says so.
            for (key, _) in before.iter().filter(|(_, row)| row.kept) {
                let by_user = matches!(step, Step::ReleaseByUser { port } if World::row(*port) == *key);
                prop_assert!(by_user || world.rows.get(key).is_some_and(|row| row.kept));
            }
            // A claim whose owner lives goes only when it has run out, or is given back.
            for (key, row) in before.iter().filter(|(_, row)| row.token.is_some() && row.status != Status::Stale) {
                let given_back = matches!(step, Step::ReleaseBy { .. } | Step::ReleaseByToken { .. } | Step::ReleaseByUser { .. });
                let died = matches!(step, Step::Die { .. });
                prop_assert!(given_back || died || world.rows.get(key).is_some_and(|now| now.token.is_some()), "{row:?}");
            }
        }
    }
}
