//! Homes with names that nobody thought of, and commands with the home of another user.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::program;
use crate::support::processes::{Process, Server};
use crate::support::{Home, NOBODY, finish, may_be_others, ports, wait_for};

/// Freeport in a home below the test's own, with all folders where they are without settings.
fn freeport(home: &Home, folder: &Path, program: &Path, words: &[&str]) -> Command {
    let mut command = home.command(program);
    command.args(words).env("HOME", folder).current_dir(folder);
    command.env_remove("XDG_CONFIG_HOME");
    command.env("FREEPORT_RUNTIME_DIR", folder.join("run"));
    command
}

fn walk(name: &str) {
    let home = Home::new();
    let folder = home.path(name);
    fs::create_dir(&folder).unwrap();
    let own = folder.join("bin");
    fs::rename(program(&home).parent().unwrap(), &own).unwrap();
    let program: PathBuf = own.join("freeport");
    let command = |words: &[&str]| freeport(&home, &folder, &program, words);
    let run = |words: &[&str]| finish(&mut command(words));
    let app = Process::start(command(&["app", "--headless"]).stderr(Stdio::null()));
    let status: Value = wait_for("the app", || {
        let ran = run(&["status", "--json"]);
        (ran.code == 0).then(|| ran.json())
    });
    assert_eq!(status["pid"], app.pid());

    // A project with such a name, its server, and its services by a file.
    let project = folder.join("Mein  Läden 店");
    fs::create_dir(&project).unwrap();
    fs::write(project.join("package.json"), r#"{"name": "läden"}"#).unwrap();
    let port = ports::one();
    let manifest = format!("[services.web]\nport = {port}\n");
    fs::write(project.join("freeport.toml"), manifest).unwrap();
    let server = Server::start_in(&project, &home, "");
    let listed = run(&["list", &server.port.to_string(), "--json"])
        .ends(0)
        .json();
    let listed = &listed["listeners"][0];
    assert_eq!(listed["owner"]["pid"], server.pid, "{listed}");
    assert!(listed.to_string().contains("Mein  Läden 店"), "{listed}");
    run(&["why", &server.port.to_string()]).ends(0);
    let mut here = command(&["run", "--service", "web", "--", "sh", "-c", "echo on $PORT"]);
    let ran = finish(here.current_dir(&project)).ends(0);
    assert_eq!(ran.out, format!("on {port}\n"), "{ran:?}");
    run(&["kill", &server.port.to_string()]).ends(0);
    assert!(!server.is_alive());

    // What is kept, copied and brought back.
    let port = ports::one().to_string();
    run(&["claim", &port, "--project", "läden", "--ttl", "1h"]).ends(0);
    let copy = folder.join("Sicherung ü.db");
    run(&["backup", copy.to_str().unwrap()]).ends(0);
    run(&["export", folder.join("ports ü.toml").to_str().unwrap()]).ends(0);
    fs::remove_dir_all(folder.join(".local")).unwrap();
    wait_for("the app to see that it is gone", || {
        run(&["query"]).out.contains("nothing").then_some(())
    });
    run(&["restore", copy.to_str().unwrap()]).ends(0);
    assert!(run(&["query"]).ends(0).out.contains("läden"));
    run(&["import", folder.join("ports ü.toml").to_str().unwrap()]).ends(0);
    assert!(folder.join(".local/share/freeport/freeport.db").is_file());

    run(&["autostart", "enable"]).ends(0);
    let state = run(&["autostart", "status", "--json"]).ends(0).json();
    assert_eq!(state["enabled"], true, "{state}");
    let entry = fs::read_to_string(folder.join(".config/autostart/freeport.desktop")).unwrap();
    assert_eq!(entry.lines().count(), 9, "{entry}");
    for shell in ["bash", "zsh", "fish"] {
        run(&["completions", shell]).ends(0);
    }
    run(&["doctor"]);
    assert!(folder.join("run/portserver.sock").exists());
    app.signal(Signal::TERM);
    assert_eq!(app.status(), 0);
    assert!(
        run(&["query"]).ends(0).out.contains("läden"),
        "without the app, too"
    );
}

#[test]
fn everything_works_in_a_home_with_spaces_quotes_and_letters_of_other_languages() {
    walk("Jörg's  \"Heim\" ü 日本");
}

#[test]
fn everything_works_in_a_home_with_a_line_break() {
    walk("two\nlines $HOME %f");
}

/// Every file below that belongs to root.
fn of_root(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = fs::symlink_metadata(&path).unwrap();
        if about.is_dir() {
            found.extend(of_root(&path));
        }
        if about.uid() == 0 {
            found.push(path);
        }
    }
    found
}

#[test]
fn root_with_the_home_of_a_user_leaves_no_files_there() {
    if !may_be_others("root with the home of a user") {
        return;
    }
    let home = Home::new();
    let folder = home.path("user");
    fs::DirBuilder::new().mode(0o755).create(&folder).unwrap();
    chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    let program = home.program_for_all();
    // As sudo does where it keeps HOME.
    let root = |words: &[&str]| {
        let mut command = freeport(&home, &folder, &program, words);
        finish(command.env("FREEPORT_RUNTIME_DIR", home.path("run-of-root")))
    };
    let nobody = |words: &[&str]| {
        let mut command = home.command("setpriv");
        command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
        command.arg("--clear-groups").arg(&program).args(words);
        command.env("HOME", &folder).env_remove("XDG_CONFIG_HOME");
        finish(command.env("FREEPORT_RUNTIME_DIR", folder.join("run")))
    };
    let (server, port) = (Server::start(&home, ""), ports::one().to_string());
    let all = |there: bool| {
        root(&["list"]).ends(0);
        root(&["list", &server.port.to_string()]).ends(0);
        root(&["why", &server.port.to_string()]).ends(0);
        for words in [
            vec!["reserve", &port, "--project", "shop"],
            vec!["claim", &port, "--ttl", "1h"],
            vec!["config", "set", "stale_threshold", "3m"],
            vec!["autostart", "enable"],
        ] {
            let ran = root(&words);
            assert!(ran.code != 0, "{there} {words:?}: {ran:?}");
            assert!(
                ran.err.contains(&format!("uid {NOBODY}")),
                "{words:?}: {ran:?}"
            );
        }
        let mut app = freeport(&home, &folder, &program, &["app", "--headless"]);
        let ran = finish(&mut app);
        assert!(
            ran.code != 0 && ran.err.contains(&format!("uid {NOBODY}")),
            "{ran:?}"
        );
        assert_eq!(of_root(&folder), [] as [PathBuf; 0]);
    };
    all(false);
    // The user makes their own, and root leaves that alone as well.
    nobody(&["reserve", &port, "--project", "blog"]).ends(0);
    nobody(&["autostart", "enable"]).ends(0);
    let app_folder = folder.join("run");
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&app_folder)
        .unwrap();
    chown(&app_folder, Some(NOBODY), Some(NOBODY)).unwrap();
    all(true);
    assert!(nobody(&["query"]).ends(0).out.contains("blog"));
}
