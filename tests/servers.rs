//! Real servers, each told apart by name: what developers run is started and looked at.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests speak and stop"
)]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder =
            std::env::temp_dir().join(format!("freeport-servers-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server that is ended at the end.
struct Server(Child);

impl Server {
    /// Starts it, and waits until it accepts connections on `port`.
    fn start(command: &mut Command, port: u16) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{command:?} ended with {status} before it listened");
            }
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Server(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Servers with workers end them on SIGTERM; on SIGKILL they could not.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The first of these programs that there is.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin"));
    folders.extend(
        fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|version| version.path().join("bin")),
    );
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

fn skip(what: &str) {
    eprintln!("SKIPPED: {what} is not installed");
}

/// The listeners on `port`, as a user of the same id sees them.
fn list(port: u16) -> Vec<serde_json::Value> {
    let folder = Folder::new(&format!("list-{port}"));
    let output = Command::new(env!("CARGO_BIN_EXE_freeport"))
        .args(["list", &port.to_string(), "--json"])
        .env("FREEPORT_RUNTIME_DIR", folder.0.join("run"))
        .output()
        .unwrap();
    let listing: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    listing["listeners"].as_array().unwrap().clone()
}

#[track_caller]
fn assert_service(port: u16, service: &str, pid: Option<u32>) {
    let found = list(port);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["owner"]["service"], service, "{found:?}");
    if let Some(pid) = pid {
        assert_eq!(found[0]["owner"]["pid"], pid, "{found:?}");
    }
}

#[test]
fn python() {
    let Some(python) = program(&["python3"]) else {
        return skip("python3");
    };
    let folder = Folder::new("python");
    folder.write("pyproject.toml", "[project]\nname = \"docs-site\"\n");
    let port = free_port();
    let server = Server::start(
        Command::new(python)
            .args([
                "-m",
                "http.server",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
            ])
            .current_dir(&folder.0),
        port,
    );
    assert_service(port, "http.server", Some(server.0.id()));
    assert_eq!(list(port)[0]["owner"]["project"], "docs-site");
}

#[test]
fn node() {
    let Some(node) = program(&["node"]) else {
        return skip("node");
    };
    let folder = Folder::new("node");
    folder.write("package.json", r#"{"name": "shop"}"#);
    folder.write(
        "server.js",
        "require('http').createServer((_, r) => r.end('hi')).listen(process.argv[2], '127.0.0.1')",
    );
    let port = free_port();
    let server = Server::start(
        Command::new(node)
            .args(["server.js", &port.to_string()])
            .current_dir(&folder.0),
        port,
    );
    assert_service(port, "node server.js", Some(server.0.id()));
    assert_eq!(list(port)[0]["owner"]["name"], "node");
    assert_eq!(list(port)[0]["owner"]["project"], "shop");
}

#[test]
fn uvicorn() {
    let Some(uvicorn) = program(&["uvicorn"]) else {
        return skip("uvicorn");
    };
    let folder = Folder::new("uvicorn");
    folder.write(
        "app.py",
        "async def app(scope, receive, send):\n    if scope['type'] == 'http':\n        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n        await send({'type': 'http.response.body', 'body': b'hi'})\n",
    );
    let port = free_port();
    let server = Server::start(
        Command::new(uvicorn)
            .args(["app:app", "--port", &port.to_string()])
            .current_dir(&folder.0),
        port,
    );
    assert_service(port, "uvicorn", Some(server.0.id()));
}

#[test]
fn flask() {
    let Some(flask) = program(&["flask"]) else {
        return skip("flask");
    };
    let folder = Folder::new("flask");
    folder.write("app.py", "from flask import Flask\napp = Flask(__name__)\n");
    let port = free_port();
    let _server = Server::start(
        Command::new(flask)
            .args(["run", "--port", &port.to_string()])
            .current_dir(&folder.0),
        port,
    );
    assert_service(port, "flask", None);
}

#[test]
fn nginx_with_four_workers_is_one_listener() {
    let Some(nginx) = program(&["nginx"]) else {
        return skip("nginx");
    };
    let folder = Folder::new("nginx");
    let port = free_port();
    let config = format!(
        "daemon off; worker_processes 4; pid {0}/pid; error_log {0}/error.log;\nevents {{}}\nhttp {{ access_log off; client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c; uwsgi_temp_path {0}/d; scgi_temp_path {0}/e; server {{ listen 127.0.0.1:{port}; }} }}\n",
        folder.0.display()
    );
    let config = folder.write("nginx.conf", &config);
    let server = Server::start(
        Command::new(nginx)
            .arg("-p")
            .arg(&folder.0)
            .arg("-c")
            .arg(config),
        port,
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    while list(port)[0]["workers"].as_array().unwrap().len() < 4 {
        assert!(Instant::now() < deadline, "{:?}", list(port));
    }
    assert_service(port, "nginx", Some(server.0.id()));
}

#[test]
fn redis() {
    let Some(redis) = program(&["redis-server"]) else {
        return skip("redis-server");
    };
    let folder = Folder::new("redis");
    let port = free_port();
    let mut command = Command::new(redis);
    command
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ])
        .current_dir(&folder.0);
    let server = Server::start(&mut command, port);
    assert_service(port, "redis", Some(server.0.id()));
}

#[test]
fn postgres() {
    let (Some(initdb), Some(postgres)) = (program(&["initdb"]), program(&["postgres"])) else {
        return skip("postgres");
    };
    let folder = Folder::new("postgres");
    let data = folder.0.join("data");
    fs::create_dir(&data).unwrap();
    // It refuses to run as root.
    let as_somebody = |program: &Path| {
        if !rustix::process::geteuid().is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program)
            .env("HOME", "/nonexistent");
        command
    };
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&folder.0, Some(65534), Some(65534)).unwrap();
        std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
    }
    let made = as_somebody(&initdb)
        .arg("-D")
        .arg(&data)
        .args(["--no-sync", "-A", "trust", "-U", "me"])
        .current_dir(&folder.0)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let port = free_port();
    let mut command = as_somebody(&postgres);
    command
        .arg("-D")
        .arg(&data)
        .args(["-h", "127.0.0.1", "-F", "-p", &port.to_string(), "-k"])
        .arg(&data)
        .current_dir(&folder.0);
    let server = Server::start(&mut command, port);
    assert_service(port, "postgres", Some(server.0.id()));
}

#[test]
fn java() {
    let (Some(java), Some(javac)) = (program(&["java"]), program(&["javac"])) else {
        return skip("a JDK");
    };
    let folder = Folder::new("java");
    let source = folder.write(
        "ShopServer.java",
        "class ShopServer { public static void main(String[] a) throws Exception { var s = new java.net.ServerSocket(Integer.parseInt(a[0]), 50, java.net.InetAddress.getByName(\"127.0.0.1\")); while (true) s.accept().close(); } }",
    );
    assert!(
        Command::new(javac)
            .arg("-d")
            .arg(&folder.0)
            .arg(source)
            .status()
            .unwrap()
            .success()
    );
    let port = free_port();
    let mut command = Command::new(java);
    command
        .arg("-cp")
        .arg(&folder.0)
        .args(["ShopServer", &port.to_string()]);
    let server = Server::start(&mut command, port);
    assert_service(port, "ShopServer", Some(server.0.id()));
}

#[test]
fn rust_of_this_very_test() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let found = list(listener.local_addr().unwrap().port());
    assert_eq!(found[0]["owner"]["pid"], std::process::id());
    assert_eq!(found[0]["owner"]["project"], "freeport");
}
