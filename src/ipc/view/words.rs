//! How reservations are told to people. What comes from other programs is escaped.

use std::borrow::Cow;
use std::time::Duration;

use crate::ipc::protocol::LeaseReply;
use crate::ipc::view::{ListenerView, ReservationView};
use crate::model::reservation::{HeldBy, Hold, Status};
use crate::model::text::escape;
use crate::model::time::{long_age, short_age};
use crate::model::{Conflict, Port, Protocol, Timestamp};

/// A port; with its protocol where that is not TCP.
pub fn spot(port: Port, protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => port.to_string(),
        Protocol::Udp => format!("{port}/udp"),
    }
}

/// What a reservation is for: `shop web`, `shop`, `web`, or nothing.
pub fn purpose(project: Option<&str>, service: Option<&str>) -> Option<String> {
    let words: Vec<&str> = [project, service].into_iter().flatten().collect();
    (!words.is_empty()).then(|| escape(&words.join(" ")).into_owned())
}

/// The project that a listener works for, or the Compose project of its container, or else the one that its port is reserved for; with the
/// service of the reservation, where it is the one that is meant: `shop · web`.
pub fn project(listener: &ListenerView) -> Cow<'_, str> {
    let own = listener
        .owner
        .as_ref()
        .and_then(|owner| owner.project.as_deref());
    let meant = listener
        .reservation
        .as_ref()
        .filter(|view| view.status == Status::Active);
    let reserved = meant.and_then(|view| view.project.as_deref());
    let compose = listener.container.as_ref();
    let compose = compose.and_then(|container| container.project.as_deref());
    let project = own.or(compose).or(reserved);
    let project = project.map(escape).unwrap_or_default();
    match meant.and_then(|view| view.service.as_deref()) {
        None => project,
        Some(service) if project.is_empty() => escape(service),
        Some(service) => format!("{project} · {}", escape(service)).into(),
    }
}

/// The process that claimed a port: `node (pid 42)`.
pub fn claimant(view: &ReservationView) -> Option<String> {
    let pid = view.pid?;
    let name = view.name.as_deref().unwrap_or("a process");
    Some(format!("{} (pid {pid})", escape(name)))
}

/// Whom a port is for: `for shop web, claimed by node (pid 42)`; nothing where nobody is named.
pub fn for_whom(view: &ReservationView) -> Option<String> {
    let purpose = purpose(view.project.as_deref(), view.service.as_deref());
    let purpose = purpose.map(|purpose| format!("for {purpose}"));
    let claimant = claimant(view).map(|claimant| format!("claimed by {claimant}"));
    let words: Vec<String> = [purpose, claimant].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What a reservation is, in a sentence about its port: `reserved for shop web`, `claimed for shop
/// web by node (pid 42)`.
pub fn standing(view: &ReservationView) -> String {
    let is_claim = view.status == Status::Claimed || view.pid.is_some();
    sentence(if is_claim { "claimed" } else { "reserved" }, view)
}

fn sentence(word: &str, view: &ReservationView) -> String {
    let purpose = purpose(view.project.as_deref(), view.service.as_deref());
    let purpose = purpose.map(|purpose| format!(" for {purpose}"));
    let claimant = claimant(view).map(|claimant| format!(" by {claimant}"));
    let rest = [purpose, claimant].into_iter().flatten();
    std::iter::once(word.to_owned()).chain(rest).collect()
}

/// How long it lasts, as the end of a sentence: `, for 1h (until 10:30 UTC)`.
pub fn term(view: &ReservationView, now: Timestamp) -> String {
    let end = match view.expires_at {
        Some(end) => end,
        None => return String::new(),
    };
    let left = span(now.age(end));
    match view.status {
        Status::Active => format!(", while it listens and for {left} after that"),
        _ => format!(", for {left} (until {})", moment(end, now)),
    }
}

/// A claim, as the reply to it tells it.
pub fn lease(lease: &LeaseReply, now: Timestamp) -> String {
    let view = &lease.reservation;
    let spot = spot(view.port, view.protocol);
    let verb = if lease.renewed { "stays" } else { "is" };
    let word = if lease.token.is_some() {
        "claimed"
    } else {
        "reserved"
    };
    let what = match for_whom(view) {
        Some(_) => sentence(word, view),
        None => "yours".to_owned(),
    };
    format!("port {spot} {verb} {what}{}", term(view, now))
}

/// What is said of a listener on a port that is reserved for somebody else, with what to do.
pub fn intruder(listener: &ListenerView) -> Option<String> {
    if listener.conflict != Some(Conflict::Intruder) {
        return None;
    }
    let port = listener.port;
    let standing = listener.reservation.as_ref().map(standing);
    let standing = standing.unwrap_or_else(|| "reserved".to_owned());
    let (who, end) = match &listener.owner {
        Some(owner) => (
            format!("{} (pid {})", escape(&owner.service), owner.pid),
            format!(
                "end it with 'freeport kill {port} --pid {}', or ",
                owner.pid
            ),
        ),
        None => (
            format!("a process of {}", escape(&listener.user_name())),
            String::new(),
        ),
    };
    Some(format!(
        "port {port} is {standing}, and {who} listens there: {end}give the port back with 'freeport release {port}'"
    ))
}

/// When a reservation ends, in a column: `in 52m`, `never`.
pub fn expires(view: &ReservationView, now: Timestamp) -> String {
    match (view.status, view.expires_at) {
        (Status::Stale, Some(end)) if end <= now => format!("{} ago", span_short(end.age(now))),
        (Status::Stale, _) => "over".to_owned(),
        (_, None) => "never".to_owned(),
        // The lease begins anew when nobody listens any more.
        (Status::Active, Some(_)) => "paused".to_owned(),
        (_, Some(end)) => format!("in {}", span_short(now.age(end))),
    }
}

/// How really a port is held, and by whom: `held by the app: nobody else can bind it`.
pub fn hold(view: &ReservationView) -> String {
    let holder = holder(view).unwrap_or_else(|| "somebody".to_owned());
    match (view.hold, &view.not_held) {
        (Hold::Advisory, None) => "advisory: others can still bind it".to_owned(),
        (Hold::Advisory, Some(why)) => {
            format!(
                "advisory: others can still bind it; not held: {}",
                escape(why)
            )
        }
        (Hold::Held, _) => format!("held by {holder}: nobody else can bind it"),
        (Hold::HandedOver, _) => format!("handed over: whom it is for listens; held by {holder}"),
    }
}

/// Who has bound a port that is held.
pub fn holder(view: &ReservationView) -> Option<String> {
    Some(match view.held_by? {
        HeldBy::App => "the app".to_owned(),
        HeldBy::Client => claimant(view).unwrap_or_else(|| "who claimed it".to_owned()),
    })
}

/// `1 port`, `2 ports`.
pub fn count(number: usize, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (n, Some(stem)) => format!("{n} {stem}ies"),
        (n, None) => format!("{n} {what}s"),
    }
}

/// A length of time in its two largest units, without a second one that is 0: `1h`, `1h 30m`.
pub fn span(time: Duration) -> String {
    let told = long_age(whole_seconds(time));
    let short = [" 0s", " 0m", " 0h"]
        .iter()
        .find_map(|zero| told.strip_suffix(zero));
    short.unwrap_or(&told).to_owned()
}

/// A length of time in its largest unit.
fn span_short(time: Duration) -> String {
    let time = whole_seconds(time);
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        _ => short_age(time),
    }
}

/// What is asked for in whole seconds is told so, although a moment has passed since.
fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

/// A time to the second: `2026-01-31T09:30:00Z`.
pub fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let second = text.get(..19).unwrap_or(&text);
    format!("{second}Z")
}

/// A time to the minute, and the day where that is not today: `10:30 UTC`.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let (text, today) = (at.to_string(), now.to_string());
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) if today.starts_with(day) => format!("{time} UTC"),
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::attribute;
    use crate::model::attribute::tests::{process, socket};

    /// A port that is set aside for `shop web`.
    pub(crate) fn reserved() -> ReservationView {
        ReservationView {
            held_by: None,
            held_since: None,
            not_held: None,
            keep_held: false,
            pool: None,
            job_id: None,
            port: Port::new(3000).unwrap(),
            protocol: Protocol::Tcp,
            project: Some("shop".into()),
            service: Some("web".into()),
            status: Status::Reserved,
            hold: Hold::Advisory,
            pid: None,
            key: None,
            name: None,
            uid: 1000,
            kept: true,
            metadata: None,
            created_at: Timestamp::of_millis(0),
            expires_at: None,
            last_heartbeat: None,
        }
    }

    fn claimed(seconds: i64) -> ReservationView {
        ReservationView {
            status: Status::Claimed,
            pid: Some(42),
            name: Some("no\u{7}de".into()),
            expires_at: Some(Timestamp::of_millis(seconds * 1000)),
            ..reserved()
        }
    }

    #[test]
    fn what_a_reservation_is() {
        assert_eq!(standing(&reserved()), "reserved for shop web");
        assert_eq!(
            standing(&claimed(60)),
            "claimed for shop web by no\\x07de (pid 42)"
        );
        let nobody = ReservationView {
            project: None,
            service: None,
            ..reserved()
        };
        assert_eq!(standing(&nobody), "reserved");
        assert_eq!(for_whom(&nobody), None);
        assert_eq!(
            for_whom(&claimed(60)).as_deref(),
            Some("for shop web, claimed by no\\x07de (pid 42)")
        );
        let active = ReservationView {
            status: Status::Active,
            ..reserved()
        };
        assert_eq!(standing(&active), "reserved for shop web");
    }

    #[test]
    fn leases() {
        let lease = |view: ReservationView, token: Option<&str>, renewed| {
            let reply = LeaseReply {
                taken: None,
                port: view.port,
                expires_at: view.expires_at,
                token: token.map(str::to_owned),
                renewed,
                reservation: view,
            };
            super::lease(&reply, Timestamp::of_millis(0))
        };
        assert_eq!(
            lease(claimed(3600), Some("t"), false),
            "port 3000 is claimed for shop web by no\\x07de (pid 42), for 1h (until 01:00 UTC)"
        );
        let nobody = ReservationView {
            project: None,
            service: None,
            pid: None,
            protocol: Protocol::Udp,
            ..claimed(3600)
        };
        assert_eq!(
            lease(nobody, Some("t"), true),
            "port 3000/udp stays yours, for 1h (until 01:00 UTC)"
        );
        let until = ReservationView {
            expires_at: Some(Timestamp::of_millis(60_000)),
            ..reserved()
        };
        assert_eq!(
            lease(until, None, true),
            "port 3000 stays reserved for shop web, for 1m (until 00:01 UTC)"
        );
    }

    #[test]
    fn who_listens_where_somebody_else_is_meant_to() {
        let holder = [process(7, "no\u{7}de", &[1])];
        let all = attribute::listeners(&[socket(3000, 1)], |_| &holder, |_| None);
        let mut listener = ListenerView::of(&all[0], false, false);
        assert_eq!(intruder(&listener), None);
        listener.conflict = Some(Conflict::Intruder);
        listener.reservation = Some(reserved());
        assert_eq!(
            intruder(&listener).as_deref(),
            Some(
                "port 3000 is reserved for shop web, and no\\x07de (pid 7) listens there: end it with 'freeport kill 3000 --pid 7', or give the port back with 'freeport release 3000'"
            )
        );
        listener.owner = None;
        listener.user = Some("alice".into());
        assert_eq!(
            intruder(&listener).as_deref(),
            Some(
                "port 3000 is reserved for shop web, and a process of alice listens there: give the port back with 'freeport release 3000'"
            )
        );
    }

    #[test]
    fn how_long_it_lasts() {
        let now = Timestamp::of_millis(1);
        assert_eq!(term(&reserved(), now), "");
        assert_eq!(term(&claimed(3600), now), ", for 1h (until 01:00 UTC)");
        assert_eq!(
            term(&claimed(90_000), now),
            ", for 1d 1h (until 1970-01-02 01:00 UTC)"
        );
        assert_eq!(expires(&reserved(), now), "never");
        assert_eq!(expires(&claimed(3599), now), "in 59m");
        assert_eq!(expires(&claimed(9), now), "in 9s");
        let stale = ReservationView {
            status: Status::Stale,
            ..claimed(60)
        };
        assert_eq!(expires(&stale, now), "over");
        assert_eq!(expires(&stale, Timestamp::of_millis(180_000)), "2m ago");
        let active = ReservationView {
            status: Status::Active,
            ..claimed(60)
        };
        assert_eq!(
            term(&active, now),
            ", while it listens and for 1m after that"
        );
        assert_eq!(expires(&active, Timestamp::of_millis(180_000)), "paused");
    }

    #[test]
    fn times() {
        for (seconds, told) in [
            (0, "0s"),
            (42, "42s"),
            (60, "1m"),
            (90, "1m 30s"),
            (3600, "1h"),
            (36_000, "10h"),
            (86_400, "1d"),
            (90_061, "1d 1h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), told);
        }
        assert_eq!(span(Duration::from_millis(3_599_990)), "1h");
        assert_eq!(time(Timestamp::of_millis(1_999)), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn counts() {
        assert_eq!(count(1, "entry"), "1 entry");
        assert_eq!(count(0, "entry"), "0 entries");
        assert_eq!(count(2, "port"), "2 ports");
    }
}
