//! The menu as AppKit is to have it, and what to change in it: purely, so that it is tested on every
//! system. One module per kind of toolkit does what it says.
//!
//! Knows what differs from menus elsewhere: an ampersand marks the next letter as a shortcut, and a
//! click ticks an entry by itself.

use super::menu::{Action, Item};

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Something to read, or to do.
    Text {
        /// What it says.
        title: String,
        /// Whether it can be chosen.
        enabled: bool,
        /// What it does, if anything.
        action: Option<Action>,
    },
    /// A line between groups.
    Separator,
    /// Something that is on or off.
    Check {
        /// What it says.
        title: String,
        /// Whether it is on.
        on: bool,
        /// What changes it.
        action: Action,
    },
    /// Entries of their own.
    Sub {
        /// What it says.
        title: String,
        /// The entries.
        entries: Vec<Entry>,
    },
}

/// Where an entry is: its place among the outermost ones, below that one, and so on.
pub type Place = Vec<usize>;

/// What changes of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It says something else.
    Title(String),
    /// It can be chosen, or not.
    Enabled(bool),
    /// It is on, or off: to be made so even where it was so before, as a click has changed it.
    On(bool),
}

/// The menu of these entries.
pub fn sketch(items: &[Item]) -> Vec<Entry> {
    let entry = |item: &Item| match item {
        Item::Info(label) => Entry::Text {
            title: literal(label),
            enabled: false,
            action: None,
        },
        Item::Separator => Entry::Separator,
        Item::Button {
            label,
            action,
            enabled,
        } => Entry::Text {
            title: literal(label),
            enabled: *enabled,
            action: Some(action.clone()),
        },
        Item::Check { label, on, action } => Entry::Check {
            title: literal(label),
            on: *on,
            action: action.clone(),
        },
        Item::Sub { label, items } => Entry::Sub {
            title: literal(label),
            entries: sketch(items),
        },
    };
    items.iter().map(entry).collect()
}

/// What makes one menu the other, where both have the same shape: the same entries that do the same
/// things in the same places. `None` where they have not, and another menu is to be made.
pub fn changes(before: &[Entry], after: &[Entry]) -> Option<Vec<(Place, Change)>> {
    let mut changes = Vec::new();
    collect(before, after, &mut Vec::new(), &mut changes)?;
    Some(changes)
}

fn collect(
    before: &[Entry],
    after: &[Entry],
    place: &mut Place,
    changes: &mut Vec<(Place, Change)>,
) -> Option<()> {
    if before.len() != after.len() {
        return None;
    }
    for (number, (before, after)) in before.iter().zip(after).enumerate() {
        place.push(number);
        one(before, after, place, changes)?;
        place.pop();
    }
    Some(())
}

fn one(
    before: &Entry,
    after: &Entry,
    place: &mut Place,
    changes: &mut Vec<(Place, Change)>,
) -> Option<()> {
    let title = |a: &str, b: &str| (a != b).then(|| Change::Title(b.to_owned()));
    let (renamed, other) = match (before, after) {
        (Entry::Separator, Entry::Separator) => (None, None),
        (
            Entry::Text {
                title: a,
                enabled: was,
                action: x,
            },
            Entry::Text {
                title: b,
                enabled: is,
                action: y,
            },
        ) if x == y => (title(a, b), (was != is).then_some(Change::Enabled(*is))),
        (
            Entry::Check {
                title: a,
                action: x,
                ..
            },
            Entry::Check {
                title: b,
                on,
                action: y,
            },
        ) if x == y => (title(a, b), Some(Change::On(*on))),
        (
            Entry::Sub {
                title: a,
                entries: x,
            },
            Entry::Sub {
                title: b,
                entries: y,
            },
        ) => {
            collect(x, y, place, changes)?;
            (title(a, b), None)
        }
        _ => return None,
    };
    let all = renamed.into_iter().chain(other);
    changes.extend(all.map(|change| (place.clone(), change)));
    Some(())
}

/// A single ampersand would mark the next letter as a shortcut.
fn literal(label: &str) -> String {
    label.replace('&', "&&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Does to a sketch what is to be done to the menu.
    fn apply(entries: &mut [Entry], changes: &[(Place, Change)]) {
        for (place, change) in changes {
            let (last, above) = place.split_last().unwrap();
            let mut level = &mut *entries;
            for number in above {
                let Entry::Sub { entries, .. } = &mut level[*number] else {
                    panic!("no entries below {place:?}");
                };
                level = entries;
            }
            match (&mut level[*last], change) {
                (
                    Entry::Text { title, .. }
                    | Entry::Check { title, .. }
                    | Entry::Sub { title, .. },
                    Change::Title(new),
                ) => title.clone_from(new),
                (Entry::Text { enabled, .. }, Change::Enabled(new)) => *enabled = *new,
                (Entry::Check { on, .. }, Change::On(new)) => *on = *new,
                other => panic!("{other:?}"),
            }
        }
    }

    /// What a sketch shows of a click on an entry that is on or off: AppKit has changed it.
    fn click_all(entries: &mut [Entry]) {
        for entry in entries {
            match entry {
                Entry::Check { on, .. } => *on = !*on,
                Entry::Sub { entries, .. } => click_all(entries),
                _ => {}
            }
        }
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            Just(Action::Quit),
            any::<bool>().prop_map(Action::ShowSystem),
            "[ab]".prop_map(Action::Copy),
        ]
    }

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let leaf =
            prop_oneof![
                "[a&]{0,3}".prop_map(Item::Info),
                Just(Item::Separator),
                ("[a&]{0,3}", action(), any::<bool>()).prop_map(|(label, action, enabled)| {
                    Item::Button {
                        label,
                        action,
                        enabled,
                    }
                }),
                ("[a&]{0,3}", any::<bool>(), action())
                    .prop_map(|(label, on, action)| Item::Check { label, on, action }),
            ];
        let item = leaf.prop_recursive(3, 24, 4, |inner| {
            ("[a&]{0,3}", prop::collection::vec(inner, 0..4))
                .prop_map(|(label, items)| Item::Sub { label, items })
        });
        prop::collection::vec(item, 0..5)
    }

    /// The same entries, which say other things.
    fn renamed(items: &[Item]) -> Vec<Item> {
        let other = |item: &Item| match item.clone() {
            Item::Info(label) => Item::Info(label + "x"),
            Item::Separator => Item::Separator,
            Item::Button {
                label,
                action,
                enabled,
            } => Item::Button {
                label: label + "x",
                action,
                enabled: !enabled,
            },
            Item::Check { label, on, action } => Item::Check {
                label,
                on: !on,
                action,
            },
            Item::Sub { label, items } => Item::Sub {
                label,
                items: renamed(&items),
            },
        };
        items.iter().map(other).collect()
    }

    proptest! {
        #[test]
        fn changes_make_one_menu_the_other(before in items(), after in items()) {
            for after in [after, renamed(&before)] {
                let (mut shown, wanted) = (sketch(&before), sketch(&after));
                let changes = changes(&shown, &wanted);
                prop_assert_eq!(changes.is_some(), super::super::shape::is_same(&before, &after));
                if let Some(changes) = changes {
                    click_all(&mut shown);
                    apply(&mut shown, &changes);
                    prop_assert_eq!(shown, wanted);
                }
            }
        }
    }

    #[test]
    fn a_menu_that_stays_costs_nothing() {
        let items = [
            Item::Info("a".into()),
            Item::Separator,
            Item::Sub {
                label: "b".into(),
                items: vec![Item::Info("c".into())],
            },
        ];
        assert_eq!(changes(&sketch(&items), &sketch(&items)), Some(vec![]));
    }

    #[test]
    fn ampersands_are_no_shortcuts() {
        let items = [Item::Info("R&D".into())];
        let [Entry::Text { title, .. }] = &sketch(&items)[..] else {
            panic!("one text");
        };
        assert_eq!(title, "R&&D");
    }
}
