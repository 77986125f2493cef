//! Ports that are held: who can bind them, and what is said of them.

use serde_json::{Value, json};

use super::app::Wire;
use super::processes::{Process, has_ipv6_quietly};
use super::{Home, finish, python, wait_for};

/// Tries to bind a port in every way, and listens where it is TCP. Prints what came of each.
pub const TRY: &str = r#"
import errno, socket, sys
port, udp, six = int(sys.argv[1]), sys.argv[2] == "udp", sys.argv[3] == "six"
for address in ["127.0.0.1", "0.0.0.0"] + (["::1", "::"] if six else []):
    for reuse in [0] if udp else [0, 1]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            made.bind((address, port))
            if not udp:
                made.listen()
            print("free")
        except OSError as error:
            print(errno.errorcode[error.errno])
        made.close()
"#;

/// Binds a port of TCP without listening, in one of three ways, says so, and keeps it.
pub const BIND: &str = r#"
import signal, socket, sys
made = socket.socket(socket.AF_INET if sys.argv[2] == "four" else socket.AF_INET6)
if sys.argv[2] != "four":
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
if sys.argv[2] == "beside":
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
made.bind(("" if sys.argv[2] == "four" else "::", int(sys.argv[1])))
print("bound", flush=True)
signal.pause()
"#;

/// What comes of each way to bind a port.
pub fn tries(home: &Home, port: u16, protocol: &str) -> Vec<String> {
    let six = if has_ipv6_quietly() { "six" } else { "four" };
    let args = ["-c", TRY, &port.to_string(), protocol, six];
    let ran = finish(home.command(python()).args(args)).ends(0);
    ran.out.lines().map(str::to_owned).collect()
}

/// Nobody can bind a port, in any way.
#[track_caller]
pub fn is_held(home: &Home, port: u16, protocol: &str) {
    let all = tries(home, port, protocol);
    assert!(all.iter().all(|one| one == "EADDRINUSE"), "{port}: {all:?}");
}

/// Everybody can.
#[track_caller]
pub fn is_free(home: &Home, port: u16, protocol: &str) {
    let all = tries(home, port, protocol);
    assert!(all.iter().all(|one| one == "free"), "{port}: {all:?}");
}

/// Somebody who has bound a port, and does not listen.
pub fn binder(home: &Home, port: u16, how: &str) -> Process {
    let args = ["-c", BIND, &port.to_string(), how];
    let process = Process::start(home.command(python()).args(args));
    assert_eq!(process.line(), "bound");
    process
}

/// What is said of a reservation's hold.
pub fn hold(view: &Value) -> (&str, &str) {
    let text = |key: &str| view[key].as_str().unwrap_or_default();
    (text("hold"), text("held_by"))
}

/// Waits until a port is held so; gives its reservation.
#[track_caller]
pub fn until_hold(wire: &mut Wire, port: u16, wanted: (&str, &str)) -> Value {
    wait_for(&format!("port {port} to be {wanted:?}"), || {
        // Who listens is looked at, too.
        wire.listeners(port);
        let view = wire.reservation(port);
        (hold(&view) == wanted).then_some(view)
    })
}

/// Has a port held for the service "web" of the project "shop".
pub fn reserve(port: u16) -> Value {
    json!({"cmd": "RESERVE", "ports": [port], "project": "shop", "service": "web", "hold": true})
}

/// Gives it back.
pub fn release(port: u16) -> Value {
    json!({"cmd": "RELEASE", "ports": [port], "as_user": true})
}
