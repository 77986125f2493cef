//! A server as it is typed, and what becomes of it where its own port is free, and where it is not.

use std::path::Path;

use freeport::platform::seam::Seam;

use crate::serve::{Found, Site};
use crate::support::skipped;

/// A server, and how it is started.
pub struct Server {
    /// The command, as it is typed.
    pub line: &'static str,
    /// What its service is called.
    pub service: &'static str,
    /// The port that it takes by itself.
    pub default: u16,
    /// What it answers with.
    pub answer: &'static str,
    /// How it comes to another port.
    pub way: Way,
    /// Whether it is for this machine only.
    pub is_local: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is told the port, and asks for no other one.
    Told,
    /// It asks for its own, and is moved.
    Moved,
}

/// A server that is told its port, and listens for this machine only.
pub const fn told(
    line: &'static str,
    service: &'static str,
    default: u16,
    answer: &'static str,
) -> Server {
    Server {
        line,
        service,
        default,
        answer,
        way: Way::Told,
        is_local: true,
    }
}

/// The same for one that listens for the network, as it does without Freeport.
pub const fn open(
    line: &'static str,
    service: &'static str,
    default: u16,
    answer: &'static str,
) -> Server {
    Server {
        is_local: false,
        ..told(line, service, default, answer)
    }
}

/// One that has its port written in it.
pub const fn moved(
    line: &'static str,
    service: &'static str,
    default: u16,
    answer: &'static str,
) -> Server {
    Server {
        way: Way::Moved,
        ..open(line, service, default, answer)
    }
}

/// Starts a server twice, where nobody has been before: with its own port free, and with its own
/// port taken.
pub fn serves(folder: &Path, server: &Server) {
    let free = Site::new(folder);
    if free.has(&[server.default]) {
        let run = free.run(server.line);
        run.answers(server.default, server.answer);
        let found = run.has(server.default);
        assert_eq!(run.notes(), [""; 0], "{}", server.line);
        check(server, &found);
        run.ends(server.default);
    }
    if server.way == Way::Moved && !Seam::is_supported() {
        return skipped(&format!("'{}' cannot be moved without a seam", server.line));
    }
    let busy = Site::new(folder);
    if busy.has(&[server.default]) {
        let other = busy.occupy(server.default);
        let run = busy.run(server.line);
        let port = run.other_port(server.default, &other);
        run.answers(port, server.answer);
        let found = run.has(port);
        let notes = run.notes();
        match server.way {
            Way::Told => assert_eq!(notes.len(), 1, "{}: {notes:?}", server.line),
            Way::Moved => assert_eq!(
                notes[1..],
                [format!(
                    "the app asked for {}, moved to {port}: http://localhost:{port}",
                    server.default
                )]
            ),
        }
        check(server, &found);
        run.ends(port);
        assert!(other.is_alive());
    }
}

#[track_caller]
fn check(server: &Server, found: &Found) {
    assert_eq!(found.service, server.service, "{}", server.line);
    let is_local = |at: &String| at.starts_with("127.") || at == "::1";
    if server.is_local {
        let all = &found.addresses;
        assert!(all.iter().all(is_local), "{}: {all:?}", server.line);
    }
}
