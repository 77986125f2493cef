//! A menu as AppKit has it, with what it was drawn from and what its entries do.

use std::collections::HashMap;

use tray_icon::menu::{
    CheckMenuItem, IsMenuItem, Menu, MenuId, MenuItem, PredefinedMenuItem, Result, Submenu,
};

use crate::tray::menu::{Action, Item};

/// A menu.
#[derive(Default)]
pub struct Drawn {
    menu: Menu,
    entries: Vec<Entry>,
    items: Vec<Item>,
    actions: HashMap<MenuId, Action>,
}

/// An entry whose text can change.
enum Entry {
    Text(MenuItem),
    Separator,
    Check(CheckMenuItem),
    Sub(Submenu, Vec<Entry>),
}

impl Drawn {
    /// Draws a menu of these entries.
    pub fn new(items: Vec<Item>) -> Result<Drawn> {
        let menu = Menu::new();
        let mut actions = HashMap::new();
        let entries = add(&items, &mut actions, &|entry| menu.append(entry))?;
        Ok(Drawn {
            menu,
            entries,
            items,
            actions,
        })
    }

    /// The menu.
    pub fn menu(&self) -> &Menu {
        &self.menu
    }

    /// What it shows.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// What the entry with this id does.
    pub fn action(&self, id: &MenuId) -> Option<&Action> {
        self.actions.get(id)
    }

    /// Changes the texts to those of `items`, which have the same shape.
    pub fn update(&mut self, items: Vec<Item>) {
        update(&self.entries, &self.items, &items);
        self.items = items;
    }
}

fn add(
    items: &[Item],
    actions: &mut HashMap<MenuId, Action>,
    append: &dyn Fn(&dyn IsMenuItem) -> Result<()>,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        entries.push(match item {
            Item::Info(label) => {
                let entry = MenuItem::new(literal(label), false, None);
                append(&entry)?;
                Entry::Text(entry)
            }
            Item::Separator => {
                append(&PredefinedMenuItem::separator())?;
                Entry::Separator
            }
            Item::Button {
                label,
                action,
                enabled,
            } => {
                let entry = MenuItem::new(literal(label), *enabled, None);
                append(&entry)?;
                actions.insert(entry.id().clone(), action.clone());
                Entry::Text(entry)
            }
            Item::Check { label, on, action } => {
                let entry = CheckMenuItem::new(literal(label), true, *on, None);
                append(&entry)?;
                actions.insert(entry.id().clone(), action.clone());
                Entry::Check(entry)
            }
            Item::Sub { label, items } => {
                let entry = Submenu::new(literal(label), true);
                let below = add(items, actions, &|below| entry.append(below))?;
                append(&entry)?;
                Entry::Sub(entry, below)
            }
        });
    }
    Ok(entries)
}

fn update(entries: &[Entry], before: &[Item], after: &[Item]) {
    for ((entry, before), after) in entries.iter().zip(before).zip(after) {
        match (entry, after) {
            // A click has ticked it already, whatever came of the click.
            (Entry::Check(entry), Item::Check { on, .. }) => {
                if entry.is_checked() != *on {
                    entry.set_checked(*on);
                }
            }
            _ if before == after => continue,
            (Entry::Text(entry), Item::Info(label)) => entry.set_text(literal(label)),
            (Entry::Text(entry), Item::Button { label, enabled, .. }) => {
                entry.set_text(literal(label));
                entry.set_enabled(*enabled);
            }
            (Entry::Sub(entry, below), Item::Sub { label, items }) => {
                entry.set_text(literal(label));
                if let Item::Sub { items: before, .. } = before {
                    update(below, before, items);
                }
            }
            _ => {}
        }
    }
}

/// A single ampersand would mark the next letter as a shortcut.
fn literal(label: &str) -> String {
    label.replace('&', "&&")
}
