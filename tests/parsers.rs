//! What reads text from outside, fed with what nobody would write: pieces of good files and
//! requests, cut, mixed and spoilt, the same ones at every run. It says no, and never gives up; and
//! what it takes is within its bounds. `fuzz/` does this at length.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::path::Path;

use freeport::Request;
use freeport::model::reservation::{NAME_LIMIT, RESERVATIONS_LIMIT, check_name};
use freeport::registry::transfer::{parse, plan};

/// Numbers that look random (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// The good ones, by name.
fn seeds(of: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/seeds")
        .join(of);
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// What parsers stumble over.
const STONES: [&[u8]; 24] = [
    b"\"",
    b"'",
    b"'''",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"[",
    b"[[",
    b"{",
    b"}",
    b"]",
    b"=",
    b".",
    b",",
    b"-1",
    b"0",
    b"65536",
    b"99999999999999999999",
    b"1e999",
];

/// One of `seeds`, spoilt in a few places.
fn spoilt(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut text = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(text.len() + 1);
        let until = (at + 1 + numbers.below(12)).min(text.len());
        match numbers.below(6) {
            0 => drop(text.drain(at..until)),
            1 => text.truncate(at),
            2 => drop(text.splice(at..at, STONES[numbers.below(STONES.len())].iter().copied())),
            3 if at < text.len() => text[at] ^= 1 << numbers.below(8),
            4 => {
                let piece = text[at..until].repeat(1 + numbers.below(40));
                drop(text.splice(at..at, piece));
            }
            _ => {
                let other = &seeds[numbers.below(seeds.len())];
                let from = numbers.below(other.len());
                text.truncate(at);
                text.extend_from_slice(&other[from..]);
            }
        }
    }
    text
}

#[test]
fn no_file_is_too_much_for_the_import() {
    let (seeds, mut numbers) = (seeds("import"), Numbers(1));
    let mut taken = 0;
    for _ in 0..20_000 {
        let bytes = spoilt(&seeds, &mut numbers);
        let text = String::from_utf8_lossy(&bytes);
        match parse(&text) {
            Ok(import) => {
                taken += 1;
                assert!(import.reservations() <= RESERVATIONS_LIMIT);
                let problems = plan(&import, &BTreeMap::new());
                assert!(problems.len() <= import.reservations());
            }
            Err(error) => {
                let said = error.to_string();
                assert!(
                    said.len() < 2000 && !said.contains(char::is_control),
                    "{said:?}"
                );
            }
        }
    }
    assert!(
        (500..19_500).contains(&taken),
        "{taken} of 20000: both are tried"
    );
}

#[test]
fn no_line_is_too_much_for_the_protocol() {
    let (seeds, mut numbers) = (seeds("protocol"), Numbers(2));
    let mut taken = 0;
    for _ in 0..50_000 {
        let line = spoilt(&seeds, &mut numbers);
        match Request::parse(&line) {
            Ok(request) => {
                taken += 1;
                let written = serde_json::to_vec(&request).unwrap();
                let again = Request::parse(&written);
                assert!(again.is_ok(), "{request:?} gives {again:?}");
                check_names(&request);
            }
            Err(error) => assert!(error.message.len() < 2000, "{error:?}"),
        }
    }
    assert!(
        (1000..49_000).contains(&taken),
        "{taken} of 50000: both are tried"
    );
}

/// Whatever names a port has been checked.
fn check_names(request: &Request) {
    let names = match request {
        Request::Register(claim) | Request::Claim(claim) => {
            vec![claim.project.as_ref(), claim.service.as_ref()]
        }
        Request::Reserve(reserve) => vec![Some(&reserve.project), reserve.service.as_ref()],
        Request::Allocate(allocate) => vec![Some(&allocate.project), Some(&allocate.service)],
        _ => vec![],
    };
    for name in names.into_iter().flatten() {
        assert!(
            name.len() <= NAME_LIMIT && check_name(name).is_ok(),
            "{name:?}"
        );
    }
}
