//! A hold keeps everybody out, is opened and shut, lent, and stands beside what lingers.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

use freeport::model::Protocol;
use freeport::platform::{PortHold, listening_socket};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

use crate::servers::{self, Thief, again, answer, command, nobody};
use crate::support::processes::{Process, has_ipv6};
use crate::support::{Home, finish, is_root, may_be_others, wait_for};
use crate::tree::{held, port, vacant};

const TCP: Protocol = Protocol::Tcp;
const UDP: Protocol = Protocol::Udp;

/// How a test's own socket asks for a port.
#[derive(Clone, Copy, PartialEq)]
enum With {
    Nothing,
    ReuseAddress,
    ReusePort,
}

fn addresses(number: u16) -> Vec<SocketAddr> {
    let mut all = vec![([127, 0, 0, 1], number).into(), ([0; 4], number).into()];
    if has_ipv6() {
        all.push((Ipv6Addr::LOCALHOST, number).into());
        all.push((Ipv6Addr::UNSPECIFIED, number).into());
    }
    all
}

fn bound(address: SocketAddr, kind: SocketType, with: With) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket(family, kind, None)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    set_socket_reuseaddr(&socket, with == With::ReuseAddress)?;
    set_socket_reuseport(&socket, with == With::ReusePort)?;
    bind(&socket, &address)?;
    Ok(socket)
}

fn listening(address: SocketAddr, with: With) -> Result<OwnedFd, Errno> {
    let socket = bound(address, SocketType::STREAM, with)?;
    listen(&socket, 8)?;
    Ok(socket)
}

/// One that can be had. Tests of other processes look whether a port is free, and have it for a
/// moment.
#[track_caller]
fn can_be_bound(address: SocketAddr, kind: SocketType, with: With) -> OwnedFd {
    wait_for("a free port", || bound(address, kind, with).ok())
}

/// The same that listens.
#[track_caller]
fn can_listen(address: SocketAddr, with: With) -> TcpListener {
    wait_for("a free port", || listening(address, with).ok()).into()
}

/// Whether connections of a server that has ended keep who does not set SO_REUSEADDR out.
pub fn lingers(number: u16) -> bool {
    let at = ([127, 0, 0, 1], number).into();
    listening(at, With::Nothing).is_err() && listening(at, With::ReuseAddress).is_ok()
}

#[track_caller]
fn assert_keeps_out(number: u16) {
    for address in addresses(number) {
        for with in [With::Nothing, With::ReuseAddress, With::ReusePort] {
            let found = bound(address, SocketType::STREAM, with).err();
            assert_eq!(found, Some(Errno::ADDRINUSE), "{address}");
        }
    }
}

#[test]
fn a_hold_keeps_out_whoever_asks_in_whatever_way() {
    let number = vacant(1);
    let hold = held(number, TCP);
    assert_eq!((hold.port().get(), hold.protocol()), (number, TCP));
    assert_keeps_out(number);
    for address in addresses(number) {
        // UDP is something else.
        can_be_bound(address, SocketType::DGRAM, With::Nothing);
    }
    drop(hold);
    for address in addresses(number) {
        can_listen(address, With::ReuseAddress);
    }
}

#[test]
fn every_runtime_is_kept_out_until_the_gate_is_open() {
    let home = Home::new();
    let number = vacant(1);
    let hold = held(number, TCP);
    let kinds = [
        "node",
        "java",
        "static",
        "musl",
        "go",
        "plain",
        "plain 127.0.0.1",
        "plain ::",
    ];
    for kind in kinds {
        let Some(words) = command(kind, &home, number) else {
            continue;
        };
        finish(&mut servers::of(&home, &words)).ends(98);
        hold.open().unwrap();
        let server = Process::start(&mut servers::of(&home, &words));
        let v4 = ([127, 0, 0, 1], number);
        let v6 = (Ipv6Addr::LOCALHOST, number);
        let address = if kind == "plain ::" {
            SocketAddr::from(v6)
        } else {
            v4.into()
        };
        let pid = wait_for("the server", || answer(address));
        assert_eq!(pid, server.pid().to_string(), "{kind}");
        hold.shut().unwrap();
        assert_eq!(answer(address), Some(pid), "{kind} is not disturbed");
        finish(&mut servers::of(&home, &words)).ends(98);
        drop(server);
        assert_keeps_out(number);
    }
}

#[test]
fn whoever_has_the_port_on_any_address_has_it() {
    for address in addresses(0) {
        let listener = TcpListener::bind(address).unwrap();
        let number = listener.local_addr().unwrap().port();
        let error = PortHold::new(port(number), TCP).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{address}");
        let datagrams = UdpSocket::bind(address).unwrap();
        let number = datagrams.local_addr().unwrap().port();
        let error = PortHold::new(port(number), UDP).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{address}");
        // Who has not come to listen, too.
        for with in [With::Nothing, With::ReuseAddress, With::ReusePort] {
            let number = vacant(1);
            let address = SocketAddr::new(address.ip(), number);
            let _socket = can_be_bound(address, SocketType::STREAM, with);
            let error = PortHold::new(port(number), TCP).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{address}");
        }
    }
    let number = vacant(1);
    let _hold = held(number, TCP);
    let error = PortHold::new(port(number), TCP).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_lent_hold_is_shared_with_its_user_and_nobody_else() {
    let number = vacant(1);
    let hold = held(number, TCP);
    assert!(PortHold::beside(port(number), TCP).is_err(), "not lent");
    assert!(listening_socket(port(number), true).is_err(), "not lent");
    hold.lend().unwrap();
    let beside = PortHold::beside(port(number), TCP).unwrap();
    drop(hold);
    // The one beside holds by itself.
    for address in addresses(number) {
        for with in [With::Nothing, With::ReuseAddress] {
            let found = listening(address, with).err();
            assert_eq!(found, Some(Errno::ADDRINUSE), "{address}");
        }
        let found = listening(address, With::ReusePort);
        assert!(found.is_ok(), "of the same user: {address}");
    }
    if may_be_others("a socket of another user") {
        let home = Home::new();
        let share = format!(
            "import socket; s = socket.socket(); s.setsockopt(1, 15, 1); s.bind(('', {number}))"
        );
        let mut words = nobody().to_vec();
        words.extend([servers::PYTHON.to_owned(), "-c".to_owned(), share]);
        let ran = finish(&mut servers::of(&home, &words)).ends(1);
        assert!(ran.err.contains("Address already in use"), "{ran:#?}");
    }
    // What is lent has a gate as well.
    beside.open().unwrap();
    let first = addresses(number)[0];
    let server = can_listen(first, With::ReuseAddress);
    beside.shut().unwrap();
    let found = listening(first, With::ReuseAddress).err();
    assert_eq!(found, Some(Errno::ADDRINUSE));
    TcpStream::connect(first).unwrap();
    drop(server);
}

#[test]
fn connections_that_linger_are_no_obstacle_and_open_nothing() {
    let home = Home::new();
    for (address, beside) in [
        ("127.0.0.1", false),
        ("0.0.0.0", false),
        ("::1", false),
        ("::", false),
        ("127.0.0.1", true),
    ] {
        if address.contains(':') && !has_ipv6() {
            continue;
        }
        let number = vacant(1);
        let at = SocketAddr::new(address.parse().unwrap(), number);
        let server = can_listen(at, With::ReuseAddress);
        let to = match address {
            "::" | "::1" => SocketAddr::from((Ipv6Addr::LOCALHOST, number)),
            _ => ([127, 0, 0, 1], number).into(),
        };
        for _ in 0..3 {
            let client = TcpStream::connect(to).unwrap();
            // Who closes first is left with the connection.
            drop(server.accept().unwrap());
            drop(client);
        }
        assert!(PortHold::new(port(number), TCP).is_err(), "it listens");
        drop(server);
        assert!(listening(at, With::Nothing).is_err(), "they linger");
        let hold = if beside {
            wait_for("a free port", || PortHold::beside(port(number), TCP).ok())
        } else {
            held(number, TCP)
        };
        if !beside {
            assert_keeps_out(number);
        }
        let thief = Thief::start(&home, number);
        for _ in 0..200 {
            let found = listening(at, With::ReuseAddress).err();
            assert_eq!(found, Some(Errno::ADDRINUSE), "{address}");
        }
        let (tries, won) = thief.stop();
        assert!(tries > 0 && won == 0, "{tries} {won}");
        hold.open().unwrap();
        let server = can_listen(at, With::ReuseAddress);
        hold.shut().unwrap();
        let found = listening(at, With::ReuseAddress).err();
        assert_eq!(found, Some(Errno::ADDRINUSE));
        drop(server);
        assert!(listening(at, With::ReuseAddress).is_err());
    }
}

#[test]
fn an_open_gate_of_somebody_else_is_not_taken_for_lingering() {
    let number = vacant(1);
    let at = SocketAddr::from(([127, 0, 0, 1], number));
    let other = held(number, TCP);
    other.open().unwrap();
    let server = can_listen(at, With::ReuseAddress);
    let client = TcpStream::connect(at).unwrap();
    drop(server.accept().unwrap());
    drop((client, server));
    let error = PortHold::new(port(number), TCP).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_udp_port_is_held_and_free_while_its_gate_is_open() {
    let number = vacant(1);
    let hold = held(number, UDP);
    for address in addresses(number) {
        for with in [With::Nothing, With::ReuseAddress, With::ReusePort] {
            let found = bound(address, SocketType::DGRAM, with).err();
            assert_eq!(found, Some(Errno::ADDRINUSE), "{address}");
        }
        can_be_bound(address, SocketType::STREAM, With::Nothing);
    }
    hold.open().unwrap();
    hold.open().unwrap();
    let server = wait_for("a free port", || {
        UdpSocket::bind(("127.0.0.1", number)).ok()
    });
    assert_eq!(hold.shut().unwrap_err().kind(), ErrorKind::AddrInUse);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..50 {
        client.send_to(b"x", ("127.0.0.1", number)).unwrap();
        server.recv(&mut [0]).unwrap();
    }
    drop(server);
    wait_for("a free port", || hold.shut().ok());
    hold.shut().unwrap();
    assert!(UdpSocket::bind(("127.0.0.1", number)).is_err());
    hold.lend().unwrap();
    let beside = PortHold::beside(port(number), UDP).unwrap();
    drop(hold);
    assert!(UdpSocket::bind(("127.0.0.1", number)).is_err());
    drop(beside);
}

#[test]
fn a_socket_to_hand_over_listens_on_every_address_beside_a_hold() {
    for beside in [false, true] {
        let number = vacant(1);
        let hold = held(number, TCP);
        if beside {
            hold.lend().unwrap();
        } else {
            drop(hold);
        }
        let server = wait_for("a free port", || {
            listening_socket(port(number), beside).ok()
        });
        let server = TcpListener::from(server);
        TcpStream::connect(("127.0.0.1", number)).unwrap();
        server.accept().unwrap();
        if has_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, number)).unwrap();
            server.accept().unwrap();
        }
        let found = listening(([127, 0, 0, 1], number).into(), With::ReuseAddress).err();
        assert_eq!(found, Some(Errno::ADDRINUSE));
    }
}

#[test]
fn a_port_that_the_user_may_not_bind_is_not_held() {
    if std::env::var_os("HOLDS_INNER").is_some() {
        for protocol in [TCP, UDP] {
            let error = PortHold::new(port(79), protocol).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        }
        return;
    }
    if may_be_others("being another user") {
        let home = Home::new();
        let words = nobody();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let test = "gate::a_port_that_the_user_may_not_bind_is_not_held";
        again(&home, &words, test, "HOLDS_INNER");
    }
}

#[test]
fn without_ipv6_the_port_is_held_on_ipv4() {
    if std::env::var_os("HOLDS_INNER").is_some() {
        assert!(socket(AddressFamily::INET6, SocketType::STREAM, None).is_err());
        let number = vacant(1);
        for protocol in [TCP, UDP] {
            let hold = held(number, protocol);
            let kind = match protocol {
                TCP => SocketType::STREAM,
                UDP => SocketType::DGRAM,
            };
            let at = ([127, 0, 0, 1], number).into();
            assert!(bound(at, kind, With::ReuseAddress).is_err());
            hold.open().unwrap();
            can_be_bound(at, kind, With::ReuseAddress);
            hold.shut().unwrap();
            assert!(bound(at, kind, With::ReuseAddress).is_err());
        }
        assert!(listening_socket(port(number), false).is_ok());
        return;
    }
    if !is_root() || !cfg_linux() {
        crate::support::skipped("a system without IPv6 is made by a filter of Linux");
        return;
    }
    let home = Home::new();
    let script = servers::shared_file(&home, "without_ipv6.py");
    let test = "gate::without_ipv6_the_port_is_held_on_ipv4";
    again(&home, &[servers::PYTHON, &script], test, "HOLDS_INNER");
}

fn cfg_linux() -> bool {
    std::env::consts::OS == "linux"
}
