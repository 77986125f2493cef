//! What follows for one reservation from who lives, who listens and what time it is: its status,
//! whether a listener is the one it is meant for, and whether somebody may claim it. Pure.

use std::time::Duration;

use crate::model::attribute::are_related;
use crate::model::reservation::{End, Lease, LeaseOwner, Status};
use crate::model::{Listener, Process, ProcessKey, Reservation, Snapshot, Timestamp};

/// What is known when reservations are judged.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Who listens.
    pub snapshot: &'a Snapshot,
    /// Whether a process runs.
    pub lives: &'a dyn Fn(ProcessKey) -> bool,
    /// Whether anything below a process runs as this user.
    pub runs_as: &'a dyn Fn(ProcessKey, u32) -> bool,
    /// This boot of the system: processes of another one are gone.
    pub boot: &'a str,
    /// The time.
    pub now: Timestamp,
    /// Since when heartbeats could be heard: silence before that is not the client's.
    pub heard_since: Timestamp,
    /// How long a client that has sent heartbeats may be silent.
    pub stale_threshold: Duration,
}

/// Whether a listener is the one that a reservation is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// It is.
    Yes,
    /// It is somebody else.
    No,
    /// That cannot be seen: its process cannot, or it only passes connections on.
    Unknown,
}

/// The listeners at the port of a reservation. Those of a snapshot are sorted by port.
pub fn at<'s>(
    snapshot: &'s Snapshot,
    reservation: &Reservation,
) -> impl Iterator<Item = &'s Listener> {
    let (port, protocol) = reservation.key();
    let start = snapshot
        .listeners
        .partition_point(|listener| listener.port < port);
    snapshot.listeners[start..]
        .iter()
        .take_while(move |listener| listener.port == port)
        .filter(move |listener| listener.protocol == protocol)
}

/// Whether `listener`, which is at its port, is the one that the reservation is meant for.
///
/// A claim of a process is for that process, for what it started, and for what shares its socket. A
/// reservation for a project is for the processes that work in it. One for neither is for its user.
pub fn belongs(reservation: &Reservation, listener: &Listener, scene: &Scene<'_>) -> Belongs {
    let processes = || listener.owner.iter().chain(&listener.workers);
    if listener.owner.is_none() {
        // Another user's is somebody else, unless it may be a container's, or was started by whom
        // the claim is for, through sudo and the like; one's own might be anybody.
        return if listener.uid == reservation.uid || reservation.is_for_container() {
            Belongs::Unknown
        } else if reservation.owner.as_ref().is_some_and(|owner| {
            owner.boot == scene.boot
                && (scene.lives)(owner.key)
                && (scene.runs_as)(owner.key, listener.uid)
        }) {
            Belongs::Yes
        } else {
            Belongs::No
        };
    }
    let yes = match (&reservation.owner, &reservation.project) {
        (Some(owner), _) => {
            let root = owner.key;
            let below = |process: &Process| {
                process.key == root || process.parents.iter().any(|parent| parent.pid == root.pid)
            };
            let lives = owner.boot == scene.boot && (scene.lives)(root);
            lives
                && (processes().any(|process| below(process))
                    || is_sibling(reservation, listener, root, scene))
        }
        (None, Some(project)) => {
            processes().any(|process| process.project.as_ref().is_some_and(|p| p.name == *project))
        }
        (None, None) => listener.uid == reservation.uid,
    };
    match yes {
        true => Belongs::Yes,
        false if processes().all(|process| passes_on(process)) => Belongs::Unknown,
        false => Belongs::No,
    }
}

/// Whether the owner listens at the port too, and the process of `listener` is one of its kind:
/// the same program, started by the same parent in the same folder (SO_REUSEPORT).
fn is_sibling(
    reservation: &Reservation,
    listener: &Listener,
    owner: ProcessKey,
    scene: &Scene<'_>,
) -> bool {
    let own = at(scene.snapshot, reservation)
        .filter_map(|other| other.owner.as_ref())
        .find(|process| process.key == owner);
    own.zip(listener.owner.as_ref())
        .is_some_and(|(own, other)| are_related(own, other))
}

/// Programs that listen for something that runs elsewhere: what that is cannot be seen here.
fn passes_on(process: &Process) -> bool {
    matches!(
        process.name.as_str(),
        "docker-proxy" | "rootlessport" | "rootlesskit" | "conmon" | "slirp4netns" | "pasta"
    )
}

/// Who listens at the port of a reservation, in its sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    yes: bool,
    unknown: bool,
}

fn look(reservation: &Reservation, scene: &Scene<'_>) -> Seen {
    let mut seen = Seen {
        yes: false,
        unknown: scene.snapshot.may_miss_listeners(),
    };
    for listener in at(scene.snapshot, reservation) {
        match belongs(reservation, listener, scene) {
            Belongs::Yes => seen.yes = true,
            Belongs::Unknown => seen.unknown = true,
            Belongs::No => {}
        }
    }
    seen
}

/// Whether the process that claimed it has ended.
pub fn owner_ended(reservation: &Reservation, scene: &Scene<'_>) -> bool {
    reservation
        .owner
        .as_ref()
        .is_some_and(|owner| owner.boot != scene.boot || !(scene.lives)(owner.key))
}

/// Why the claim is over, if it is.
pub fn end(reservation: &Reservation, scene: &Scene<'_>) -> Option<End> {
    if owner_ended(reservation, scene) {
        return Some(End::OwnerEnded);
    }
    let seen = look(reservation, scene);
    // Never while its owner listens, nor while that cannot be told.
    if seen.yes || seen.unknown {
        return None;
    }
    if reservation.status == Status::Active && reservation.lease.is_some() {
        // It listened until now, which is as good as a heartbeat.
        return None;
    }
    if reservation
        .lease
        .is_some_and(|lease| lease.expires_at <= scene.now)
    {
        return Some(End::Expired);
    }
    let silent =
        |last: Timestamp| last.max(scene.heard_since).age(scene.now) >= scene.stale_threshold;
    reservation
        .last_heartbeat
        .is_some_and(silent)
        .then_some(End::Silent)
}

/// What becomes of a reservation; `None` when it stays as it is.
pub fn next(reservation: &Reservation, scene: &Scene<'_>) -> Option<Reservation> {
    let status = match end(reservation, scene) {
        Some(_) => Status::Stale,
        None => {
            let seen = look(reservation, scene);
            let before = reservation.status;
            match (seen.yes, seen.unknown) {
                (true, _) => Status::Active,
                (false, true) if before != Status::Stale => before,
                // A claim has a token; what was only set aside has none.
                _ if reservation.token.is_some() => Status::Claimed,
                _ => Status::Reserved,
            }
        }
    };
    let hold = reservation.hold_with(status);
    if status == reservation.status && hold == reservation.hold {
        return None;
    }
    let mut next = Reservation {
        status,
        hold,
        ..reservation.clone()
    };
    if reservation.status == Status::Active && status != Status::Stale && status != Status::Active {
        next.renew(scene.now);
    }
    Some(next)
}

impl Reservation {
    /// Starts its lease anew, and its silence with it.
    pub fn renew(&mut self, now: Timestamp) {
        self.lease = self.lease.map(|lease| Lease::from(now, lease.ttl));
        self.last_heartbeat = self.last_heartbeat.map(|_| now);
    }
}

/// Who wants to renew a claim, or to give it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder<'a> {
    /// The process that asks.
    pub process: Option<ProcessKey>,
    /// The token that it shows.
    pub token: Option<&'a str>,
}

/// Whether `holder` may do with a claim what its owner may: it shows its token, is its owner, or is
/// above that (`is_above` tells of a process that lives).
pub fn may_dispose(
    reservation: &Reservation,
    holder: &Holder<'_>,
    scene: &Scene<'_>,
    is_above: impl FnOnce(ProcessKey) -> bool,
) -> bool {
    if reservation.token.is_some() && reservation.token.as_deref() == holder.token {
        return true;
    }
    let Some(owner) = reservation
        .owner
        .as_ref()
        .filter(|owner| owner.boot == scene.boot)
    else {
        return false;
    };
    holder.process == Some(owner.key) || (scene.lives)(owner.key) && is_above(owner.key)
}

/// Who wants a port, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant<'a> {
    /// The process that it is to belong to; none for a claim that lives by its lease alone.
    pub owner: Option<&'a LeaseOwner>,
    /// The project that it is for.
    pub project: Option<&'a str>,
    /// The service that it is for.
    pub service: Option<&'a str>,
    /// The token of an earlier claim.
    pub token: Option<&'a str>,
}

/// What a claim of a port that has a reservation comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody has it: what was there is over.
    Anew(Option<End>),
    /// It was set aside for just this.
    Reserved,
    /// It is the claimant's already.
    Renewed,
    /// It is somebody else's.
    Refused,
}

/// What a claim by `claimant` comes to, where `existing` is what is reserved.
pub fn claim(existing: &Reservation, claimant: &Claimant<'_>, scene: &Scene<'_>) -> Claimed {
    let ended = end(existing, scene);
    let is_claim = existing.token.is_some();
    let same_token =
        is_claim && claimant.token.is_some() && claimant.token == existing.token.as_deref();
    let same_owner = claimant
        .owner
        .is_some_and(|owner| existing.is_owned_by(owner.key, &owner.boot));
    if same_token || same_owner {
        return Claimed::Renewed;
    }
    if ended.is_some() && !existing.kept {
        return Claimed::Anew(ended);
    }
    if is_claim && ended.is_none() {
        return Claimed::Refused;
    }
    let same = |one: &Option<String>, other: Option<&str>| match (one, other) {
        (Some(one), Some(other)) => one == other,
        (Some(_), None) => false,
        (None, _) => true,
    };
    // Who names no service claims any of its project.
    let service = claimant.service.is_none() || same(&existing.service, claimant.service);
    if same(&existing.project, claimant.project) && service {
        Claimed::Reserved
    } else {
        Claimed::Refused
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::model::attribute;
    use crate::model::attribute::tests::{process, socket};
    use crate::model::reservation::tests::reserved;
    use crate::model::{Gap, GapKind, Project};

    const BOOT: &str = "boot";

    fn key(pid: u32) -> ProcessKey {
        process(pid, "x", &[]).key
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(SystemTime::UNIX_EPOCH).after(Duration::from_secs(seconds))
    }

    /// A claim of port 3000 by pid 5, made at 0 for 100 s.
    fn claimed() -> Reservation {
        Reservation {
            project: None,
            kept: false,
            owner: Some(LeaseOwner {
                key: key(5),
                boot: BOOT.into(),
                name: "node".into(),
            }),
            lease: Some(Lease::from(at(0), Duration::from_secs(100))),
            status: Status::Claimed,
            token: Some("token".into()),
            ..reserved(3000, "shop")
        }
    }

    fn listeners(of: Vec<Arc<Process>>) -> Snapshot {
        let listeners = of
            .into_iter()
            .zip(1..)
            .map(|(holder, id)| {
                attribute::listeners(
                    &[socket(3000, id)],
                    |_| std::slice::from_ref(&holder),
                    |_| None,
                )
                .remove(0)
            })
            .collect();
        Snapshot {
            scanned_at: at(0),
            gaps: vec![],
            listeners,
            elsewhere: vec![],
        }
    }

    fn scene<'a>(
        snapshot: &'a Snapshot,
        now: u64,
        lives: &'a dyn Fn(ProcessKey) -> bool,
    ) -> Scene<'a> {
        Scene {
            snapshot,
            lives,
            runs_as: &|key, uid| (key.pid, uid) == (5, 33),
            boot: BOOT,
            now: at(now),
            heard_since: at(0),
            stale_threshold: Duration::from_secs(50),
        }
    }

    fn status(row: &Reservation, scene: &Scene<'_>) -> Status {
        next(row, scene).map_or(row.status, |next| next.status)
    }

    #[test]
    fn a_claim_is_its_processes_and_what_that_started() {
        let all = |_| true;
        for (who, expected) in [
            (process(5, "node", &[1]), Belongs::Yes),
            (process(6, "node", &[5, 1]), Belongs::Yes),
            (process(7, "node", &[6, 5, 1]), Belongs::Yes),
            (process(6, "node", &[1]), Belongs::No),
            (process(1, "init", &[]), Belongs::No),
        ] {
            let snapshot = listeners(vec![Arc::clone(&who)]);
            assert_eq!(
                belongs(
                    &claimed(),
                    &snapshot.listeners[0],
                    &scene(&snapshot, 0, &all)
                ),
                expected,
                "{who:?}"
            );
        }
    }

    #[test]
    fn a_sibling_of_the_owner_that_listens_is_no_stranger() {
        let all = |_| true;
        // SO_REUSEPORT: two workers of one master, of which one made the claim.
        let (own, sibling) = (process(5, "node", &[4, 1]), process(6, "node", &[4, 1]));
        let both = listeners(vec![own, Arc::clone(&sibling)]);
        assert_eq!(
            belongs(&claimed(), &both.listeners[1], &scene(&both, 0, &all)),
            Belongs::Yes
        );
        let alone = listeners(vec![sibling]);
        assert_eq!(
            belongs(&claimed(), &alone.listeners[0], &scene(&alone, 0, &all)),
            Belongs::No
        );
    }

    #[test]
    fn a_reservation_is_for_the_processes_of_its_project() {
        let all = |_| true;
        let of = |project: Option<&str>| {
            let mut who = Arc::unwrap_or_clone(process(9, "vite", &[1]));
            who.project = project.map(|name| {
                Arc::new(Project {
                    name: name.into(),
                    root: "/shop".into(),
                    branch: None,
                    worktree: false,
                })
            });
            listeners(vec![Arc::new(who)])
        };
        for (project, expected) in [
            (Some("shop"), Belongs::Yes),
            (Some("blog"), Belongs::No),
            (None, Belongs::No),
        ] {
            let snapshot = of(project);
            let judged = belongs(
                &reserved(3000, "shop"),
                &snapshot.listeners[0],
                &scene(&snapshot, 0, &all),
            );
            assert_eq!(judged, expected, "{project:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_not_judged() {
        let all = |_| true;
        let mut snapshot = listeners(vec![process(9, "x", &[1])]);
        snapshot.listeners[0].owner = None;
        snapshot.listeners[0].uid = 1000;
        assert_eq!(
            belongs(
                &claimed(),
                &snapshot.listeners[0],
                &scene(&snapshot, 0, &all)
            ),
            Belongs::Unknown
        );
        snapshot.listeners[0].uid = 0;
        assert_eq!(
            belongs(
                &claimed(),
                &snapshot.listeners[0],
                &scene(&snapshot, 0, &all)
            ),
            Belongs::No
        );
        // What was started through sudo.
        snapshot.listeners[0].uid = 33;
        let none = |_| false;
        for (lives, expected) in [
            (&all as &dyn Fn(_) -> _, Belongs::Yes),
            (&none, Belongs::No),
        ] {
            let scene = scene(&snapshot, 0, lives);
            let judged = belongs(&claimed(), &snapshot.listeners[0], &scene);
            assert_eq!(judged, expected);
        }
        let proxy = listeners(vec![process(9, "docker-proxy", &[1])]);
        assert_eq!(
            belongs(&claimed(), &proxy.listeners[0], &scene(&proxy, 0, &all)),
            Belongs::Unknown
        );
        let mut blind = listeners(vec![]);
        blind.gaps.push(Gap {
            kind: GapKind::SocketsUnreadable,
            detail: String::new(),
        });
        assert_eq!(
            end(&claimed(), &scene(&blind, 1000, &all)),
            None,
            "it may listen"
        );
    }

    #[test]
    fn the_states_follow_each_other() {
        let (all, none) = (|_| true, |_| false);
        let nobody = listeners(vec![]);
        let owner = listeners(vec![process(5, "node", &[1])]);
        let mut row = claimed();
        assert_eq!(status(&row, &scene(&nobody, 99, &all)), Status::Claimed);
        assert_eq!(
            status(&row, &scene(&nobody, 100, &all)),
            Status::Stale,
            "its lease ran out"
        );
        assert_eq!(
            status(&row, &scene(&nobody, 1, &none)),
            Status::Stale,
            "its owner died"
        );
        assert_eq!(
            status(&row, &scene(&owner, 1000, &all)),
            Status::Active,
            "never stale while it listens"
        );
        row.status = Status::Active;
        let after = next(&row, &scene(&nobody, 1000, &all)).unwrap();
        assert_eq!(
            after.status,
            Status::Claimed,
            "listening was as good as a heartbeat"
        );
        assert_eq!(after.lease.unwrap().expires_at, at(1100));
        assert_eq!(
            status(&row, &scene(&owner, 1000, &none)),
            Status::Stale,
            "who is dead does not listen"
        );
        let rebooted = Scene {
            boot: "next",
            ..scene(&owner, 1, &all)
        };
        assert_eq!(end(&claimed(), &rebooted), Some(End::OwnerEnded));
        row.status = Status::Stale;
        assert_eq!(
            status(&row, &scene(&nobody, 5, &all)),
            Status::Claimed,
            "renewed in time"
        );
    }

    #[test]
    fn silence_counts_only_for_who_has_spoken_and_since_it_could_be_heard() {
        let all = |_| true;
        let nobody = listeners(vec![]);
        assert_eq!(end(&claimed(), &scene(&nobody, 99, &all)), None);
        let beating = Reservation {
            last_heartbeat: Some(at(10)),
            ..claimed()
        };
        assert_eq!(end(&beating, &scene(&nobody, 59, &all)), None);
        assert_eq!(end(&beating, &scene(&nobody, 60, &all)), Some(End::Silent));
        let deaf = Scene {
            heard_since: at(30),
            ..scene(&nobody, 60, &all)
        };
        assert_eq!(end(&beating, &deaf), None, "nobody listened for it before");
    }

    #[test]
    fn who_may_claim() {
        let all = |_| true;
        let none = |_| false;
        let nobody = listeners(vec![]);
        let other = LeaseOwner {
            key: key(6),
            boot: BOOT.into(),
            name: "other".into(),
        };
        let by = |owner: Option<LeaseOwner>,
                  project: Option<&'static str>,
                  token: Option<&'static str>| (owner, project, token);
        let judge = |row: &Reservation,
                     (owner, project, token): (Option<LeaseOwner>, Option<&str>, Option<&str>),
                     lives: &dyn Fn(ProcessKey) -> bool| {
            let claimant = Claimant {
                owner: owner.as_ref(),
                project,
                service: None,
                token,
            };
            claim(row, &claimant, &scene(&nobody, 1, lives))
        };
        assert_eq!(
            judge(&claimed(), by(Some(other.clone()), None, None), &all),
            Claimed::Refused
        );
        assert_eq!(
            judge(&claimed(), by(claimed().owner, None, None), &all),
            Claimed::Renewed
        );
        assert_eq!(
            judge(&claimed(), by(None, None, Some("token")), &all),
            Claimed::Renewed
        );
        assert_eq!(
            judge(&claimed(), by(None, None, Some("guess")), &all),
            Claimed::Refused
        );
        assert_eq!(
            judge(&claimed(), by(None, None, None), &all),
            Claimed::Refused,
            "nobody is not somebody"
        );
        assert_eq!(
            judge(&claimed(), by(Some(other.clone()), None, None), &none),
            Claimed::Anew(Some(End::OwnerEnded))
        );
        let set_aside = reserved(3000, "shop");
        assert_eq!(
            judge(
                &set_aside,
                by(Some(other.clone()), Some("shop"), None),
                &all
            ),
            Claimed::Reserved
        );
        assert_eq!(
            judge(
                &set_aside,
                by(Some(other.clone()), Some("blog"), None),
                &all
            ),
            Claimed::Refused
        );
        assert_eq!(
            judge(&set_aside, by(Some(other), None, None), &all),
            Claimed::Refused
        );
    }
}
