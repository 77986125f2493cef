//! The library's client: typed requests, a connection that is renewed when that is safe, and a stream of
//! changes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixListener;
use std::sync::mpsc::{self, Receiver};

use freeport::ipc::protocol::{
    Allocate, Claim, Cleanup, Config, ErrorCode, Event, Free, Heartbeat, Kill, List, Log,
    PoolCreate, PoolDelete, PoolDraw, Query, Release, Reserve, Suggest,
};
use freeport::ipc::socket::Place;
use freeport::model::reservation::Status;
use freeport::model::{Port, Protocol};
use freeport::{Ask as _, Client, ClientError, Reply, Request};
use rustix::process::Signal;
use support::app::App;
use support::processes::Server;
use support::{Home, ports};

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

fn connect(home: &Home) -> Result<Client, ClientError> {
    Client::connect_at(&Place::at(home.runtime()))
}

fn release(at: u16) -> Release {
    Release {
        job_id: None,
        ports: vec![port(at)],
        protocol: None,
        token: None,
        as_user: false,
        created_at: None,
    }
}

fn heartbeat(at: u16) -> Heartbeat {
    Heartbeat {
        port: port(at),
        protocol: Protocol::Tcp,
        token: None,
        as_user: false,
    }
}

#[test]
fn each_request_gives_what_it_asks_for() {
    let home = Home::new();
    let running = App::start(&home);
    let mut app = connect(&home).unwrap();
    assert_eq!(app.app().pid, running.pid());
    let first = ports::block(4);
    let lease = app
        .claim(Claim {
            service: Some("web".into()),
            ..Claim::of(port(first))
        })
        .unwrap();
    assert_eq!(
        (lease.reservation.pid, lease.reservation.status),
        (Some(std::process::id()), Status::Claimed)
    );
    assert!(app.heartbeat(heartbeat(first)).unwrap().renewed);
    let all = app.query(Query::default()).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].service.as_deref(), Some("web"));
    let reserve = Reserve {
        ports: vec![port(first + 1)],
        protocol: Protocol::Udp,
        project: "shop".into(),
        service: None,
        ttl_s: None,
        metadata: None,
        hold: false,
    };
    assert_eq!(
        app.reserve(reserve.clone()).unwrap()[0].protocol,
        Protocol::Udp
    );
    let allocate = Allocate {
        project: "shop".into(),
        service: "api".into(),
        port: Some(port(first + 2)),
    };
    assert_eq!(
        app.allocate(allocate.clone()).unwrap().port,
        port(first + 2)
    );
    assert_eq!(
        app.free(Free {
            project: "shop".into(),
            service: None,
            as_user: false
        })
        .unwrap()
        .len(),
        2
    );
    let range = format!("{first}-{}", first + 3).parse().ok();
    let free = app
        .suggest(Suggest {
            count: 2,
            range,
            block: true,
        })
        .unwrap();
    assert_eq!(free, [port(first + 1), port(first + 2)]);
    assert_eq!(app.release(release(first)).unwrap()[0].port, port(first));
    assert_eq!(app.clean_up(Cleanup::default()).unwrap().ended, []);
    let log = app
        .log(Log {
            port: Some(port(first)),
            ..Log::default()
        })
        .unwrap();
    assert_eq!(log.len(), 2);
    let settings = app
        .config(Config {
            key: Some("port_range".into()),
            ..Config::default()
        })
        .unwrap();
    assert_eq!(settings[0].default, "3000-9999");
    assert_eq!(app.status().unwrap().pid, running.pid());
    let server = Server::start(&home, "");
    let list = app
        .list(List {
            ports: vec![port(server.port)],
            details: false,
        })
        .unwrap();
    assert_eq!(list.listeners[0].owner.as_ref().unwrap().pid, server.pid);
    let dry = Kill {
        dry_run: true,
        ..Kill::of(vec![port(server.port)])
    };
    assert_eq!(app.kill(dry).unwrap()[0].signals[0].to.pid, server.pid);
    // What is refused is an error of its kind, and the conversation goes on.
    let refused = app.release(release(first)).unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(error) if error.code == ErrorCode::NotFound),
        "{refused}"
    );
    assert!(refused.hint().is_some());
    assert!(app.status().is_ok());
}

#[test]
fn pools_are_made_drawn_from_and_removed() {
    let home = Home::new();
    let _running = App::start(&home);
    let mut app = connect(&home).unwrap();
    let first = ports::block(3);
    let create = PoolCreate {
        name: "ci".into(),
        ports: format!("{first}-{}", first + 2).parse().unwrap(),
    };
    assert_eq!(app.create_pool(create).unwrap()[0].size, 3);
    let mut draw = PoolDraw {
        name: "ci".into(),
        job_id: "build-1".into(),
        count: 2,
        block: true,
        protocol: Protocol::Tcp,
        pid: None,
        ttl_s: None,
        wait: false,
        hold: false,
    };
    let drawn = app.draw(draw.clone()).unwrap();
    assert_eq!(drawn.len(), 2);
    assert_eq!(drawn[1].port.get(), drawn[0].port.get() + 1);
    let pools = app.pools().unwrap();
    assert_eq!((pools[0].free, pools[0].drawn.len()), (1, 2));
    draw.job_id = "build-2".into();
    let refused = app.draw(draw).unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(error) if error.code == ErrorCode::Exhausted),
        "{refused}"
    );
    let job = Release {
        job_id: Some("build-1".into()),
        ports: Vec::new(),
        ..release(first)
    };
    assert_eq!(app.release(job).unwrap().len(), 2);
    let delete = PoolDelete { name: "ci".into() };
    assert_eq!(app.delete_pool(delete).unwrap()[0].name, "ci");
    assert_eq!(app.pools().unwrap(), []);
}

#[test]
fn another_app_in_its_place_is_found_and_none_is_told() {
    let home = Home::new();
    assert!(matches!(connect(&home), Err(ClientError::NotRunning)));
    let first = App::start(&home);
    let at = ports::one();
    let mut app = connect(&home).unwrap();
    app.claim(Claim::of(port(at))).unwrap();
    first.end(Signal::KILL);
    // Whether the request is safe to repeat or not: nobody is there to answer it.
    for request in [Request::Ping, Request::Release(release(at)), Request::Ping] {
        assert!(matches!(app.ask(request), Err(ClientError::NotRunning)));
    }
    let second = App::start(&home);
    // The old connection is known to be of no use, so nothing is sent twice.
    assert_eq!(app.release(release(at)).unwrap().len(), 1);
    assert_eq!(app.app().pid, second.pid());
    second.end(Signal::TERM);
    let third = App::start(&home);
    assert!(app.query(Query::default()).unwrap().is_empty());
    assert_eq!(app.app().pid, third.pid());
}

/// An app that answers HELLO, and then does with each connection what it is told; gives the requests
/// that it has read.
fn pretend(home: &Home, then: Vec<Option<&'static str>>) -> Receiver<String> {
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(home.runtime())
        .unwrap();
    let socket = UnixListener::bind(home.runtime().join("freeport.sock")).unwrap();
    let (sender, read) = mpsc::channel();
    std::thread::spawn(move || {
        for reply in then {
            let (stream, _) = socket.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            assert!(line.contains("HELLO"));
            writeln!(
                stream.get_mut(),
                r#"{{"status":"success","protocol":1,"version":"0","pid":1}}"#
            )
            .unwrap();
            match reply {
                // It hangs up before anything is asked.
                Some("hang up") => {
                    drop(stream);
                    sender.send("hung up".to_owned()).unwrap();
                }
                reply => {
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    sender.send(line).unwrap();
                    stream
                        .get_mut()
                        .write_all(reply.unwrap_or_default().as_bytes())
                        .unwrap();
                }
            }
        }
    });
    read
}

const PONG: Option<&str> = Some("{\"status\":\"success\",\"pong\":true}\n");
const NOTHING: Option<&str> = Some("{\"status\":\"success\",\"reservations\":[]}\n");

#[test]
fn what_is_safe_is_asked_once_more_and_nothing_else() {
    let home = Home::new();
    let read = pretend(&home, vec![None, PONG, Some("{\"status\":\"succ"), PONG]);
    for _ in 0..2 {
        let mut app = connect(&home).unwrap();
        assert!(matches!(app.ask(Request::Ping), Ok(Reply::Pong(_))));
    }
    assert_eq!(
        read.iter()
            .take(4)
            .filter(|line| line.contains("PING"))
            .count(),
        4
    );

    let home = Home::new();
    let read = pretend(&home, vec![None, NOTHING]);
    let mut app = connect(&home).unwrap();
    let error = app.release(release(5)).unwrap_err();
    assert!(matches!(error, ClientError::Unanswered(_)), "{error}");
    assert!(error.to_string().contains("not known"), "{error}");
    assert_eq!(app.release(release(6)).unwrap(), []);
    let lines: Vec<String> = read.iter().take(2).collect();
    assert!(
        lines[0].contains("[5]") && lines[1].contains("[6]"),
        "{lines:?}"
    );
}

#[test]
fn who_was_hung_up_on_asks_again_whatever_it_is() {
    let home = Home::new();
    let read = pretend(&home, vec![Some("hang up"), NOTHING]);
    let mut app = connect(&home).unwrap();
    // Closed it is when it says so; what it closes after that was never asked anything.
    assert_eq!(read.recv().unwrap(), "hung up");
    assert_eq!(app.release(release(5)).unwrap(), []);
    assert!(read.recv().unwrap().contains("[5]"));
}

#[test]
fn more_than_one_break_is_told() {
    let home = Home::new();
    let _read = pretend(&home, vec![None, None]);
    let error = connect(&home).unwrap().ask(Request::Ping).unwrap_err();
    assert!(matches!(error, ClientError::Io(_)), "{error}");
}

#[test]
fn changes_come_one_by_one() {
    let home = Home::new();
    let running = App::start(&home);
    let at = ports::one();
    let mut app = connect(&home).unwrap();
    app.claim(Claim::of(port(at))).unwrap();
    let mut changes = connect(&home).unwrap().subscribe().unwrap();
    assert_eq!(changes.state.reservations[0].port, port(at));
    app.release(release(at)).unwrap();
    let released = changes
        .find(|change| matches!(change, Ok(Event::Released { port, .. }) if port.get() == at));
    assert!(released.is_some());
    running.end(Signal::TERM);
    let last = changes.find(Result::is_err).unwrap().unwrap_err();
    assert!(matches!(last, ClientError::Io(_)), "{last}");
    assert!(changes.next().is_none());
    // By the general way it is a look at everything, and the connection is another one then.
    let _running = App::start(&home);
    assert!(matches!(app.ask(Request::Subscribe), Ok(Reply::State(_))));
    assert!(matches!(app.ask(Request::Ping), Ok(Reply::Pong(_))));
}

#[test]
fn what_a_newer_app_tells_is_passed_on_as_unknown() {
    let home = Home::new();
    let stream = concat!(
        r#"{"status":"success","scanned_at":"2026-01-31T09:30:00.125Z","gaps":[],"listeners":[],"reservations":[],"conflicts":[],"new":1}"#,
        "\n",
        r#"{"event":"of_the_future","port":[1]}"#,
        "\n",
        r#"{"event":"released","port":3000,"protocol":"tcp","new":1}"#,
        "\n",
        r#"{"status":"error","code":"busy","message":"you were too slow"}"#,
        "\n",
    );
    let _read = pretend(&home, vec![Some(stream)]);
    let changes = connect(&home).unwrap().subscribe().unwrap();
    let told: Vec<_> = changes.collect();
    assert!(matches!(told[0], Ok(Event::Unknown)), "{told:?}");
    assert!(matches!(told[1], Ok(Event::Released { .. })), "{told:?}");
    assert!(
        matches!(&told[2], Err(ClientError::Refused(error)) if error.code == ErrorCode::Busy),
        "{told:?}"
    );
    assert_eq!(told.len(), 3);
}
