//! Under the seam every program gets the port that is held, and sees what it would see without.

use std::collections::HashSet;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use freeport::model::Protocol;
use freeport::platform::PortHold;
use rustix::process::Pid;

use crate::servers::{self, Thief, again, answer, command, compiled, nobody, shared_file};
use crate::support::processes::has_ipv6;
use crate::support::{Home, is_root, may_be_others, skipped, wait_for};
use crate::tree::{self, Tree, has_seam, port, spawn, vacant};

pub const TCP: Protocol = Protocol::Tcp;
/// Set where a test is run again by itself, in other circumstances.
const INNER: &str = "HOLDS_INNER";
/// The same within that.
const NESTED: &str = "HOLDS_NESTED";

pub fn v4(number: u16) -> SocketAddr {
    ([127, 0, 0, 1], number).into()
}

pub fn held(number: u16) -> PortHold {
    tree::held(number, TCP)
}

/// Starts a server of a kind, which asks for `asked`, where `number` is held.
fn start(kind: &str, home: &Home, asked: u16, number: u16) -> Option<Tree> {
    let words = command(kind, home, asked)?;
    Some(Tree::start(&words, held(number), &[asked]))
}

/// Answers binds until the server says its pid.
#[track_caller]
pub fn up(tree: &mut Tree) -> String {
    let number = tree.hold.port().get();
    // The server may be in a bind, which has to be answered, while it is asked.
    let (teller, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || teller.send(wait_for("the server", || answer(v4(number)))));
    tree.until("the server", |_| told.try_recv().ok())
}

#[test]
fn every_kind_of_program_gets_the_port_that_is_held() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    let kinds = [
        "node",
        "java",
        "static",
        "musl",
        "go",
        "32 bits, socketcall",
        "32 bits, bind",
        "plain",
        "plain 127.0.0.1",
        "without_reuse",
        "mptcp",
        "thread",
        "child",
        "grandchild",
        "undumpable",
        "shared",
        "twice",
        "both",
        "wrong",
    ];
    for kind in kinds {
        if kind == "undumpable" && !is_root() || kind == "both" && !has_ipv6() {
            continue;
        }
        for moved in [false, true] {
            let first = vacant(2);
            let asked = first + u16::from(moved);
            let Some(mut tree) = start(kind, &home, asked, first) else {
                break;
            };
            if kind == "mptcp" && std::fs::read("/proc/sys/net/mptcp/enabled").is_err() {
                skipped("this system has no MPTCP");
                break;
            }
            let said = up(&mut tree);
            let mut pids = tree.seen.iter().filter(|seen| seen.result == Some(Ok(())));
            let pid = pids.next().unwrap().pid;
            assert!(said == pid.to_string() || said == "32", "{kind}: {said}");
            assert_eq!(pid == tree.pid, kind != "grandchild", "{kind}");
            if kind == "both" {
                let six = SocketAddr::from((Ipv6Addr::LOCALHOST, first));
                assert!(answer(six).is_some());
            }
            if moved {
                assert_eq!(answer(v4(asked)), None, "{kind}");
            }
            // It is held all the same.
            assert!(PortHold::new(port(first), TCP).is_err());
            assert!(!tree.is_over());
            tree.kill();
            tree.until("the end of all", |tree| tree.is_over().then_some(()));
        }
    }
}

#[test]
fn an_ordinary_user_has_the_seam_as_well() {
    if std::env::var_os(INNER).is_none() {
        if has_seam() && may_be_others("being another user") {
            let home = Home::new();
            let words = nobody();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let test = "seam::an_ordinary_user_has_the_seam_as_well";
            again(&home, &words, test, INNER);
        }
        return;
    }
    assert!(!is_root());
    every_kind_of_program_gets_the_port_that_is_held();
    crate::callers::storms_of_signals_disturb_nothing();
    inside_another_seam_there_is_none_and_it_is_said();
    rights_are_kept_where_the_system_leaves_them();
    a_udp_server_gets_all_that_is_sent_to_it();
    // A program that lets nobody look into it has to bind by itself, through the open gate.
    let home = Home::new();
    let number = vacant(1);
    let mut tree = start("undumpable", &home, number, number).unwrap();
    up(&mut tree);
    assert!(tree.seen.iter().any(|seen| seen.obstacle.is_some()));
    assert!(tree.seen.iter().all(|seen| seen.wanted.is_none()));
}

#[test]
fn rights_are_kept_where_the_system_leaves_them() {
    if !has_seam() {
        return;
    }
    let words = ["/bin/grep", "-q", "NoNewPrivs:.1", "/proc/self/status"];
    let words = words.map(str::to_owned);
    let mut tree = Tree::start(&words, held(vacant(1)), &[]);
    // Only root may have a filter and keep what sudo and the like need.
    assert_eq!(tree.end(), i32::from(is_root()));
}

#[test]
fn connections_that_linger_are_no_obstacle() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    for kind in ["without_reuse", "plain", "node", "32 bits, bind"] {
        let number = vacant(1);
        let mut server = start("without_reuse", &home, number, number).unwrap();
        up(&mut server);
        server.kill();
        drop(server);
        assert!(crate::gate::lingers(number));
        if let Some(mut tree) = start(kind, &home, number, number) {
            up(&mut tree);
        }
    }
}

#[test]
fn a_thief_never_gets_the_port() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    let number = vacant(1);
    let kind = match compiled(&home, "server.c", &["-static"]) {
        Some(_) => "static",
        None => "plain",
    };
    let words = command(kind, &home, number).unwrap();
    let mut hold = held(number);
    let thief = Thief::start(&home, number);
    for _ in 0..50 {
        let mut tree = Tree::start(&words, hold, &[]);
        assert_eq!(up(&mut tree), tree.pid.to_string());
        tree.kill();
        hold = std::mem::replace(&mut tree.hold, held(vacant(1)));
    }
    let (tries, won) = thief.stop();
    assert!(tries >= 100 && won == 0, "{won} of {tries}");
}

#[test]
fn what_reloads_gets_its_port_again() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    let number = vacant(1);
    let mut tree = start("reload", &home, number, number).unwrap();
    let thief = Thief::start(&home, number);
    tree.until("all binds", |tree| (tree.seen.len() == 61).then_some(()));
    assert!(tree.seen.iter().all(|seen| seen.result == Some(Ok(()))));
    assert_eq!(up(&mut tree), tree.pid.to_string());
    let (tries, won) = thief.stop();
    assert!(tries >= 100 && won == 0, "{won} of {tries}");
}

#[test]
fn a_filter_of_its_own_is_no_obstacle() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    let number = vacant(1);
    let script = shared_file(&home, "without_ipv6.py");
    let mut words = vec![servers::PYTHON.to_owned(), script];
    words.extend(command("plain", &home, number).unwrap());
    let mut tree = Tree::start(&words, held(number), &[]);
    assert_eq!(up(&mut tree), tree.pid.to_string());
}

#[test]
fn inside_another_seam_there_is_none_and_it_is_said() {
    if std::env::var_os(NESTED).is_some() {
        let mut inner = spawn(&["/bin/true".to_owned()]);
        inner.env = vec![("A".into(), Some("b".into()))];
        let started = inner.start().unwrap();
        assert!(started.seam.is_none());
        assert_eq!(
            started.seam_refused.as_deref(),
            Some("another program watches what this one calls already")
        );
        let pid = Pid::from_raw(started.child.pid as i32).unwrap();
        let ended = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        assert_eq!(ended.unwrap().unwrap().1.exit_status(), Some(0));
        return;
    }
    if !has_seam() {
        return;
    }
    let own = std::env::current_exe().unwrap();
    let test = "seam::inside_another_seam_there_is_none_and_it_is_said";
    let mut outer = spawn(&[
        own.into_os_string().into_string().unwrap(),
        "--exact".to_owned(),
        test.to_owned(),
    ]);
    outer.env = vec![(NESTED.into(), Some("1".into()))];
    let mut tree = Tree::of(outer.start().unwrap(), held(vacant(1)), &[]);
    assert_eq!(tree.end(), 0);
}

#[test]
fn a_server_of_another_user_gets_the_port_of_root() {
    if !has_seam() || !may_be_others("a server of another user") {
        return;
    }
    let home = Home::new();
    let number = vacant(1);
    let mut words = nobody().to_vec();
    words[0] = "/usr/bin/setpriv".to_owned();
    words.extend(command("twice", &home, number).unwrap());
    let mut tree = Tree::start(&words, held(number), &[]);
    assert_eq!(up(&mut tree), tree.pid.to_string());
    tree.kill();
    // And then one of root.
    let words = command("twice", &home, number).unwrap();
    let hold = std::mem::replace(&mut tree.hold, held(vacant(1)));
    let mut tree = Tree::start(&words, hold, &[]);
    assert_eq!(up(&mut tree), tree.pid.to_string());
}

#[test]
fn a_network_of_its_own_has_ports_of_its_own() {
    if !has_seam() || !may_be_others("a network of its own") {
        return;
    }
    let home = Home::new();
    let number = vacant(1);
    let mut tree = start("network", &home, number, number).unwrap();
    match tree.end() {
        77 => skipped("networks cannot be made here"),
        status => assert_eq!(status, 0, "{:#?}", tree.seen),
    }
    assert!(tree.seen.iter().all(|seen| seen.wanted.is_none()));
}

#[test]
fn a_udp_server_gets_all_that_is_sent_to_it() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    // Of other tests, a child that is just being made would have the hold for a moment longer.
    if std::env::var_os(INNER).is_none() {
        let test = "seam::a_udp_server_gets_all_that_is_sent_to_it";
        return again(&home, &[], test, INNER);
    }
    for kind in ["udp", "udp ::", "udp 127.0.0.1"] {
        if kind.contains("::") && !has_ipv6() {
            continue;
        }
        let first = vacant(2);
        let hold = tree::held(first, Protocol::Udp);
        let words = command(kind, &home, first + 1).unwrap();
        let mut tree = Tree::start(&words, hold, &[first + 1]);
        tree.until("a socket", |tree| {
            // The second bind is one too many.
            (tree.seen.len() == 2).then_some(())
        });
        assert_eq!(tree.seen[0].result, Some(Ok(())));
        assert_eq!(tree.seen[1].result, Some(Err(98)));
        let client = UdpSocket::bind("[::]:0").or_else(|_| UdpSocket::bind("0.0.0.0:0"));
        let client = client.unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let to = match (kind, client.local_addr().unwrap()) {
            ("udp ::", _) => SocketAddr::from((Ipv6Addr::LOCALHOST, first)),
            (_, SocketAddr::V6(_)) => {
                let mapped = std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped();
                (mapped, first).into()
            }
            _ => v4(first),
        };
        let mut told = HashSet::new();
        for number in 0..200 {
            client.send_to(format!("{number}").as_bytes(), to).unwrap();
            let mut text = [0; 100];
            let length = client.recv(&mut text).unwrap();
            told.insert(String::from_utf8(text[..length].to_vec()).unwrap());
        }
        assert_eq!(told.len(), 200, "each was answered by the server itself");
        assert!(tree.hold.shut().is_err(), "the server has it");
        tree.kill();
        wait_for("a free port", || tree.hold.shut().ok());
        assert!(UdpSocket::bind(v4(first)).is_err(), "held again");
    }
}
