//! Where reservations cannot be kept: a full disk, a folder that cannot be written, one that is not
//! safe, a file that is locked or damaged. The app goes on with the rest, says what is wrong, and
//! loses nothing that it has acknowledged.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::app::{App, Wire};
use support::processes::{Process, Server};
use support::{
    Home, NOBODY, Ran, finish, may_be_others, ports, python, skipped, there_is, wait_for,
};

/// Says what was measured.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Processes that see mounts of their own.
struct Mounts<'a> {
    home: &'a Home,
    keeper: Process,
}

impl Mounts<'_> {
    /// Runs a script that mounts something; says so where that cannot be done.
    fn make<'a>(home: &'a Home, script: &str) -> Option<Mounts<'a>> {
        let programs = ["unshare", "mount", "nsenter"];
        if !may_be_others("a mount of its own") || !programs.into_iter().all(there_is) {
            return None;
        }
        let mut command = home.command("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c"]);
        command.arg(format!(
            "{{ {script}; }} && echo mounted && exec sleep infinity; echo no"
        ));
        let keeper = Process::start(&mut command);
        if keeper.line() != "mounted" {
            skipped("nothing can be mounted here");
            return None;
        }
        Some(Mounts { home, keeper })
    }

    /// A command that sees them.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = self.home.command("nsenter");
        inside.arg(format!("--mount=/proc/{}/ns/mnt", self.keeper.pid()));
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Freeport, with these mounts.
    fn freeport(&self, line: &str) -> Command {
        self.inside(&self.home.freeport(line.split_ascii_whitespace()))
    }

    fn run(&self, line: &str) -> Ran {
        finish(&mut self.freeport(line))
    }

    /// What SQLite says, there.
    fn sql(&self, statement: &str) -> String {
        let script = "import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute(sys.argv[2]).fetchone()[0])
db.close()";
        let mut command = self.home.command(python());
        let file = self.home.path(DATA).join("freeport.db");
        command.args(["-c", script]).arg(file).arg(statement);
        finish(&mut self.inside(&command))
            .ends(0)
            .out
            .trim()
            .to_owned()
    }

    fn app(&self) -> App {
        App::start_by(self.home, &mut self.freeport("app --headless"))
    }

    /// The path of what is seen there, from outside.
    fn path(&self, below: &str) -> PathBuf {
        let inside = self.home.path(below);
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.pid()));
        root.join(inside.strip_prefix("/").unwrap())
    }
}

const DATA: &str = ".local/share/freeport";

fn problem(wire: &mut Wire) -> Value {
    wire.done(&json!({"cmd": "STATUS"}))["registry_problem"].take()
}

/// An app of another user, who alone may ask it.
fn app_of(home: &Home, freeport: &dyn Fn(&str) -> Command) -> Process {
    let log = File::options()
        .create(true)
        .append(true)
        .open(home.path("app.log"));
    let mut command = freeport("app --headless");
    let app = Process::start(command.stderr(log.unwrap()));
    wait_for("the app to answer", || {
        assert!(!app.has_ended(), "the app ended: {}", App::log(home));
        (finish(&mut freeport("status")).code == 0).then_some(())
    });
    app
}

fn end(app: &Process) {
    app.signal(Signal::TERM);
    assert_eq!(app.status(), 0);
}

/// What is reserved: the port, and what was said of it.
fn reserved(reply: &Value) -> BTreeMap<u16, Value> {
    let all = reply["reservations"].as_array().unwrap();
    all.iter()
        .map(|row| {
            let port = u16::try_from(row["port"].as_u64().unwrap()).unwrap();
            (port, row["metadata"].clone())
        })
        .collect()
}

fn query(wire: &mut Wire) -> BTreeMap<u16, Value> {
    reserved(&wire.done(&json!({"cmd": "QUERY"})))
}

/// A claim of this process, with something to say of it.
fn claim(port: u16, said: &str) -> Value {
    json!({"cmd": "CLAIM", "port": port, "pid": std::process::id(), "ttl_s": 86_400, "project": "shop", "metadata": said})
}

/// The app shows who listens, whatever is with the registry.
#[track_caller]
fn shows_listeners(home: &Home) {
    let server = Server::start(home, "");
    let mut wire = Wire::open(home);
    assert_eq!(wire.listeners(server.port)[0]["owner"]["pid"], server.pid);
}

/// The app refuses a claim, as the registry cannot be used, and says this of it.
#[track_caller]
fn refuses_claims(wire: &mut Wire, words: &[&str]) {
    let told = wire.refused(&claim(ports::one(), ""), "registry_unavailable");
    assert!(words.iter().all(|word| told.contains(word)), "{told}");
}

/// STATUS tells the problem, in these words.
#[track_caller]
fn tells_the_problem(wire: &mut Wire, words: &[&str]) {
    let told = problem(wire);
    let text = told.as_str().unwrap_or_default();
    assert!(words.iter().all(|word| text.contains(word)), "{told}");
}

/// A disk with little room, for the data folder.
fn small_disk(home: &Home) -> Option<Mounts<'_>> {
    let script = format!(
        "mkdir -p '{0}' && mount -t tmpfs -o size=2m,mode=0700 freeport '{0}'",
        home.path(DATA).display()
    );
    Mounts::make(home, &script)
}

/// The data folder, which is there already, as one of a disk that can only be read.
fn read_only_disk(home: &Home) -> Option<Mounts<'_>> {
    let script = format!(
        "mount --bind '{0}' '{0}' && mount -o remount,bind,ro '{0}'",
        home.path(DATA).display()
    );
    Mounts::make(home, &script)
}

/// Writes a file until the disk is full.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [64 * 1024, 4096, 1] {
        while file.write_all(&vec![0x5a; size]).is_ok() {}
    }
}

#[test]
fn on_a_full_disk_nothing_acknowledged_is_lost() {
    let home = Home::new();
    let Some(mounts) = small_disk(&home) else {
        return;
    };
    let filler = mounts.path(&format!("{DATA}/filler"));
    let app = mounts.app();
    let mut wire = Wire::open(&home);
    let first = ports::block(32);
    let mut known = BTreeMap::new();
    for port in first..first + 4 {
        wire.done(&claim(port, "before"));
        known.insert(port, json!("before"));
    }
    let backups = mounts.path(&format!("{DATA}/backups"));
    wait_for("the daily backup", || {
        let mut entries = std::fs::read_dir(&backups).ok()?.flatten();
        entries.find(|entry| entry.path().extension().is_some_and(|end| end == "db"))
    });
    fill(&filler);
    // There may be some room left in files that are there already.
    let mut refused = 0;
    for round in 0..3_000 {
        let said = format!("{round}: {}", "x".repeat(1_000));
        let port = first + round % 32;
        let reply = wire.ask(&claim(port, &said));
        if reply["status"] == "success" {
            known.insert(port, json!(said));
            continue;
        }
        assert_eq!(reply["code"], "registry_unavailable", "{reply}");
        let told = reply["message"].as_str().unwrap();
        assert!(told.contains("the disk is full"), "{reply}");
        assert!(
            reply["hint"].as_str().unwrap().contains("make room"),
            "{reply}"
        );
        refused += 1;
        if refused == 20 {
            say(&format!(
                "full: {} claims were acknowledged and 20 refused",
                round - 19
            ));
            break;
        }
    }
    assert_eq!(refused, 20, "the disk is never full");
    // What nobody was told is not there either, and everything else goes on.
    assert_eq!(query(&mut wire), known);
    shows_listeners(&home);
    tells_the_problem(&mut wire, &["the disk is full"]);
    assert_eq!(reserved(&mounts.run("query --json").ends(0).json()), known);
    let told = mounts.run("status");
    assert!(told.out.contains("the disk is full"), "{told:?}");
    // A command without the app, and an app that is started now.
    app.end(Signal::KILL);
    drop((wire, app));
    assert_eq!(reserved(&mounts.run("query --json").ends(0).json()), known);
    let port = ports::one();
    let told = mounts.run(&format!(
        "claim {port} --metadata \"{}\"",
        "x".repeat(4_000)
    ));
    if told.code != 0 {
        assert!(told.err.contains("the disk is full"), "{told:?}");
    } else {
        known.insert(port, json!("x".repeat(4_000)));
    }
    let app = mounts.app();
    let mut wire = Wire::open(&home);
    shows_listeners(&home);
    assert_eq!(query(&mut wire), known);
    // With room, all is as before.
    std::fs::remove_file(&filler).unwrap();
    let more = ports::one();
    wire.done(&claim(more, "after"));
    known.insert(more, json!("after"));
    assert_eq!(problem(&mut wire), Value::Null);
    assert_eq!(query(&mut wire), known);
    app.end(Signal::KILL);
    drop(app);
    let _app = mounts.app();
    let mut wire = Wire::open(&home);
    assert_eq!(query(&mut wire), known);
    assert_eq!(mounts.sql("PRAGMA integrity_check"), "ok");
    assert!(!App::log(&home).contains("damaged"), "{}", App::log(&home));
}

#[test]
fn on_a_full_disk_without_room_for_the_files_of_sqlite_what_is_there_is_read() {
    let home = Home::new();
    let Some(mounts) = small_disk(&home) else {
        return;
    };
    let port = ports::block(2);
    mounts
        .run(&format!("reserve {port} --project shop"))
        .ends(0);
    // Who closed it last has brought all into the file, and removed the files beside it.
    assert!(!mounts.path(&format!("{DATA}/freeport.db-wal")).exists());
    let filler = mounts.path(&format!("{DATA}/filler"));
    fill(&filler);
    let app = mounts.app();
    let mut wire = Wire::open(&home);
    shows_listeners(&home);
    refuses_claims(&mut wire, &["the disk is full", "make room"]);
    tells_the_problem(&mut wire, &["the disk is full"]);
    app.end(Signal::KILL);
    drop((wire, app));
    is_read(mounts.run("query --json"), &[port]);
    let told = mounts.run(&format!("claim {}", port + 1)).ends(1);
    assert!(told.err.contains("the disk is full"), "{told:?}");
    let app = mounts.app();
    std::fs::remove_file(&filler).unwrap();
    Wire::open(&home).done(&claim(port + 1, "after"));
    assert_eq!(app.end(Signal::TERM), 0);
}

#[test]
fn on_a_disk_that_cannot_be_written_the_app_goes_on() {
    let home = Home::new();
    let port = ports::block(2);
    home.run(&format!("reserve {port} --project shop")).ends(0);
    if let Some(mounts) = read_only_disk(&home) {
        read_only(&home, port, &|line| mounts.freeport(line));
    }
}

#[test]
fn on_a_disk_that_cannot_be_written_what_is_reserved_is_read() {
    let home = Home::new();
    let port = ports::block(2);
    home.run(&format!("reserve {port} --project shop")).ends(0);
    let Some(mounts) = read_only_disk(&home) else {
        return;
    };
    is_read(mounts.run("query --json"), &[port]);
    // An app that was killed leaves a log of changes beside the file, and what was acknowledged is
    // in it.
    let app = App::start(&home);
    Wire::open(&home).done(&claim(port + 1, "acknowledged"));
    app.end(Signal::KILL);
    drop(app);
    is_read(mounts.run("query --json"), &[port, port + 1]);
}

/// A registry with one reservation, in a folder of nobody's that nobody cannot write.
fn closed_folder(home: &Home, port: u16) {
    home.run(&format!("reserve {port} --project shop")).ends(0);
    let data = home.path(DATA);
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for entry in std::fs::read_dir(&data).unwrap() {
        let file = entry.unwrap().path();
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        mode(&file, 0o400);
    }
    chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
    mode(&data, 0o500);
    std::fs::create_dir_all(home.runtime()).unwrap();
    mode(&home.runtime(), 0o700);
    chown(home.runtime(), Some(NOBODY), Some(NOBODY)).unwrap();
    for folder in [".local", ".local/share"] {
        mode(&home.path(folder), 0o755);
    }
}

#[test]
fn in_a_folder_that_its_user_cannot_write_the_app_goes_on() {
    if !may_be_others("to be somebody else") || !there_is("setpriv") {
        return;
    }
    let home = Home::new();
    let port = ports::block(2);
    closed_folder(&home, port);
    read_only(&home, port, &|line| home.freeport_as(NOBODY, line));
}

#[test]
fn in_a_folder_that_its_user_cannot_write_what_is_reserved_is_read() {
    if !may_be_others("to be somebody else") || !there_is("setpriv") {
        return;
    }
    let home = Home::new();
    let port = ports::block(2);
    closed_folder(&home, port);
    is_read(
        finish(&mut home.freeport_as(NOBODY, "query --json")),
        &[port],
    );
}

/// What holds where the registry, which has one reservation for `shop`, can only be read.
fn read_only(home: &Home, port: u16, freeport: &dyn Fn(&str) -> Command) {
    let run = |line: &str| finish(&mut freeport(line));
    let told = run(&format!("claim {}", port + 1)).ends(1);
    let words = ["cannot", "freeport.db", "FREEPORT_DATA_DIR"];
    assert!(words.iter().all(|word| told.err.contains(word)), "{told:?}");
    let app = app_of(home, freeport);
    let list = run("list --all --json");
    assert!([0, 3].contains(&list.code), "{list:?}");
    let told = run(&format!("claim {}", port + 1)).ends(1);
    assert!(words.iter().all(|word| told.err.contains(word)), "{told:?}");
    let told = run("status --json").ends(0).json();
    let problem = told["registry_problem"].as_str().unwrap_or_default();
    assert!(problem.contains("freeport.db"), "{told}");
    let told = run("query --json");
    say(&format!(
        "read only: the app's QUERY ends with {}: {}",
        told.code,
        told.err.trim()
    ));
    end(&app);
}

/// What is reserved is read without the app, where nothing can be written.
fn is_read(ran: Ran, ports: &[u16]) {
    let found: Vec<u16> = reserved(&ran.ends(0).json()).into_keys().collect();
    assert_eq!(found, ports);
}

/// An app with such a data folder.
fn with_folder(home: &Home, words: &[&str]) {
    let mut command = home.freeport(["app", "--headless"]);
    let app = App::start_by(home, command.env("FREEPORT_DATA_DIR", home.path("data")));
    let mut wire = Wire::open(home);
    tells_the_problem(&mut wire, words);
    refuses_claims(&mut wire, words);
    shows_listeners(home);
    wire.refused(&json!({"cmd": "QUERY"}), "registry_unavailable");
    let log = App::log(home);
    assert!(words.iter().all(|word| log.contains(word)), "{log}");
    assert_eq!(app.end(Signal::TERM), 0);
    // So it is without the app.
    for line in ["claim 3000", "reserve 3000 --project shop"] {
        let mut command = home.freeport(line.split_ascii_whitespace());
        let told = finish(command.env("FREEPORT_DATA_DIR", home.path("data"))).ends(1);
        assert!(words.iter().all(|word| told.err.contains(word)), "{told:?}");
    }
}

#[test]
fn a_folder_that_is_a_link_is_refused_and_the_app_goes_on() {
    let home = Home::new();
    std::fs::create_dir(home.path("elsewhere")).unwrap();
    symlink(home.path("elsewhere"), home.path("data")).unwrap();
    with_folder(&home, &["not safe", "symbolic link"]);
    let left = std::fs::read_dir(home.path("elsewhere")).unwrap().count();
    assert_eq!(left, 0, "nothing is written through the link");
}

#[test]
fn a_folder_that_others_may_write_is_refused_and_the_app_goes_on() {
    let home = Home::new();
    std::fs::create_dir(home.path("data")).unwrap();
    std::fs::set_permissions(home.path("data"), Permissions::from_mode(0o777)).unwrap();
    with_folder(&home, &["not safe", "others may write"]);
}

#[test]
fn a_folder_of_another_user_is_refused_and_the_app_goes_on() {
    if !may_be_others("a folder of another user") {
        return;
    }
    let home = Home::new();
    std::fs::create_dir(home.path("data")).unwrap();
    chown(home.path("data"), Some(NOBODY), Some(NOBODY)).unwrap();
    with_folder(&home, &["not safe", "belongs to uid 65534"]);
}

#[test]
fn a_file_in_the_place_of_the_folder_is_told_and_the_app_goes_on() {
    let home = Home::new();
    home.write("data", "precious");
    with_folder(&home, &["data"]);
    assert_eq!(
        std::fs::read_to_string(home.path("data")).unwrap(),
        "precious"
    );
}

#[test]
fn without_a_home_the_app_goes_on_without_reservations() {
    // Somebody whom the system does not know has no home by default.
    const UNKNOWN: u32 = 54_321;
    if !may_be_others("to be somebody without a home") || !there_is("setpriv") {
        return;
    }
    let home = Home::new();
    std::fs::create_dir(home.runtime()).unwrap();
    std::fs::set_permissions(home.runtime(), Permissions::from_mode(0o700)).unwrap();
    chown(home.runtime(), Some(UNKNOWN), Some(UNKNOWN)).unwrap();
    let freeport = |line: &str| {
        let mut command = home.freeport_as(UNKNOWN, line);
        command.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
        command
    };
    let app = app_of(&home, &freeport);
    let run = |line: &str| finish(&mut freeport(line));
    let words = ["no home folder", "FREEPORT_DATA_DIR"];
    let refused = |ran: Ran| {
        let ran = ran.ends(1);
        assert!(words.iter().all(|word| ran.err.contains(word)), "{ran:?}");
    };
    refused(run("claim 3000"));
    let server = Server::start(&home, &format!("--uid {UNKNOWN}"));
    let list = run(&format!("list {} --json", server.port)).ends(0).json();
    assert_eq!(list["listeners"][0]["owner"]["pid"], server.pid);
    run("status").ends(0);
    end(&app);
    refused(run("claim 3000"));
    // A folder that is named helps.
    let mut command = freeport("claim 3000 --json");
    command.env("FREEPORT_DATA_DIR", home.runtime().join("data"));
    finish(&mut command).ends(0);
}

#[test]
fn a_registry_that_another_program_keeps_locked_is_told_and_lists_go_on() {
    const AT_ONCE: usize = 8;
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(32);
    wire.done(&claim(port, "before"));
    let script = "import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()";
    let mut command = home.command(python());
    command
        .args(["-c", script])
        .arg(home.path(DATA).join("freeport.db"));
    let (locker, hold) = Process::start_told(&mut command);
    assert_eq!(locker.line(), "locked");
    let start = Instant::now();
    let told = wire.refused(&claim(port + 1, ""), "registry_unavailable");
    let one = start.elapsed();
    assert!(
        told.contains("locked") && told.contains("try again"),
        "{told}"
    );
    assert!(one < Duration::from_secs(6), "{one:?}");
    // Several at one time, and a list in between.
    let claims: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let mut wire = Wire::open(&home);
            std::thread::spawn(move || {
                let start = Instant::now();
                wire.refused(&claim(port + 1, ""), "registry_unavailable");
                start.elapsed()
            })
        })
        .collect();
    let mut lists = Vec::new();
    while !claims.iter().all(|claim| claim.is_finished()) || lists.is_empty() {
        let start = Instant::now();
        wire.done(&json!({"cmd": "LIST"}));
        lists.push(start.elapsed());
    }
    let claims = claims.into_iter().map(|claim| claim.join().unwrap());
    let (slowest, list) = (claims.max().unwrap(), *lists.iter().max().unwrap());
    say(&format!(
        "locked: one claim was refused after {one:.1?}, the last of {AT_ONCE} after {slowest:.1?}; of {} lists meanwhile the slowest took {list:.1?}",
        lists.len()
    ));
    drop(hold);
    locker.status();
    wire.done(&claim(port + 1, "after"));
    assert_eq!(problem(&mut wire), Value::Null);
    assert_eq!(query(&mut wire).len(), 2);
}

fn with_ending(home: &Home, what: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.path(DATA)).unwrap().flatten();
    let names = entries.map(|entry| entry.path());
    names
        .filter(|path| path.to_string_lossy().contains(what))
        .collect()
}

#[test]
fn a_damaged_registry_comes_back_from_its_backup() {
    let home = Home::new();
    let first = ports::block(32);
    let all: Vec<String> = (first..first + 32).map(|port| port.to_string()).collect();
    home.run(&format!(
        "reserve {} --project shop --service web",
        all.join(" ")
    ))
    .ends(0);
    let app = App::start(&home);
    let before = Wire::open(&home).done(&json!({"cmd": "QUERY"}))["reservations"].take();
    let backups = home.path(DATA).join("backups");
    wait_for("the daily backup", || {
        let mut entries = std::fs::read_dir(&backups).ok()?.flatten();
        entries.find(|entry| entry.path().extension().is_some_and(|end| end == "db"))
    });
    assert_eq!(app.end(Signal::TERM), 0);
    drop(app);
    let damage = || {
        let file = home.path(DATA).join("freeport.db");
        // Who closes it last brings all into the file.
        let db = Connection::open(&file).unwrap();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        drop(db);
        let length = std::fs::metadata(&file).unwrap().len();
        assert!(length > 3 * 4096, "{length}");
        let file = OpenOptions::new().write(true).open(&file).unwrap();
        let zeros = vec![0; usize::try_from(length).unwrap() - 2 * 4096];
        file.write_all_at(&zeros, 4096).unwrap();
    };
    damage();
    // A command does not repair anything, and says who does.
    let told = home.run("claim 3000").ends(1);
    assert!(
        told.err.contains("damaged") && told.err.contains("start the app"),
        "{told:?}"
    );
    assert!(with_ending(&home, "corrupt").is_empty());
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    assert_eq!(wire.done(&json!({"cmd": "QUERY"}))["reservations"], before);
    assert_eq!(with_ending(&home, "corrupt").len(), 1);
    assert_eq!(problem(&mut wire), Value::Null);
    wire.done(&claim(ports::one(), "after"));
    let log = App::log(&home);
    assert!(
        log.contains("a backup was restored") && log.contains("32 reservations"),
        "{log}"
    );
    let entries = wire.done(&json!({"cmd": "LOG"}))["entries"].take();
    let restored = entries
        .as_array()
        .unwrap()
        .iter()
        .any(|entry| entry["event"] == "restore");
    assert!(restored, "{entries}");
    app.end(Signal::KILL);
    drop((app, wire));
    // Once more, and now the backup is damaged as well.
    damage();
    for backup in std::fs::read_dir(&backups).unwrap().flatten() {
        std::fs::write(backup.path(), "no database").unwrap();
    }
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    assert_eq!(query(&mut wire).len(), 0);
    assert_eq!(with_ending(&home, "corrupt").len(), 2);
    wire.done(&claim(first, "anew"));
    assert!(
        App::log(&home).contains("there was no backup"),
        "{}",
        App::log(&home)
    );
}
