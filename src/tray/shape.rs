//! Whether one menu can be drawn over another: where it has the same shape, only texts change.

use super::menu::Item;

/// Whether both have the same entries, which do the same things, in the same places. A menu that
/// is open may then be changed under the pointer.
pub fn is_same(a: &[Item], b: &[Item]) -> bool {
    let pair = |pair: (&Item, &Item)| match pair {
        (Item::Info(_), Item::Info(_)) | (Item::Separator, Item::Separator) => true,
        (Item::Button { action: x, .. }, Item::Button { action: y, .. })
        | (Item::Check { action: x, .. }, Item::Check { action: y, .. }) => x == y,
        (Item::Sub { items: x, .. }, Item::Sub { items: y, .. }) => is_same(x, y),
        _ => false,
    };
    a.len() == b.len() && a.iter().zip(b).all(pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Port, ProcessKey};
    use crate::tray::menu::Action;

    fn row(port: u16, label: &str, enabled: bool) -> Item {
        let (port, key) = (Port::new(port).unwrap(), ProcessKey { pid: 9, start: 1 });
        let force = false;
        Item::Sub {
            label: label.into(),
            items: vec![Item::Button {
                label: "Kill".into(),
                action: Action::Kill { port, key, force },
                enabled,
            }],
        }
    }

    #[test]
    fn texts_may_differ_and_actions_may_not() {
        let one = [row(3000, "3000  vite · now", true)];
        assert!(is_same(&one, &[row(3000, "3000  vite · closed", false)]));
        assert!(!is_same(&one, &[row(3001, "3000  vite · now", true)]));
        assert!(!is_same(&one, &[]));
        assert!(!is_same(&one, &[Item::Separator]));
    }
}
