//! Every kind of news, and how it is told.

use super::*;
use crate::model::{ProcessKey, Timestamp};
use crate::notify::Press;

pub(in crate::notify) fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

pub(in crate::notify) fn party(pid: u32, service: &str) -> Party {
    Party {
        pid,
        key: ProcessKey { pid, start: 7 },
        name: "x".into(),
        service: service.into(),
        command: "x".repeat(4096),
    }
}

pub(in crate::notify) fn intruder(number: u16, pid: u32) -> News {
    News::Intruder {
        port: port(number),
        protocol: Protocol::Tcp,
        who: Some(party(pid, "python3")),
        user: "me".into(),
        other_user: false,
        purpose: Some("shop web".into()),
        made: Timestamp::of_millis(7),
    }
}

pub(in crate::notify) fn shadowed(number: u16, parties: &[Party]) -> News {
    News::Shadowed {
        port: port(number),
        parties: parties.to_vec(),
    }
}

pub(in crate::notify) fn refused(number: u16, asker: &str) -> News {
    News::Refused {
        port: port(number),
        protocol: Protocol::Tcp,
        asker: asker.into(),
        holder: "vite (pid 4242)".into(),
    }
}

pub(in crate::notify) fn cleaned(number: u16, kept: bool) -> News {
    News::Cleaned {
        port: port(number),
        protocol: Protocol::Tcp,
        purpose: Some("shop web".into()),
        owner: Some("node (pid 42)".into()),
        why: End::OwnerEnded,
        kept,
        free: true,
    }
}

pub(in crate::notify) fn settled(number: u16) -> News {
    News::Settled {
        port: port(number),
        protocol: Protocol::Tcp,
    }
}

fn said(news: &News) -> (String, String, String) {
    let item = Item::of(news).unwrap();
    (item.note.summary, item.note.body, item.label)
}

#[track_caller]
fn says(news: &News, summary: &str, body: &str, label: &str) {
    let expected = (summary.to_owned(), body.to_owned(), label.to_owned());
    assert_eq!(said(news), expected);
}

#[test]
fn what_is_not_held() {
    let one = |protocol, purpose: Option<&str>, why: &str| News::NotHeld {
        port: port(3000),
        protocol,
        purpose: purpose.map(str::to_owned),
        why: why.into(),
    };
    let tcp = one(
        Protocol::Tcp,
        Some("shop web"),
        "somebody else has it bound",
    );
    says(
        &tcp,
        "Port 3000 is not held",
        "It is reserved for shop web, and others can bind it: somebody else has it bound.",
        "3000 is not held",
    );
    says(
        &one(Protocol::Udp, None, "no\u{7} right"),
        "Port 3000/udp is not held",
        "Others can bind it: no\\x07 right.",
        "3000/udp is not held",
    );
    assert!(Item::of(&tcp).unwrap().note.buttons.is_empty());
}

#[test]
fn intruders() {
    says(
        &intruder(3000, 4242),
        "Port 3000 is reserved for shop web",
        "python3 (pid 4242) listens on it.",
        "3000 python3",
    );
    let by = |who, other_user, purpose| News::Intruder {
        port: port(5353),
        protocol: Protocol::Udp,
        who,
        user: "root".into(),
        other_user,
        purpose,
        made: Timestamp::of_millis(7),
    };
    let theirs = by(Some(party(9, "nginx")), true, None);
    says(
        &theirs,
        "Port 5353/udp is reserved",
        "nginx (pid 9) of root listens on it.",
        "5353/udp nginx",
    );
    let unseen = by(None, true, Some("shop".into()));
    says(
        &unseen,
        "Port 5353/udp is reserved for shop",
        "A process of root that cannot be seen listens on it.",
        "5353/udp a process of root",
    );
}

#[test]
fn only_ones_own_process_that_is_seen_can_be_killed() {
    let key = party(9, "").key;
    let (port, protocol) = (port(3000), Protocol::Tcp);
    let (kill, release, ignore) = (
        Press::Kill { port, key },
        Press::Release {
            port,
            protocol,
            made: Timestamp::of_millis(7),
        },
        Press::Ignore {
            port,
            protocol,
            key,
        },
    );
    for (who, other_user, expected) in [
        (Some(party(9, "a")), false, vec![&kill, &release, &ignore]),
        (Some(party(9, "a")), true, vec![&release, &ignore]),
        (None, true, vec![&release]),
        (None, false, vec![&release]),
    ] {
        let note = Item::of(&News::Intruder {
            port,
            protocol,
            who,
            user: "me".into(),
            other_user,
            purpose: None,
            made: Timestamp::of_millis(7),
        })
        .unwrap()
        .note;
        let presses: Vec<&Press> = note.buttons.iter().map(|button| &button.press).collect();
        assert_eq!(presses, expected);
    }
}

#[test]
fn shared_ports() {
    let (vite, next) = (party(5, "vite"), party(6, "next"));
    says(
        &shadowed(3000, &[vite.clone(), next.clone(), vite.clone()]),
        "Two processes use port 3000",
        "vite (pid 5) and next (pid 6): a client may reach either.",
        "3000 vite and next",
    );
    says(
        &shadowed(3000, std::slice::from_ref(&vite)),
        "Two processes use port 3000",
        "vite (pid 5) and a process that cannot be seen: a client may reach either.",
        "3000 vite and a process that cannot be seen",
    );
    says(
        &shadowed(3000, &[vite, next, party(7, "deno")]),
        "3 processes use port 3000",
        "vite (pid 5), next (pid 6) and deno (pid 7): a client may reach any of them.",
        "3000 vite, next and deno",
    );
    let many: Vec<Party> = (1..=6).map(|pid| party(pid, "a")).collect();
    says(
        &shadowed(3000, &many),
        "6 processes use port 3000",
        "a (pid 1), a (pid 2), a (pid 3) and 3 more: a client may reach any of them.",
        "3000 a, a, a and 3 more",
    );
    let nobody = Item::of(&shadowed(3000, &[])).unwrap().note;
    assert_eq!(nobody.summary, "Several processes use port 3000");
    assert_eq!(nobody.body, "A client may reach any of them.");
}

#[test]
fn what_was_refused_and_what_was_cleaned_up() {
    says(
        &refused(3000, "node (pid 42)"),
        "Port 3000 was refused",
        "node (pid 42) asked for it; vite (pid 4242) has it.",
        "3000 node (pid 42)",
    );
    says(
        &cleaned(3000, false),
        "Port 3000 is free again",
        "It was claimed for shop web; node (pid 42) has ended.",
        "3000 shop web",
    );
    says(
        &cleaned(3000, true),
        "Port 3000 is free again",
        "It was claimed for shop web; node (pid 42) has ended; it stays reserved for shop web.",
        "3000 shop web",
    );
    let mut taken = cleaned(3000, false);
    if let News::Cleaned { free, .. } = &mut taken {
        *free = false;
    }
    assert_eq!(said(&taken).0, "The claim of port 3000 is over");
    let over = |owner: Option<&str>, why, kept| {
        said(&News::Cleaned {
            port: port(3000),
            protocol: Protocol::Tcp,
            purpose: None,
            owner: owner.map(str::to_owned),
            why,
            kept,
            free: true,
        })
        .1
    };
    assert_eq!(
        over(None, End::Expired, false),
        "It was claimed; its lease ran out."
    );
    assert_eq!(
        over(Some("a (pid 1)"), End::Expired, true),
        "It was claimed; the lease of a (pid 1) ran out; it stays reserved."
    );
    assert_eq!(
        over(Some("a (pid 1)"), End::Silent, false),
        "It was claimed; the heartbeats of a (pid 1) stopped."
    );
}

#[test]
fn what_others_write_is_escaped_and_cut_off() {
    let bad = format!("\u{1b}[31m\u{202e}\n{}", "é".repeat(5000));
    let (port, protocol) = (port(3000), Protocol::Tcp);
    let all = [
        News::Intruder {
            port,
            protocol,
            who: Some(party(1, &bad)),
            user: bad.clone(),
            other_user: true,
            purpose: Some(bad.clone()),
            made: Timestamp::of_millis(7),
        },
        News::Intruder {
            port,
            protocol,
            who: None,
            user: bad.clone(),
            other_user: true,
            purpose: None,
            made: Timestamp::of_millis(7),
        },
        shadowed(3000, &vec![party(1, &bad); 3]),
        refused(3000, &bad),
        News::Cleaned {
            port,
            protocol,
            purpose: Some(bad.clone()),
            owner: Some(bad.clone()),
            why: End::Silent,
            kept: true,
            free: true,
        },
        News::Registry {
            summary: bad.clone(),
            body: bad,
        },
    ];
    for news in all {
        let (summary, body, label) = said(&news);
        for text in [summary, body, label] {
            assert_eq!(escape(&text), text, "nothing acts");
            assert!(text.chars().count() <= TEXT, "{text}");
        }
    }
    assert_eq!(Item::of(&settled(3000)), None);
}
