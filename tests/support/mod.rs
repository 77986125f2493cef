//! What the black-box tests share: the real program in a home of its own, and what came of a run.
//!
//! `processes` has the servers that the tests look for and end, `agent` a process that can be told what
//! to do, `app` the running app, `honest` a client of it, `holds` ports that are held, `ports` free ports,
//! `page` the documentation.
//! Nothing here sleeps for a fixed time: what takes time is looked at until a deadline that only a hang
//! reaches.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test file uses a part of it, and a test that cannot go on fails"
)]

pub mod agent;
pub mod app;
pub mod holds;
pub mod honest;
pub mod page;
pub mod ports;
pub mod processes;

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Only something that hangs takes as long.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The user that has nothing.
pub const NOBODY: u32 = 65534;

/// Says that a test, or a part of it, cannot run here. Written so that the test runner shows it
/// for tests that pass, too.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Whether the tests may become other users, mount, and make networks.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether `program` can be run; says so when it cannot.
pub fn there_is(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    if !found {
        skipped(&format!("there is no {program}"));
    }
    found
}

/// Whether this is root; says so when it is not.
pub fn may_be_others(what: &str) -> bool {
    if !is_root() {
        skipped(&format!("{what} needs root"));
    }
    is_root()
}

/// Looks until there is something; `what` is told when there never is.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A file of `tests/support`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/support")
        .join(name)
}

/// The Python itself, not a shim in front of it.
pub fn python() -> &'static OsStr {
    static PYTHON: OnceLock<OsString> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let ask = ["-c", "import sys; print(sys.executable)"];
        let found = Command::new("python3").args(ask).output();
        let found = found.expect("python3 is needed by the tests").stdout;
        String::from_utf8(found).unwrap().trim().into()
    })
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// The exit status; 128 and the signal where one ended it.
    pub code: i32,
    /// The standard output.
    pub out: String,
    /// The standard error.
    pub err: String,
}

impl Ran {
    /// The output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The run, when it ended with this status.
    #[track_caller]
    pub fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// Runs a command to its end, and reads all that it prints.
pub fn finish(command: &mut Command) -> Ran {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err, code) = collect(child, &format!("{command:?}"));
    let text = |bytes| String::from_utf8(bytes).expect("output is always UTF-8");
    let ran = Ran {
        code,
        out: text(out),
        err: text(err),
    };
    assert!(!ran.err.contains("panicked"), "{ran:#?}");
    ran
}

fn collect(mut child: Child, what: &str) -> (Vec<u8>, Vec<u8>, i32) {
    fn read(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.read_to_end(&mut bytes);
            bytes
        })
    }
    let out = read(child.stdout.take().unwrap());
    let err = read(child.stderr.take().unwrap());
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("{what} hangs");
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    (out.join().unwrap(), err.join().unwrap(), code.unwrap())
}

/// A home folder with everything that Freeport keeps, removed at the end.
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// An empty home.
    pub fn new() -> Home {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("freeport-test-{}-{number}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            match std::fs::DirBuilder::new().mode(0o755).create(&folder) {
                // A test that was killed has left it, and had the pid that this one has now.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => {
                    made.unwrap();
                    return Home { folder };
                }
            }
        }
    }

    /// A path in it.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, below: &str, text: &str) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A project that has its name from a manifest; gives its folder.
    pub fn project(&self, name: &str) -> PathBuf {
        self.write(
            &format!("{name}/package.json"),
            &format!(r#"{{"name": "{name}"}}"#),
        );
        self.path(name)
    }

    /// Where the app's socket and lock are.
    pub fn runtime(&self) -> PathBuf {
        self.path("run")
    }

    /// Another program with this home.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        let kept = ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"];
        command.envs(
            kept.iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        command
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("HOME", &self.folder)
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("FREEPORT_RUNTIME_DIR", self.runtime())
            .current_dir(&self.folder);
        command
    }

    /// Freeport with this home.
    pub fn freeport<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_freeport"));
        command.args(args);
        command
    }

    /// Runs Freeport to its end; the words of `line` are its arguments.
    pub fn run(&self, line: &str) -> Ran {
        finish(&mut self.freeport(line.split_ascii_whitespace()))
    }

    /// Freeport as another user, with the same home.
    pub fn freeport_as(&self, uid: u32, line: &str) -> Command {
        let program = self.program_for_all();
        let mut command = self.command("setpriv");
        command
            .args([format!("--reuid={uid}"), format!("--regid={uid}")])
            .arg("--clear-groups")
            .arg(program)
            .args(line.split_ascii_whitespace());
        command
    }

    /// The program at a place where every user may run it.
    pub fn program_for_all(&self) -> PathBuf {
        let program = Path::new(env!("CARGO_BIN_EXE_freeport"));
        let passes = |folder: &Path| {
            std::fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 1 == 1)
        };
        if program.ancestors().all(passes) {
            return program.to_owned();
        }
        let copy = self.path("freeport");
        if !copy.exists() && std::fs::hard_link(program, &copy).is_err() {
            std::fs::copy(program, &copy).unwrap();
        }
        copy
    }

    /// What `list` says of a port as JSON: all its listeners.
    pub fn listeners(&self, port: u16) -> Vec<Value> {
        let ran = self.run(&format!("list {port} --json"));
        assert!(ran.code == 0 || ran.code == 3, "{ran:#?}");
        ran.json()["listeners"].as_array().unwrap().clone()
    }

    /// What `list` says of a port that has one listener.
    #[track_caller]
    pub fn listener(&self, port: u16) -> Value {
        let mut all = self.listeners(port);
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    /// Runs Freeport on a terminal with so many columns.
    pub fn on_terminal(&self, columns: u16, answer: &str, line: &str) -> Command {
        let mut command = self.command(python());
        command
            .arg(fixture("terminal.py"))
            .args([&columns.to_string(), answer])
            .arg(env!("CARGO_BIN_EXE_freeport"))
            .args(line.split_ascii_whitespace());
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
