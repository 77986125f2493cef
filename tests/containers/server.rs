//! What runs in the containers: it listens on the ports that it is given, and ends when it is told to.

use std::net::{TcpListener, UdpSocket};

extern "C" fn end(_: i32) {
    std::process::exit(0);
}

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

fn main() {
    // The first process of a container has no other way to be ended.
    // SAFETY: the handler ends the process, which has one thread and is asleep.
    unsafe { signal(15, end) };
    if std::env::args().nth(1).as_deref() == Some("end") {
        std::process::exit(7);
    }
    let mut kept = (Vec::new(), Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.strip_prefix("udp:") {
            Some(port) => kept
                .0
                .push(UdpSocket::bind(("0.0.0.0", port.parse().unwrap())).unwrap()),
            None => kept
                .1
                .push(TcpListener::bind(("0.0.0.0", argument.parse().unwrap())).unwrap()),
        }
    }
    loop {
        std::thread::park();
    }
}
