//! The whole menu, as text.

use std::sync::Arc;

use super::*;
use crate::engine::State;
use crate::model::container::EngineKind;
use crate::model::leftover::Leftover;
use crate::model::reservation::Status;
use crate::model::service::Kind;
use crate::model::{Address, Container, Listener};
use crate::tray::scene::{
    below, claim, in_conflict, in_project, intruder, listener, menu_of, reservation, shared, state,
    text, view,
};

const REST: &str = "Notifications >\n  [x] Intruders\n  [x] Shared ports\n  [x] Refused ports\n  [x] Clean-ups\n\
                    [ ] Show system ports\n[x] Launch at login\nQuit Freeport\n";

#[test]
fn own_servers_come_first_and_others_below() {
    let listeners = [
        listener(3000, |p| {
            p.command = "/usr/bin/node vite.js /etc/hosts".into();
            p.cwd = Some("/home/me/shop".into());
        }),
        listener(6000, |p| p.kind = Kind::Application),
        listener(8022, |p| p.kind = Kind::System),
    ];
    assert_eq!(
        menu_of(&state(&listeners, &[])),
        format!(
            "(2 ports in use)\n--\n\
             3000   vite · 2h >\n  (node vite.js /etc/hosts)\n  (pid 7000 · running for 2h 1m)\n  (in ~/shop)\n  (listens on 127.0.0.1)\n  --\n  \
             Open http://localhost:3000\n  Copy URL\n  --\n  Kill vite (pid 7000) on 3000\n\
             Other programs (1) >\n  6000   vite · 2h >\n    (vite)\n    (pid 10000 · running for 2h 1m)\n    (listens on 127.0.0.1)\n    --\n    \
             Open http://localhost:6000\n    Copy URL\n    --\n    Kill vite (pid 10000) on 6000\n\
             --\n{REST}"
        )
    );
}

#[test]
fn conflicts_come_first_and_reservations_after_the_rows() {
    let (shop, thief) = (listener(3000, in_project("shop")), listener(3001, |_| {}));
    let reserved = [reservation(3001, "web"), claim(5000, 42)];
    let conflicts = [intruder(&thief, &reserved[0])];
    let menu = menu_of(&in_conflict(state(&[shop, thief], &reserved), &conflicts));
    let top: Vec<&str> = menu
        .lines()
        .filter(|line| !line.starts_with(' '))
        .take(7)
        .collect();
    assert_eq!(
        top,
        [
            "(2 ports in use · 2 reserved · 1 conflict)",
            "--",
            "⚠ 3001 · vite where shop web should be >",
            "--",
            "3000   vite · shop · 2h >",
            "⚠ 3001   vite · 2h >",
            "--",
        ]
    );
    assert!(menu.contains(&format!(
        "--\nReservations (2) >\n  \
         3001   shop web · reserved >\n    (made 2h 1m ago)\n    (does not expire)\n    (advisory: others can still bind it)\n    --\n    \
         Release 3001\n  \
         5000   node (pid 42) · claimed · 52m left >\n    (claimed by node (pid 42))\n    (made 8m ago)\n    (expires in 52m)\n    \
         (advisory: others can still bind it)\n    --\n    Release 5000\n{REST}"
    )), "{menu}");
}

#[test]
fn an_intruder_can_be_ended_or_let_in() {
    let thief = listener(3000, |p| {
        p.command = "vite --port 3000".into();
        p.cwd = Some("/home/me/blog".into());
    });
    let reserved = reservation(3000, "web");
    let shown = in_conflict(
        state(
            std::slice::from_ref(&thief),
            std::slice::from_ref(&reserved),
        ),
        &[intruder(&thief, &reserved)],
    );
    let menu = menu(Contents::of(&shown), &view());
    assert_eq!(
        below(&menu, "⚠ 3000 · vite where shop web should be"),
        "(vite --port 3000)\n(pid 7000 · running for 2h 1m)\n(in ~/blog)\n(reserved for shop web)\n--\n\
         Kill vite (pid 7000) on 3000\nRelease the reservation of 3000\nIgnore\n"
    );
    let row = below(&menu, "⚠ 3000   vite");
    assert!(row.contains("(⚠ reserved for shop web)\n"), "{row}");
    assert!(
        row.contains("--\nRelease the reservation of 3000\n--\nKill vite"),
        "{row}"
    );
}

#[test]
fn whom_the_user_may_not_end_is_not_offered() {
    let mut foreign = listener(3000, |_| {});
    (foreign.uid, foreign.user) = (0, Some("root".into()));
    let mut unseen = foreign.clone();
    unseen.owner = None;
    let reserved = [reservation(3000, "web")];
    let told = |thief: Listener| {
        let conflict = intruder(&thief, &reserved[0]);
        let shown = in_conflict(state(&[thief], &reserved), &[conflict]);
        below(&menu(Contents::of(&shown), &view()), "⚠ 3000 · ")
    };
    let text = told(foreign);
    assert!(!text.contains("Kill"), "{text}");
    assert!(
        text.ends_with("Release the reservation of 3000\nIgnore\n"),
        "{text}"
    );
    assert_eq!(
        told(unseen),
        "(A process of root, which you may not see)\n(reserved for shop web)\n--\nRelease the reservation of 3000\n"
    );
}

#[test]
fn who_shares_a_port_is_told_and_can_be_ended() {
    let one = listener(3000, in_project("shop"));
    let two = listener(3000, |p| {
        (p.key.pid, p.key.start) = (42, 1_000_000);
        p.service = "next".into();
    });
    let mut theirs = listener(3000, |p| p.key.pid = 43);
    theirs.uid = 0;
    let conflicts = [shared(&[&one, &two, &theirs])];
    let shown = in_conflict(state(&[one, two, theirs], &[]), &conflicts);
    let items = menu(Contents::of(&shown), &view());
    assert_eq!(
        below(&items, "⚠ 3000 · vite, next and vite share it"),
        "(vite (pid 7000) · in ~/shop · branch main)\n(next (pid 42))\n(vite (pid 43))\n\
         (a client may reach any of them: freeport why 3000)\n--\n\
         Kill vite (pid 7000) on 3000\nKill next (pid 42) on 3000\nIgnore\n"
    );
    let Some(Item::Sub { items, .. }) = items.get(2) else {
        panic!("{items:?}");
    };
    let ignored = |item: &Item| match item {
        Item::Button {
            action: Action::Ignore { key, .. },
            ..
        } => Some(key.pid),
        _ => None,
    };
    assert_eq!(items.iter().find_map(ignored), Some(42), "who came last");
}

#[test]
fn a_port_of_a_project_can_be_reserved() {
    let mut theirs = listener(3001, in_project("shop"));
    theirs.uid = 0;
    let mut view = view();
    view.show_system = true;
    let listeners = [
        listener(3000, in_project("shop")),
        theirs,
        listener(3002, in_project("a\nb")),
        listener(3003, in_project("shop")),
        listener(3004, |_| {}),
    ];
    let shown = state(&listeners, &[reservation(3003, "web")]);
    let items = menu(Contents::of(&shown), &view);
    let offers: Vec<String> = [3000, 3001, 3002, 3003, 3004]
        .map(|port| below(&items, &format!("{port}   ")))
        .iter()
        .map(|below| {
            below
                .lines()
                .filter(|line| line.contains("serv"))
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect();
    assert_eq!(
        offers,
        [
            "Reserve 3000 for shop",
            "",
            "",
            "(reserved for shop web)|Release the reservation of 3003",
            ""
        ]
    );
}

#[test]
fn what_is_left_over_is_apart_and_says_why() {
    let (old, new) = (listener(3000, |_| {}), listener(3001, |_| {}));
    let leftovers = [(old.owner_key().unwrap(), Leftover::FolderDeleted)];
    let shown = State {
        leftovers: Arc::new(leftovers.into()),
        ..state(&[old, new], &[])
    };
    let menu = menu_of(&shown);
    assert!(
        menu.starts_with("(2 ports in use)\n--\n3001   vite · 2h >\n"),
        "{menu}"
    );
    assert!(
        menu.contains("\nLeft over (1) >\n  3000   vite · 2h >\n    (left over: its folder has been deleted)\n    (vite)\n"),
        "{menu}"
    );
    assert!(
        menu.contains("\n    Kill vite (pid 7000) on 3000\n--\n"),
        "{menu}"
    );
}

#[test]
fn switches_are_as_the_settings_are() {
    let mut shown = state(&[], &[]);
    shown.settings.set("notify_cleanup", "false").unwrap();
    let items = menu(Contents::of(&shown), &view());
    assert!(below(&items, "Notifications").ends_with("[x] Refused ports\n[ ] Clean-ups\n"));
    for (_, key) in NOTIFICATIONS {
        crate::model::settings::find(key).unwrap();
    }
}

#[test]
fn how_long_a_claim_lasts_is_told() {
    let told = |status, expires: u64| {
        let mut one = claim(5000, 42);
        let start = crate::model::Timestamp(std::time::SystemTime::UNIX_EPOCH);
        let expires = start.after(std::time::Duration::from_secs(expires));
        (one.status, one.expires_at) = (status, Some(expires));
        let items = menu(Contents::of(&state(&[], &[one])), &view());
        let all = below(&items, "Reservations");
        let label = all.lines().next().unwrap().to_owned();
        (
            label,
            below(&items, "5000").lines().nth(2).unwrap().to_owned(),
        )
    };
    let rows = [
        (
            Status::Claimed,
            7300 + 7300,
            "claimed · 2h left >",
            "(expires in 2h 1m)",
        ),
        (
            Status::Claimed,
            7301,
            "claimed · less than a minute left >",
            "(expires in less than a minute)",
        ),
        (
            Status::Active,
            7400,
            "active >",
            "(does not expire while it is used)",
        ),
        (
            Status::Active,
            1,
            "active >",
            "(does not expire while it is used)",
        ),
        (Status::Stale, 1, "stale >", "(has expired)"),
    ];
    for (status, expires, label, line) in rows {
        let expected = (format!("5000   node (pid 42) · {label}"), line.to_owned());
        assert_eq!(told(status, expires), expected);
    }
}

#[test]
fn what_has_closed_can_do_nothing() {
    let thief = listener(3000, in_project("blog"));
    let reserved = [reservation(3000, "web")];
    let shown = in_conflict(
        state(std::slice::from_ref(&thief), &reserved),
        &[intruder(&thief, &reserved[0])],
    );
    let (empty, view) = (state(&[], &[]), view());
    let (open, frozen) = (
        menu(Contents::of(&shown), &view),
        menu(Contents::new(&shown, &empty), &view),
    );
    assert!(crate::tray::shape::is_same(&open, &frozen), "nothing moves");
    let frozen = text(&frozen);
    for told in [
        "(No port in use)",
        "⚠ 3000 · vite where shop web should be · settled >",
        "\n3000   vite · blog · 2h · closed >",
        "3000   shop web · reserved · released >",
    ] {
        assert!(frozen.contains(told), "{told}:\n{frozen}");
    }
    let (_, quit) = frozen.rsplit_once("Release 3000 [disabled]\n").unwrap();
    assert_eq!(quit, REST);
    for line in frozen.lines().filter(|line| line.starts_with(' ')) {
        let says = line.trim_start();
        let does = ["Kill", "Release", "Ignore", "Open", "Copy"];
        let acts = does.iter().any(|verb| says.starts_with(verb));
        assert_eq!(acts, says.ends_with("[disabled]"), "{line}");
    }
}

#[test]
fn force_is_offered_to_what_outlived_a_kill() {
    let one = listener(3000, |_| {});
    let mut view = view();
    view.stubborn.extend(one.owner_key());
    let reserved = [reservation(3000, "web")];
    let conflicts = [intruder(&one, &reserved[0])];
    let shown = in_conflict(state(&[one], &reserved), &conflicts);
    let menu = text(&menu(Contents::of(&shown), &view));
    let force = "Force kill vite (pid 7000) on 3000\n";
    assert_eq!(
        menu.matches(force).count(),
        2,
        "in its row and in the conflict:\n{menu}"
    );
}

#[test]
fn system_ports_are_shown_on_request() {
    let shown = state(&[listener(22, |p| p.kind = Kind::System)], &[]);
    let mut view = view();
    assert!(!menu_of(&shown).contains("22 "));
    view.show_system = true;
    assert!(
        text(&menu(Contents::of(&shown), &view))
            .contains("System and other users (1) >\n  22   vite")
    );
}

#[test]
fn long_lists_end_with_a_hint() {
    let listeners: Vec<Listener> = (3000..3100).map(|n| listener(n, |_| {})).collect();
    let reserved: Vec<_> = (3000..3100).map(|n| reservation(n, "web")).collect();
    let conflicts: Vec<_> = listeners
        .iter()
        .zip(&reserved)
        .map(|(listener, reserved)| intruder(listener, reserved))
        .collect();
    let mut shown = in_conflict(state(&listeners, &reserved), &conflicts);
    // More than are told one by one.
    shown.reserved = 5000;
    let menu = menu_of(&shown);
    for told in [
        "(100 ports in use · 5000 reserved · 100 conflicts)\n",
        "\n(… and 92 more: freeport list)\n--\n",
        "\n(… and 76 more: freeport list)\n--\n",
        "\nReservations (5000) >\n",
        "\n  (… and 4976 more: freeport query)\nNotifications",
    ] {
        assert!(menu.contains(told), "{told}:\n{menu}");
    }
}

#[test]
fn names_are_escaped_and_shortened() {
    let long = "x".repeat(500);
    let evil = format!("ev\u{1b}[2Jil\u{202e}{long}");
    let mut one = listener(3000, |p| {
        in_project(&evil)(p);
        p.service = evil.clone();
        p.command = evil.clone();
    });
    one.addresses = vec![Address::v4([10, 0, 0, 7].into())];
    let mut reserved = claim(3000, 42);
    (reserved.name, reserved.service) = (Some(evil.clone()), Some(evil));
    let conflicts = [intruder(&one, &reserved)];
    let menu = menu_of(&in_conflict(state(&[one], &[reserved]), &conflicts));
    assert!(menu.contains("⚠ 3000 · ev\\x1b[2Jil\\u{202e}xxx"), "{menu}");
    assert!(menu.contains("Open http://10.0.0.7:3000"), "{menu}");
    assert!(!menu.contains(['\u{1b}', '\u{202e}']), "{menu}");
    // The folder is told whole: its end says more than its start.
    let lines = menu.lines().filter(|line| !line.contains("(in ~"));
    assert!(
        lines
            .map(|line| line.chars().count())
            .all(|length| length < 180),
        "{menu}"
    );
}

/// Two entries without others below them, and then one that has some: the tray on Linux finds out
/// by it which menu a click was meant for.
#[test]
fn the_menu_begins_in_one_way() {
    let thief = listener(3000, |_| {});
    let reserved = [reservation(3000, "web")];
    let conflicts = [intruder(&thief, &reserved[0])];
    let some = state(std::slice::from_ref(&thief), &[]);
    for shown in [
        state(&[], &[]),
        state(&[], &reserved),
        in_conflict(some.clone(), &conflicts),
        some,
    ] {
        let items = menu(Contents::of(&shown), &view());
        assert!(
            matches!(
                items[..3],
                [Item::Info(_), Item::Separator, Item::Sub { .. }]
            ),
            "{}",
            text(&items)
        );
    }
}

#[test]
fn a_port_of_a_container_is_told_and_stopped_as_such() {
    let mut container = Container::of_id("4c01db0b339c17fb", EngineKind::Docker);
    (container.name, container.image) = ("shop-web-1".into(), Some("nginx\u{7}".into()));
    (container.project, container.service) = (Some("shop".into()), Some("web".into()));
    container.port = Some(80);
    let mut published = listener(3000, |p| p.name = "docker-proxy".into());
    published.container = Some(Arc::new(container));
    let mut unseen = published.clone();
    (unseen.owner, unseen.uid) = (None, 0);
    for one in [published, unseen] {
        let menu = menu_of(&state(&[one], &[]));
        assert!(
            menu.contains(
                "3000   web · shop >\n  (docker container shop-web-1)\n  (nginx\\x07, container port 80)\n  \
                 (listens on 127.0.0.1)\n  --\n  Open http://localhost:3000\n  Copy URL\n  --\n  \
                 Stop container shop-web-1 on 3000\n--\n"
            ),
            "{menu}"
        );
    }
}
