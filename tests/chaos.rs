//! Many clients at once, while the app, or commands, are killed: nothing that was acknowledged is
//! lost, and nothing is given twice.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "support/chaos_journal.rs"]
mod chaos_journal;
mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chaos_journal::{Answer, Dice, Judged, LINE, Record, What, Wish, judge, now, play, read};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::Process;
use support::{Home, PATIENCE, ports, wait_for};

/// How many client processes there are.
const CLIENTS: usize = 16;
/// How many operations they do in all.
const OPERATIONS: usize = 16_000;
/// How many of them are claims and releases that are granted, at least.
const GRANTED: usize = 10_000;
/// How often the app is killed meanwhile.
const KILLS: usize = 18;
/// How many ports they have to share.
const PORTS: u16 = 40;

/// How many commands do the same at one time, without the app, and how often.
const WORKERS: usize = 8;
const COMMANDS: u32 = 40;
/// How often the app comes and goes meanwhile.
const GOES: usize = 12;

/// What a client process is told by: its number; which process it claims for; where to write.
const CLIENT: &str = "CHAOS_CLIENT";

/// So many ports, which nobody uses.
fn ports_of(count: u16) -> Vec<u16> {
    let first = ports::block(32);
    let second = ports::block(32);
    (first..first + 32)
        .chain(second..second + 32)
        .take(count.into())
        .collect()
}

/// A process that does nothing, for which ports are claimed.
fn sleeper(home: &Home) -> Process {
    Process::start(home.command("sleep").arg("infinity"))
}

/// This program once more, as a client: only the test of this name.
fn client(home: &Home, name: &str, told: &Value) -> Command {
    let mut command = home.command(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CLIENT, told.to_string())
        .env("RUST_BACKTRACE", "1");
    command
}

/// What this process was told, where it is a client.
fn told() -> Option<Value> {
    let told = std::env::var(CLIENT).ok()?;
    Some(serde_json::from_str(&told).unwrap())
}

/// A connection to an app that may be killed at any time.
struct Link {
    socket: PathBuf,
    stream: Option<BufReader<UnixStream>>,
}

impl Link {
    fn new(socket: &Path) -> Link {
        Link {
            socket: socket.to_owned(),
            stream: None,
        }
    }

    /// The reply; `None` where the app went away before it came.
    fn ask(&mut self, request: &Value) -> Option<Value> {
        let socket = &self.socket;
        let mut stream = self.stream.take().unwrap_or_else(|| {
            let stream = wait_for("the app", || UnixStream::connect(socket).ok());
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            BufReader::new(stream)
        });
        stream
            .get_mut()
            .write_all(format!("{request}\n").as_bytes())
            .ok()?;
        let mut line = String::new();
        match stream.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => {}
            Ok(_) => return None,
            Err(error) => {
                use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
                let is_gone = [BrokenPipe, ConnectionReset].contains(&error.kind());
                assert!(is_gone, "no answer: {error}");
                return None;
            }
        }
        self.stream = Some(stream);
        Some(serde_json::from_str(&line).unwrap())
    }
}

/// What a reply of the app to a claim or a release means.
fn answer(reply: Option<Value>) -> Answer {
    let Some(reply) = reply else {
        return Answer::None;
    };
    if reply["status"] != "success" {
        return match reply["code"].as_str() {
            Some("port_taken") => Answer::Refused,
            Some("not_found" | "not_permitted") => Answer::Gone,
            _ => panic!("{reply}"),
        };
    }
    match (reply["token"].as_str(), &reply["renewed"]) {
        (Some(token), Value::Bool(renewed)) => Answer::Claimed(token.to_owned(), *renewed),
        _ => {
            assert_eq!(
                reply["reservations"].as_array().map(Vec::len),
                Some(1),
                "{reply}"
            );
            Answer::Released
        }
    }
}

/// What the test below is when it is started as one of its clients.
#[test]
fn a_client_of_the_app() {
    let Some(told) = told() else { return };
    let number = |key: &str| told[key].as_u64().unwrap();
    let text = |key: &str| Path::new(told[key].as_str().unwrap());
    let ports: Vec<u16> = serde_json::from_value(told["ports"].clone()).unwrap();
    let mut journal = File::create(text("journal")).unwrap();
    let mut link = Link::new(text("socket"));
    let (client, pid) = (number("client"), number("pid"));
    play(
        u32::try_from(number("operations")).unwrap(),
        &ports,
        &mut Dice::new(client),
        |wish, port, op| {
            answer(link.ask(&match wish {
                Wish::Claim => json!({
                    "cmd": "CLAIM", "port": port, "pid": pid, "ttl_s": 86_400, "metadata": op,
                    "project": format!("p{client}"), "service": "chaos",
                }),
                Wish::Release(token) => json!({"cmd": "RELEASE", "ports": [port], "token": token}),
            }))
        },
        |record| journal.write_all(format!("{record}\n").as_bytes()).unwrap(),
    );
}

fn data(home: &Home) -> PathBuf {
    home.path(".local/share/freeport")
}

/// What SQLite says of the file, which nobody writes to.
fn check_integrity(home: &Home) {
    let file = data(home).join("freeport.db");
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let said: String = db
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(said, "ok");
}

/// Nothing was repaired, and nothing went wrong.
fn is_clean(home: &Home) {
    let names: Vec<String> = std::fs::read_dir(data(home))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !names.iter().any(|name| name.contains("corrupt")),
        "{names:?}"
    );
    let log = App::log(home);
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

/// Compares what is reserved with what the clients know.
#[track_caller]
fn agrees(judged: &Judged, reservations: &Value, pids: &[u32]) {
    let of = |row: &Value| {
        let port = u16::try_from(row["port"].as_u64().unwrap()).unwrap();
        let pid = row["pid"].as_u64().unwrap_or_else(|| panic!("{row}"));
        let op = row["metadata"].as_u64().unwrap_or_else(|| panic!("{row}"));
        assert_eq!(row["status"], "claimed", "{row}");
        (port, (pid, op))
    };
    let all = reservations.as_array().unwrap();
    let found: BTreeMap<u16, (u64, u64)> = all.iter().map(of).collect();
    let held = judged.held.iter();
    let known = held.map(|(port, (client, op))| (*port, (pids[*client].into(), (*op).into())));
    assert_eq!(found, known.collect());
    assert_eq!(found.len(), all.len());
}

/// Fails when anything is wrong, and says what there was.
fn report(what: &str, judged: &Judged, since: Instant) {
    assert!(judged.wrong.is_empty(), "{what}: {:#?}", judged.wrong);
    let _ = writeln!(
        std::io::stderr(),
        "{what}: {} operations, and {} requests without an answer, {} of which were done all the same, in {:.1?}: {:?}",
        judged.answered,
        judged.unanswered,
        judged.done,
        since.elapsed(),
        judged.counts
    );
}

#[test]
fn nothing_acknowledged_is_lost_or_given_twice_while_the_app_is_killed_again_and_again() {
    let start = Instant::now();
    let home = Home::new();
    let ports = ports_of(PORTS);
    let sleepers: Vec<Process> = (0..CLIENTS).map(|_| sleeper(&home)).collect();
    let pids: Vec<u32> = sleepers.iter().map(Process::pid).collect();
    let journals: Vec<PathBuf> = (0..CLIENTS)
        .map(|client| home.path(&format!("journal-{client}")))
        .collect();
    let mut app = App::start(&home);
    let clients: Vec<Process> = (0..CLIENTS)
        .map(|number| {
            let told = json!({
                "client": number, "pid": pids[number], "ports": ports, "journal": journals[number],
                "socket": home.runtime().join("freeport.sock"), "operations": OPERATIONS / CLIENTS,
            });
            Process::start(&mut client(&home, "a_client_of_the_app", &told))
        })
        .collect();
    let done = || -> usize {
        let lengths = journals.iter().map(std::fs::metadata);
        let bytes: u64 = lengths.flatten().map(|found| found.len()).sum();
        usize::try_from(bytes).unwrap() / LINE
    };
    for kill in 1..=KILLS {
        wait_for("progress", || {
            let failed = |client: &Process| client.has_ended() && client.status() != 0;
            assert!(!clients.iter().any(failed), "a client failed");
            (done() * (KILLS + 1) >= OPERATIONS * kill).then_some(())
        });
        app.process.signal(Signal::KILL);
        app.process.status();
        drop(app);
        app = App::start(&home);
    }
    for client in &clients {
        assert_eq!(client.status(), 0);
    }
    let records: Vec<Vec<Record>> = journals
        .iter()
        .map(|file| read(&std::fs::read_to_string(file).unwrap()))
        .collect();
    let judged = judge(&records);
    report(
        &format!("{CLIENTS} clients, the app killed {KILLS} times"),
        &judged,
        start,
    );
    assert_eq!(judged.answered, OPERATIONS);
    assert!(judged.granted() >= GRANTED, "{}", judged.granted());
    assert!(judged.unanswered > judged.done && !judged.held.is_empty());
    let query = json!({"cmd": "QUERY"});
    let reservations = |home: &Home| Wire::open(home).done(&query)["reservations"].take();
    agrees(&judged, &reservations(&home), &pids);
    // Once more, with nobody there, and then with an end in order.
    app.end(Signal::KILL);
    check_integrity(&home);
    drop(app);
    let app = App::start(&home);
    agrees(&judged, &reservations(&home), &pids);
    assert_eq!(app.end(Signal::TERM), 0);
    check_integrity(&home);
    is_clean(&home);
}

/// When a command is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Never,
    /// As soon as it is there.
    Started,
    /// When it has this file open.
    Has(&'static str),
    /// When it has written more than so often, whatever it was.
    Wrote(usize),
    /// When it has said something.
    Told,
    /// When it is about to say something.
    Tells,
}

/// How often a command writes at most, more or less.
const WRITES: usize = 40;

fn moment(dice: &mut Dice) -> Moment {
    match dice.below(18) {
        0 => Moment::Started,
        1 => Moment::Has("freeport.db.lock"),
        2 => Moment::Has("freeport.db"),
        3 => Moment::Has("freeport.db-wal"),
        4 => Moment::Told,
        5 | 6 => Moment::Tells,
        7..12 => Moment::Wrote(dice.below(WRITES)),
        _ => Moment::Never,
    }
}

fn has_open(pid: u32, name: &str) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|file| file.file_name().is_some_and(|found| found == name))
}

/// How often a process has written (proc_pid_io(5)).
fn writes(pid: u32) -> usize {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let count = io.lines().find_map(|line| line.strip_prefix("syscw: "));
    count.map_or(0, |count| count.parse().unwrap())
}

/// A pipe that takes no more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(&[b' '; 4096]).is_ok() {}
    while writer.write(b" ").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// Whether a process waits in a system call about its standard output (proc_pid_syscall(5)).
fn is_writing_out(pid: u32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let words: Vec<&str> = call.split_ascii_whitespace().collect();
    // The third is where the text is; in a sleep, whose first word may be 1 too, there is nothing.
    matches!(words[..], [_, "0x1", text, ..] if text != "0x0")
}

/// Runs a command, and kills it at that moment if it has not ended by then. Gives its exit status,
/// none where it was killed, and what it has printed.
fn run_until(home: &Home, line: &str, moment: Moment) -> (Option<i32>, String, String) {
    let (mut out, to) = match moment {
        Moment::Tells => full_pipe(),
        _ => std::io::pipe().unwrap(),
    };
    let mut command = home.freeport(line.split_ascii_whitespace());
    command
        .stdin(Stdio::null())
        .stdout(to)
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It has the other end of the pipe.
    drop(command);
    let pid = child.id();
    let mut said = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "{line} hangs");
        if moment == Moment::Never {
            break;
        }
        if moment == Moment::Told {
            said.resize(1, 0);
            let count = out.read(&mut said).unwrap();
            said.truncate(count);
        }
        let is_now = match moment {
            Moment::Never => false,
            Moment::Started | Moment::Told => true,
            Moment::Has(file) => has_open(pid, file),
            Moment::Wrote(count) => writes(pid) > count,
            Moment::Tells => is_writing_out(pid),
        };
        if is_now {
            let _ = child.kill();
            if moment == Moment::Tells {
                // It must not come to say it after all.
                child.wait().unwrap();
            }
            break;
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    out.read_to_end(&mut said).unwrap();
    let mut error = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut error).unwrap();
    let status = child.wait().unwrap();
    let said = String::from_utf8(said).unwrap();
    (status.code(), said.trim().to_owned(), error)
}

/// What came of a command that claims or releases.
fn answer_of(ran: &(Option<i32>, String, String)) -> Answer {
    // What was printed was acknowledged, whatever came then.
    if let Ok(reply) = serde_json::from_str::<Value>(&ran.1) {
        return match reply["token"].as_str() {
            Some(token) => Answer::Claimed(token.to_owned(), reply["renewed"] == true),
            None => match reply["reservations"].as_array().map(Vec::len) {
                Some(1) => Answer::Released,
                _ => panic!("{ran:?}"),
            },
        };
    }
    match ran.0 {
        // Of what the app was sent, it is not known whether it was done.
        None | Some(6) => Answer::None,
        Some(5) => Answer::Refused,
        Some(3 | 4) => Answer::Gone,
        _ => panic!("{ran:?}"),
    }
}

/// Many commands that claim and release ports, some of which are killed, and what `meanwhile` does,
/// which sees how many have had an answer.
fn commands(what: &str, home: &Home, meanwhile: impl FnOnce(&AtomicUsize)) {
    let start = Instant::now();
    let ports = ports_of(12);
    let sleepers: Vec<Process> = (0..WORKERS).map(|_| sleeper(home)).collect();
    let pids: Vec<u32> = sleepers.iter().map(Process::pid).collect();
    let [killed, done, busy] = [0; 3].map(AtomicUsize::new);
    let work = |worker: usize| {
        let mut records = Vec::new();
        let mut moments = Dice::new(100 + worker as u64);
        let ask = |wish: &Wish, port: u16, op: u32| {
            let line = match wish {
                Wish::Claim => format!(
                    "claim {port} --pid {} --ttl 1d --project p{worker} --metadata {op} --json",
                    pids[worker]
                ),
                Wish::Release(token) => format!("release {port} --token {token} --json"),
            };
            let deadline = Instant::now() + PATIENCE;
            loop {
                let ran = run_until(home, &line, moment(&mut moments));
                killed.fetch_add(usize::from(ran.0.is_none()), Ordering::Relaxed);
                // Several that make the registry at one time are in each other's way. Who is refused
                // for that has done nothing.
                if ran.0 != Some(1) || !ran.2.contains("locked") || Instant::now() > deadline {
                    return answer_of(&ran);
                }
                busy.fetch_add(1, Ordering::Relaxed);
            }
        };
        let write = |record| {
            records.push(record);
            done.fetch_add(1, Ordering::Relaxed);
        };
        play(COMMANDS, &ports, &mut Dice::new(worker as u64), ask, write);
        records
    };
    let records: Vec<Vec<Record>> = std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        meanwhile(&done);
        let all = workers.into_iter().map(|worker| worker.join().unwrap());
        all.collect()
    });
    let judged = judge(&records);
    let killed = killed.into_inner();
    report(
        &format!(
            "{WORKERS} workers {what}, {killed} commands killed, {} found it locked",
            busy.into_inner()
        ),
        &judged,
        start,
    );
    assert_eq!(judged.answered, WORKERS * COMMANDS as usize);
    assert!(killed > 20 && judged.done > 0, "{killed}, {}", judged.done);
    let query = home.run("query --json").ends(0);
    agrees(&judged, &query.json()["reservations"], &pids);
    check_integrity(home);
    let app = App::start(home);
    let reply = Wire::open(home).done(&json!({"cmd": "QUERY"}));
    agrees(&judged, &reply["reservations"], &pids);
    assert_eq!(app.end(Signal::TERM), 0);
    is_clean(home);
}

#[test]
fn nothing_acknowledged_is_lost_or_given_twice_by_commands_without_the_app_that_are_killed() {
    commands("without the app", &Home::new(), |_| {});
}

#[test]
fn nothing_acknowledged_is_lost_or_given_twice_by_commands_while_the_app_comes_and_goes() {
    let home = Home::new();
    commands("with an app that comes and goes", &home, |done| {
        let until = |count: usize| {
            wait_for("progress", || {
                (done.load(Ordering::Relaxed) >= count).then_some(())
            });
        };
        let all = WORKERS * COMMANDS as usize;
        for round in 0..GOES {
            // Commands find it running, ending, and not there, and find it there when they have begun
            // to do the work by themselves.
            until(all * 2 * round / (GOES * 2));
            let app = App::start(&home);
            until(all * (2 * round + 1) / (GOES * 2));
            app.process.signal(Signal::KILL);
            app.process.status();
        }
    });
}

/// What the test below is when it is started as one of its clients: claims each port that it is told
/// for itself, and says what came of it.
#[test]
fn a_client_that_races() {
    let Some(told) = told() else { return };
    let mut link = Link::new(Path::new(told["socket"].as_str().unwrap()));
    link.ask(&json!({"cmd": "PING"})).unwrap();
    let say = |what: &str| {
        let mut out = std::io::stdout();
        writeln!(out, "\nRACE {what}").unwrap();
        out.flush().unwrap();
    };
    say("ready");
    for port in std::io::stdin().lines() {
        let port: u16 = port.unwrap().parse().unwrap();
        match answer(link.ask(&json!({"cmd": "CLAIM", "port": port}))) {
            Answer::Claimed(_, false) => say("won"),
            Answer::Refused => say("lost"),
            other => panic!("{other:?}"),
        }
    }
}

/// What a racer says next; the rest is of the test runner.
fn said(racer: &Process) -> String {
    loop {
        let line = racer.line();
        if let Some(said) = line.strip_prefix("RACE ") {
            return said.to_owned();
        }
    }
}

#[test]
fn of_processes_that_claim_one_port_at_once_one_wins() {
    let start = Instant::now();
    let home = Home::new();
    let _app = App::start(&home);
    let told = json!({"socket": home.runtime().join("freeport.sock")});
    let mut racers: Vec<(Process, ChildStdin)> = (0..CLIENTS)
        .map(|_| Process::start_told(&mut client(&home, "a_client_that_races", &told)))
        .collect();
    for (racer, _) in &racers {
        assert_eq!(said(racer), "ready");
    }
    let mut wire = Wire::open(&home);
    for port in ports_of(20) {
        for (_, tell) in &mut racers {
            tell.write_all(format!("{port}\n").as_bytes()).unwrap();
        }
        let won: Vec<u32> = racers
            .iter()
            .filter(|(racer, _)| said(racer) == "won")
            .map(|(racer, _)| racer.pid())
            .collect();
        assert_eq!(won.len(), 1, "port {port}: {won:?}");
        assert_eq!(wire.reservation(port)["pid"], won[0], "port {port}");
    }
    let _ = writeln!(
        std::io::stderr(),
        "20 races through the app: {:.1?}",
        start.elapsed()
    );
}

#[test]
fn of_commands_that_claim_one_port_at_once_without_the_app_one_wins() {
    let start = Instant::now();
    let home = Home::new();
    let sleepers: Vec<Process> = (0..CLIENTS).map(|_| sleeper(&home)).collect();
    // At the first one there is no registry yet, and each wants to make it.
    for port in ports_of(5) {
        let mut racers: Vec<(Process, ChildStdin)> = sleepers
            .iter()
            .map(|sleeper| {
                let line = format!("claim {port} --pid {} --json", sleeper.pid());
                let freeport = home.freeport(line.split_ascii_whitespace());
                let mut command = home.command("sh");
                let wait = "echo ready; read go && exec \"$@\"";
                command.args(["-c", wait, "sh"]);
                command
                    .arg(freeport.get_program())
                    .args(freeport.get_args());
                Process::start_told(command.stderr(Stdio::null()))
            })
            .collect();
        for (racer, _) in &racers {
            assert_eq!(racer.line(), "ready");
        }
        for (_, tell) in &mut racers {
            tell.write_all(b"go\n").unwrap();
        }
        let mut codes: Vec<i32> = racers.iter().map(|(racer, _)| racer.status()).collect();
        let won = codes.iter().position(|code| *code == 0);
        let won = sleepers[won.unwrap_or_else(|| panic!("{codes:?}"))].pid();
        codes.sort_unstable();
        let expected: Vec<i32> = std::iter::once(0).chain([5; CLIENTS - 1]).collect();
        assert_eq!(codes, expected, "port {port}");
        let query = home.run(&format!("query {port} --json")).ends(0).json();
        assert_eq!(query["reservations"][0]["pid"], won);
    }
    let _ = writeln!(
        std::io::stderr(),
        "5 races without the app: {:.1?}",
        start.elapsed()
    );
}

#[test]
fn of_commands_that_make_the_registry_at_one_time_none_is_refused() {
    for _ in 0..20 {
        let home = Home::new();
        let commands: Vec<Process> = ports_of(12)
            .iter()
            .map(|port| {
                let line = format!("claim {port} --ttl 1d --json");
                let mut command = home.freeport(line.split_ascii_whitespace());
                Process::start(&mut command)
            })
            .collect();
        for command in &commands {
            assert_eq!(command.status(), 0);
        }
        let query = home.run("query --json").ends(0).json();
        assert_eq!(
            query["reservations"].as_array().map(Vec::len),
            Some(commands.len())
        );
    }
}

#[test]
fn the_judge_sees_what_is_lost_and_what_is_given_twice() {
    let record = |before: u64, what: What| Record {
        before,
        after: before + 10,
        op: 0,
        port: 3000,
        what,
    };
    let first = now();
    assert!(now() >= first);
    let one = record(100, What::Refused);
    assert_eq!(read(&format!("{one}\n")), [one]);
    assert_eq!(format!("{one}\n").len(), LINE);
    use What::{Gone, LostClaim, LostRelease, New, Refused, Released, Renewed};
    type Journal = &'static [(u64, What)];
    let cases: [(&str, &[Journal]); 13] = [
        ("", &[&[(100, New), (200, Released)], &[(300, New)]]),
        ("", &[&[(100, New), (200, Released)], &[(195, New)]]),
        ("lost", &[&[(100, New), (200, Gone)]]),
        ("lost", &[&[(100, New), (200, New)]]),
        ("lost", &[&[(100, New), (200, Refused)], &[(150, New)]]),
        (
            "was had by",
            &[&[(100, New), (200, Released)], &[(150, New)]],
        ),
        (
            "was had by",
            &[&[(100, New)], &[(150, LostClaim), (170, Renewed)]],
        ),
        ("from nowhere", &[&[(100, Released)]]),
        (
            "nobody had it",
            &[&[(100, New), (200, Released)], &[(300, Refused)]],
        ),
        (
            "",
            &[&[(100, LostClaim), (200, Renewed)], &[(150, Refused)]],
        ),
        (
            "",
            &[
                &[(100, New), (200, LostRelease), (220, Gone)],
                &[(205, New)],
            ],
        ),
        (
            "",
            &[
                &[(100, New), (200, LostRelease), (220, Renewed)],
                &[(205, Refused)],
            ],
        ),
        (
            "was had by",
            &[
                &[(100, New), (200, LostRelease), (220, Renewed)],
                &[(205, New)],
            ],
        ),
    ];
    for (wrong, journals) in cases {
        let records: Vec<Vec<Record>> = journals
            .iter()
            .map(|journal| {
                journal
                    .iter()
                    .map(|(at, what)| record(*at, *what))
                    .collect()
            })
            .collect();
        let found = judge(&records).wrong.join("; ");
        assert_eq!(found.is_empty(), wrong.is_empty(), "{journals:?}: {found}");
        assert!(found.contains(wrong), "{journals:?}: {found}");
    }
}
