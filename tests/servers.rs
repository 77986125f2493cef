//! Real servers, each told apart by name: what developers run is started and looked at.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is wrong"
)]

mod support;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::processes::Process;
use support::{Home, NOBODY, is_root, python, skipped, wait_for};

/// Starts a server, and waits until it accepts connections on `port`.
fn serve(command: &mut Command, port: u16) -> Process {
    let server = Process::start(command.stderr(Stdio::null()));
    wait_for(&format!("{command:?} to listen"), || {
        assert!(!server.has_ended(), "{command:?} has ended");
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    server
}

/// A port that nobody has now.
fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

/// Where a program is, also where Debian keeps servers, and where `scripts/test` puts those of
/// PyPI; says so when it is nowhere.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin"));
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let found = folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        skipped(&format!("there is no {name}"));
    }
    found
}

#[track_caller]
fn assert_service(home: &Home, port: u16, service: &str, pid: u32) {
    let found = home.listener(port);
    assert_eq!(found["owner"]["service"], service, "{found:#}");
    assert_eq!(found["owner"]["pid"], pid, "{found:#}");
}

#[test]
fn python_serves_a_folder() {
    let home = Home::new();
    home.write("site/pyproject.toml", "[project]\nname = \"docs-site\"\n");
    let port = free_port();
    let mut command = home.command(python());
    command.args([
        "-m",
        "http.server",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
    ]);
    let server = serve(command.current_dir(home.path("site")), port);
    assert_service(&home, port, "http.server", server.pid());
    assert_eq!(home.listener(port)["owner"]["project"], "docs-site");
}

#[test]
fn node_runs_a_script() {
    let Some(node) = program("node") else { return };
    let home = Home::new();
    let shop = home.project("shop");
    let script =
        "require('http').createServer((_, r) => r.end('hi')).listen(process.argv[2], '127.0.0.1')";
    home.write("shop/server.js", script);
    let port = free_port();
    let mut command = home.command(node);
    let server = serve(
        command
            .args(["server.js", &port.to_string()])
            .current_dir(shop),
        port,
    );
    assert_service(&home, port, "node server.js", server.pid());
    let owner = home.listener(port)["owner"].clone();
    assert_eq!(
        (owner["name"].as_str(), owner["project"].as_str()),
        (Some("node"), Some("shop"))
    );
}

#[test]
fn uvicorn_runs_an_app() {
    let Some(uvicorn) = program("uvicorn") else {
        return;
    };
    let home = Home::new();
    home.write("app.py", "async def app(scope, receive, send):\n    pass\n");
    let port = free_port();
    let mut command = home.command(uvicorn);
    let server = serve(command.args(["app:app", "--port", &port.to_string()]), port);
    assert_service(&home, port, "uvicorn", server.pid());
}

#[test]
fn flask_runs_an_app() {
    let Some(flask) = program("flask") else {
        return;
    };
    let home = Home::new();
    home.write("app.py", "from flask import Flask\napp = Flask(__name__)\n");
    let port = free_port();
    let mut command = home.command(flask);
    let server = serve(command.args(["run", "--port", &port.to_string()]), port);
    assert_service(&home, port, "flask", server.pid());
}

#[test]
fn nginx_with_four_workers_is_one_listener() {
    let Some(nginx) = program("nginx") else {
        return;
    };
    let home = Home::new();
    let port = free_port();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .join(" ");
    let config = home.write(
        "nginx.conf",
        &format!(
            "daemon off; worker_processes 4; pid nginx.pid; error_log error.log;\nevents {{}}\n\
             http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; }} }}\n"
        ),
    );
    let mut command = home.command(nginx);
    let server = serve(
        command.arg("-p").arg(home.path("")).arg("-c").arg(config),
        port,
    );
    wait_for("four workers", || {
        let workers = home.listener(port)["workers"].as_array().unwrap().len();
        (workers == 4).then_some(())
    });
    assert_service(&home, port, "nginx", server.pid());
}

#[test]
fn redis_keeps_data() {
    let Some(redis) = program("redis-server") else {
        return;
    };
    let home = Home::new();
    let port = free_port();
    let mut command = home.command(redis);
    command.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
    ]);
    let server = serve(&mut command, port);
    assert_service(&home, port, "redis", server.pid());
}

#[test]
fn postgres_keeps_data() {
    let (Some(initdb), Some(postgres)) = (program("initdb"), program("postgres")) else {
        return;
    };
    let home = Home::new();
    let data = home.path("data");
    fs::create_dir(&data).unwrap();
    // It refuses to run as root.
    let by_somebody = |program: &Path| {
        if !is_root() {
            return home.command(program);
        }
        let mut command = home.command("setpriv");
        let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
        command
            .args(ids)
            .arg("--clear-groups")
            .arg(program)
            .current_dir(home.path("data"));
        command
    };
    if is_root() {
        chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut command = by_somebody(&initdb);
    let made = command
        .arg("-D")
        .arg(&data)
        .args(["--no-sync", "-A", "trust", "-U", "me"]);
    let made = made.output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let port = free_port();
    let mut command = by_somebody(&postgres);
    command
        .arg("-D")
        .arg(&data)
        .args(["-h", "127.0.0.1", "-F", "-p", &port.to_string()]);
    let server = serve(command.arg("-k").arg(&data), port);
    assert_service(&home, port, "postgres", server.pid());
}

#[test]
fn java_runs_a_class() {
    let (Some(java), Some(javac)) = (program("java"), program("javac")) else {
        return;
    };
    let home = Home::new();
    let source = "class ShopServer { public static void main(String[] a) throws Exception { \
                  var local = java.net.InetAddress.getByName(\"127.0.0.1\"); \
                  var s = new java.net.ServerSocket(Integer.parseInt(a[0]), 50, local); \
                  while (true) s.accept().close(); } }";
    let source = home.write("ShopServer.java", source);
    assert!(
        home.command(javac)
            .arg("-d")
            .arg(home.path(""))
            .arg(source)
            .status()
            .unwrap()
            .success()
    );
    let port = free_port();
    let mut command = home.command(java);
    let server = serve(
        command.args(["-cp", ".", "ShopServer", &port.to_string()]),
        port,
    );
    assert_service(&home, port, "ShopServer", server.pid());
}

#[test]
fn this_very_test_is_a_server_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let found = Home::new().listener(listener.local_addr().unwrap().port());
    assert_eq!(found["owner"]["pid"], std::process::id());
    assert_eq!(found["owner"]["project"], "freeport");
}
