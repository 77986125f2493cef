//! Clients that come in thousands, that are slow or deaf, and that want everything: others are answered
//! promptly all the while, and the app is there at the end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::json;
use support::app::{App, Wire, fails};
use support::honest::Honest;
use support::{Home, ports, wait_for};

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
