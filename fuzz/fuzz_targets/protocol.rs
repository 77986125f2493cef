//! The reader of requests: a line from the socket. What it takes can be written, and is taken again.
#![no_main]

use freeport::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let Ok(request) = Request::parse(line) else {
        return;
    };
    let written = serde_json::to_vec(&request).expect("a request can be written");
    // Not the same to the last digit: dates are written in milliseconds.
    let again = Request::parse(&written);
    assert!(again.is_ok(), "{request:?} gives {again:?}");
});
