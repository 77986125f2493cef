//! The registry as a whole: copied, brought back, written down and read again, by commands, beside
//! the running app, and through kill -9 at any moment.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::app::{App, Wire};
use support::{Home, ports};

const DATA: &str = ".local/share/freeport";

/// What is reserved, as a command tells it: each port with what it is for.
fn reserved(home: &Home) -> Vec<(u64, String)> {
    let ran = home.run("query --json");
    if ran.code == 3 {
        return Vec::new();
    }
    let told = ran.ends(0).json();
    let all = told["reservations"].as_array().unwrap();
    let purpose = |row: &Value| format!("{} {}", row["project"], row["service"]);
    all.iter()
        .map(|row| (row["port"].as_u64().unwrap(), purpose(row)))
        .collect()
}

/// The names in the data folder that begin like this.
fn named(home: &Home, below: &str, begin: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(home.path(DATA).join(below)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(begin))
        .collect();
    names.sort();
    names
}

/// A file with so many services, in the form that people write.
fn services(home: &Home, name: &str, project: &str, first: u16, count: u16) {
    let lines = (0..count).map(|number| format!("s{number} = {}\n", first + number));
    home.write(
        name,
        &format!("[projects.{project}]\n{}", lines.collect::<String>()),
    );
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_exported_is_imported_by_somebody_else() {
    let (one, other) = (Home::new(), Home::new());
    let port = ports::block(4);
    one.run(&format!("reserve {port} --project shop --service web"))
        .ends(0);
    one.run(&format!("claim {} --service api --ttl 1h", port + 1))
        .ends(0);
    one.run("config set stale_threshold 3m").ends(0);
    let file = one.path("ports.toml");
    let export = |home: &Home| {
        home.run(&format!("export {}", file.display())).ends(0);
        std::fs::read_to_string(&file).unwrap()
    };
    let text = export(&one);
    assert_eq!(mode(&file), 0o600);
    other.run(&format!("import {}", file.display())).ends(0);
    assert_eq!(reserved(&other), reserved(&one));
    assert_eq!(export(&other), text, "to the last token");
    let again = other.run(&format!("import {}", file.display())).ends(0);
    assert!(
        !again.out.contains("added") && !again.out.contains("updated"),
        "{again:?}"
    );
    assert_eq!(export(&other), text);
}

#[test]
fn an_import_that_conflicts_changes_nothing() {
    let home = Home::new();
    let port = ports::block(4);
    home.run(&format!("reserve {port} --project blog --service web"))
        .ends(0);
    services(&home, "ports.toml", "shop", port, 4);
    let before = reserved(&home);
    let refused = home.run("import ports.toml").ends(5);
    let said = format!("port {port} cannot be for shop s0: it is reserved for blog web");
    assert!(refused.err.contains(&said), "{refused:?}");
    assert_eq!(reserved(&home), before);
    home.run("import ports.toml --skip-conflicts").ends(0);
    assert_eq!(reserved(&home).len(), 4);
    assert_eq!(reserved(&home)[0], before[0]);
    let typo = home.write("typo.toml", "[projects.shop]\nweb = 99999\n");
    let wrong = home.run(&format!("import {}", typo.display())).ends(1);
    assert!(
        wrong.err.contains("line 2: 99999 is not a port"),
        "{wrong:?}"
    );
}

#[test]
fn a_backup_is_brought_back_beside_the_running_app() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(3);
    let reserve = |wire: &mut Wire, port: u16| {
        wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
    };
    reserve(&mut wire, port);
    home.run("backup saved.db").ends(0);
    assert_eq!(mode(&home.path("saved.db")), 0o600);
    reserve(&mut wire, port + 1);
    wire.done(&json!({"cmd": "RELEASE", "ports": [port], "as_user": true}));
    home.run("restore saved.db").ends(0);
    let told = wire.done(&json!({"cmd": "QUERY"}));
    let rows = told["reservations"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{told}");
    assert_eq!(rows[0]["port"], port);
    // What there was can be brought back, too.
    let kept = named(&home, "backups", "before-restore-");
    assert_eq!(kept.len(), 1);
    home.run(&format!("restore {DATA}/backups/{}", kept[0]))
        .ends(0);
    assert_eq!(
        reserved(&home),
        [(u64::from(port) + 1, "\"shop\" null".to_owned())]
    );
    drop(app);
}

#[test]
fn what_is_no_backup_is_refused() {
    let home = Home::new();
    let port = ports::one();
    home.run(&format!("reserve {port} --project shop")).ends(0);
    let before = reserved(&home);
    home.write(
        "notes.txt",
        "no database at all, but a text that is long enough",
    );
    for (file, code) in [
        ("notes.txt", 1),
        ("missing.db", 3),
        ("/dev/zero", 1),
        (".", 1),
    ] {
        let refused = home.run(&format!("restore {file}")).ends(code);
        assert!(!refused.err.is_empty());
        assert_eq!(reserved(&home), before, "{file}");
    }
    let own = format!("{DATA}/freeport.db");
    for verb in ["backup", "export"] {
        let refused = home.run(&format!("{verb} {own}"));
        assert_ne!(refused.code, 0, "{refused:?}");
    }
    assert_eq!(reserved(&home), before);
}

/// Starts Freeport and kills it after a while.
fn killed(home: &Home, line: &str, after: Duration) {
    let mut command = home.freeport(line.split_ascii_whitespace());
    let mut child: Child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The moment is what is tried here: too early, too late, and anywhere between.
    std::thread::sleep(after);
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn kill_9_at_any_moment_leaves_the_one_or_the_other() {
    let home = Home::new();
    let first = ports::block(32);
    services(&home, "one.toml", "shop", first, 30);
    services(&home, "other.toml", "blog", first, 20);
    home.run("import one.toml").ends(0);
    home.run("backup one.db").ends(0);
    let one = reserved(&home);
    std::fs::remove_dir_all(home.path(DATA)).unwrap();
    home.run("import other.toml").ends(0);
    home.run("backup other.db").ends(0);
    let other = reserved(&home);
    assert_eq!((one.len(), other.len()), (30, 20));
    let (mut done, mut undone) = (0, 0);
    for round in 0..40u64 {
        let (line, before, after) = match round % 2 {
            0 => ("restore one.db", &other, &one),
            _ => ("restore other.db", &one, &other),
        };
        killed(&home, line, Duration::from_millis(round * 2 % 37));
        let now = reserved(&home);
        match now == *after {
            true => done += 1,
            false => {
                assert_eq!(now, *before, "round {round}");
                undone += 1;
                home.run(line).ends(0);
            }
        }
        assert_eq!(named(&home, "", "freeport.db.corrupt"), [""; 0]);
    }
    // A backup is whole, or is not there.
    for round in 0..20u64 {
        killed(&home, "backup new.db", Duration::from_millis(round * 2));
        if home.path("new.db").exists() {
            home.run("restore new.db").ends(0);
            assert_eq!(reserved(&home), other);
            std::fs::remove_file(home.path("new.db")).unwrap();
        }
    }
    let told = format!("{done} of 40 were restored before they were killed, {undone} were not\n");
    std::io::stderr().write_all(told.as_bytes()).unwrap();
}

#[test]
fn kill_9_while_it_is_repaired_loses_neither_the_backup_nor_what_was_damaged() {
    let home = Home::new();
    let first = ports::block(32);
    services(&home, "one.toml", "shop", first, 30);
    home.run("import one.toml").ends(0);
    let one = reserved(&home);
    let backups = home.path(DATA).join("backups");
    std::fs::create_dir_all(&backups).unwrap();
    home.run(&format!("backup {DATA}/backups/freeport-2026-01-01.db"))
        .ends(0);
    home.run("backup same.db").ends(0);
    let database = home.path(DATA).join("freeport.db");
    for round in 0..20u64 {
        let damage = format!("damaged in round {round}, and long enough to be seen as that");
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(home.path(DATA).join(format!("freeport.db{ending}")));
        }
        std::fs::write(&database, &damage).unwrap();
        killed(
            &home,
            "app --headless",
            Duration::from_millis(round * 3 % 41),
        );
        // Whatever was done of it, the next start does the rest.
        let app = App::start(&home);
        assert_eq!(reserved(&home), one, "round {round}");
        app.end(rustix::process::Signal::TERM);
        let asides = named(&home, "", "freeport.db.corrupt");
        let kept = asides.iter().any(|name| {
            std::fs::read(home.path(DATA).join(name)).is_ok_and(|bytes| bytes == damage.as_bytes())
        });
        assert!(kept, "round {round}: {asides:?}");
    }
}

#[test]
fn of_many_programs_that_find_it_damaged_one_repairs_it() {
    let home = Home::new();
    let first = ports::block(32);
    services(&home, "one.toml", "shop", first, 30);
    home.run("import one.toml").ends(0);
    let one = reserved(&home);
    home.run("backup one.db").ends(0);
    std::fs::write(
        home.path(DATA).join("freeport.db"),
        "damaged, and long enough",
    )
    .unwrap();
    let restores: Vec<Child> = (0..6)
        .map(|_| {
            let mut command = home.freeport(["restore", "one.db"]);
            let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
            quiet.spawn().unwrap()
        })
        .collect();
    for mut restore in restores {
        assert!(restore.wait().unwrap().success());
    }
    assert_eq!(reserved(&home), one);
    assert_eq!(named(&home, "", "freeport.db.corrupt").len(), 1);
}
