//! Whole ways: from a registry through a file into another one.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::model::log::{Happened, Wanted};
use crate::model::reservation::tests::reserved;
use crate::model::reservation::{
    Drawn, HeldBy, Hold, Lease, LeaseOwner, RESERVATIONS_LIMIT, Status,
};
use crate::model::{Port, ProcessKey, Protocol, Reservation};
use crate::registry::Registry;
use crate::registry::fixture::{ASKER, Folder, at, change, claimed, clock, content, fill};

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

fn import(registry: &mut Registry, text: &str) -> Result<Imported, ImportFailure> {
    registry.import(parse(text).unwrap(), false, &clock(2000), &ASKER)
}

fn conflicts(result: Result<Imported, ImportFailure>) -> Vec<String> {
    match result {
        Err(ImportFailure::Conflicts(problems)) => {
            problems.iter().map(ToString::to_string).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn wrong(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn the_form_is_for_people() {
    let folder = Folder::new();
    let mut registry = folder.open();
    fill(&mut registry);
    let uid = registry.uid();
    change(&mut registry, |change| {
        let own = change.all().map(|row| Reservation { uid, ..row.clone() });
        let own: Vec<Reservation> = own.collect();
        own.into_iter().try_for_each(|row| change.put(row))
    });
    let expected = r#"# What Freeport keeps: settings, reservations, and the ports that services had before.
# 'freeport import FILE' reads it.
# Whoever knows a token in it can release that claim: keep it to yourself.
version = 1

[settings]
notify_cleanup = false
port_range = "4000-5000"
preferred_ports = [4000, 4001]
stale_threshold = 90

[[reservation]]
port = 3000
project = "shop"
created_at = 1970-01-01T00:00:00.000Z

[[reservation]]
port = 3001
project = "'; DROP TABLE ports; --"
service = "wëb"
metadata = "{\"branch\":\"it's\",\"n\":[1,2]}"
created_at = 1970-01-01T00:00:00.000Z
ttl = "1h 500ms"
expires_at = 1970-01-01T01:23:20.000Z
last_heartbeat = 1970-01-01T00:23:20.000Z
status = "active"
hold = "held"
token = "5d41402abc4b2a76b9719d911017c592"
owner = { process = "4242@18446744073709551615", name = "no\U0000001bde's \"x\"", boot = "boot" }

[[reservation]]
port = 3001
protocol = "udp"
project = 'größe "端口" [x]'
service = "wëb"
metadata = "{\"branch\":\"it's\",\"n\":[1,2]}"
created_at = 1970-01-01T00:00:00.000Z
kept = true
ttl = "1h 500ms"
expires_at = 1970-01-01T01:23:20.000Z
last_heartbeat = 1970-01-01T00:23:20.000Z
status = "active"
hold = "held"
token = "5d41402abc4b2a76b9719d911017c592"
owner = { process = "4242@18446744073709551615", name = "no\U0000001bde's \"x\"", boot = "boot" }

[[reservation]]
port = 3002
created_at = 1970-01-01T00:00:00.000Z
ttl = "1m 30s"
expires_at = 1970-01-01T00:18:10.000Z

[history."my shop"]
"wëb" = [3005, 3001, 3000]

[history.shop]
"a.b" = [3005, 3001, 3000]

[pools.ci]
ports = "15000-15999,20000"
created_at = 1970-01-01T00:00:07.000Z
"#;
    assert_eq!(export(&registry).unwrap(), expected);
    assert_eq!(export(&Folder::new().open()).unwrap().lines().count(), 3);
}

#[test]
fn what_was_exported_is_imported_the_same() {
    let (from, to) = (Folder::new(), Folder::new());
    let mut registry = from.open();
    fill(&mut registry);
    let text = export(&registry).unwrap();
    let mut other = to.open();
    let done = import(&mut other, &text).unwrap();
    let expected = Imported {
        added: 4,
        settings: 4,
        remembered: 6,
        pools: 1,
        ..Imported::default()
    };
    assert_eq!(done, expected);
    let (one, two) = (content(&registry), content(&other));
    assert_eq!(one.rows, two.rows);
    assert_eq!(*other.rows(), two.rows);
    assert_eq!((one.config, one.pools), (two.config, two.pools));
    assert_eq!(
        other.remembered("my shop", "wëb").unwrap(),
        [3005, 3001, 3000].map(port)
    );
    assert_eq!(export(&other).unwrap(), text);
    let log = other
        .log(&Wanted {
            limit: 9,
            ..Wanted::default()
        })
        .unwrap();
    assert_eq!(log.len(), 4 + 1);
    assert!(
        log.iter()
            .all(|entry| entry.event == Happened::Import && entry.at == at(2000))
    );
    // Once more, into both: nothing changes, and nothing is logged.
    for registry in [&mut registry, &mut other] {
        let before = (
            content(registry),
            registry
                .log(&Wanted {
                    limit: 99,
                    ..Wanted::default()
                })
                .unwrap(),
        );
        let done = import(registry, &text).unwrap();
        assert!(!done.changed(), "{done:?}");
        assert_eq!(
            done,
            Imported {
                unchanged: 4,
                ..Imported::default()
            }
        );
        let after = (
            content(registry),
            registry
                .log(&Wanted {
                    limit: 99,
                    ..Wanted::default()
                })
                .unwrap(),
        );
        assert_eq!(before, after);
    }
}

/// Reservations of all kinds, from a sequence of numbers.
fn arbitrary(port: u16, random: &mut impl FnMut(u32) -> u32) -> Reservation {
    const NAMES: [&str; 8] = [
        "web", "a b", "\"'\"", "@scope/p", "größe", "'''", "\\", "[x.y]#",
    ];
    let mut name = |some: u32| (random(2) < some).then(|| NAMES[random(8) as usize].to_owned());
    let (project, service) = (name(1), name(1));
    let has_token = random(2) == 0;
    let owner = (has_token && random(2) == 0).then(|| LeaseOwner {
        key: ProcessKey {
            pid: 1 + random(u32::MAX - 1),
            start: u64::from(random(u32::MAX)) << random(33),
        },
        boot: "boot".into(),
        name: char::from_u32(random(0x11_0000)).map_or(String::new(), |c| c.to_string().repeat(3)),
    });
    let time = |seconds: u32| at(u64::from(seconds)).after(Duration::from_millis(7));
    let statuses = [
        Status::Reserved,
        Status::Claimed,
        Status::Active,
        Status::Stale,
    ];
    let metadata = [
        r#"{"a":"it's"}"#,
        "[]",
        "null",
        "\"\\n\"",
        " {\"x\": [1.5e3]} ",
        "\"'\"",
    ];
    Reservation {
        port: Port::new(port).unwrap(),
        protocol: [Protocol::Tcp, Protocol::Udp][random(2) as usize],
        project,
        service,
        // Never that of the file, which stands for whoever imports it.
        uid: 5000 + random(3),
        lease: (random(2) == 0).then(|| Lease {
            ttl: Duration::from_millis(u64::from(random(30 * 24 * 3_600_000))),
            expires_at: time(random(u32::MAX)),
        }),
        kept: random(2) == 0,
        status: statuses[random(4) as usize],
        hold: [Hold::Advisory, Hold::Held, Hold::HandedOver][random(3) as usize],
        held_by: [None, Some(HeldBy::App), Some(HeldBy::Client)][random(3) as usize],
        keep_held: random(2) == 0,
        reserved_service: [None, Some("web".to_owned())][random(2) as usize].clone(),
        drawn: (random(2) == 0).then(|| Drawn {
            pool: "ci".to_owned(),
            job_id: random(u32::MAX).to_string(),
        }),
        metadata: (random(2) == 0).then(|| metadata[random(6) as usize].to_owned()),
        created_at: time(random(u32::MAX)),
        last_heartbeat: (random(2) == 0).then(|| time(random(u32::MAX))),
        token: has_token.then(|| random(u32::MAX).to_string()),
        owner,
    }
}

#[test]
fn reservations_of_all_kinds_are_read_as_they_were_written() {
    let mut state = 42u64;
    let mut random = move |below: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as u32) % below
    };
    let (from, to) = (Folder::new(), Folder::new());
    let (mut registry, mut other) = (from.open(), to.open());
    change(&mut registry, |change| {
        (1..3000).try_for_each(|port| change.put(arbitrary(port, &mut random)))
    });
    let text = export(&registry).unwrap();
    let done = import(&mut other, &text).unwrap();
    assert_eq!((done.added, done.skipped), (2999, vec![]));
    for (one, two) in content(&other)
        .rows
        .values()
        .zip(content(&registry).rows.values())
    {
        assert_eq!(one, two);
    }
    assert!(export(&other).unwrap() == text);
    assert!(!import(&mut registry, &text).unwrap().changed());
}

#[test]
fn people_write_services_and_ports() {
    let text = "[projects.shop]\nweb = 3000\n'api v2' = 3001\n[projects.\"my blog\"]\nweb = 4000\n";
    let folder = Folder::new();
    let mut registry = folder.open();
    let done = import(&mut registry, text).unwrap();
    assert_eq!((done.added, done.unchanged), (3, 0));
    let expected = Reservation {
        service: Some("api v2".into()),
        reserved_service: Some("api v2".into()),
        created_at: at(2000),
        ..reserved(3001, "shop")
    };
    assert_eq!(registry.rows().get(&expected.key()), Some(&expected));
    assert_eq!(registry.remembered("shop", "web").unwrap(), [port(3000)]);
    assert!(!import(&mut registry, text).unwrap().changed());
    // Both forms in one file may say the same.
    let both = format!("{}\n{text}", export(&registry).unwrap());
    assert_eq!(
        import(&mut registry, &both).unwrap(),
        Imported {
            unchanged: 3,
            ..Imported::default()
        }
    );
}

#[test]
fn a_file_that_conflicts_changes_nothing_and_says_all_that_does() {
    let folder = Folder::new();
    let mut registry = folder.open();
    change(&mut registry, |change| {
        change.put(Reservation {
            service: Some("api".into()),
            ..reserved(3000, "blog")
        })?;
        change.put(claimed(3001, "blog"))?;
        change.put(Reservation {
            service: Some("db".into()),
            ..reserved(3002, "shop")
        })?;
        change.write(|db| {
            db.execute("INSERT INTO port_pools VALUES ('ci', '1-2', 0)", [])
                .map(drop)
        })
    });
    let before = content(&registry);
    let text = "
        [settings]
        stale_threshold = 99
        [projects.shop]
        web = 3000
        api = 3001
        db = 3003
        good = 3004
        [projects.zoo]
        good = 3004
        [[reservation]]
        port = 3005
        service = 'x'
        [[reservation]]
        port = 3005
        service = 'x'
        [pools.ci]
        ports = '5-6'
    ";
    let expected = [
        "port 3005 is in the file twice: for x and for x",
        "port 3001 cannot be for shop api: no\\x1bde's \"x\" (pid 4242) has claimed it for blog wëb",
        "port 3003 cannot be for shop db: that has port 3002",
        "port 3000 cannot be for shop web: it is reserved for blog api",
        "port 3004 is in the file twice: for shop good and for zoo good",
        "the pool ci cannot have the ports 5-6: it has 1-2",
    ];
    assert_eq!(conflicts(import(&mut registry, text)), expected);
    assert_eq!(content(&registry), before);
    assert_eq!(
        registry
            .log(&Wanted {
                limit: 9,
                ..Wanted::default()
            })
            .unwrap(),
        []
    );
    let planned: Vec<String> = plan(&parse(text).unwrap(), registry.rows())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(planned, expected[..5], "pools aside");
    let skipping = |registry: &mut Registry| {
        registry
            .import(parse(text).unwrap(), true, &clock(2000), &ASKER)
            .unwrap()
    };
    let done = skipping(&mut registry);
    assert_eq!((done.added, done.settings, done.skipped.len()), (2, 1, 6));
    assert_eq!(done.skipped[1].port(), Some(port(3001)));
    assert_eq!(registry.rows().len(), 5);
    assert!(!skipping(&mut registry).changed());
    assert_eq!(
        content(&registry).rows[&(port(3001), Protocol::Tcp)],
        claimed(3001, "blog")
    );
}

#[test]
fn a_claim_goes_on_and_what_is_set_aside_is_claimed() {
    let folder = Folder::new();
    let mut registry = folder.open();
    let claim = Reservation {
        service: Some("web".into()),
        ..claimed(3000, "shop")
    };
    change(&mut registry, |change| change.put(claim.clone()));
    let exported = export(&registry).unwrap();
    // What is reserved outlives the claim, which goes on.
    let plain = "[projects.shop]\nweb = 3000";
    assert_eq!(import(&mut registry, plain).unwrap().updated, 1);
    let kept = Reservation {
        kept: true,
        ..claim.clone()
    };
    assert_eq!(registry.rows().values().next(), Some(&kept));
    assert!(!import(&mut registry, plain).unwrap().changed());
    // The claim as it was before is the same claim.
    assert!(!import(&mut registry, &exported).unwrap().changed());
    // It ended: the file has it still, and brings it back where it is reserved for just that.
    change(&mut registry, |change| {
        change.put(kept.unclaimed().unwrap())
    });
    assert_eq!(import(&mut registry, &exported).unwrap().updated, 1);
    assert_eq!(registry.rows().values().next(), Some(&kept));
    // Somebody else claimed it meanwhile.
    change(&mut registry, |change| {
        change.put(Reservation {
            token: Some("other".into()),
            ..kept.clone()
        })
    });
    assert_eq!(conflicts(import(&mut registry, &exported)).len(), 1);
    // That is over.
    let over = Reservation {
        project: Some("zoo".into()),
        status: Status::Stale,
        ..claimed(3000, "zoo")
    };
    change(&mut registry, |change| change.put(over.clone()));
    assert_eq!(import(&mut registry, &exported).unwrap().updated, 1);
    assert_eq!(registry.rows().values().next(), Some(&claim));
}

#[test]
fn details_are_filled_in() {
    let folder = Folder::new();
    let mut registry = folder.open();
    let leased = Reservation {
        lease: Some(Lease::from(at(5), Duration::from_secs(9))),
        kept: false,
        ..reserved(3000, "shop")
    };
    change(&mut registry, |change| change.put(leased));
    let text = "[[reservation]]\nport = 3000\nproject = 'shop'\nservice = 'web'\nmetadata = '[1]'";
    assert_eq!(import(&mut registry, text).unwrap().updated, 1);
    let expected = Reservation {
        service: Some("web".into()),
        metadata: Some("[1]".into()),
        ..reserved(3000, "shop")
    };
    assert_eq!(registry.rows().values().next(), Some(&expected));
    // What says less takes nothing away.
    let less = "[[reservation]]\nport = 3000\nproject = 'shop'";
    assert!(!import(&mut registry, less).unwrap().changed());
}

#[test]
fn claims_of_another_boot_are_over() {
    let (from, to) = (Folder::new(), Folder::new());
    let mut registry = from.open();
    fill(&mut registry);
    let import = parse(&export(&registry).unwrap()).unwrap();
    let mut other = to.open();
    let rebooted = crate::registry::Clock {
        boot: "next",
        ..clock(2000)
    };
    let done = other
        .import(import.clone(), false, &rebooted, &ASKER)
        .unwrap();
    assert_eq!((done.added, done.ended), (3, 1));
    let was_claimed = &other.rows()[&(port(3001), Protocol::Udp)];
    assert_eq!(
        (was_claimed.status, &was_claimed.token),
        (Status::Reserved, &None)
    );
    assert!(
        !other
            .import(import, false, &rebooted, &ASKER)
            .unwrap()
            .changed()
    );
}

#[test]
fn what_services_had_is_remembered_behind_what_is_known() {
    let folder = Folder::new();
    let mut registry = folder.open();
    change(&mut registry, |change| {
        change.remember("shop", "web", port(9), at(1000))
    });
    let text = format!(
        "[history.shop]\nweb = [1, 2, 9, 1, {}]",
        (20..60)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(",")
    );
    assert_eq!(import(&mut registry, &text).unwrap().remembered, 7);
    assert_eq!(
        registry.remembered("shop", "web").unwrap(),
        [9, 1, 2, 20, 21, 22, 23, 24].map(port)
    );
    assert!(!import(&mut registry, &text).unwrap().changed());
}

#[test]
fn there_can_be_only_so_many() {
    let folder = Folder::new();
    let mut registry = folder.open();
    let entries = |ports: std::ops::Range<usize>| -> String {
        ports
            .map(|port| format!("[[reservation]]\nport = {port}\nservice = 's{port}'\n"))
            .collect()
    };
    let full = entries(1..RESERVATIONS_LIMIT + 1);
    assert_eq!(
        import(&mut registry, &full).unwrap().added,
        RESERVATIONS_LIMIT
    );
    let more = entries(30_000..30_001);
    assert!(matches!(
        import(&mut registry, &more),
        Err(ImportFailure::TooMany(_))
    ));
    assert_eq!(registry.rows().len(), RESERVATIONS_LIMIT);
    let too_many = wrong(&entries(1..RESERVATIONS_LIMIT + 2));
    assert_eq!(
        too_many,
        "the file has 16385 reservations: there can be at most 16384"
    );
    assert!(wrong(&"#".repeat(FILE_LIMIT + 1)).starts_with("the file has 4194305 bytes"));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (text, expected) in [
        ("x", "line 1: key with no value, expected `=`"),
        (
            "\n\nversion = 2",
            "line 3: the file has version 2, and this freeport reads version 1",
        ),
        (
            "[reservations]",
            "line 1: unknown field `reservations`, expected one of",
        ),
        (
            "[[reservation]]\nport = 3000\nproyect = 'x'",
            "line 3: unknown field `proyect`, expected one of",
        ),
        (
            "[[reservation]]\nproject = 'x'",
            "line 1: missing field `port`",
        ),
        ("[[reservation]]\nport = 0", "line 2: 0 is not a port"),
        (
            "[[reservation]]\nport = 70000",
            "line 2: 70000 is not a port: use 1 to 65535",
        ),
        ("[[reservation]]\nport = 99999999999999999999999", "line 2:"),
        (
            "[[reservation]]\nport = 0x50\nport = 81",
            "line 3: duplicate key",
        ),
        (
            "[[reservation]]\nport = '3000'",
            "expected a port, as a number from 1 to 65535",
        ),
        (
            "[[reservation]]\nport = 1\nproject = ''",
            "line 3: a name cannot be empty",
        ),
        (
            "[[reservation]]\nport = 1\nservice = \"a\\nb\"",
            "line 3: 'a\\nb' cannot be a name",
        ),
        (
            "[[reservation]]\nport = 1\nmetadata = '{'",
            "line 3: the metadata is not JSON",
        ),
        (
            "[[reservation]]\nport = 1\ncreated_at = 2026-05-01",
            "line 3: not a time of 1970 or later",
        ),
        (
            "[[reservation]]\nport = 1\ncreated_at = 1969-05-01T00:00:00Z",
            "line 3: not a time of 1970 or later",
        ),
        (
            "[[reservation]]\nport = 1\nttl = '1h'",
            "line 1: ttl and expires_at go together",
        ),
        (
            "[[reservation]]\nport = 1\nttl = '31d'\nexpires_at = 2026-05-01T00:00:00Z",
            "line 3: not a lease",
        ),
        (
            "[[reservation]]\nport = 1\nttl = -1\nexpires_at = 2026-05-01T00:00:00Z",
            "line 3: not a lease",
        ),
        (
            "[[reservation]]\nport = 1\nstatus = 'gone'",
            "line 3: unknown variant `gone`",
        ),
        (
            "[[reservation]]\nport = 1\nowner = {process='1@1',name='',boot=''}",
            "line 1: an owner goes with a token",
        ),
        (
            "[[reservation]]\nport = 1\nowner = {process='0@1',name='',boot=''}",
            "line 3: '0@1' is not a process key",
        ),
        ("[projects.shop]\nweb = 0", "line 2: 0 is not a port"),
        (
            "[projects.shop]\nweb = { port = 3000 }",
            "line 2: invalid type: map, expected a port",
        ),
        (
            "[projects.shop]\n' web' = 1",
            "line 2: ' web' cannot be a name",
        ),
        ("[projects]\nweb = 3000", "line 2: invalid type: integer"),
        (
            "[settings]\nno_such = 1",
            "line 2: there is no setting 'no_such'",
        ),
        (
            "[settings]\n\nstale_threshold = 1",
            "line 3: '1' is no value for stale_threshold",
        ),
        (
            "[settings]\nport_range = 1.5",
            "line 2: port_range takes a number",
        ),
        ("[history.a]\nb = [0]", "line 2: 0 is not a port"),
        (
            "[pools.a]\nports = '9-8'",
            "line 2: the range 9-8 ends before it starts",
        ),
        ("[pools.a]\n", "line 1: missing field `ports`"),
        ("a = [[[[", "line 1:"),
    ] {
        let said = wrong(text);
        assert!(
            said.contains(expected),
            "{text:?} gives {said:?}, not {expected:?}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let deep = format!("settings = {{a = {}", "[".repeat(100_000));
    assert!(wrong(&deep).starts_with("line 1: "));
    assert!(
        wrong(&format!("\u{1b}[31m{} = 1", "x".repeat(9000)))
            .chars()
            .count()
            < 500
    );
}

#[test]
fn values_are_taken_as_people_write_them() {
    let text = "
        [settings]
        stale_threshold = '2m'
        notify_cleanup = 'off'
        preferred_ports = '4000, 4001'
        port_range = '4000-5000'
        [[reservation]]
        port = 1
        created_at = '2026-05-01T00:00:00Z'
        expires_at = 2026-05-01 01:00:00.0009Z
        ttl = 3600
    ";
    let folder = Folder::new();
    let mut registry = folder.open();
    let done = import(&mut registry, text).unwrap();
    assert_eq!((done.added, done.settings), (1, 4));
    assert_eq!(registry.settings().number("stale_threshold"), 120);
    let row = registry.rows().values().next().unwrap();
    assert_eq!(row.created_at.to_string(), "2026-05-01T00:00:00.000Z");
    assert_eq!(
        row.lease.unwrap(),
        Lease::from(row.created_at, Duration::from_secs(3600))
    );
    assert!(!row.kept);
    assert_eq!(parse("").unwrap(), Import::default());
    assert_eq!(parse("\u{feff}version = 1\r\n").unwrap().reservations(), 0);
}

#[test]
fn a_name_of_the_database_is_only_a_name() {
    let folder = Folder::new();
    let mut registry = folder.open();
    let text = "[projects.\"'; DROP TABLE ports; --\"]\n\"x'); DELETE FROM config; --\" = 3000\n";
    assert_eq!(import(&mut registry, text).unwrap().added, 1);
    let again = export(&registry).unwrap();
    let other = Folder::new();
    let mut other = other.open();
    import(&mut other, &again).unwrap();
    assert_eq!(content(&other).rows, content(&registry).rows);
}

#[test]
fn the_file_is_the_users_own() {
    let folder = Folder::new();
    let file = folder.path().join("ports.toml");
    write_atomically(&file, "version = 1\n").unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "version = 1\n");
    assert!(write_atomically(Path::new("/dev/null"), "x").is_err());
    let registry = folder.open();
    let link = folder.path().join("link");
    crate::platform::files::tests::link(registry.path(), &link);
    for file in [registry.path(), &link] {
        assert!(write_atomically(file, "x").is_err());
    }
    assert!(registry.is_in_place());
}

#[test]
fn what_waits_for_its_commit_is_exported_too() {
    let folder = Folder::new();
    let mut registry = folder.open();
    registry.begin_batch();
    change(&mut registry, |change| change.put(reserved(3000, "shop")));
    assert!(export(&registry).unwrap().contains("port = 3000"));
    let done = import(&mut registry, "[projects.zoo]\nweb = 3001").unwrap();
    assert_eq!(done.added, 1);
    assert!(registry.back_up_to(&folder.path().join("b.db")).is_err());
    registry.end_batch().unwrap();
    assert_eq!(folder.open().rows().len(), 2);
}
