//! What news say: each as a notification, and as an entry in a list of several. Names come from
//! other programs: all are escaped, and cut off where they are long.

use super::memory::{Case, Who};
use super::note::{Button, Note};
use crate::model::kill::Party;
use crate::model::news::News;
use crate::model::reservation::End;
use crate::model::text::{escape, shorten};
use crate::model::{Port, Protocol};

/// How many characters of a name are shown.
const NAME: usize = 40;
/// How many characters of what a port is for are shown, and of a name with its pid.
const WORDS: usize = 60;
/// How many characters of a longer text are shown.
const TEXT: usize = 300;
/// How many processes are named.
const PARTIES: usize = 4;

/// What kind of news it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Somebody else on a reserved port.
    Intruder,
    /// Processes that share a port number.
    Shadowed,
    /// A program that was refused a port.
    Refused,
    /// A port that is to be held and is not.
    NotHeld,
    /// A claim whose remains were removed.
    Cleaned,
    /// Something about the registry.
    Registry,
}

impl Kind {
    /// Whether it happens at a moment; the other kinds last until they are settled.
    pub(super) fn is_moment(self) -> bool {
        !matches!(self, Kind::Intruder | Kind::Shadowed)
    }
}

/// News that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// What kind it is.
    pub(super) kind: Kind,
    /// Where it is; `None` when it is not about a port.
    pub(super) place: Option<(Port, Protocol)>,
    /// Whom it is of; nobody when it is never the same news again.
    pub(super) who: Vec<Who>,
    /// What else makes it other news.
    pub(super) detail: String,
    /// What it says in a list of several.
    pub(super) label: String,
    /// What it says alone.
    pub(super) note: Note,
}

impl Item {
    /// What `news` say; `None` when they say only that something has ended.
    pub(super) fn of(news: &News) -> Option<Item> {
        Some(match news {
            News::Intruder {
                port,
                protocol,
                who,
                user,
                other_user,
                purpose,
                made,
            } => {
                let release = Button::release(*port, *protocol, *made);
                let place = (*port, *protocol);
                intruder(
                    place,
                    who.as_ref(),
                    user,
                    *other_user,
                    purpose.as_deref(),
                    release,
                )
            }
            News::Shadowed { port, parties } => shadowed(*port, parties),
            News::Refused {
                port,
                protocol,
                asker,
                holder,
            } => refused((*port, *protocol), asker, holder),
            News::NotHeld {
                port,
                protocol,
                purpose,
                why,
            } => not_held((*port, *protocol), purpose.as_deref(), why),
            News::Cleaned {
                port,
                protocol,
                purpose,
                owner,
                why,
                kept,
                free,
            } => {
                let place = (*port, *protocol);
                let item = cleaned(place, purpose.as_deref(), owner.as_deref(), *why, *kept);
                if *free {
                    item
                } else {
                    item.summary(format!("The claim of port {} is over", spot(place)))
                }
            }
            News::Registry { summary, body } => registry(summary, body),
            News::Settled { .. } => return None,
        })
    }

    /// The item with another first line.
    fn summary(mut self, summary: String) -> Item {
        self.note.summary = summary;
        self
    }

    /// Under what it is remembered.
    pub(super) fn cases(&self) -> impl Iterator<Item = Case> {
        self.who.iter().map(|who| Case {
            kind: self.kind,
            place: self.place,
            who: who.clone(),
        })
    }

    /// Whether it is later news of the same as `other`.
    pub(super) fn replaces(&self, other: &Item) -> bool {
        let alone = matches!(self.kind, Kind::Shadowed | Kind::Cleaned);
        self.kind == other.kind && self.place == other.place && (alone || self.who == other.who)
    }
}

fn intruder(
    place: (Port, Protocol),
    who: Option<&Party>,
    user: &str,
    other_user: bool,
    purpose: Option<&str>,
    release: Button,
) -> Item {
    let (port, protocol) = place;
    let shown = spot(place);
    let user = name(user);
    let summary = match purpose {
        Some(purpose) => format!("Port {shown} is reserved for {}", words(purpose)),
        None => format!("Port {shown} is reserved"),
    };
    let body = match who {
        Some(party) if other_user => format!("{} of {user} listens on it.", process(party)),
        Some(party) => format!("{} listens on it.", process(party)),
        None => format!("A process of {user} that cannot be seen listens on it."),
    };
    let buttons = match who {
        Some(party) if other_user => vec![release, Button::ignore(port, protocol, party.key)],
        Some(party) => vec![
            Button::kill(port, party.key),
            release,
            Button::ignore(port, protocol, party.key),
        ],
        None => vec![release],
    };
    let label = match who {
        Some(party) => format!("{shown} {}", name(&party.service)),
        None => format!("{shown} a process of {user}"),
    };
    Item {
        kind: Kind::Intruder,
        place: Some(place),
        who: vec![match who {
            Some(party) => Who::Process(party.key),
            None => Who::Named(user),
        }],
        detail: purpose.unwrap_or_default().to_owned(),
        label,
        note: Note {
            summary,
            body,
            problem: true,
            buttons,
        },
    }
}

fn shadowed(port: Port, parties: &[Party]) -> Item {
    let mut seen: Vec<&Party> = Vec::new();
    for party in parties {
        if !seen.iter().any(|other| other.key == party.key) {
            seen.push(party);
        }
    }
    let mut who: Vec<Who> = seen.iter().map(|party| Who::Process(party.key)).collect();
    let unseen = seen.len() < 2;
    if unseen {
        who.push(Who::Named(String::new()));
    }
    let list = |told: &dyn Fn(&Party) -> String| {
        let mut all: Vec<String> = seen.iter().map(|party| told(party)).collect();
        if all.len() > PARTIES {
            let more = all.len() - (PARTIES - 1);
            all.truncate(PARTIES - 1);
            all.push(format!("{more} more"));
        } else if unseen {
            all.push("a process that cannot be seen".to_owned());
        }
        and(&all)
    };
    let (summary, reach) = match seen.len() {
        0 => (format!("Several processes use port {port}"), "any of them"),
        1 | 2 => (format!("Two processes use port {port}"), "either"),
        n => (format!("{n} processes use port {port}"), "any of them"),
    };
    let body = if seen.is_empty() {
        format!("A client may reach {reach}.")
    } else {
        format!("{}: a client may reach {reach}.", list(&process))
    };
    Item {
        kind: Kind::Shadowed,
        place: Some((port, Protocol::Tcp)),
        who,
        detail: String::new(),
        label: format!("{port} {}", list(&|party| name(&party.service))),
        note: Note {
            summary,
            body,
            problem: true,
            buttons: Vec::new(),
        },
    }
}

fn refused(place: (Port, Protocol), asker: &str, holder: &str) -> Item {
    let shown = spot(place);
    let (asker, holder) = (words(asker), words(holder));
    Item {
        kind: Kind::Refused,
        place: Some(place),
        label: format!("{shown} {asker}"),
        note: Note {
            summary: format!("Port {shown} was refused"),
            body: format!("{asker} asked for it; {holder} has it."),
            problem: true,
            buttons: Vec::new(),
        },
        who: vec![Who::Named(asker)],
        detail: holder,
    }
}

fn not_held(place: (Port, Protocol), purpose: Option<&str>, why: &str) -> Item {
    let shown = spot(place);
    let whose = match purpose.map(words) {
        Some(purpose) => format!("It is reserved for {purpose}, and others can bind it"),
        None => "Others can bind it".to_owned(),
    };
    let why = words(why);
    Item {
        kind: Kind::NotHeld,
        place: Some(place),
        who: vec![Who::Named(why.clone())],
        detail: purpose.unwrap_or_default().to_owned(),
        label: format!("{shown} is not held"),
        note: Note {
            summary: format!("Port {shown} is not held"),
            body: format!("{whose}: {why}."),
            problem: true,
            buttons: Vec::new(),
        },
    }
}

fn cleaned(
    place: (Port, Protocol),
    purpose: Option<&str>,
    owner: Option<&str>,
    why: End,
    kept: bool,
) -> Item {
    let shown = spot(place);
    let purpose = purpose.map(words);
    let claimed = match &purpose {
        Some(purpose) => format!("It was claimed for {purpose}"),
        None => "It was claimed".to_owned(),
    };
    let reason = match (owner.map(words), why) {
        (Some(owner), End::OwnerEnded) => format!("{owner} has ended"),
        (Some(owner), End::Expired) => format!("the lease of {owner} ran out"),
        (Some(owner), End::Silent) => format!("the heartbeats of {owner} stopped"),
        (None, why) => why.reason().to_owned(),
    };
    let stays = match &purpose {
        Some(purpose) if kept => format!("; it stays reserved for {purpose}"),
        None if kept => "; it stays reserved".to_owned(),
        _ => String::new(),
    };
    Item {
        kind: Kind::Cleaned,
        place: Some(place),
        who: Vec::new(),
        detail: String::new(),
        label: match purpose {
            Some(purpose) => format!("{shown} {purpose}"),
            None => shown.clone(),
        },
        note: Note {
            summary: format!("Port {shown} is free again"),
            body: format!("{claimed}; {reason}{stays}."),
            problem: false,
            buttons: Vec::new(),
        },
    }
}

fn registry(summary: &str, body: &str) -> Item {
    let text = |text| shorten(&escape(text), TEXT).into_owned();
    let summary = text(summary);
    Item {
        kind: Kind::Registry,
        place: None,
        who: vec![Who::Named(summary.clone())],
        detail: body.to_owned(),
        label: summary.clone(),
        note: Note {
            summary,
            body: text(body),
            problem: true,
            buttons: Vec::new(),
        },
    }
}

fn process(party: &Party) -> String {
    format!("{} (pid {})", name(&party.service), party.pid)
}

fn name(text: &str) -> String {
    shorten(&escape(text), NAME).into_owned()
}

fn words(text: &str) -> String {
    shorten(&escape(text), WORDS).into_owned()
}

/// A port as lists and menus write it: `3000`, `5353/udp`.
pub(super) fn spot((port, protocol): (Port, Protocol)) -> String {
    match protocol {
        Protocol::Tcp => port.to_string(),
        Protocol::Udp => format!("{port}/udp"),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn and(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}

#[cfg(test)]
pub(super) mod tests;
