//! Clients that claim and release ports at random and write down what became of it, and the judge of
//! what they have written: whether anything that was acknowledged was lost, or was given twice.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::fmt;

use rustix::time::{ClockId, clock_gettime};

/// The time by a clock that is the same in all processes and never goes back, in nanoseconds.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

/// Numbers that look random, the same ones each time.
pub struct Dice(u64);

impl Dice {
    /// Dice with a start of their own.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To have a port.
    Claim,
    /// To give it back, by the token that it got.
    Release(String),
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has the port: by this token, and whether it had it before.
    Claimed(String, bool),
    /// Somebody else has it.
    Refused,
    /// It has given it back.
    Released,
    /// It has nothing to give back.
    Gone,
    /// There was no answer: it may be done or not.
    None,
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was about to be sent.
    pub before: u64,
    /// When its answer was there, or that there will be none.
    pub after: u64,
    /// The number of the operation. One without an answer is tried again with the same number.
    pub op: u32,
    /// The port.
    pub port: u16,
    /// What was asked for, and the answer.
    pub what: What,
}

/// What was asked for, and the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A claim of what it did not have.
    New,
    /// A claim of what it had.
    Renewed,
    /// A claim of what somebody else has.
    Refused,
    /// A release.
    Released,
    /// A release of what it does not have.
    Gone,
    /// A claim without an answer.
    LostClaim,
    /// A release without an answer.
    LostRelease,
}

const WHATS: [(What, &str); 7] = [
    (What::New, "new"),
    (What::Renewed, "renewed"),
    (What::Refused, "refused"),
    (What::Released, "released"),
    (What::Gone, "gone"),
    (What::LostClaim, "claim?"),
    (What::LostRelease, "release?"),
];

/// How long each line of a journal is, so that its length tells how many there are.
pub const LINE: usize = 64;

impl fmt::Display for Record {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = WHATS.iter().find(|(what, _)| *what == self.what).unwrap().1;
        let (before, after) = (self.before, self.after);
        write!(
            to,
            "{before:>20} {after:>20} {:>6} {:>5} {name:>8}",
            self.op, self.port
        )
    }
}

impl Record {
    fn read(line: &str) -> Record {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        Record {
            before: words[0].parse().unwrap(),
            after: words[1].parse().unwrap(),
            op: words[2].parse().unwrap(),
            port: words[3].parse().unwrap(),
            what: WHATS.iter().find(|(_, name)| *name == words[4]).unwrap().0,
        }
    }
}

/// The records of a journal.
pub fn read(journal: &str) -> Vec<Record> {
    journal.lines().map(Record::read).collect()
}

/// Claims and releases at random, so many that are answered. `ask` gets the wish, the port and the
/// number of the operation; `write` each record, before anything else is asked.
pub fn play(
    operations: u32,
    ports: &[u16],
    dice: &mut Dice,
    mut ask: impl FnMut(&Wish, u16, u32) -> Answer,
    mut write: impl FnMut(Record),
) {
    let mut held: BTreeMap<u16, String> = BTreeMap::new();
    for op in 0..operations {
        let number = dice.below(100);
        let own = held.keys().nth(dice.below(held.len().max(1))).copied();
        let (mut wish, port) = match own {
            Some(port) if number < 45 => (Wish::Release(held[&port].clone()), port),
            Some(port) if number < 55 => (Wish::Claim, port),
            _ => (Wish::Claim, ports[dice.below(ports.len())]),
        };
        let mut sure = true;
        loop {
            let before = now();
            let answer = ask(&wish, port, op);
            let after = now();
            let what = match (&wish, &answer) {
                (Wish::Claim, Answer::Claimed(_, false)) => What::New,
                (Wish::Claim, Answer::Claimed(_, true)) => What::Renewed,
                (Wish::Claim, Answer::Refused) => What::Refused,
                (Wish::Claim, Answer::None) => What::LostClaim,
                (Wish::Release(_), Answer::Released) => What::Released,
                (Wish::Release(_), Answer::Gone) => What::Gone,
                (Wish::Release(_), Answer::None) => What::LostRelease,
                (wish, answer) => panic!("{wish:?} of {port} gave {answer:?}"),
            };
            write(Record {
                before,
                after,
                op,
                port,
                what,
            });
            match answer {
                Answer::Claimed(token, _) => {
                    let token_before = held.insert(port, token.clone());
                    assert!(
                        !sure || token_before.is_none_or(|before| before == token),
                        "port {port} has another token"
                    );
                }
                Answer::Refused | Answer::Released | Answer::Gone => {
                    held.remove(&port);
                }
                // Whether it was done is asked in one way or the other.
                Answer::None => {
                    sure = false;
                    if dice.below(2) == 0 {
                        wish = Wish::Claim;
                    }
                    continue;
                }
            }
            break;
        }
    }
}

/// What a client knows of a port.
#[derive(Default)]
struct Known {
    own: Option<Own>,
    /// From the first claim without an answer to the last one.
    claiming: Option<(u64, u64)>,
    /// The same of releases.
    releasing: Option<(u64, u64)>,
}

#[derive(Clone, Copy)]
struct Own {
    /// Since when it surely has it.
    sure: u64,
    /// Since when it may have it.
    perhaps: u64,
    /// The operation that claimed it last.
    op: u32,
}

/// Some time in which a client had a port.
struct Time {
    client: usize,
    from: u64,
    to: u64,
}

/// What the journals come to.
pub struct Judged {
    /// Who has which port at the end, and by which operation.
    pub held: BTreeMap<u16, (usize, u32)>,
    /// How many records there are of each kind.
    pub counts: Vec<(&'static str, usize)>,
    /// How many operations were answered.
    pub answered: usize,
    /// How many requests had no answer.
    pub unanswered: usize,
    /// How many operations came to be known as done by a request without an answer.
    pub done: usize,
    /// What is wrong.
    pub wrong: Vec<String>,
}

impl Judged {
    /// How many claims and releases were granted.
    pub fn granted(&self) -> usize {
        let granted = [What::New, What::Renewed, What::Released];
        let names = WHATS.iter().filter(|(what, _)| granted.contains(what));
        let names: Vec<&str> = names.map(|(_, name)| *name).collect();
        let counts = self.counts.iter();
        counts
            .filter(|(name, _)| names.contains(name))
            .map(|(_, count)| count)
            .sum()
    }
}

/// Judges the journals of all clients.
pub fn judge(journals: &[Vec<Record>]) -> Judged {
    let mut sure: BTreeMap<u16, Vec<Time>> = BTreeMap::new();
    let mut perhaps: BTreeMap<u16, Vec<Time>> = BTreeMap::new();
    let mut refusals: Vec<(usize, Record)> = Vec::new();
    let mut held = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut done = 0;
    for (client, journal) in journals.iter().enumerate() {
        let mut ports: BTreeMap<u16, Known> = BTreeMap::new();
        for record in journal {
            let known = ports.entry(record.port).or_default();
            let had = |times: &mut BTreeMap<u16, Vec<Time>>, from: u64, to: u64| {
                let time = Time { client, from, to };
                times.entry(record.port).or_default().push(time);
            };
            let merged = |before: Option<(u64, u64)>| {
                Some((before.map_or(record.before, |(from, _)| from), record.after))
            };
            match record.what {
                What::LostClaim => known.claiming = merged(known.claiming),
                What::LostRelease => known.releasing = merged(known.releasing),
                answered => {
                    let before = std::mem::take(known);
                    let (claiming, releasing) = (before.claiming, before.releasing);
                    // Only what was to be released may be gone.
                    let is_lost = matches!(answered, What::New | What::Refused | What::Gone)
                        && before.own.is_some()
                        && releasing.is_none();
                    let is_from_nowhere = matches!(answered, What::Renewed | What::Released)
                        && before.own.is_none()
                        && claiming.is_none();
                    if is_lost || is_from_nowhere {
                        let what = if is_lost { "lost" } else { "from nowhere" };
                        wrong.push(format!("client {client}: {what}: {record}"));
                    }
                    let was_released = matches!(answered, What::New | What::Refused | What::Gone);
                    done += usize::from(match before.own {
                        Some(_) => was_released,
                        None => !was_released,
                    });
                    // Where both have no answer, it may have been given back and got again.
                    let again = releasing.and(claiming);
                    let goes_on = match answered {
                        What::Renewed => before.own.filter(|_| again.is_none()),
                        _ => None,
                    };
                    if let Some(own) = before.own.filter(|_| goes_on.is_none()) {
                        let (first, last) = match answered {
                            What::Released if again.is_none() => (record.before, record.after),
                            _ => (releasing.map_or(own.sure, |(from, _)| from), record.after),
                        };
                        had(&mut sure, own.sure, first);
                        had(&mut perhaps, own.perhaps, last);
                    } else if let (Some((from, _)), None) = (claiming, before.own) {
                        had(&mut perhaps, from, record.after);
                    }
                    let op = record.op;
                    known.own = match (answered, goes_on) {
                        (What::New, _) => Some(Own {
                            sure: record.after,
                            perhaps: record.before,
                            op,
                        }),
                        (What::Renewed, Some(own)) => Some(Own { op, ..own }),
                        (What::Renewed, None) => {
                            let (from, to) = claiming.unwrap_or((record.before, record.after));
                            Some(Own {
                                sure: to,
                                perhaps: from,
                                op,
                            })
                        }
                        _ => None,
                    };
                    if answered == What::Refused {
                        refusals.push((client, *record));
                    }
                }
            }
        }
        for (port, known) in ports {
            assert!(
                known.claiming.is_none() && known.releasing.is_none(),
                "a client ended without knowing"
            );
            let Some(own) = known.own else { continue };
            let until_the_end = |from| Time {
                client,
                from,
                to: u64::MAX,
            };
            sure.entry(port).or_default().push(until_the_end(own.sure));
            perhaps
                .entry(port)
                .or_default()
                .push(until_the_end(own.perhaps));
            held.insert(port, (client, own.op));
        }
    }
    for (port, times) in &mut sure {
        times.sort_by_key(|time| time.from);
        // The one that lasts longest of those before.
        let mut before: Option<&Time> = None;
        for time in times.iter() {
            if let Some(before) = before.filter(|before| time.from < before.to) {
                wrong.push(format!(
                    "port {port} was had by {} until {}, and by {} from {} on",
                    before.client, before.to, time.client, time.from
                ));
            }
            if before.is_none_or(|before| before.to < time.to) {
                before = Some(time);
            }
        }
    }
    for (client, refusal) in &refusals {
        let somebody = perhaps.get(&refusal.port).is_some_and(|times| {
            times.iter().any(|time| {
                time.client != *client && time.from < refusal.after && refusal.before < time.to
            })
        });
        if !somebody {
            wrong.push(format!("client {client}: nobody had it: {refusal}"));
        }
    }
    let all = || journals.iter().flatten();
    let counts: Vec<(&str, usize)> = WHATS
        .iter()
        .map(|(what, name)| (*name, all().filter(|record| record.what == *what).count()))
        .collect();
    let unanswered = all()
        .filter(|record| matches!(record.what, What::LostClaim | What::LostRelease))
        .count();
    Judged {
        held,
        counts,
        answered: all().count() - unanswered,
        unanswered,
        done,
        wrong,
    }
}
