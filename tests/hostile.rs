//! Clients that send what nobody should: each is answered or dropped, others are answered promptly all
//! the while, and the app is there at the end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::app::{App, Wire, fails};
use support::{Home, ports, wait_for};

/// Longer than anything takes that is not held up, on a busy machine too.
const PROMPT: Duration = Duration::from_secs(5);

/// Somebody who asks simple things all the time, each of which has to be answered promptly.
struct Honest {
    stop: Arc<AtomicBool>,
    asks: Option<std::thread::JoinHandle<(Duration, u32)>>,
}

impl Honest {
    fn start(home: &Home) -> Honest {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut wire, stopped) = (Wire::open(home), Arc::clone(&stop));
        let asks = std::thread::spawn(move || {
            let (mut longest, mut count) = (Duration::ZERO, 0);
            while !stopped.load(Ordering::Relaxed) {
                for request in [
                    json!({"cmd": "PING"}),
                    json!({"cmd": "LIST"}),
                    json!({"cmd": "STATUS"}),
                ] {
                    let start = Instant::now();
                    wire.done(&request);
                    longest = longest.max(start.elapsed());
                    count += 1;
                }
            }
            (longest, count)
        });
        Honest {
            stop,
            asks: Some(asks),
        }
    }

    #[track_caller]
    fn was_served(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let (longest, count) = self.asks.take().unwrap().join().unwrap();
        assert!(
            longest < PROMPT && count > 0,
            "{longest:?} in {count} requests"
        );
    }
}

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
        assert!(!told.contains("\\u001b") && !told.contains('\u{202e}'), "{line} gave {reply}");
    }
    assert_eq!(wire.done(&json!({"cmd": "PING"}))["pong"], true);
    honest.was_served();
    assert!(!app.process.has_ended());
}

#[test]
fn thousands_of_connections_hold_nobody_up() {
    let home = Home::new();
    let app = App::start(&home);
    let honest = Honest::start(&home);
    let socket = home.runtime().join("freeport.sock");
    let mut open = Vec::new();
    let mut refused = 0;
    for number in 0..3000 {
        let mut stream = UnixStream::connect(&socket).unwrap();
        let pieces: [&[u8]; 4] = [
            b"",
            b"{\"cmd\":\"PI",
            b"{\"cmd\":\"LIST\"}\n",
            b"\xff\xff\n\n\n",
        ];
        // Who is refused is hung up on, maybe before it has said a word.
        if stream.write_all(pieces[number % 4]).is_err() {
            refused += 1;
        }
        // As many as may be open are kept, and some more.
        if number % 10 == 0 && open.len() < 200 {
            open.push(stream);
        }
    }
    honest.was_served();
    assert!(!app.process.has_ended());
    drop(open);
    wait_for("connections to be given back", || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        stream.write_all(b"{\"cmd\":\"PING\"}\n").ok()?;
        let mut answer = [0u8; 64];
        let read = stream.read(&mut answer).ok()?;
        String::from_utf8_lossy(&answer[..read])
            .contains("pong")
            .then_some(())
    });
    assert!(refused < 3000);
    let status = Wire::open(&home).done(&json!({"cmd": "STATUS"}));
    assert!(
        status["memory_bytes"].as_u64().unwrap() < 100 * 1024 * 1024,
        "{status}"
    );
}

#[test]
fn who_sends_byte_by_byte_or_reads_nothing_waits_alone() {
    let home = Home::new();
    let app = App::start(&home);
    let honest = Honest::start(&home);
    let socket = home.runtime().join("freeport.sock");
    let mut slow: Vec<UnixStream> = (0..50)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    let deaf: Vec<UnixStream> = (0..20)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    for stream in &deaf {
        stream.set_nonblocking(true).unwrap();
        // Until neither side's buffers take any more.
        while (&*stream)
            .write(&b"{\"cmd\":\"QUERY\"}\n".repeat(100))
            .is_ok()
        {}
    }
    for byte in br#"{"cmd":"CLAIM","port":3000,"service":"never to be ended"#.chunks(1) {
        for stream in &mut slow {
            stream.write_all(byte).unwrap();
        }
    }
    let mut wire = Wire::open(&home);
    let port = ports::one();
    wire.done(&json!({"cmd": "CLAIM", "port": port}));
    assert_eq!(wire.status_of(port), "claimed");
    honest.was_served();
    drop((slow, deaf));
    assert_eq!(
        wire.done(&json!({"cmd": "QUERY"}))["reservations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(!app.process.has_ended());
}

#[test]
fn as_many_reservations_as_there_can_be() {
    const LIMIT: usize = 16_384;
    let home = Home::new();
    let app = App::start(&home);
    let honest = Honest::start(&home);
    let mut wire = Wire::open(&home);
    let mut next = 2000u32..65_536;
    let mut made = 0;
    while made < LIMIT {
        let mut ports: Vec<u32> = next.by_ref().take(256.min(LIMIT - made)).collect();
        assert!(!ports.is_empty());
        loop {
            let reply = wire.ask(
                &json!({"cmd": "RESERVE", "ports": ports, "protocol": "udp", "project": "shop"}),
            );
            if reply["status"] == "success" {
                break;
            }
            // Somebody listens on one of them: it is left out.
            let told = fails(reply, "port_taken");
            ports.retain(|port| !told.starts_with(&format!("port {port} ")));
        }
        made += ports.len();
    }
    let port = ports::one();
    for request in [
        json!({"cmd": "CLAIM", "port": port}),
        json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}),
        json!({"cmd": "ALLOCATE", "project": "shop", "service": "web", "port": port}),
    ] {
        let told = wire.refused(&request, "limit_reached");
        assert!(told.contains("16384"), "{told}");
    }
    assert_eq!(wire.done(&json!({"cmd": "STATUS"}))["reservations"], LIMIT);
    assert_eq!(
        wire.done(&json!({"cmd": "QUERY"}))["reservations"]
            .as_array()
            .unwrap()
            .len(),
        LIMIT
    );
    wire.done(&json!({"cmd": "RELEASE", "ports": [2000], "as_user": true}));
    wire.done(&json!({"cmd": "CLAIM", "port": port}));
    honest.was_served();
    assert!(!app.process.has_ended());
}
