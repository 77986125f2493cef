//! A program that asks for a port of its own, and can be told no other one, is moved by
//! `freeport run` to the port that it got, whatever it is written in.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::Value;

use crate::servers::{self, answer};
use crate::support::processes::{Process, is_alive};
use crate::support::{Home, wait_for};
use crate::tree::{has_seam, vacant};

#[test]
fn what_asks_for_a_port_that_is_taken_is_moved_and_known() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    for kind in ["go", "musl", "static", "node", "java", "plain"] {
        let asked = vacant(2);
        let Some(server) = servers::command(kind, &home, asked) else {
            continue;
        };
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], asked));
        let busy = wait_for("a free port", || TcpListener::bind(address).ok());
        let said = home.path("said");
        let number = asked.to_string();
        let mut words = vec!["run", "--port", &number, "--service", kind, "--"];
        words.extend(server.iter().map(String::as_str));
        let mut run = home.freeport(words);
        let run = Process::start(run.stderr(std::fs::File::create(&said).unwrap()));
        let text = || std::fs::read_to_string(&said).unwrap();
        let moved = format!("asked for {asked}, moved to ");
        let got: u16 = wait_for("word of where it is", || {
            assert!(!run.has_ended(), "{kind}: {}", text());
            let text = text();
            let (_, rest) = text.split_once(&moved)?;
            rest.split(':').next()?.parse().ok()
        });
        let place = std::net::SocketAddr::from(([127, 0, 0, 1], got));
        let pid: u32 = wait_for("the server", || answer(place)?.parse().ok());
        let row = wait_for("the lease to be in use", || {
            let mut all = home.run("query --json").json();
            let row = all["reservations"].as_array_mut()?.pop()?;
            (row["hold"] == "handed-over" && row["status"] == "active").then_some(row)
        });
        assert_eq!((&row["port"], &row["service"]), (&got.into(), &kind.into()));
        let listed = home.listener(got);
        assert_eq!(listed["owner"]["pid"], pid, "{kind}");
        assert_eq!(listed["reservation"]["service"], kind);
        assert_eq!(listed["conflict"], Value::Null, "{kind}");
        run.signal(Signal::TERM);
        run.status();
        wait_for("the end of the server", || (!is_alive(pid)).then_some(()));
        wait_for("the lease to be given back", || {
            let all = home.run("query --json").json();
            all["reservations"].as_array()?.is_empty().then_some(())
        });
        drop(busy);
    }
}
