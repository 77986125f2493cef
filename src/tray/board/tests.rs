//! The board over time, with what is shown at each moment.

use super::*;
use crate::model::{Listener, Port};
use crate::tray::scene::{self, in_conflict, intruder, listener, now, reservation, state, text};

fn board() -> Board {
    Board::new(scene::view())
}

fn servers(ports: &[u16]) -> State {
    let listeners: Vec<Listener> = ports.iter().map(|&port| listener(port, |_| {})).collect();
    state(&listeners, &[])
}

/// The labels of the top of the menu that start with a port, or with a conflict.
fn shown(board: &Board) -> Vec<String> {
    let labels = board.menu().iter().filter_map(|item| match item {
        Item::Sub { label, .. } if label.starts_with(['2', '3', '⚠']) => Some(label.clone()),
        _ => None,
    });
    labels.collect()
}

#[test]
fn rows_are_frozen_while_the_menu_is_open_and_catch_up_after() {
    let start = Instant::now();
    let mut board = board();
    board.set_state(servers(&[3000, 3001]), start, now());
    board.opened(start);
    board.set_state(
        servers(&[2999, 3001, 3002]),
        start + Duration::from_secs(1),
        now(),
    );
    let frozen = ["3000   vite · 2h · closed", "3001   vite · 2h"];
    assert_eq!(shown(&board), frozen);
    assert_eq!(board.headline(), "3 ports in use", "but the icon tells all");
    board.pass(start + Duration::from_secs(2), now());
    assert_eq!(shown(&board), frozen);
    let before = board.epoch();
    board.pass(start + FREEZE, now());
    assert_eq!(
        shown(&board),
        ["2999   vite · 2h", "3001   vite · 2h", "3002   vite · 2h"]
    );
    assert_ne!(board.epoch(), before);
    board.opened(start + FREEZE);
    board.set_state(servers(&[3000]), start + FREEZE, now());
    assert!(
        shown(&board)
            .iter()
            .all(|label| label.ends_with(" · closed"))
    );
    board.opened(start + FREEZE);
    assert_eq!(shown(&board), ["3000   vite · 2h"], "opened again");
    board.set_state(servers(&[]), start + FREEZE, now());
    board.closed();
    assert!(shown(&board).is_empty());
}

/// What there is in a conflict, and what follows in the menu when it is gone.
fn contested(pid: u32, service: &str) -> State {
    let thief = listener(3000, |p| p.key.pid = pid);
    let reserved = [reservation(3000, service)];
    let conflicts = [intruder(&thief, &reserved[0])];
    in_conflict(state(&[thief], &reserved), &conflicts)
}

#[test]
fn conflicts_and_reservations_are_frozen_too() {
    let start = Instant::now();
    let mut board = board();
    board.set_state(contested(7, "web"), start, now());
    board.opened(start);
    let (before, epoch) = (text(board.menu()), board.epoch());
    for later in [servers(&[]), contested(8, "web"), contested(7, "api")] {
        board.set_state(later, start, now());
        let text = text(board.menu());
        assert_eq!(
            text.lines().count(),
            before.lines().count(),
            "nothing moves"
        );
        assert_eq!(
            shown(&board)[0],
            "⚠ 3000 · vite where shop web should be · settled"
        );
        assert!(
            text.contains("Kill vite (pid 7) on 3000 [disabled]"),
            "{text}"
        );
        assert_eq!(board.epoch(), epoch, "what was shown still means the same");
    }
    board.set_state(contested(7, "web"), start, now());
    assert_eq!(text(board.menu()), before, "it is as it was");
    board.set_state(contested(8, "web"), start, now());
    assert!(board.has_conflict());
    board.closed();
    assert_eq!(shown(&board)[0], "⚠ 3000 · vite where shop web should be");
    assert_ne!(board.epoch(), epoch);
}

#[test]
fn what_means_something_else_begins_another_epoch() {
    let start = Instant::now();
    let mut board = board();
    let mut epoch = board.epoch();
    let another = [
        ("a server", servers(&[3000])),
        ("a second one", servers(&[3000, 3001])),
        ("another port", servers(&[3000, 3002])),
        ("an intruder", contested(7, "web")),
        ("another intruder", contested(8, "web")),
        ("another reservation", contested(8, "api")),
        ("only reserved", state(&[], &[reservation(3000, "web")])),
        (
            "for another service",
            state(&[], &[reservation(3000, "api")]),
        ),
        (
            "another port reserved",
            state(&[], &[reservation(3001, "api")]),
        ),
    ];
    for (what, next) in another {
        board.set_state(next.clone(), start, now());
        assert_ne!(board.epoch(), epoch, "{what}");
        epoch = board.epoch();
        board.set_state(next, start, now().after(Duration::from_secs(9999)));
        assert_eq!(board.epoch(), epoch, "{what}, told differently");
    }
}

#[test]
fn a_setting_is_shown_at_once_and_moves_nothing() {
    let start = Instant::now();
    let mut board = board();
    board.set_state(servers(&[3000]), start, now());
    board.opened(start);
    let lines = text(board.menu()).lines().count();
    board.set("notify_intruder", "false");
    board.set("no_such", "false");
    let text = text(board.menu());
    assert!(
        text.contains("  [ ] Intruders\n  [x] Shared ports\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), lines);
}

#[test]
fn the_headline_tells_what_is_so() {
    let mut board = board();
    assert_eq!(board.headline(), "No port in use");
    board.set_state(contested(7, "web"), Instant::now(), now());
    assert_eq!(board.headline(), "1 port in use · 1 reserved · 1 conflict");
    let mut many = servers(&[3000, 3001]);
    many.reserved = Port::MAX.get().into();
    board.set_state(many, Instant::now(), now());
    assert_eq!(board.headline(), "2 ports in use · 65535 reserved");
    assert!(!board.has_conflict());
}
