//! Pools: jobs draw ports first come first served, the same with the running app and without it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::Process;
use support::{Home, Ran, finish, ports, python, wait_for};

/// Does the same in a home without the app, and in one with it.
fn both(test: impl Fn(&Home)) {
    for runs in [false, true] {
        let home = Home::new();
        let _app = runs.then(|| App::start(&home));
        test(&home);
    }
}

/// A pool `ci` of so many ports, the first of them.
fn pool(home: &Home, count: u16) -> u16 {
    let first = ports::block(count);
    let last = first + count - 1;
    home.run(&format!("pool create ci --ports {first}-{last}"))
        .ends(0);
    first
}

/// A process that a job can be.
fn job(home: &Home) -> Process {
    Process::start(home.command("sleep").arg("600"))
}

/// The ports that were printed.
#[track_caller]
fn drawn(ran: Ran) -> Vec<u16> {
    let ran = ran.ends(0);
    ran.out.lines().map(|line| line.parse().unwrap()).collect()
}

fn draw(home: &Home, job_id: &str, process: &Process, more: &str) -> Ran {
    draw_for(home, job_id, process.pid(), more)
}

fn draw_for(home: &Home, job_id: &str, pid: u32, more: &str) -> Ran {
    home.run(&format!(
        "reserve --pool ci --job-id {job_id} --pid {pid} {more}"
    ))
}

/// A draw that waits.
fn waiting(home: &Home, job_id: &str, process: &Process, more: &str) -> Process {
    let line = format!(
        "reserve --pool ci --job-id {job_id} --pid {} --wait 10m {more}",
        process.pid()
    );
    let mut command = home.freeport(line.split_ascii_whitespace());
    Process::start(command.stderr(Stdio::null()))
}

/// What `pool list` says of the pool.
fn told(home: &Home) -> Value {
    home.run("pool list ci --json").ends(0).json()["pools"][0].clone()
}

/// The jobs that have ports of the pool.
fn jobs(home: &Home) -> BTreeSet<String> {
    let told = told(home);
    let drawn = told["drawn"].as_array().unwrap().iter();
    drawn
        .map(|row| row["job_id"].as_str().unwrap().to_owned())
        .collect()
}

fn until_waiting(home: &Home, count: u64) {
    wait_for(&format!("{count} jobs to wait"), || {
        (told(home)["waiting"] == count).then_some(())
    });
}

#[test]
fn a_port_that_was_given_back_comes_last() {
    both(|home| {
        let first = pool(home, 3);
        let job = job(home);
        assert_eq!(drawn(draw(home, "a", &job, "")), [first]);
        assert_eq!(drawn(draw(home, "b", &job, "")), [first + 1]);
        home.run("release --job-id a").ends(0);
        assert_eq!(drawn(draw(home, "c", &job, "")), [first + 2]);
        home.run("release --job-id b").ends(0);
        home.run("release --job-id c").ends(0);
        // All are free: the first came back first.
        assert_eq!(drawn(draw(home, "d", &job, "")), [first]);
        assert_eq!(
            drawn(draw(home, "d", &job, "-n 2 --block")),
            [first + 1, first + 2]
        );
        let told = told(home);
        assert_eq!((&told["free"], &told["size"]), (&json!(0), &json!(3)));
        let row = &told["drawn"][0];
        assert_eq!(
            (&row["pool"], &row["job_id"], &row["pid"], &row["status"]),
            (
                &json!("ci"),
                &json!("d"),
                &json!(job.pid()),
                &json!("claimed")
            )
        );
        assert_eq!(
            home.run("release --job-id d --json").ends(0).json()["reservations"]
                .as_array()
                .unwrap()
                .len(),
            3
        );
    });
}

#[test]
fn who_gets_nothing_is_told_who_has_what_since_when() {
    both(|home| {
        let first = pool(home, 4);
        let (one, other) = (job(home), job(home));
        draw(home, "4711", &one, "-n 2").ends(0);
        draw(home, "4712", &other, "").ends(0);
        let ran = draw(home, "4713", &one, "-n 2").ends(5);
        assert_eq!(ran.out, "");
        for part in [
            "the pool ci has 1 of 4 ports free, and 2 are wanted for the job 4713: ".to_owned(),
            format!(
                "{first}-{}: job 4711, sleep (pid {}), for ",
                first + 1,
                one.pid()
            ),
            format!("{}: job 4712, sleep (pid {}), for ", first + 2, other.pid()),
            "--wait 60s".to_owned(),
        ] {
            assert!(ran.err.contains(&part), "{part:?} in {}", ran.err);
        }
        let ran = draw(home, "4713", &one, "-n 2 --wait 1s").ends(5);
        assert!(
            ran.err.contains("waited 1s in vain: the pool ci has"),
            "{ran:?}"
        );
        assert_eq!(
            told(home)["waiting"],
            0,
            "who has waited in vain waits no more"
        );
        let table = home.run("pool list").ends(0).out;
        assert!(
            table.contains(&format!("job 4712, sleep (pid {})", other.pid())),
            "{table}"
        );
    });
}

#[test]
fn jobs_are_served_in_the_order_in_which_they_came() {
    both(|home| {
        pool(home, 2);
        let first = job(home);
        draw(home, "first", &first, "-n 2").ends(0);
        let processes: Vec<Process> = (0..3).map(|_| job(home)).collect();
        let mut waiters = Vec::new();
        for (number, process) in (0..).zip(&processes) {
            // The second one wants less than there is for the first one, and waits all the same.
            let count = if number == 1 { "-n 1" } else { "-n 2" };
            waiters.push(waiting(home, &format!("w{number}"), process, count));
            until_waiting(home, number + 1);
        }
        // Who does not wait does not overtake them, nor does who comes now.
        home.run("release --job-id first").ends(0);
        let ran = draw(home, "late", &first, "-n 1");
        assert!(ran.code == 5, "{ran:?}");
        for (number, waiter) in waiters.iter().enumerate() {
            assert_eq!(waiter.status(), 0);
            let job = format!("w{number}");
            assert_eq!(jobs(home), BTreeSet::from([job.clone()]));
            home.run(&format!("release --job-id {job}")).ends(0);
        }
        assert_eq!(told(home)["waiting"], 0);
    });
}

#[test]
fn a_place_is_lost_with_its_process() {
    both(|home| {
        pool(home, 1);
        let (first, one, other) = (job(home), job(home), job(home));
        draw(home, "first", &first, "").ends(0);
        let gone = waiting(home, "gone", &one, "");
        until_waiting(home, 1);
        let stays = waiting(home, "stays", &other, "");
        until_waiting(home, 2);
        gone.signal(Signal::KILL);
        gone.status();
        until_waiting(home, 1);
        // A job that has ended gives back what it has.
        first.signal(Signal::KILL);
        first.status();
        assert_eq!(stays.status(), 0);
        assert_eq!(jobs(home), BTreeSet::from(["stays".to_owned()]));
    });
}

#[test]
fn what_a_job_has_comes_back_by_time_and_with_its_process() {
    both(|home| {
        pool(home, 2);
        let (one, other) = (job(home), job(home));
        draw(home, "one", &one, "--ttl 1s").ends(0);
        draw(home, "other", &other, "").ends(0);
        wait_for("the time to be over", || {
            (draw(home, "next", &one, "").code == 0).then_some(())
        });
        draw(home, "more", &one, "").ends(5);
        other.signal(Signal::KILL);
        other.status();
        wait_for("the port of a dead process", || {
            (draw(home, "more", &one, "").code == 0).then_some(())
        });
        assert_eq!(
            jobs(home),
            BTreeSet::from(["more".to_owned(), "next".to_owned()])
        );
    });
}

#[test]
fn no_port_is_drawn_twice_by_many_at_once() {
    both(|home| {
        pool(home, 24);
        let job = job(home);
        let all: Vec<u16> = std::thread::scope(|scope| {
            let pid = job.pid();
            let draw_some = |number: usize| {
                move || {
                    let draws =
                        (0..3).map(|_| drawn(draw_for(home, &format!("j{number}"), pid, "-n 2")));
                    draws.flatten().collect::<Vec<u16>>()
                }
            };
            let threads: Vec<_> = (0..4)
                .map(|number| scope.spawn(draw_some(number)))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(all.len(), 24);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 24, "{all:?}");
        draw(home, "late", &job, "").ends(5);
    });
}

#[test]
fn ports_that_others_use_are_left_alone() {
    both(|home| {
        let first = pool(home, 4);
        let job = job(home);
        let _listens = std::net::TcpListener::bind(("127.0.0.1", first)).unwrap();
        let _datagrams = std::net::UdpSocket::bind(("127.0.0.1", first + 1)).unwrap();
        // Bound, and not listening: no list of listeners has it.
        let script = format!(
            "import socket, sys; s = socket.socket(); s.bind(('127.0.0.1', {})); print('bound', flush=True); sys.stdin.read()",
            first + 2
        );
        let (bound, input) = Process::start_told(home.command(python()).args(["-c", &script]));
        assert_eq!(bound.line(), "bound");
        assert_eq!(drawn(draw(home, "a", &job, "")), [first + 3]);
        let ran = draw(home, "a", &job, "").ends(5);
        let told = format!("{}: a program that does not listen has it bound", first + 2);
        assert!(ran.err.contains(&told), "{ran:?}");
        drop(input);
        bound.status();
        assert_eq!(drawn(draw(home, "a", &job, "")), [first + 2]);
        // What is reserved by name is nobody's to draw.
        home.run("release --job-id a").ends(0);
        home.run(&format!(
            "reserve {} {} --project shop",
            first + 2,
            first + 3
        ))
        .ends(0);
        let ran = draw(home, "a", &job, "").ends(5);
        assert!(ran.err.contains("reserved for shop"), "{ran:?}");
    });
}

#[test]
fn the_shell_that_calls_is_the_job_also_in_brackets() {
    both(|home| {
        pool(home, 4);
        let script = "
            a=$($FREEPORT reserve --pool ci --job-id a)
            b=$($FREEPORT reserve --pool ci --job-id b | cat)
            (c=$($FREEPORT reserve --pool ci --job-id c); true)
            echo $$; $FREEPORT pool list ci --json; echo $a $b >/dev/null";
        let mut command = home.command("sh");
        command
            .args(["-c", script])
            .env("FREEPORT", env!("CARGO_BIN_EXE_freeport"));
        let ran = finish(&mut command).ends(0);
        let (pid, list) = ran.out.split_once('\n').unwrap();
        let list: Value = serde_json::from_str(list).unwrap();
        let drawn = list["pools"][0]["drawn"].as_array().unwrap().clone();
        assert_eq!(drawn.len(), 3, "{list}");
        for row in drawn {
            assert_eq!(row["pid"].to_string(), pid, "{row}");
        }
        wait_for("the ports to come back", || {
            (told(home)["free"] == 4).then_some(())
        });
    });
}

#[test]
fn pools_are_made_told_and_removed() {
    both(|home| {
        let first = pool(home, 2);
        let (last, job) = (first + 1, job(home));
        home.run(&format!("pool create ci --ports {first}-{last}"))
            .ends(0);
        let ran = home.run(&format!("pool create ci --ports {first}")).ends(5);
        assert!(
            ran.err
                .contains(&format!("the pool ci has the ports {first}-{last}")),
            "{ran:?}"
        );
        let ran = home.run("pool create odd --ports 60998-60999,6000").ends(0);
        assert!(ran.err.contains("6000 is refused by browsers"), "{ran:?}");
        if ports_given_out_by_the_system() == Some((32768, 60999)) {
            assert!(
                ran.err.contains("60998-60999 are in the range 32768-60999"),
                "{ran:?}"
            );
        }
        draw(home, "a", &job, "").ends(0);
        let ran = home.run("pool delete ci").ends(0);
        assert_eq!(
            ran.out,
            "the pool ci is removed; the port that was drawn from it stays\n"
        );
        draw(home, "a", &job, "").ends(3);
        home.run("pool list ci").ends(3);
        home.run("pool delete ci").ends(3);
        home.run("release --job-id a").ends(0);
        home.run("release --job-id a").ends(3);
    });
}

fn ports_given_out_by_the_system() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ports = text.split_ascii_whitespace();
    Some((ports.next()?.parse().ok()?, ports.next()?.parse().ok()?))
}

#[test]
fn what_is_wrong_is_refused() {
    both(|home| {
        pool(home, 2);
        for (line, code) in [
            ("pool create x --ports ,", 2),
            ("pool create x --ports 0", 2),
            ("pool create x --ports 9-8", 2),
            ("pool create portserver --ports 20000", 2),
            ("reserve --pool ci", 2),
            ("reserve --job-id a", 2),
            ("reserve 3000 --pool ci --job-id a", 2),
            ("reserve --pool ci --job-id a --project shop", 2),
            ("reserve --pool ci --job-id a -n 0", 2),
            ("reserve --pool ci --job-id a -n 257", 2),
            ("reserve --pool ci --job-id a --wait 2days", 2),
            ("reserve --pool ci --job-id a --pid 1", 4),
            ("reserve --pool ci --job-id a --pid 4194304", 2),
            ("reserve --pool none --job-id a", 3),
            // As many as there never are.
            ("reserve --pool ci --job-id a -n 3 --wait 10m", 2),
            ("release --job-id unknown", 3),
            ("release", 2),
            ("release 3000 --job-id a", 2),
        ] {
            let ran = home.run(line).ends(code);
            assert!(!ran.err.is_empty(), "{line}");
            assert_eq!(ran.out, "", "{line}");
        }
    });
}

#[test]
fn the_wire_has_the_same_bounds() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    for request in [
        json!({"cmd": "POOL"}),
        json!({"cmd": "POOL", "action": "fill"}),
        json!({"cmd": "POOL", "action": "create", "name": "ci", "ports": ""}),
        json!({"cmd": "POOL", "action": "create", "name": "", "ports": "1-2"}),
        json!({"cmd": "POOL", "action": "create", "name": "portserver", "ports": "1-2"}),
        json!({"cmd": "POOL", "action": "draw", "name": "ci", "job_id": "a", "count": 0}),
        json!({"cmd": "POOL", "action": "draw", "name": "ci", "job_id": "a", "count": 257}),
        json!({"cmd": "POOL", "action": "draw", "name": "ci", "job_id": "a\n"}),
        json!({"cmd": "POOL", "action": "draw", "name": "ci", "job_id": "a", "ttl_s": 0}),
        json!({"cmd": "POOL", "action": "draw", "name": "ci", "job_id": "a", "pid": 4_194_304}),
    ] {
        wire.refused(&request, "bad_request");
    }
    let draw = json!({"cmd": "POOL", "action": "draw", "name": "ci", "job_id": "a"});
    wire.refused(&draw, "not_found");
    let first = pool(&home, 1);
    let reply = wire.done(&draw);
    // Without a pid, the port is the caller's.
    assert_eq!(
        (
            &reply["reservations"][0]["port"],
            &reply["reservations"][0]["pid"]
        ),
        (&json!(first), &json!(std::process::id()))
    );
}

#[test]
fn who_waits_and_does_not_ask_again_loses_the_place() {
    let home = Home::new();
    let _app = App::start(&home);
    pool(&home, 1);
    let (first, other) = (job(&home), job(&home));
    draw(&home, "first", &first, "").ends(0);
    let wait =
        json!({"cmd": "POOL", "action": "draw", "name": "ci", "job_id": "silent", "wait": true});
    Wire::open(&home).refused(&wait, "exhausted");
    until_waiting(&home, 1);
    home.run("release --job-id first").ends(0);
    // This process lives on, and says nothing more.
    let start = std::time::Instant::now();
    assert_eq!(drawn(draw(&home, "other", &other, "--wait 5m")).len(), 1);
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn pools_are_taken_along() {
    let (here, there) = (Home::new(), Home::new());
    let first = pool(&here, 2);
    let file = here.path("ports.toml");
    here.run(&format!("export {}", file.display())).ends(0);
    let ran = there
        .run(&format!("import {} --json", file.display()))
        .ends(0);
    assert_eq!(ran.json()["pools"], 1);
    assert_eq!(told(&there)["ports"], format!("{first}-{}", first + 1));
    let text = "[pools.more]\nports = '20000-20001'\n";
    let file = there.write("more.toml", text);
    let ran = there.run(&format!("import {}", file.display())).ends(0);
    assert_eq!(ran.out, "1 pool added\n");
    let ran = there.run(&format!("import {}", file.display())).ends(0);
    assert_eq!(ran.out, "all that is in the file is there already\n");
}
