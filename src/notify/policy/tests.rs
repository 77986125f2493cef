//! The rules of the policy: told as histories, and checked on random ones.

use std::collections::HashMap;

use super::super::memory::{Case, Who};
use super::super::texts::tests::{cleaned, intruder, party, port, refused, settled, shadowed};
use super::*;
use crate::model::{Protocol, Timestamp};

const ALL: Wanted = Wanted {
    intruder: true,
    shadowed: true,
    refused: true,
    cleanup: true,
};
const MINUTE: u64 = 60_000;

/// What is shown of a history, and when, in milliseconds.
fn history(steps: &[(u64, News)], wanted: &Wanted) -> Vec<(u64, String)> {
    let start = Instant::now();
    let mut policy = Policy::default();
    let mut shown = Vec::new();
    let mut show = |policy: &mut Policy, until: Option<Instant>| {
        while let Some(due) = policy.due().filter(|&due| until.is_none_or(|at| due <= at)) {
            let ms = u64::try_from((due - start).as_millis()).unwrap();
            let notes = policy.flush(due);
            assert!(!notes.is_empty(), "something was due");
            shown.extend(notes.into_iter().map(|note| (ms, note.summary)));
            assert!(policy.due().is_none_or(|next| next > due), "no busy loop");
        }
    };
    for (ms, news) in steps {
        let now = start + Duration::from_millis(*ms);
        show(&mut policy, Some(now));
        policy.take(news.clone(), wanted, now);
        assert_eq!(policy.flush(now), [], "nothing is shown at once");
    }
    show(&mut policy, None);
    shown
}

#[track_caller]
fn shows(steps: &[(u64, News)], expected: &[(u64, &str)]) {
    let shown = history(steps, &ALL);
    let shown: Vec<(u64, &str)> = shown
        .iter()
        .map(|(ms, text)| (*ms, text.as_str()))
        .collect();
    assert_eq!(shown, expected);
}

const RESERVED: &str = "Port 3000 is reserved for shop web";

#[test]
fn what_comes_at_once_is_gathered() {
    shows(&[(0, intruder(3000, 1))], &[(300, RESERVED)]);
    shows(
        &[(0, intruder(3000, 1)), (299, refused(3001, "a (pid 1)"))],
        &[(300, RESERVED), (300, "Port 3001 was refused")],
    );
    shows(
        &[
            (0, intruder(3000, 1)),
            (100, intruder(3001, 2)),
            (200, shadowed(3002, &[party(5, "vite"), party(6, "next")])),
        ],
        &[(300, "3 ports are in conflict")],
    );
    shows(
        &[
            (0, intruder(3000, 1)),
            (0, intruder(3000, 2)),
            (0, intruder(3000, 3)),
        ],
        &[(300, RESERVED)],
    );
}

#[test]
fn a_conflict_is_told_once_for_each_process() {
    shows(
        &[
            (0, intruder(3000, 1)),
            (100, intruder(3000, 1)),
            (20 * MINUTE, intruder(3000, 1)),
            (40 * MINUTE, intruder(3000, 2)),
            (60 * MINUTE, intruder(3000, 1)),
        ],
        &[(300, RESERVED), (40 * MINUTE + 300, RESERVED)],
    );
}

#[test]
fn what_is_reserved_for_another_purpose_is_told() {
    let blog = || {
        let mut news = intruder(3000, 1);
        if let News::Intruder { purpose, .. } = &mut news {
            *purpose = Some("blog".into());
        }
        news
    };
    let changed = "Port 3000 is reserved for blog";
    shows(
        &[(0, intruder(3000, 1)), (MINUTE, blog())],
        &[(300, RESERVED), (MINUTE + 300, changed)],
    );
    // Back to what the user knows before it was told, or before anything was told.
    shows(
        &[
            (0, intruder(3000, 1)),
            (MINUTE, blog()),
            (MINUTE + 10, intruder(3000, 1)),
        ],
        &[(300, RESERVED)],
    );
    shows(&[(0, intruder(3000, 1)), (10, blog())], &[(300, changed)]);
}

#[test]
fn what_is_settled_before_it_is_shown_is_not_shown() {
    shows(&[(0, intruder(3000, 1)), (299, settled(3000))], &[]);
    let pair = [party(5, "vite"), party(6, "next")];
    shows(&[(0, shadowed(3000, &pair)), (299, settled(3000))], &[]);
    shows(
        &[
            (0, intruder(3000, 1)),
            (200, settled(3000)),
            (250, intruder(3000, 1)),
        ],
        &[(550, RESERVED)],
    );
    shows(
        &[
            (0, intruder(3000, 1)),
            (1, refused(3000, "a (pid 1)")),
            (2, cleaned(3000, false)),
            (3, settled(3000)),
            (4, settled(3001)),
        ],
        &[
            (300, "Port 3000 was refused"),
            (300, "Port 3000 is free again"),
        ],
    );
}

#[test]
fn a_process_that_flaps_is_told_once() {
    let mut steps = Vec::new();
    for second in 0..3600 {
        let ms = second * 1000;
        steps.extend([(ms, intruder(3000, 1)), (ms + 500, settled(3000))]);
    }
    shows(&steps, &[(300, RESERVED)]);
    let back = 5 * MINUTE;
    shows(
        &[
            (0, intruder(3000, 1)),
            (back, settled(3000)),
            (back + 10 * MINUTE, intruder(3000, 1)),
        ],
        &[(300, RESERVED), (back + 10 * MINUTE + 300, RESERVED)],
    );
    shows(
        &[
            (0, intruder(3000, 1)),
            (1000, settled(3000)),
            (2000, intruder(3000, 2)),
        ],
        &[(300, RESERVED), (2300, RESERVED)],
    );
}

#[test]
fn a_shared_port_is_told_again_when_somebody_joins() {
    let (a, b, c) = (party(1, "a"), party(2, "b"), party(3, "c"));
    shows(
        &[
            (0, shadowed(3000, &[a.clone(), b.clone()])),
            (MINUTE, shadowed(3000, &[b.clone(), a.clone()])),
            (
                2 * MINUTE,
                shadowed(3000, &[a.clone(), b.clone(), c.clone()]),
            ),
            (3 * MINUTE, shadowed(3000, &[b, c])),
            (4 * MINUTE, shadowed(3000, &[a])),
        ],
        &[
            (300, "Two processes use port 3000"),
            (2 * MINUTE + 300, "3 processes use port 3000"),
            (4 * MINUTE + 300, "Two processes use port 3000"),
        ],
    );
}

#[test]
fn who_asks_again_and_again_is_told_of_once() {
    let ask = |ms| (ms, refused(3000, "node (pid 42)"));
    let mut steps: Vec<(u64, News)> = (0..100).map(|n| ask(n * MINUTE)).collect();
    steps.push(ask(109 * MINUTE));
    steps.push((109 * MINUTE, refused(3000, "node (pid 43)")));
    shows(
        &steps,
        &[
            (300, "Port 3000 was refused"),
            (109 * MINUTE + 300, "Port 3000 was refused"),
            (109 * MINUTE + 300, "Port 3000 was refused"),
        ],
    );
}

#[test]
fn cleanups_of_a_port_are_one() {
    let mut udp = cleaned(3000, false);
    if let News::Cleaned { protocol, .. } = &mut udp {
        *protocol = Protocol::Udp;
    }
    shows(
        &[
            (0, udp.clone()),
            (0, cleaned(3000, true)),
            (0, cleaned(3000, false)),
        ],
        &[(300, "Port 3000 is free again")],
    );
    shows(
        &[
            (0, udp),
            (0, cleaned(3000, false)),
            (0, cleaned(3001, false)),
            (0, cleaned(3002, false)),
            (0, cleaned(3003, false)),
        ],
        &[(300, "5 reservations were cleaned up")],
    );
    // Each is news.
    shows(
        &[(0, cleaned(3000, false)), (MINUTE, cleaned(3000, false))],
        &[
            (300, "Port 3000 is free again"),
            (MINUTE + 300, "Port 3000 is free again"),
        ],
    );
}

#[test]
fn the_third_waits_for_others() {
    let steps: Vec<(u64, News)> = (0..5)
        .map(|n| (u64::from(n) * 1000, intruder(3000 + n, 1)))
        .collect();
    shows(
        &steps,
        &[
            (300, RESERVED),
            (1300, "Port 3001 is reserved for shop web"),
            (5300, "3 ports are in conflict"),
        ],
    );
    // After some quiet, there is no wait any more.
    shows(
        &[
            (0, intruder(3001, 1)),
            (0, intruder(3002, 1)),
            (5300, intruder(3000, 1)),
        ],
        &[
            (300, "Port 3001 is reserved for shop web"),
            (300, "Port 3002 is reserved for shop web"),
            (5600, RESERVED),
        ],
    );
}

#[test]
fn what_is_said_of_the_registry_is_told_alone() {
    let registry = |n: u32| News::Registry {
        summary: format!("The registry was restored {n}"),
        body: "x".into(),
    };
    let mut steps = vec![(0, registry(1)), (0, registry(1))];
    steps.extend((0..9).map(|n| (0, intruder(3000 + n, 1))));
    shows(
        &steps,
        &[
            (300, "The registry was restored 1"),
            (300, "9 ports are in conflict"),
        ],
    );
    let all: Vec<(u64, News)> = (1..=3).map(|n| (0, registry(n))).collect();
    shows(
        &all,
        &[
            (300, "The registry was restored 1"),
            (300, "The registry was restored 2"),
            (5300, "The registry was restored 3"),
        ],
    );
    // What has to wait for it is not lost.
    shows(
        &[
            (0, intruder(3000, 1)),
            (0, registry(1)),
            (0, registry(2)),
            (400, intruder(3001, 1)),
        ],
        &[
            (300, "The registry was restored 1"),
            (300, "The registry was restored 2"),
            (5300, "2 ports are in conflict"),
        ],
    );
    let many: Vec<(u64, News)> = (0..500).map(|n| (0, registry(n))).collect();
    shows(&many, &[(300, "500 things are wrong with the registry")]);
}

#[test]
fn what_is_not_wanted_is_not_shown() {
    let registry = News::Registry {
        summary: "s".into(),
        body: "b".into(),
    };
    let steps = [
        (0, intruder(1, 1)),
        (0, shadowed(2, &[])),
        (0, refused(3, "a")),
        (0, cleaned(4, false)),
        (0, registry),
    ];
    let none = Wanted {
        intruder: false,
        shadowed: false,
        refused: false,
        cleanup: false,
    };
    assert_eq!(history(&steps, &none), [(300, "s".into())]);
    for (wanted, summary) in [
        (
            Wanted {
                intruder: true,
                ..none
            },
            "Port 1 is reserved for shop web",
        ),
        (
            Wanted {
                shadowed: true,
                ..none
            },
            "Several processes use port 2",
        ),
        (
            Wanted {
                refused: true,
                ..none
            },
            "Port 3 was refused",
        ),
        (
            Wanted {
                cleanup: true,
                ..none
            },
            "Port 4 is free again",
        ),
    ] {
        assert_eq!(history(&steps[..4], &wanted), [(300, summary.to_owned())]);
    }
    let mut settings = Settings::default();
    assert_eq!(Wanted::of(&settings), ALL);
    settings.set("notify_shadowed", "false").unwrap();
    assert_eq!(
        Wanted::of(&settings),
        Wanted {
            shadowed: false,
            ..ALL
        }
    );
}

#[test]
fn a_storm_is_a_few_notes_and_little_memory() {
    let start = Instant::now();
    let mut policy = Policy::default();
    let mut notes = Vec::new();
    for n in 0..60_000u32 {
        let now = start + Duration::from_millis(u64::from(n));
        let number = u16::try_from(n % 20_000 + 1).unwrap();
        policy.take(intruder(number, n + 1), &ALL, now);
        notes.extend(policy.flush(now));
        assert!(policy.waiting.len() <= LIMIT);
    }
    assert!(notes.len() <= 2 + 60 / 5, "{}", notes.len());
    assert_eq!(notes[2].summary, "At least 1024 ports are in conflict");
    assert!(policy.memory.len() <= 1024);
}

/// Numbers that are the same in every run.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn random_news(random: &mut Lcg) -> News {
    let number = 3000 + u16::try_from(random.below(6)).unwrap();
    let pid = 1 + u32::try_from(random.below(4)).unwrap();
    match random.below(10) {
        0..4 => {
            let mut news = intruder(number, pid);
            if let News::Intruder { who, purpose, .. } = &mut news {
                *purpose = [None, Some("shop".into())][usize::from(random.below(8) == 0)].clone();
                *who = who.take().filter(|_| random.below(8) != 0);
            }
            news
        }
        4 => shadowed(number, &[party(pid, "a"), party(pid + 1, "b")]),
        5 => refused(number, ["a (pid 1)", "b (pid 2)"][usize::from(pid > 2)]),
        6 => cleaned(number, pid > 2),
        _ => settled(number),
    }
}

/// Time passes: within a burst, between two looks, or through a long quiet time.
fn random_wait(random: &mut Lcg) -> Duration {
    Duration::from_millis(match random.below(40) {
        0 => 60_000 + random.below(20 * MINUTE),
        1..8 => random.below(6000),
        _ => random.below(100),
    })
}

/// A policy whose user writes down what is told, and checks it.
struct Reader {
    policy: Policy,
    /// What of each case was told last, and when.
    told: HashMap<Case, (String, Instant)>,
    /// What was shown, and when.
    shown: Vec<Instant>,
}

impl Reader {
    fn flush(&mut self, now: Instant) {
        let before = self.policy.waiting.clone();
        let notes = self.policy.flush(now);
        assert!(notes.len() <= 2);
        self.shown.extend(notes.iter().map(|_| now));
        let told = before
            .iter()
            .filter(|item| !self.policy.waiting.contains(item));
        for item in told {
            let again = item.cases().map(|case| {
                let text = (item.detail.clone(), now);
                let last = self.told.insert(case, text);
                last.is_some_and(|(detail, at)| {
                    detail == item.detail && now - at < Duration::from_secs(600)
                })
            });
            let again: Vec<bool> = again.collect();
            assert!(
                again.is_empty() || again.contains(&false),
                "told twice within ten minutes: {item:?}"
            );
        }
    }

    fn flush_until(&mut self, end: Option<Instant>) {
        while let Some(due) = self
            .policy
            .due()
            .filter(|&due| end.is_none_or(|at| due <= at))
        {
            self.flush(due);
            assert!(self.policy.due().is_none_or(|next| next > due));
        }
    }
}

#[test]
fn random_histories_keep_the_rules() {
    for seed in 0..300 {
        let mut random = Lcg(seed);
        let mut now = Instant::now();
        let mut reader = Reader {
            policy: Policy::default(),
            told: HashMap::new(),
            shown: Vec::new(),
        };
        // What is in conflict, as the last news of it say.
        let mut open: HashMap<Case, String> = HashMap::new();
        for _ in 0..400 {
            now += random_wait(&mut random);
            reader.flush_until(Some(now));
            let news = random_news(&mut random);
            match (&news, Item::of(&news)) {
                (News::Settled { port, protocol }, _) => {
                    open.retain(|case, _| case.place != Some((*port, *protocol)));
                }
                (_, Some(item)) if item.kind == Kind::Intruder => {
                    open.extend(item.cases().map(|case| (case, item.detail.clone())));
                }
                _ => {}
            }
            reader.policy.take(news, &ALL, now);
            // What is told after a quiet time is told soon, and all is told some time.
            if let (Some(due), Some(since)) = (reader.policy.due(), reader.policy.since) {
                let quiet = reader.shown.last().is_none_or(|&at| since - at > 2 * FIVE);
                let most = if quiet { GATHER } else { FIVE + GATHER };
                assert!(due - since <= most);
            }
        }
        reader.flush_until(None);
        for (case, detail) in open {
            assert!(
                reader.policy.memory.knows(&case, &detail, now),
                "never told: {case:?}"
            );
        }
        for (i, first) in reader.shown.iter().enumerate() {
            for (n, last) in reader.shown[i..].iter().enumerate() {
                let allowed = 2 + (*last - *first).as_millis() / FIVE.as_millis();
                assert!((n as u128) < allowed, "{} notes", n + 1);
            }
        }
        assert!(reader.shown.len() > 10, "something was shown");
    }
}

const FIVE: Duration = Duration::from_secs(5);

#[test]
fn an_unseen_process_is_known_by_its_user() {
    let unseen = |number, who: &str| News::Intruder {
        port: port(number),
        protocol: Protocol::Tcp,
        who: None,
        user: who.into(),
        other_user: true,
        purpose: None,
        made: Timestamp::of_millis(7),
    };
    let item = Item::of(&unseen(3000, "root")).unwrap();
    assert_eq!(item.who, [Who::Named("root".into())]);
    shows(
        &[
            (0, unseen(3000, "root")),
            (MINUTE, unseen(3000, "root")),
            (2 * MINUTE, unseen(3000, "bob")),
        ],
        &[
            (300, "Port 3000 is reserved"),
            (2 * MINUTE + 300, "Port 3000 is reserved"),
        ],
    );
}
