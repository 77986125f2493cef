//! Who calls may be disturbed, killed, left without an answer, or gone.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::seam::{TCP, held, up, v4};
use crate::servers::{command, compiled};
use crate::support::{Home, wait_for};
use crate::tree::{Tree, has_seam, vacant};

#[test]
pub fn storms_of_signals_disturb_nothing() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    let Some(program) = compiled(&home, "storm.c", &[]) else {
        return;
    };
    let number = vacant(1);
    let words = [program, number.to_string(), "200".to_owned()];
    let mut tree = Tree::start(&words, held(number), &[]);
    tree.pause = Duration::from_millis(2);
    assert_eq!(tree.end(), 0);
}

#[test]
fn who_is_killed_while_it_waits_harms_nobody() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    let number = vacant(1);
    let words = command("plain", &home, number).unwrap();
    for early in [true, false] {
        let mut tree = Tree::start(&words, held(number), &[]);
        let pid = Pid::from_raw(tree.pid as i32).unwrap();
        let call = loop {
            assert!(!tree.is_over());
            if !early {
                std::thread::sleep(Duration::from_millis(1));
            }
            if tree.poll_input() {
                if early {
                    kill_process(pid, Signal::KILL).unwrap();
                    break None;
                }
                if let Some(call) = tree.seam.receive().unwrap() {
                    kill_process(pid, Signal::KILL).unwrap();
                    break Some(call);
                }
            }
        };
        if let Some(call) = call {
            // Whether it is gone by now is not told.
            let _ = call.try_bind(v4(number), Some(&tree.hold));
            call.accept();
        }
        assert_eq!(tree.end(), 128 + 9);
        tree.until("the end of all", |tree| tree.is_over().then_some(()));
        assert!(tree.seam.receive().unwrap().is_none());
        drop(tree);
        drop(held(number));
    }
}

#[test]
fn who_is_not_answered_is_passed_on() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    let number = vacant(1);
    let words = command("plain", &home, number).unwrap();
    for tried in [false, true] {
        let mut tree = Tree::start(&words, held(number), &[]);
        wait_for("a bind", || {
            let call = tree.seam.receive().unwrap()?;
            assert_eq!(call.pid(), tree.pid);
            assert_eq!(call.wanted(), Some((([0; 4], number).into(), TCP)));
            assert!(!call.is_shared() && call.obstacle().is_none());
            if tried {
                // One that fails may be followed by another one.
                let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                let error = call.try_bind(taken.local_addr().unwrap(), None);
                assert!(error.unwrap_err().is_in_use());
                call.try_bind(v4(number), Some(&tree.hold)).unwrap();
            }
            Some(())
        });
        if tried {
            assert_eq!(up(&mut tree), tree.pid.to_string());
        } else {
            // Who does it by itself finds the hold.
            assert_eq!(tree.end(), 98);
        }
    }
}

#[test]
fn the_seam_tells_that_nobody_is_left() {
    if !has_seam() {
        return;
    }
    let home = Home::new();
    let number = vacant(1);
    // What it leaves behind still has the seam.
    let server = command("plain", &home, number).unwrap().join(" ");
    let words = ["/bin/sh", "-c", &format!("{server} & exit 7")].map(str::to_owned);
    let mut tree = Tree::start(&words, held(number), &[]);
    assert_eq!(tree.end(), 7);
    let pid: u32 = up(&mut tree).parse().unwrap();
    assert!(!tree.is_over());
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    tree.until("the end of all", |tree| tree.is_over().then_some(()));
}
