//! Several news in one notification.

use super::note::Note;
use super::texts::{Item, Kind};
use crate::model::text::shorten;

/// How many ports are listed.
const LISTED: usize = 5;
/// How many characters of an entry are shown.
const ENTRY: usize = 48;

/// What one part of a notification is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Conflict,
    Refusal,
    Cleanup,
    Other,
}

impl Part {
    const ALL: [Part; 4] = [Part::Conflict, Part::Refusal, Part::Cleanup, Part::Other];

    fn of(kind: Kind) -> Part {
        match kind {
            Kind::Intruder | Kind::Shadowed | Kind::NotHeld => Part::Conflict,
            Kind::Refused => Part::Refusal,
            Kind::Cleaned => Part::Cleanup,
            Kind::Registry => Part::Other,
        }
    }

    /// How many there are, in words.
    fn counted(self, n: usize) -> String {
        let one = n == 1;
        match self {
            Part::Conflict if one => "1 port is in conflict".to_owned(),
            Part::Conflict => format!("{n} ports are in conflict"),
            Part::Refusal if one => "1 port was refused".to_owned(),
            Part::Refusal => format!("{n} ports were refused"),
            Part::Cleanup if one => "1 reservation was cleaned up".to_owned(),
            Part::Cleanup => format!("{n} reservations were cleaned up"),
            Part::Other if one => "1 thing is wrong with the registry".to_owned(),
            Part::Other => format!("{n} things are wrong with the registry"),
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Part::Conflict => "In conflict: ",
            Part::Refusal => "Refused: ",
            Part::Cleanup => "Cleaned up: ",
            Part::Other => "The registry: ",
        }
    }
}

/// The last of `items` for each part and port. A cleanup is of a port number, whichever its
/// protocols.
pub(super) fn by_port<'a>(items: &[&'a Item]) -> Vec<&'a Item> {
    let mut last: Vec<&Item> = Vec::new();
    for &item in items {
        match last.iter_mut().find(|other| are_one(other, item)) {
            Some(other) => *other = item,
            None => last.push(item),
        }
    }
    last
}

fn are_one(a: &Item, b: &Item) -> bool {
    let part = Part::of(a.kind);
    part == Part::of(b.kind)
        && match (a.place, b.place) {
            (Some(a), Some(b)) => a == b || (part == Part::Cleanup && a.0 == b.0),
            _ => a == b,
        }
}

/// One notification that tells of all `items`, of which there were more when `more`.
pub(super) fn gathered(items: &[&Item], more: bool) -> Note {
    let mut counts = Vec::new();
    let mut lists = Vec::new();
    for part in Part::ALL {
        let here: Vec<&Item> = items
            .iter()
            .copied()
            .filter(|item| Part::of(item.kind) == part)
            .collect();
        if !here.is_empty() {
            let at_least = if more { "at least " } else { "" };
            // Reservations are counted, and otherwise ports.
            let n = match part {
                Part::Cleanup | Part::Other => here.len(),
                Part::Conflict | Part::Refusal => by_port(&here).len(),
            };
            counts.push(format!("{at_least}{}", part.counted(n)));
            lists.push((part, list(&by_port(&here))));
        }
    }
    let body = match lists.as_slice() {
        [(_, list)] => format!("{list}."),
        lists => {
            let told = lists
                .iter()
                .map(|(part, list)| format!("{}{list}.", part.heading()));
            told.collect::<Vec<String>>().join(" ")
        }
    };
    let summary = counts.join(", ");
    let summary = summary
        .strip_prefix("at least ")
        .map_or_else(|| summary.clone(), |rest| format!("At least {rest}"));
    Note {
        summary,
        body,
        problem: items.iter().any(|item| item.note.problem),
        buttons: Vec::new(),
    }
}

fn list(items: &[&Item]) -> String {
    let listed = items.iter().take(LISTED);
    let mut all: Vec<String> = listed
        .map(|item| shorten(&item.label, ENTRY).into_owned())
        .collect();
    if items.len() > LISTED {
        all.push(format!("{} more", items.len() - LISTED));
    }
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::texts::tests::{cleaned, intruder, party, refused, shadowed};
    use super::*;
    use crate::model::news::News;

    fn told(news: &[News], more: bool) -> (String, String, bool) {
        let items: Vec<Item> = news.iter().filter_map(Item::of).collect();
        let note = gathered(&items.iter().collect::<Vec<_>>(), more);
        assert!(note.buttons.is_empty());
        (note.summary, note.body, note.problem)
    }

    #[track_caller]
    fn tells(news: &[News], summary: &str, body: &str, problem: bool) {
        let expected = (summary.to_owned(), body.to_owned(), problem);
        assert_eq!(told(news, false), expected);
    }

    #[test]
    fn of_one_kind() {
        tells(
            &[
                intruder(3000, 1),
                intruder(3001, 2),
                shadowed(3002, &[party(5, "vite"), party(6, "next")]),
            ],
            "3 ports are in conflict",
            "3000 python3, 3001 python3, 3002 vite and next.",
            true,
        );
        let many: Vec<News> = (1..=8).map(|port| cleaned(port, false)).collect();
        tells(
            &many,
            "8 reservations were cleaned up",
            "1 shop web, 2 shop web, 3 shop web, 4 shop web, 5 shop web, 3 more.",
            false,
        );
        tells(
            &[refused(1, "a (pid 1)"), refused(2, "b (pid 2)")],
            "2 ports were refused",
            "1 a (pid 1), 2 b (pid 2).",
            true,
        );
    }

    #[test]
    fn of_several_kinds() {
        let news = [
            cleaned(3001, false),
            intruder(3000, 1),
            intruder(3000, 2),
            refused(3002, "a (pid 1)"),
        ];
        let summary = "1 port is in conflict, 1 port was refused, 1 reservation was cleaned up";
        tells(
            &news,
            summary,
            "In conflict: 3000 python3. Refused: 3002 a (pid 1). Cleaned up: 3001 shop web.",
            true,
        );
        assert_eq!(
            told(&news[1..], true).0,
            "At least 1 port is in conflict, at least 1 port was refused"
        );
    }
}
