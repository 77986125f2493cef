//! The app's socket: every command, every kind of mistake, and clients that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::Server;
use support::{Home, wait_for};

#[test]
fn it_answers_every_command() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    let hello = wire.ask(&json!({"cmd": "HELLO", "protocol": 1}));
    assert_eq!(hello["status"], "success");
    assert_eq!(hello["protocol"], 1);
    assert_eq!(hello["pid"], app.pid());
    assert_eq!(hello["version"], env!("CARGO_PKG_VERSION"));
    let pong = wire.ask(&json!({"cmd": "PING", "a field of the future": [1]}));
    assert_eq!(pong, json!({"status": "success", "pong": true}));
    let server = Server::start(&home, "");
    assert_eq!(wire.listeners(server.port)[0]["owner"]["pid"], server.pid);
    let all = wire.ask(&json!({"cmd": "LIST"}));
    let listed = |listener: &&Value| listener["port"] == server.port;
    assert_eq!(
        all["listeners"]
            .as_array()
            .unwrap()
            .iter()
            .filter(listed)
            .count(),
        1
    );
    let status = wire.ask(&json!({"cmd": "STATUS"}));
    assert_eq!(status["pid"], app.pid());
    let killed = wire.ask(&json!({"cmd": "KILL", "ports": [server.port]}));
    assert_eq!(killed["status"], "success");
    assert_eq!(killed["outcomes"][0]["result"], "freed");
    assert!(!server.is_alive());
    let autostart = wire.ask(&json!({"cmd": "AUTOSTART"}));
    assert_eq!(autostart["enabled"], false, "{autostart}");
}

#[test]
fn mistakes_are_answered_and_the_conversation_goes_on() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let cases = [
        ("", "bad_request"),
        ("{", "bad_request"),
        ("[]", "bad_request"),
        ("null", "bad_request"),
        ("GET / HTTP/1.1", "bad_request"),
        ("{\"cmd\":\"PING\"}}", "bad_request"),
        (r#"{"cmd":"\u001b[31mDANCE"}"#, "unknown_command"),
        (r#"{"cmd":"ping"}"#, "unknown_command"),
        (r#"{"cmd":"LIST","ports":[0]}"#, "bad_request"),
        (r#"{"cmd":"LIST","ports":[65536]}"#, "bad_request"),
        (r#"{"cmd":"LIST","ports":[-1]}"#, "bad_request"),
        (r#"{"cmd":"LIST","ports":["3000"]}"#, "bad_request"),
        (r#"{"cmd":"KILL","ports":[0]}"#, "bad_request"),
        (r#"{"cmd":"KILL","ports":[65536]}"#, "bad_request"),
        (r#"{"cmd":"KILL","ports":[]}"#, "bad_request"),
        (r#"{"cmd":"KILL","ports":[9],"pid":"x"}"#, "bad_request"),
        (r#"{"cmd":"HELLO","protocol":-1}"#, "bad_request"),
    ];
    for (line, code) in cases {
        let reply = wire.say(line);
        assert_eq!(
            (&reply["status"], &reply["code"]),
            (&json!("error"), &json!(code)),
            "{line}"
        );
        let message = reply["message"].as_str().unwrap();
        assert!(
            !message.is_empty() && !message.contains('\x1b'),
            "{line}: {message:?}"
        );
    }
    wire.send(b"\xff\xfe\x00{\n");
    assert_eq!(wire.receive().unwrap()["code"], "bad_request");
    let deep = format!(r#"{{"cmd":"PING","x":{}"#, "[".repeat(60_000));
    assert_eq!(wire.say(&deep)["code"], "bad_request");
    assert_eq!(wire.say(r#"{"cmd":"PING"}"#)["pong"], true);
    // Several requests in one piece have their replies in order.
    wire.send(b"{\"cmd\":\"PING\"}\n{\"cmd\":\"DANCE\"}\n{\"cmd\":\"HELLO\",\"protocol\":1}\n");
    let replies: Vec<Value> = (0..3).map(|_| wire.receive().unwrap()).collect();
    assert_eq!(replies[0]["pong"], true);
    assert_eq!(replies[1]["code"], "unknown_command");
    assert_eq!(replies[2]["protocol"], 1);
}

#[test]
fn a_request_of_a_megabyte_is_refused() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let mut line = vec![b'x'; 1024 * 1024];
    line.push(b'\n');
    // The app hangs up before it has read all of it.
    let _ = wire.send(&line);
    let told = wire.receive();
    assert!(told.is_none_or(|reply| reply["code"] == "too_large"));
    // Sent up to the limit and no further, the reason arrives.
    let mut wire = Wire::open(&home);
    assert!(wire.send(&vec![b'x'; 64 * 1024]));
    assert_eq!(wire.receive().unwrap()["code"], "too_large");
    assert!(wire.receive().is_none(), "it hangs up then");
    assert_eq!(Wire::open(&home).say(r#"{"cmd":"PING"}"#)["pong"], true);
}

#[test]
fn who_leaves_in_the_middle_hurts_nobody() {
    let home = Home::new();
    let _app = App::start(&home);
    for piece in [
        &b"{\"cmd\":\"PI"[..],
        b"",
        b"{\"cmd\":\"LIST\"}\n",
        b"\n\n\n",
    ] {
        let mut wire = Wire::open(&home);
        assert!(wire.send(piece));
        drop(wire);
    }
    assert_eq!(Wire::open(&home).say(r#"{"cmd":"PING"}"#)["pong"], true);
}

#[test]
fn too_many_connections_are_told_so() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wires: Vec<Wire> = (0..200).map(|_| Wire::open(&home)).collect();
    let replies: Vec<Value> = wires
        .iter_mut()
        .map(|wire| {
            wire.send(b"{\"cmd\":\"PING\"}\n");
            wire.receive().expect("an answer, be it a refusal")
        })
        .collect();
    let answered = replies.iter().filter(|reply| reply["pong"] == true).count();
    let refused = replies
        .iter()
        .filter(|reply| reply["code"] == "busy")
        .count();
    // One or two may have come before the connections of the start were given back.
    assert_eq!(answered + refused, 200);
    assert!((120..=128).contains(&answered), "{answered}");
    let ran = wait_for("the command to be refused", || {
        wires.push(Wire::open(&home));
        let ran = home.run("status");
        (ran.code == 6).then_some(ran)
    });
    assert!(ran.err.contains("128 connections"), "{ran:?}");
    drop(wires);
    wait_for("connections to be given back", || {
        (home.run("status").code == 0).then_some(())
    });
    assert!(!app.process.has_ended());
}

#[test]
fn a_client_that_never_reads_holds_nobody_up() {
    let home = Home::new();
    let app = App::start(&home);
    let deaf = Wire::open(&home);
    deaf.stream().set_nonblocking(true).unwrap();
    let mut sent = 0;
    let requests = "{\"cmd\":\"LIST\"}\n".repeat(64);
    // Until neither side's buffers take any more.
    wait_for("the buffers to be full", || {
        use std::io::Write as _;
        match deaf.stream().write(requests.as_bytes()) {
            Ok(more) => sent += more,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        (sent > 64 * 1024).then_some(())
    });
    let server = Server::start(&home, "");
    assert_eq!(home.listener(server.port)["owner"]["pid"], server.pid);
    home.run(&format!("kill {}", server.port)).ends(0);
    assert_eq!(app.end(Signal::TERM), 0, "and it can end");
}

#[test]
fn an_app_of_another_protocol_is_named() {
    let home = Home::new();
    std::fs::create_dir(home.runtime()).unwrap();
    let closed = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(home.runtime(), closed).unwrap();
    let socket = UnixListener::bind(home.runtime().join("freeport.sock")).unwrap();
    let replies = [
        r#"{"status":"success","protocol":99,"version":"9.9.9","pid":4242}"#,
        "this is not JSON",
        r#"{"status":"error","code":"of_the_future","message":"no \u001b[31mway"}"#,
        "",
    ];
    let expected = ["speaks protocol 99", "not a reply", "way", "broke"];
    let serve = std::thread::spawn(move || {
        for reply in replies {
            use std::io::{BufRead as _, Write as _};
            let (stream, _) = socket.accept().unwrap();
            let mut reader = std::io::BufReader::new(stream);
            let _ = reader.read_line(&mut String::new());
            let line = if reply.is_empty() {
                String::new()
            } else {
                format!("{reply}\n")
            };
            let _ = reader.get_mut().write_all(line.as_bytes());
        }
    });
    for text in expected {
        let ran = home.run("list").ends(6);
        assert!(
            ran.err.contains(text) && !ran.err.contains('\x1b'),
            "{ran:?}"
        );
    }
    serve.join().unwrap();
}
