//! The protocol page is the manual, and it is true: its examples are sent and have the replies that it
//! shows, and no command, field, error or event is missing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use freeport::Request;
use freeport::ipc::protocol::{
    Allocate, Autostart, Claim, Cleanup, Config, ErrorCode, Fallback, Free, Heartbeat, HoldChange,
    HoldState, Ignore, Kill, List, Log, Pool, PoolCreate, PoolDelete, PoolDraw, Query, Release,
    Reserve, Suggest,
};
use freeport::model::log::Happened;
use freeport::model::{Port, Protocol, Timestamp};
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::page::{blocks, examples, fits, read};
use support::processes::Server;
use support::{Home, finish, ports, python};

const PAGE: &str = "docs/protocol.md";

/// Puts what is real here in the place of what the page shows.
struct Here {
    /// The port that 3000 stands for; the next ones follow.
    first: u16,
    /// Tokens and processes, as they are shown and as they are.
    known: BTreeMap<String, String>,
}

impl Here {
    fn put(&self, value: &mut Value) {
        match value {
            Value::Number(number) => {
                if let Some(port) = number
                    .as_u64()
                    .and_then(|port| port.checked_sub(3000))
                    .filter(|port| *port < 10)
                {
                    *value = json!(u64::from(self.first) + port);
                }
            }
            Value::String(text) => {
                if let Some(known) = self.known.get(text) {
                    *text = known.clone();
                }
                for port in 0..10 {
                    *text = text.replace(&format!("300{port}"), &(self.first + port).to_string());
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.put(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.put(value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Learns from a reply what the names on the page stand for.
    fn learn(&mut self, real: &Value, shown: &Value) {
        for (key, shown) in shown.as_object().into_iter().flatten() {
            match (&real[key], shown) {
                (Value::String(real), Value::String(shown))
                    if ["token", "key"].contains(&key.as_str()) =>
                {
                    self.known.insert(shown.clone(), real.clone());
                }
                (real, shown) => self.learn(real, shown),
            }
        }
    }
}

#[test]
fn every_request_gets_the_reply_that_is_shown() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let examples = examples(&read(PAGE), "json");
    let mut here = Here {
        first: ports::block(10),
        known: BTreeMap::new(),
    };
    let mut asked = BTreeSet::new();
    for (index, example) in examples.iter().enumerate() {
        if example.get("cmd").is_none() {
            continue;
        }
        let mut request = example.clone();
        here.put(&mut request);
        // What is subscribed to is a connection of its own from then on.
        let reply = match request["cmd"].as_str() {
            Some("SUBSCRIBE") => Wire::open(&home).ask(&request),
            _ => wire.ask(&request),
        };
        match examples
            .get(index + 1)
            .filter(|next| next.get("status").is_some())
        {
            Some(shown) => {
                assert!(fits(&reply, shown), "{request} gave {reply}");
                for key in ["status", "code", "port", "free"] {
                    let mut shown = shown[key].clone();
                    here.put(&mut shown);
                    assert_eq!(reply[key], shown, "{request} gave {reply}");
                }
                here.learn(&reply, shown);
            }
            None => assert_eq!(reply["status"], "success", "{request} gave {reply}"),
        }
        asked.insert(request["cmd"].as_str().unwrap().to_owned());
    }
    let reply = wire.say(r#"{"cmd":"?"}"#);
    let commands = reply["hint"]
        .as_str()
        .unwrap()
        .trim_start_matches("the commands are ");
    let mut commands: BTreeSet<String> = commands.split(", ").map(str::to_owned).collect();
    // The example of a mistake.
    commands.insert("DANCE".to_owned());
    assert_eq!(asked, commands, "the page has every command that there is");
}

#[test]
fn events_are_as_shown() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (mut changes, port) = (Wire::open(&home), ports::one());
    changes.done(&json!({"cmd": "SUBSCRIBE"}));
    // Each kind of event happens once at least.
    let server = Server::start(&home, "--workers 1");
    changes.receive();
    server.process.signal(rustix::process::Signal::KILL);
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
    let intruder = Server::start_in(&home.project("blog"), &home, &format!("--port {port}"));
    wire.listeners(port);
    drop(intruder);
    wire.listeners(port);
    wire.done(&json!({"cmd": "RELEASE", "ports": [port], "as_user": true}));
    let page = read(PAGE);
    let mut shown: BTreeMap<String, Value> = BTreeMap::new();
    for event in examples(&page, "json events") {
        let kind = event["event"].as_str().unwrap().to_owned();
        assert!(
            page.contains(&format!("`{kind}`")),
            "the table explains {kind}"
        );
        shown.insert(kind, event);
    }
    assert_eq!(shown.len(), 7);
    while !shown.is_empty() {
        let event = changes.receive().unwrap();
        // Other programs of this machine have listeners, too.
        let ours = [port, server.port].map(|port| format!("\"port\":{port},"));
        if !ours.iter().any(|port| event.to_string().contains(port)) {
            continue;
        }
        if let Some(shown) = shown.remove(event["event"].as_str().unwrap()) {
            assert!(fits(&event, &shown), "{event}");
        }
    }
}

#[test]
fn the_program_in_python_runs() {
    let home = Home::new();
    let _app = App::start(&home);
    let page = read(PAGE);
    let program = blocks(&page, "python")[0];
    let ran = finish(home.command(python()).args(["-c", program])).ends(0);
    let port = Wire::open(&home).done(&json!({"cmd": "QUERY"}))["reservations"][0]["port"].clone();
    assert_eq!(ran.out.trim(), format!("port {port}"));
}

/// The part of the page under the heading of a command.
fn section<'a>(page: &'a str, command: &str) -> &'a str {
    let rest = page.split(&format!("\n## {command}\n")).nth(1);
    rest.unwrap_or_else(|| panic!("{command} has no section"))
        .split("\n## ")
        .next()
        .unwrap()
}

#[test]
fn every_field_of_a_request_is_explained() {
    let (port, text, number) = (Port::MAX, || Some("x".to_owned()), Some(1));
    let ports = vec![port];
    let (protocol, metadata) = (Protocol::Udp, Some(json!(1)));
    let claim = Claim {
        port,
        protocol,
        project: text(),
        service: text(),
        ttl_s: number,
        pid: Some(1),
        detached: true,
        token: text(),
        metadata: metadata.clone(),
        hold: true,
        fallback: Some(Fallback {
            remembered: true,
            avoid: ports.clone(),
        }),
    };
    let reserve = Reserve {
        ports: ports.clone(),
        protocol,
        project: "x".into(),
        service: text(),
        ttl_s: number,
        metadata,
        hold: true,
    };
    let release = Release {
        job_id: text(),
        ports: ports.clone(),
        protocol: Some(protocol),
        token: text(),
        as_user: true,
        created_at: Some(freeport::model::Timestamp::of_millis(7)),
    };
    let kill = Kill {
        pid: text(),
        force: true,
        tree: true,
        dry_run: true,
        ..Kill::of(ports.clone())
    };
    let allocate = Allocate {
        project: "x".into(),
        service: "x".into(),
        port: Some(port),
    };
    let config = Config {
        key: text(),
        value: text(),
        unset: true,
    };
    let log = Log {
        port: Some(port),
        since: Some(Timestamp::of_millis(0)),
        limit: Some(1),
    };
    let requests = [
        Request::Hello { protocol: 1 },
        Request::List(List {
            ports,
            details: true,
        }),
        Request::Kill(kill),
        Request::Autostart(Autostart { enable: Some(true) }),
        Request::Claim(claim),
        Request::Reserve(reserve),
        Request::Release(release),
        Request::Heartbeat(Heartbeat {
            port,
            protocol,
            token: text(),
            as_user: true,
        }),
        Request::Hold(HoldChange {
            port,
            protocol,
            token: text(),
            state: HoldState::Client,
        }),
        Request::Pool(Pool::Create(PoolCreate {
            name: "x".into(),
            ports: "1-2".parse().unwrap(),
        })),
        Request::Pool(Pool::List),
        Request::Pool(Pool::Delete(PoolDelete { name: "x".into() })),
        Request::Pool(Pool::Draw(PoolDraw {
            name: "x".into(),
            job_id: "x".into(),
            count: 1,
            block: true,
            protocol,
            pid: Some(1),
            ttl_s: number,
            wait: true,
            hold: true,
        })),
        Request::Allocate(allocate),
        Request::Free(Free {
            project: "x".into(),
            service: text(),
            as_user: true,
        }),
        Request::Suggest(Suggest {
            count: 1,
            range: "1-2".parse().ok(),
            block: true,
        }),
        Request::Query(Query {
            project: text(),
            service: text(),
            port: Some(port),
        }),
        Request::Cleanup(Cleanup {
            dry_run: true,
            leftovers: true,
        }),
        Request::Log(log),
        Request::Config(config),
        Request::Ignore(Ignore {
            port,
            protocol,
            key: "1@2".parse().unwrap(),
        }),
    ];
    let page = read(PAGE);
    for request in requests {
        let fields = serde_json::to_value(&request).unwrap();
        let section = section(&page, fields["cmd"].as_str().unwrap());
        for field in fields
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| *field != "cmd")
        {
            assert!(
                section.contains(&format!("`{field}`")),
                "{request:?}: {field}"
            );
        }
    }
}

#[test]
fn every_kind_of_error_and_of_entry_is_explained() {
    use ErrorCode::*;
    let all = [
        BadRequest,
        UnknownCommand,
        TooLarge,
        Busy,
        Failed,
        PortTaken,
        Exhausted,
        LimitReached,
        NotFound,
        NotPermitted,
        RegistryUnavailable,
    ];
    for code in all {
        // A new one is missing above, and this does not compile.
        match code {
            BadRequest | UnknownCommand | TooLarge | Busy | Failed | PortTaken | Exhausted
            | LimitReached | NotFound | NotPermitted | RegistryUnavailable | Unknown => {}
        }
        let word = serde_json::to_value(code).unwrap();
        let row = format!("\n| `{}` | ", word.as_str().unwrap());
        assert!(read(PAGE).contains(&row), "{word}");
    }
    let page = read(PAGE);
    let log = section(&page, "LOG");
    for happened in Happened::ALL {
        assert!(
            log.contains(&format!("`{}`", happened.word())),
            "{happened:?}"
        );
    }
}

#[test]
fn limits_are_those_of_the_program() {
    use freeport::ipc::{protocol, server};
    use freeport::model::reservation;
    let page = read(PAGE);
    for row in [
        format!(
            "| a request, its newline included | {} KiB |",
            protocol::REQUEST_LIMIT / 1024
        ),
        format!("| connections at one time | {} |", server::CONNECTIONS),
        format!(
            "| a connection without a request | {} minutes |",
            server::IDLE.as_secs() / 60
        ),
        format!("| ports in one request | {} |", protocol::PORTS_LIMIT),
        format!("1 to {} bytes", reservation::NAME_LIMIT),
        format!(
            "| `metadata` | {} bytes of JSON |",
            reservation::METADATA_LIMIT
        ),
        format!(
            "| `ttl_s` | 1 second to {} days |",
            reservation::LEASE_LIMIT.as_secs() / 86_400
        ),
        format!(
            "| reservations | {},384 |",
            reservation::RESERVATIONS_LIMIT / 1000
        ),
        format!(
            "| entries of the log in one reply | {},000 |",
            protocol::LOG_LIMIT / 1000
        ),
    ] {
        assert!(page.contains(&row), "{row}");
    }
    assert_eq!(reservation::RESERVATIONS_LIMIT, 16_384);
}
