//! When a port is tried again, and what is told of it.

use super::*;
use crate::model::reservation::tests::reserved;

fn key(row: &Reservation) -> ReservationKey {
    row.key()
}

#[test]
fn what_lasts_is_told_once() {
    let (mut table, row) = (Table::new(), reserved(3000, "shop"));
    let key = key(&row);
    assert!(!table.fails(key, Why::Bound, false), "it may end at once");
    assert!(!table.fails(key, Why::Bound, false), "it was not waited");
    table.failed.get_mut(&key).unwrap().again = Later {
        at: Instant::now(),
        waited: GRACE,
    };
    assert!(table.fails(key, Why::Bound, false));
    assert!(!table.fails(key, Why::Bound, false), "once");
    assert!(table.fails(key, Why::Limit(7), false), "another reason");
    assert!(!table.fails(key, Why::Used, true), "told in a reply");
    assert_eq!(table.missing().count(), 0, "who uses it may");
    assert_eq!(table.rest(), None, "nothing is tried until that ends");
}

#[test]
fn what_is_looked_at_again() {
    let (mut table, row) = (Table::new(), reserved(3000, "shop"));
    let (key, now) = (key(&row), Timestamp::of_millis(7));
    table.touch(key, None, Some(&row), now);
    assert!(table.take_dirty().is_empty(), "it is not to be held");
    let kept = Reservation {
        keep_held: true,
        ..row
    };
    table.touch(key, None, Some(&kept), now);
    assert_eq!(table.take_dirty().len(), 1);
    table.fails(key, Why::Listener("vite".into()), false);
    table.look_again(|_| true);
    assert!(table.take_dirty().is_empty(), "nobody has gone");
    table.look_again(|_| false);
    assert_eq!(table.take_dirty().len(), 1);
    table.pass(true);
    assert_eq!(table.take_dirty().len(), 1, "a cleanup tries all");
    table.let_go(key);
    table.pass(true);
    assert!(table.take_dirty().is_empty());
}

#[test]
fn since_when_is_known_of_what_was_seen() {
    let (mut table, row) = (Table::new(), reserved(3000, "shop"));
    let key = key(&row);
    let at = Timestamp::of_millis;
    let held = |by| Reservation {
        held_by: by,
        ..row.clone()
    };
    let (none, client) = (held(None), held(Some(HeldBy::Client)));
    table.touch(key, None, Some(&client), at(1));
    assert_eq!(table.since(key), None, "it was there before the app");
    table.touch(key, Some(&client), Some(&none), at(2));
    table.touch(key, Some(&none), Some(&client), at(3));
    table.touch(key, Some(&client), Some(&client), at(4));
    assert_eq!(table.since(key), Some(at(3)));
    table.touch(key, Some(&client), None, at(5));
    assert_eq!(table.since(key), None);
}
