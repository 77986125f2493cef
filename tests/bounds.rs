//! Requests that nobody should send: wrong texts, names, numbers and damaged lines are refused one by one,
//! and do nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use serde_json::{Value, json};
use support::app::{App, Wire, fails};
use support::honest::Honest;
use support::{Home, ports};

/// What is sent in every field that takes a text.
const TEXTS: [&str; 9] = [
    "'; DROP TABLE ports; --",
    "\" OR 1=1 --",
    "x'); DELETE FROM audit_log; --",
    "%s%n%x",
    "../../etc/passwd",
    "$(reboot)",
    "größe 端口 🦀",
    "{\"cmd\":\"PING\"}",
    "NULL",
];

#[test]
fn texts_are_only_texts() {
    let home = Home::new();
    let app = App::start(&home);
    let honest = Honest::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(2);
    for text in TEXTS {
        let claim = json!({"cmd": "CLAIM", "port": port, "project": text, "service": text, "metadata": {text: text}});
        wire.done(&claim);
        wire.done(
            &json!({"cmd": "RESERVE", "ports": [port + 1], "project": text, "service": text}),
        );
        let row = wire.reservation(port);
        assert_eq!(
            (&row["project"], &row["service"], &row["metadata"][text]),
            (&json!(text), &json!(text), &json!(text))
        );
        let found = wire.done(&json!({"cmd": "QUERY", "project": text, "service": text}));
        assert_eq!(found["reservations"].as_array().unwrap().len(), 2, "{text}");
        let log = wire.done(&json!({"cmd": "LOG", "port": port + 1, "limit": 1}));
        assert_eq!(log["entries"][0]["service"], text);
        wire.refused(&json!({"cmd": "CONFIG", "key": text}), "not_found");
        wire.refused(
            &json!({"cmd": "CONFIG", "key": "stale_threshold", "value": text}),
            "bad_request",
        );
        wire.refused(&json!({"cmd": "SUGGEST", "range": text}), "bad_request");
        wire.refused(
            &json!({"cmd": "IGNORE", "port": port, "key": text}),
            "bad_request",
        );
        wire.refused(&json!({"cmd": "LOG", "since": text}), "bad_request");
        wire.refused(
            &json!({"cmd": "CLAIM", "port": port, "protocol": text}),
            "bad_request",
        );
        wire.refused(
            &json!({"cmd": "KILL", "ports": [port], "pid": text}),
            "bad_request",
        );
        wire.refused(&json!({"cmd": text}), "unknown_command");
        assert_eq!(
            wire.done(&json!({"cmd": "FREE", "project": text}))["reservations"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
    let log = wire.done(&json!({"cmd": "LOG"}));
    assert!(
        log["entries"].as_array().unwrap().len() >= 3 * TEXTS.len(),
        "nothing was deleted"
    );
    honest.was_served();
    assert!(!app.process.has_ended());
}

#[test]
fn names_and_metadata_have_bounds() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let long = "ß".repeat(64);
    for name in [
        "",
        " ",
        " web",
        "web ",
        "a\nb",
        "a\0b",
        "a\tb",
        "a\u{1b}[31mb",
        "a\u{202e}b",
        "\u{200b}",
        "a\u{85}b",
        &format!("{long}x"),
    ] {
        for request in [
            json!({"cmd": "CLAIM", "port": port, "service": name}),
            json!({"cmd": "CLAIM", "port": port, "project": name}),
            json!({"cmd": "REGISTER", "port": port, "service": name}),
            json!({"cmd": "RESERVE", "ports": [port], "project": name}),
            json!({"cmd": "RESERVE", "ports": [port], "project": "x", "service": name}),
            json!({"cmd": "ALLOCATE", "project": name, "service": "x"}),
            json!({"cmd": "ALLOCATE", "project": "x", "service": name}),
            json!({"cmd": "FREE", "project": name}),
        ] {
            wire.refused(&request, "bad_request");
        }
    }
    let claim = |metadata: Value| json!({"cmd": "CLAIM", "port": port, "metadata": metadata});
    assert_eq!(
        wire.done(&json!({"cmd": "CLAIM", "port": port, "service": long}))["reservation"]["service"],
        long
    );
    for metadata in [
        json!(null),
        json!([]),
        json!("\0\u{7}"),
        json!(1.5e300),
        json!(u64::MAX),
        json!({"": {"": ""}}),
        json!("x".repeat(4094)),
    ] {
        let lease = wire.done(&claim(metadata.clone()));
        if !metadata.is_null() {
            assert_eq!(lease["reservation"]["metadata"], metadata);
        }
    }
    let kept = wire.reservation(port)["metadata"].clone();
    for metadata in [
        json!("x".repeat(4095)),
        json!({"x": "y".repeat(60_000)}),
        json!("\0".repeat(4096)),
    ] {
        wire.refused(&claim(metadata), "bad_request");
    }
    for raw in [
        "{",
        "not json",
        "\"x",
        "1e999",
        "{\"a\":1,}",
        "\"\\ud800\"",
        "'x'",
        "nan",
    ] {
        let line = format!(r#"{{"cmd":"CLAIM","port":{port},"metadata":{raw}}}"#);
        fails(wire.say(&line), "bad_request");
    }
    // Nested as deep as JSON is read, and deeper.
    for (depth, fits) in [(100, true), (130, false), (2000, false), (30_000, false)] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let reply = wire.say(&format!(
            r#"{{"cmd":"CLAIM","port":{port},"metadata":{nested}}}"#
        ));
        assert_eq!(reply["status"] == "success", fits, "{depth}: {reply}");
    }
    assert_ne!(
        wire.reservation(port)["metadata"],
        kept,
        "the one that fits"
    );
}

#[test]
fn numbers_have_bounds() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    let bad: Vec<Value> = vec![
        json!(0),
        json!(-1),
        json!(65536),
        json!(1u64 << 40),
        json!("3000"),
        json!(3000.5),
        json!(null),
        json!([3000]),
        json!(true),
        json!({}),
    ];
    for number in &bad {
        for request in [
            json!({"cmd": "CLAIM", "port": number}),
            json!({"cmd": "REGISTER", "port": number, "service": "x"}),
            json!({"cmd": "HEARTBEAT", "port": number}),
            json!({"cmd": "RESERVE", "ports": [number], "project": "x"}),
            json!({"cmd": "RESERVE", "ports": [3000, number], "project": "x"}),
            json!({"cmd": "RELEASE", "ports": [number]}),
            json!({"cmd": "LIST", "ports": [number]}),
            json!({"cmd": "KILL", "ports": [number]}),
            json!({"cmd": "IGNORE", "port": number, "key": "1@2"}),
        ] {
            wire.refused(&request, "bad_request");
        }
        // Where a port may be absent, null is absent.
        if !number.is_null() {
            wire.refused(
                &json!({"cmd": "ALLOCATE", "project": "x", "service": "y", "port": number}),
                "bad_request",
            );
            wire.refused(&json!({"cmd": "QUERY", "port": number}), "bad_request");
            wire.refused(&json!({"cmd": "LOG", "port": number}), "bad_request");
        }
    }
    for ports in [
        json!([]),
        json!(3000),
        json!("3000"),
        json!(null),
        json!(vec![3000; 257]),
    ] {
        wire.refused(
            &json!({"cmd": "RESERVE", "ports": ports, "project": "x"}),
            "bad_request",
        );
        wire.refused(&json!({"cmd": "RELEASE", "ports": ports}), "bad_request");
    }
    for request in [
        json!({"cmd": "LOG", "limit": -1}),
        json!({"cmd": "LOG", "limit": "1"}),
        json!({"cmd": "CLAIM", "port": 3000, "detached": "yes"}),
        json!({"cmd": "CLAIM", "port": 3000, "token": 5}),
        json!({"cmd": "CLEANUP", "dry_run": 1}),
        json!({"cmd": "RESERVE", "ports": [3000], "project": null}),
        json!({"cmd": "ALLOCATE", "project": ["x"], "service": "y"}),
    ] {
        wire.refused(&request, "bad_request");
    }
    assert_eq!(
        wire.done(&json!({"cmd": "QUERY"}))["reservations"],
        json!([])
    );
    assert!(!app.process.has_ended());
}

#[test]
fn requests_that_are_damaged_are_answered_one_by_one() {
    let home = Home::new();
    let app = App::start(&home);
    let honest = Honest::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let whole = [
        json!({"cmd": "CLAIM", "port": port, "service": "web", "metadata": {"a": [1, 2, {"b": null}]}, "ttl_s": 60}),
        json!({"cmd": "RESERVE", "ports": [port, port], "protocol": "udp", "project": "shop"}),
        json!({"cmd": "RELEASE", "ports": [port], "token": "x", "as_user": true}),
        json!({"cmd": "SUGGEST", "count": 3, "range": "3000-4000", "block": true}),
        json!({"cmd": "QUERY", "project": "shop"}),
        json!({"cmd": "HEARTBEAT", "port": port}),
    ];
    // Always the same numbers, which look like any (xorshift).
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for _ in 0..1500 {
        let mut line = whole[next(whole.len())].to_string().into_bytes();
        for _ in 0..=next(4) {
            let at = next(line.len());
            match next(4) {
                0 => line[at] = u8::try_from(next(256)).unwrap(),
                1 if line.len() > 1 => drop(line.remove(at)),
                2 => line.insert(at, b"{}[]\":,0-9e\\ \0"[next(14)]),
                _ => line.truncate(at.max(1)),
            }
        }
        line.retain(|byte| *byte != b'\n');
        line.push(b'\n');
        assert!(wire.send(&line));
        let reply = wire
            .receive()
            .unwrap_or_else(|| panic!("it hung up at {:?}", String::from_utf8_lossy(&line)));
        assert!(
            reply["status"] == "success" || reply["code"].is_string(),
            "{reply}"
        );
        let message = reply["message"].as_str().unwrap_or_default();
        assert!(!message.contains(char::is_control), "{message:?}");
    }
    // What was sent wrongly is shown in what is said of it, and nothing in it acts on a terminal.
    for line in [
        "{\"cmd\":\"CLAIM\",\"port\":5,\"protocol\":\"\\u001b[31mx\\u202e\"}",
        "{\"cmd\":\"\\u001b[31mx\\u202e\"}",
        "{\"cmd\":\"CONFIG\",\"key\":\"\\u001b[31mx\\u202e\"}",
        "{\"cmd\":\"CONFIG\",\"key\":\"port_range\",\"value\":\"\\u001b[31mx\\u202e\"}",
        "{\"cmd\":\"SUGGEST\",\"range\":\"\\u001b[31mx\\u202e\"}",
        "{\"cmd\":\"IGNORE\",\"port\":5,\"key\":\"\\u001b[31mx\\u202e\"}",
        "{\"cmd\":\"LOG\",\"since\":\"\\u001b[31mx\\u202e\"}",
        "{\"cmd\":\"KILL\",\"ports\":[5],\"pid\":\"\\u001b[31mx\\u202e\"}",
    ] {
        let reply = wire.say(line);
        let told = format!("{}{}", reply["message"], reply["hint"]);
        assert!(
            !told.contains("\\u001b") && !told.contains('\u{202e}'),
            "{line} gave {reply}"
        );
    }
    assert_eq!(wire.done(&json!({"cmd": "PING"}))["pong"], true);
    honest.was_served();
    assert!(!app.process.has_ended());
}
