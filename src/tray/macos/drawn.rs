//! A menu as AppKit has it, with what it was drawn from and what its entries do.

use std::collections::HashMap;

use tray_icon::menu::{
    CheckMenuItem, IsMenuItem, Menu, MenuId, MenuItem, PredefinedMenuItem, Result, Submenu,
};

use crate::tray::menu::Action;
use crate::tray::sketch::{Change, Entry, Place};

/// A menu. It closes when this is dropped while it is open.
#[derive(Default)]
pub struct Drawn {
    menu: Menu,
    widgets: Vec<Widget>,
    entries: Vec<Entry>,
    actions: HashMap<MenuId, Action>,
}

/// An entry, by which it can be changed.
enum Widget {
    Text(MenuItem),
    Separator,
    Check(CheckMenuItem),
    Sub(Submenu, Vec<Widget>),
}

impl Drawn {
    /// Draws a menu of these entries.
    pub fn new(entries: Vec<Entry>) -> Result<Drawn> {
        let menu = Menu::new();
        let mut actions = HashMap::new();
        let widgets = add(&entries, &mut actions, &|entry| menu.append(entry))?;
        Ok(Drawn {
            menu,
            widgets,
            entries,
            actions,
        })
    }

    /// The menu.
    pub fn menu(&self) -> &Menu {
        &self.menu
    }

    /// What it shows.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the entry with this id does.
    pub fn action(&self, id: &MenuId) -> Option<&Action> {
        self.actions.get(id)
    }

    /// Makes it show `entries`, by changes to what it shows.
    pub fn change(&mut self, changes: &[(Place, Change)], entries: Vec<Entry>) {
        for (place, change) in changes {
            match find(&self.widgets, place) {
                Some(widget) => widget.change(change),
                None => log::warn!("the menu has no entry at {place:?}"),
            }
        }
        self.entries = entries;
    }
}

impl Widget {
    fn change(&self, change: &Change) {
        match (self, change) {
            (Widget::Text(item), Change::Title(title)) => item.set_text(title),
            (Widget::Check(item), Change::Title(title)) => item.set_text(title),
            (Widget::Sub(item, _), Change::Title(title)) => item.set_text(title),
            (Widget::Text(item), Change::Enabled(enabled)) => item.set_enabled(*enabled),
            (Widget::Check(item), Change::On(on)) => {
                if item.is_checked() != *on {
                    item.set_checked(*on);
                }
            }
            _ => log::warn!("an entry of the menu cannot be changed so: {change:?}"),
        }
    }
}

fn find<'a>(widgets: &'a [Widget], place: &[usize]) -> Option<&'a Widget> {
    let (first, below) = place.split_first()?;
    let widget = widgets.get(*first)?;
    match (widget, below) {
        (widget, []) => Some(widget),
        (Widget::Sub(_, widgets), below) => find(widgets, below),
        _ => None,
    }
}

fn add(
    entries: &[Entry],
    actions: &mut HashMap<MenuId, Action>,
    append: &dyn Fn(&dyn IsMenuItem) -> Result<()>,
) -> Result<Vec<Widget>> {
    let mut widgets = Vec::with_capacity(entries.len());
    for entry in entries {
        widgets.push(match entry {
            Entry::Separator => {
                append(&PredefinedMenuItem::separator())?;
                Widget::Separator
            }
            Entry::Text {
                title,
                enabled,
                action,
            } => {
                let item = MenuItem::new(title, *enabled, None);
                append(&item)?;
                if let Some(action) = action {
                    actions.insert(item.id().clone(), action.clone());
                }
                Widget::Text(item)
            }
            Entry::Check { title, on, action } => {
                let item = CheckMenuItem::new(title, true, *on, None);
                append(&item)?;
                actions.insert(item.id().clone(), action.clone());
                Widget::Check(item)
            }
            Entry::Sub { title, entries } => {
                let item = Submenu::new(title, true);
                let below = add(entries, actions, &|below| item.append(below))?;
                append(&item)?;
                Widget::Sub(item, below)
            }
        });
    }
    Ok(widgets)
}
