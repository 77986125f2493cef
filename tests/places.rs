//! Where the socket is: folders that are not safe, paths that are too long, homes that are not
//! there. Nothing is trusted that another user could have put there.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use support::processes::{Process, Server};
use support::{Home, NOBODY, finish, is_root, may_be_others, wait_for};

fn set_mode(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every command refuses the folder, names it, and says what to do; so does the app.
#[track_caller]
fn is_refused(home: &Home, why: &str) {
    for line in ["list", "list 1", "why 1", "kill 1", "status"] {
        let ran = home.run(line).ends(4);
        assert!(
            ran.err.contains(home.runtime().to_str().unwrap()),
            "{line}: {ran:?}"
        );
        assert!(ran.err.contains(why), "{line}: {ran:?}");
        assert!(ran.err.contains("FREEPORT_RUNTIME_DIR"), "{line}: {ran:?}");
        assert!(ran.out.is_empty(), "{line}: {ran:?}");
    }
    let ran = home.run("app --headless");
    assert!(ran.code != 0 && ran.err.contains(why), "{ran:?}");
}

#[test]
fn a_folder_that_others_may_use_is_refused() {
    let home = Home::new();
    fs::create_dir(home.runtime()).unwrap();
    for mode in [0o755, 0o770, 0o701, 0o777] {
        set_mode(&home.runtime(), mode);
        is_refused(&home, &format!("{mode:04o}"));
    }
    set_mode(&home.runtime(), 0o700);
    home.run("list").ends(0);
}

#[test]
fn a_symlink_is_refused() {
    let home = Home::new();
    let real = home.path("real");
    fs::create_dir(&real).unwrap();
    set_mode(&real, 0o700);
    symlink(&real, home.runtime()).unwrap();
    is_refused(&home, "symbolic link");
    fs::remove_dir(&real).unwrap();
    is_refused(&home, "symbolic link");
    fs::remove_file(home.runtime()).unwrap();
    home.write("run", "a file");
    is_refused(&home, "not a folder");
}

#[test]
fn a_folder_of_another_user_is_refused() {
    if !may_be_others("a folder of another user") {
        return;
    }
    let home = Home::new();
    fs::create_dir(home.runtime()).unwrap();
    set_mode(&home.runtime(), 0o700);
    chown(home.runtime(), Some(NOBODY), None).unwrap();
    is_refused(&home, &format!("uid {NOBODY}"));
    // And the other way round: what root has is not for others.
    chown(home.runtime(), Some(0), None).unwrap();
    let ran = finish(&mut home.freeport_as(NOBODY, "list")).ends(4);
    assert!(ran.err.contains("uid 0"), "{ran:?}");
}

#[test]
fn an_impostor_behind_the_socket_is_not_believed() {
    if !may_be_others("a socket of another user") {
        return;
    }
    // The folder is right, but the process that accepts is another user's: root, here.
    let home = Home::new();
    fs::create_dir(home.runtime()).unwrap();
    let socket = home.runtime().join("freeport.sock");
    let _accepts = UnixListener::bind(&socket).unwrap();
    set_mode(&socket, 0o666);
    set_mode(&home.runtime(), 0o700);
    chown(home.runtime(), Some(NOBODY), None).unwrap();
    let ran = finish(&mut home.freeport_as(NOBODY, "list")).ends(4);
    assert!(ran.err.contains("uid 0"), "{ran:?}");
}

#[test]
fn the_app_of_another_user_answers_only_that_user() {
    if !may_be_others("an app of another user") {
        return;
    }
    let home = Home::new();
    fs::create_dir(home.runtime()).unwrap();
    set_mode(&home.runtime(), 0o700);
    chown(home.runtime(), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = home.freeport_as(NOBODY, "app --headless");
    let app = Process::start(command.stderr(Stdio::null()));
    wait_for("the app to answer", || {
        let ran = finish(&mut home.freeport_as(NOBODY, "status"));
        (ran.code == 0).then_some(())
    });
    let found = fs::metadata(home.runtime().join("freeport.sock")).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (NOBODY, 0o600));
    let status = finish(&mut home.freeport_as(NOBODY, "status --json"))
        .ends(0)
        .json();
    assert_eq!(status["pid"], app.pid());
    // Its own server is seen and freed through it, root's is not touched.
    let own = Server::start(&home, &format!("--uid {NOBODY}"));
    let roots = Server::start(&home, "");
    let line = format!("kill {} {}", own.port, roots.port);
    finish(&mut home.freeport_as(NOBODY, &line)).ends(4);
    assert!(!own.is_alive() && roots.is_alive());
}

#[test]
fn a_path_that_is_too_long_is_said() {
    let home = Home::new();
    let long = home.path(&"long/".repeat(30));
    for line in ["list", "status", "app --headless"] {
        let mut command = home.freeport(line.split(' '));
        let ran = finish(command.env("FREEPORT_RUNTIME_DIR", &long));
        assert!(ran.code != 0 && ran.out.is_empty(), "{ran:?}");
        assert!(
            ran.err.contains("too long") && ran.err.contains("107"),
            "{ran:?}"
        );
        assert!(ran.err.contains("FREEPORT_RUNTIME_DIR"), "{ran:?}");
    }
    assert!(!home.path("long").exists());
}

#[test]
fn without_a_home_it_still_works() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let port = server.port.to_string();
    for home_variable in [None, Some(""), Some("relative"), Some("/nonexistent")] {
        let bare = |args: &[&str]| {
            let mut command = home.freeport(args);
            command.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
            command.envs(home_variable.map(|value| ("HOME", value)));
            finish(&mut command)
        };
        assert!(bare(&["list", &port]).ends(0).out.contains(&port));
        bare(&["why", &port]).ends(0);
        bare(&["kill", &port, "--dry-run"]).ends(0);
        bare(&["man"]).ends(0);
    }
    // Relative folders are passed over, as the specification of XDG says.
    let mut command = home.freeport(["list", &port]);
    finish(
        command
            .env("FREEPORT_RUNTIME_DIR", "run")
            .env("TMPDIR", home.path("")),
    )
    .ends(0);
    assert!(!home.path("freeport").exists());
}

#[test]
fn folders_of_the_environment_are_used_in_their_order() {
    let home = Home::new();
    let xdg = home.path("xdg");
    fs::create_dir(&xdg).unwrap();
    set_mode(&xdg, 0o700);
    let place = |runtime: bool| {
        let mut command = home.freeport(["app", "--headless"]);
        command
            .env("XDG_RUNTIME_DIR", &xdg)
            .env("TMPDIR", home.path(""));
        command.env_remove("FREEPORT_RUNTIME_DIR");
        if !runtime {
            command.env_remove("XDG_RUNTIME_DIR");
        }
        command
    };
    let uid = rustix::process::geteuid().as_raw();
    for (runtime, folder) in [
        (true, xdg.join("freeport")),
        (false, home.path(&format!("freeport-{uid}"))),
    ] {
        let app = Process::start(place(runtime).stderr(Stdio::null()));
        wait_for("the socket", || {
            folder.join("freeport.sock").exists().then_some(())
        });
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        app.signal(rustix::process::Signal::TERM);
        assert_eq!(app.status(), 0);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let home = Home::new();
    fs::create_dir(home.path("closed")).unwrap();
    set_mode(&home.path("closed"), 0o500);
    let line = "app --headless";
    let mut command = if is_root() {
        set_mode(&home.path("closed"), 0o555);
        home.freeport_as(NOBODY, line)
    } else {
        home.freeport(line.split(' '))
    };
    let ran = finish(command.env("FREEPORT_RUNTIME_DIR", home.path("closed/run"))).ends(1);
    assert!(ran.err.contains("closed/run"), "{ran:?}");
    set_mode(&home.path("closed"), 0o700);
}
