//! The icon as ksni sees it, and through ksni the panel: its look, and the entries of its menu. Knows
//! what is shown, and only passes on what happens to it.
//!
//! ksni keeps the ids of entries while the menu's shape is the same, even when a row has become
//! another port. Invisible entries, whose number goes with the epoch, give every epoch a shape of
//! its own, so that a click on what was shown before is refused by its id.

use std::sync::mpsc::Sender;
use std::time::Instant;

use ksni::blocking::TrayMethods as _;
use ksni::menu::{CheckmarkItem, StandardItem, SubMenu};

use super::{Message, now};
use crate::model::visibility::Viewer;
use crate::platform::{limits, paths};
use crate::tray::board::Board;
use crate::tray::icon::{CONFLICT, NORMAL, Picture};
use crate::tray::menu::{Action, Item, View};

/// How many epochs have a shape of their own: more than can pass between two looks of the panel.
const EPOCHS: u64 = 8;

/// The tray as ksni sees it.
pub struct Icon {
    board: Board,
    messages: Sender<Message>,
}

/// Makes the icon on a thread of its own: a bus that does not answer blocks it.
pub fn spawn(messages: Sender<Message>) {
    let icon = Icon {
        board: Board::new(view()),
        messages: messages.clone(),
    };
    let work = move || {
        let spawned = icon.assume_sni_available(true).spawn();
        let _ = messages.send(Message::Spawned(spawned));
    };
    if let Err(error) = std::thread::Builder::new().name("tray".into()).spawn(work) {
        log::warn!("cannot start a thread for the tray: {error}");
    }
}

impl Icon {
    /// What it shows.
    pub fn board(&mut self) -> &mut Board {
        &mut self.board
    }

    fn send(&self, message: Message) {
        // The receiver is gone only when the app ends.
        let _ = self.messages.send(message);
    }

    fn entry(item: Item) -> ksni::MenuItem<Icon> {
        match item {
            Item::Info(label) => StandardItem {
                label: literal(&label),
                enabled: false,
                ..Default::default()
            }
            .into(),
            Item::Separator => ksni::MenuItem::Separator,
            Item::Button {
                label,
                action,
                enabled,
            } => StandardItem {
                label: literal(&label),
                enabled,
                activate: Box::new(move |tray: &mut Icon| tray.clicked(action.clone())),
                ..Default::default()
            }
            .into(),
            Item::Check { label, on, action } => CheckmarkItem {
                label: literal(&label),
                checked: on,
                activate: Box::new(move |tray: &mut Icon| tray.clicked(action.clone())),
                ..Default::default()
            }
            .into(),
            Item::Sub { label, items } => SubMenu {
                label: literal(&label),
                submenu: items.into_iter().map(Icon::entry).collect(),
                ..Default::default()
            }
            .into(),
        }
    }

    fn clicked(&mut self, action: Action) {
        self.board.closed();
        if !self.board.take(&action) {
            self.send(Message::Clicked(action));
        }
    }
}

/// A single underscore would mark the next letter as a shortcut.
fn literal(label: &str) -> String {
    label.replace('_', "__")
}

impl ksni::Tray for Icon {
    const MENU_ON_ACTIVATE: bool = true;

    fn id(&self) -> String {
        "freeport".into()
    }

    fn title(&self) -> String {
        format!("Freeport: {}", self.board.headline())
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        let pictures = if self.board.has_conflict() {
            &CONFLICT
        } else {
            &NORMAL
        };
        pictures
            .iter()
            .map(|Picture { size, argb }| ksni::Icon {
                width: *size,
                height: *size,
                data: argb.to_vec(),
            })
            .collect()
    }

    fn tool_tip(&self) -> ksni::ToolTip {
        ksni::ToolTip {
            title: "Freeport".into(),
            description: self.board.headline().to_owned(),
            ..Default::default()
        }
    }

    fn menu(&self) -> Vec<ksni::MenuItem<Icon>> {
        // In front of all, where a fixed number of entries has none below it: there, nothing that
        // the menu has more or less of can make up for them.
        let marks = self.board.epoch() % EPOCHS;
        let mark = |_| {
            StandardItem {
                visible: false,
                ..Default::default()
            }
            .into()
        };
        let entries = self.board.menu().iter().cloned().map(Icon::entry);
        (0..marks).map(mark).chain(entries).collect()
    }

    fn menu_about_to_show(&mut self) {
        self.board.opened(Instant::now());
        self.send(Message::Opened);
    }

    fn watcher_online(&self) {
        self.send(Message::PanelCame);
    }

    fn watcher_offline(&self, reason: ksni::OfflineReason) -> bool {
        self.send(Message::PanelLeft(reason));
        true
    }
}

fn view() -> View {
    View {
        now: now(),
        viewer: Viewer {
            uid: limits::user_id(),
            ephemeral: limits::ephemeral_ports(),
        },
        show_system: false,
        launch_at_login: None,
        stubborn: Default::default(),
        home: paths::home(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use ksni::{MenuItem, Tray as _};

    use super::*;
    use crate::engine::State;
    use crate::tray::scene::{self, in_conflict, intruder, listener, reservation, shared, state};

    fn shape(entries: &[MenuItem<Icon>]) -> String {
        let one = |entry: &MenuItem<Icon>| match entry {
            MenuItem::SubMenu(below) => format!("({})", shape(&below.submenu)),
            _ => ".".to_owned(),
        };
        entries.iter().map(one).collect()
    }

    fn icon() -> Icon {
        Icon {
            board: Board::new(scene::view()),
            messages: mpsc::channel().0,
        }
    }

    fn show(icon: &mut Icon, state: &State) {
        icon.board
            .set_state(state.clone(), Instant::now(), scene::now());
    }

    fn servers(ports: std::ops::Range<u16>) -> State {
        let listeners: Vec<_> = ports.map(|port| listener(port, |_| {})).collect();
        state(&listeners, &[])
    }

    /// Else ksni would give the ids of one row to another one.
    #[test]
    fn rows_that_changed_give_the_menu_another_shape() {
        let mut icon = icon();
        let mut before = String::new();
        for first in 3000..3040 {
            for last in [first + 2, first + 3, first + 24, first + 25] {
                show(&mut icon, &servers(first..last));
                let shape = shape(&icon.menu());
                assert_ne!(shape, before, "{first}..{last}");
                before = shape;
            }
        }
    }

    #[test]
    fn whatever_changed_gives_the_menu_another_shape() {
        let mut states = vec![
            servers(3000..3000),
            servers(3000..3001),
            servers(3001..3002),
        ];
        for port in [3000, 3001] {
            for pid in [7, 8] {
                let one = listener(port, |p| p.key.pid = pid);
                let two = listener(port, |p| p.key.pid = pid + 2);
                for service in ["web", "api"] {
                    let reserved = [reservation(port, service)];
                    let alone = std::slice::from_ref(&one);
                    states.push(state(&[], &reserved));
                    states.push(state(alone, &reserved));
                    let conflicts = [intruder(&one, &reserved[0])];
                    states.push(in_conflict(state(alone, &reserved), &conflicts));
                }
                let both = [one, two];
                let conflicts = [shared(&[&both[0], &both[1]])];
                states.push(in_conflict(state(&both, &[]), &conflicts));
            }
        }
        for first in &states {
            for second in &states {
                let mut icon = icon();
                show(&mut icon, first);
                let (before, epoch) = (shape(&icon.menu()), icon.board.epoch());
                show(&mut icon, second);
                let after = shape(&icon.menu());
                assert_eq!(
                    before == after,
                    epoch == icon.board.epoch(),
                    "{first:?} {second:?}"
                );
            }
        }
    }
}
