//! The reader of `freeport import`, and what it would do with the file: into an empty registry, and
//! into one that has the same reservations.
#![no_main]

use std::collections::BTreeMap;

use freeport::registry::transfer::{parse, plan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(import) = parse(text) else { return };
    let problems = plan(&import, &BTreeMap::new());
    assert!(problems.len() <= import.reservations());
    let mut left = import.clone();
    let ended = left.leave_out_ended("a boot");
    assert_eq!(left.reservations() + ended, import.reservations());
    for problem in problems {
        assert!(
            !problem.to_string().contains(char::is_control),
            "{problem:?}"
        );
    }
});
