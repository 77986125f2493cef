//! What is removed under the running app: its socket, its folders, its program.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use super::program;
use crate::support::app::App;
use crate::support::{Home, finish, ports, wait_for};

fn answers(home: &Home, app: &App) {
    wait_for("the app to be reached again", || {
        assert!(!app.process.has_ended(), "{}", App::log(home));
        let ran = home.run("status --json");
        (ran.code == 0 && ran.json()["pid"] == app.pid()).then_some(())
    });
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.runtime()), 0o700);
    assert_eq!(mode(home.runtime().join("freeport.sock")), 0o600);
    // One app, whatever happened.
    home.run("app --headless").ends(5);
}

fn gives_ports(home: &Home) -> bool {
    use std::io::{Read as _, Write as _};
    let socket = home.runtime().join("portserver.sock");
    let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket) else {
        return false;
    };
    let asked = format!("{}\n", std::process::id());
    stream.write_all(asked.as_bytes()).unwrap();
    let mut port = String::new();
    stream.read_to_string(&mut port).unwrap();
    port.trim().parse::<u16>().is_ok()
}

#[test]
fn sockets_and_folders_that_are_removed_are_made_again() {
    let home = Home::new();
    let app = App::start(&home);
    let port = ports::one();
    home.run(&format!("reserve {port} --project shop --hold"))
        .ends(0);
    std::fs::remove_file(home.runtime().join("freeport.sock")).unwrap();
    // Meanwhile commands work by themselves, and know what was reserved.
    assert!(home.run("query").ends(0).out.contains("shop"));
    answers(&home, &app);
    assert!(gives_ports(&home));
    std::fs::remove_file(home.runtime().join("portserver.sock")).unwrap();
    wait_for("the portserver", || gives_ports(&home).then_some(()));
    for _ in 0..2 {
        std::fs::remove_dir_all(home.runtime()).unwrap();
        answers(&home, &app);
    }
    wait_for("the portserver", || gives_ports(&home).then_some(()));
    // The data folder: what was in it is gone, and new ones are kept again.
    std::fs::remove_dir_all(home.path(".local")).unwrap();
    wait_for("the app to see it", || {
        home.run("query").out.contains("nothing").then_some(())
    });
    wait_for("the port to be given back", || {
        TcpListener::bind(("127.0.0.1", port)).ok()
    });
    home.run(&format!("reserve {port} --project blog")).ends(0);
    assert_eq!(app.end(Signal::TERM), 0, "{}", App::log(&home));
    assert!(!home.runtime().join("freeport.sock").exists());
    assert!(!home.runtime().join("portserver.sock").exists());
    assert!(home.run("query").ends(0).out.contains("blog"));
}

#[test]
fn an_app_in_whose_place_another_was_started_ends() {
    let home = Home::new();
    let old = App::start(&home);
    // It is stopped, so that the other one is there first.
    old.process.signal(Signal::STOP);
    std::fs::remove_dir_all(home.runtime()).unwrap();
    let new = App::start(&home);
    old.process.signal(Signal::CONT);
    assert_eq!(old.process.status(), 0, "{}", App::log(&home));
    let log = App::log(&home);
    assert!(
        log.contains(&format!("another freeport (pid {})", new.pid())),
        "{log}"
    );
    answers(&home, &new);
    assert_eq!(new.end(Signal::TERM), 0);
}

#[test]
fn an_app_whose_program_and_folders_are_removed_ends_and_holds_no_port() {
    let home = Home::new();
    let program = program(&home);
    let app = App::start_by(&home, home.command(&program).args(["app", "--headless"]));
    let port = ports::one();
    let held = port.to_string();
    let words = ["reserve", &held, "--project", "shop", "--hold"];
    finish(home.command(&program).args(words)).ends(0);
    assert!(TcpListener::bind(("127.0.0.1", port)).is_err());
    std::fs::remove_file(&program).unwrap();
    assert_eq!(app.process.status(), 0, "{}", App::log(&home));
    let log = App::log(&home);
    assert!(log.contains("bin/freeport any more"), "{log}");
    TcpListener::bind(("127.0.0.1", port)).unwrap();
    assert!(!home.runtime().join("freeport.sock").exists());
}
