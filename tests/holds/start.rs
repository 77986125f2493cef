//! A program is started as a shell would start it, with what is handed over to it.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use freeport::platform::listening_socket;
use freeport::platform::started::{Spawn, SpawnError, Started};
use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};

use crate::support::{Home, wait_for};
use crate::tree::{port, vacant};

fn status(started: &Started) -> WaitStatus {
    let pid = Pid::from_raw(started.child.pid as i32).unwrap();
    let ended = wait_for("its end", || {
        waitpid(Some(pid), WaitOptions::NOHANG).unwrap()
    });
    ended.1
}

/// A command of the shell, whose output is given.
fn shell(home: &Home, line: &str, change: impl FnOnce(&mut Spawn)) -> (String, i32) {
    let to = home.path("output");
    let mut spawn = Spawn {
        program: "/bin/sh".into(),
        args: vec![
            "-c".into(),
            format!("exec >{}; {line}", to.display()).into(),
        ],
        ..Spawn::default()
    };
    change(&mut spawn);
    let started = spawn.start().unwrap();
    assert!(started.seam.is_none() && started.seam_refused.is_none());
    let status = status(&started);
    let text = std::fs::read_to_string(to).unwrap_or_default();
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    (text, status.exit_status().or(signal).unwrap())
}

#[test]
fn what_cannot_be_started_is_told_as_shells_tell_it() {
    let home = Home::new();
    let start = |program: &Path, under_seam| {
        let spawn = Spawn {
            program: program.to_owned(),
            under_seam,
            ..Spawn::default()
        };
        spawn.start()
    };
    let no_interpreter = home.write("no-interpreter", "#!/nowhere/at-all\n");
    let not_executable = home.write("not-executable", "#!/bin/sh\n");
    let no_program = home.write("no-program", "\0\u{1}\u{2}");
    for executable in [&no_interpreter, &no_program] {
        std::fs::set_permissions(executable, PermissionsExt::from_mode(0o755)).unwrap();
    }
    for seam in [false, true] {
        for missing in [home.path("missing"), not_executable.join("below")] {
            let error = start(&missing, seam).unwrap_err();
            assert!(matches!(error, SpawnError::NotFound(_)), "{error:?}");
        }
        let folder = home.path(".");
        for bad in [&no_interpreter, &not_executable, &folder] {
            let error = start(bad, seam).unwrap_err();
            assert!(matches!(error, SpawnError::NotExecutable(_)), "{error:?}");
        }
    }
    let zero = Spawn {
        program: "/bin/true".into(),
        args: vec!["a\0b".into()],
        ..Spawn::default()
    };
    assert!(matches!(zero.start(), Err(SpawnError::NotExecutable(_))));
}

#[test]
fn a_script_that_names_nobody_is_run_by_the_shell() {
    let home = Home::new();
    let to = home.path("output");
    let script = home.write("script", &format!("echo \"$@\" >{}\n", to.display()));
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let spawn = Spawn {
        program: script,
        args: vec!["a b".into(), "c".into()],
        ..Spawn::default()
    };
    assert_eq!(status(&spawn.start().unwrap()).exit_status(), Some(0));
    assert_eq!(std::fs::read_to_string(to).unwrap(), "a b c\n");
}

#[test]
fn names_and_variables_are_those_that_are_given() {
    let home = Home::new();
    let set = |name: &str, value: Option<&str>| (name.into(), value.map(OsString::from));
    let (text, _) = shell(&home, "echo $0; env", |spawn| {
        spawn.arg0 = Some("shell".into());
        spawn.args.push("named".into());
        spawn.env = vec![
            set("PORT", Some("3000")),
            set("HOME", None),
            set("LISTEN_FDS", Some("7")),
            set("LISTEN_FDS", None),
            set("EMPTY", Some("")),
        ];
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "named");
    assert!(lines.contains(&"PORT=3000") && lines.contains(&"EMPTY="));
    assert!(!lines.iter().any(|line| line.starts_with("HOME=")));
    assert!(!lines.iter().any(|line| line.starts_with("LISTEN_")));
    let path = std::env::var("PATH").unwrap();
    assert!(lines.contains(&format!("PATH={path}").as_str()));
}

#[test]
fn signals_do_what_they_do_by_themselves_except_those_to_be_ignored() {
    let home = Home::new();
    let line = "cat /proc/self/status";
    let (text, _) = shell(&home, line, |spawn| spawn.ignored = vec![1, 3]);
    if text.is_empty() {
        return crate::support::skipped("what is ignored is read from /proc");
    }
    let of = |name: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        // The first 31 are those that programs know by name.
        u64::from_str_radix(value.trim(), 16).unwrap() & 0x7fff_ffff
    };
    assert_eq!((of("SigIgn:"), of("SigBlk:")), (0b101, 0));
}

#[test]
fn descriptors_are_handed_over_and_no_others() {
    let home = Home::new();
    let number = vacant(2);
    // Some of low numbers, so that they are in the way.
    let low: Vec<OwnedFd> = (0..4)
        .map(|_| std::fs::File::open("/dev/null").unwrap().into())
        .collect();
    for under_seam in [false, true] {
        let sockets: Vec<OwnedFd> = [number, number + 1]
            .map(|number| wait_for("a free port", || listening_socket(port(number), false).ok()))
            .into();
        let line = "echo $LISTEN_FDS $(($LISTEN_PID - $$)) $LISTEN_FDNAMES;
            for fd in /proc/$$/fd/*; do echo ${fd##*/} $(readlink $fd); done;
            exec python3 -c 'import socket; [print(socket.socket(fileno=n).getsockname()[1]) for n in (3, 4)]'";
        let to = home.path("output");
        let spawn = Spawn {
            program: "/bin/sh".into(),
            args: vec![
                "-c".into(),
                format!("exec >{}; {line}", to.display()).into(),
            ],
            descriptors: sockets,
            under_seam,
            env: vec![("LISTEN_FDNAMES".into(), Some("a:b".into()))],
            ..Spawn::default()
        };
        let started = spawn.start().unwrap();
        assert_eq!(status(&started).exit_status(), Some(0));
        let text = std::fs::read_to_string(&to).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "2 0 a:b");
        let sockets = |line: &&&str| line.starts_with("3 socket:") || line.starts_with("4 socket:");
        assert_eq!(lines.iter().filter(sockets).count(), 2, "{text}");
        // Beside them the streams, and what the shell itself has open.
        let others = lines.iter().filter(|line| {
            let (number, place) = line.split_once(' ').unwrap_or((line, ""));
            number.parse::<i32>().is_ok_and(|number| number > 4) && place.contains("socket:")
        });
        assert_eq!(others.count(), 0, "{text}");
        assert!(
            text.ends_with(&format!("{number}\n{}\n", number + 1)),
            "{text}"
        );
    }
    drop(low);
}

#[test]
fn a_program_ends_with_who_started_it() {
    if std::env::consts::OS != "linux" {
        return crate::support::skipped("only Linux ends a program with its parent");
    }
    let pid = std::thread::spawn(|| {
        let sleep = Spawn {
            program: "/bin/sleep".into(),
            args: vec!["600".into()],
            ..Spawn::default()
        };
        sleep.start().unwrap().child.pid
    });
    let pid = Pid::from_raw(pid.join().unwrap() as i32).unwrap();
    let ended = wait_for("its end", || {
        waitpid(Some(pid), WaitOptions::NOHANG).unwrap()
    });
    assert_eq!(ended.1.terminating_signal(), Some(9));
}
