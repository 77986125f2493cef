//! A real engine of the test's own, Podman or Docker: its API on a socket, its storage in the test's home,
//! and an image made from nothing but one program. No registry is asked for anything.
//!
//! It runs in namespaces of its own: in a network of its own nothing of this machine changes, and from
//! the files version 2 of control groups is taken away where it is only there beside version 1 (crun(1)
//! refuses that mixture). Freeport is run in that network.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::support::processes::Process;
use crate::support::{Home, Ran, finish, may_be_others, skipped, there_is, wait_for};

const PREPARE: &str = r#"
mountpoint -q /sys/fs/cgroup/unified && umount -l /sys/fs/cgroup/unified
ip link set lo up
exec "$@"
"#;

/// The limits of who runs the tests may be lower than those that an engine gives a container.
const FILES: u32 = 1024;
const PROCESSES: u32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Podman,
    Docker,
}

impl Kind {
    fn programs(self) -> &'static [&'static str] {
        match self {
            Kind::Podman => &["podman", "crun", "conmon", "slirp4netns"],
            Kind::Docker => &["docker", "dockerd", "docker-proxy", "containerd", "runc"],
        }
    }

    /// How a container gets a network that publishes ports.
    pub fn network(self) -> &'static str {
        match self {
            Kind::Podman => "slirp4netns",
            Kind::Docker => "bridge",
        }
    }
}

pub struct Machine<'a> {
    pub kind: Kind,
    home: &'a Home,
    service: Process,
}

impl Machine<'_> {
    /// Starts one with an image; says why where that cannot be.
    pub fn start(home: &Home, kind: Kind) -> Option<Machine<'_>> {
        let programs = ["unshare", "nsenter", "ip", "rustc"].iter();
        let mut needed = programs.chain(kind.programs());
        let real = format!("a real {kind:?}");
        if !may_be_others(&real) || !needed.all(|program| there_is(program)) {
            return None;
        }
        std::fs::create_dir_all(home.path("image")).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/containers/server.rs");
        let options = "--edition 2024 -C target-feature=+crt-static -C opt-level=1 -o";
        let mut compiler = Command::new("rustc");
        compiler.args(options.split(' '));
        let compiled = finish(compiler.arg(home.path("image/server")).arg(source));
        if compiled.code != 0 {
            let why = compiled.err;
            skipped(&format!(
                "no program can be made that needs no libraries: {why}"
            ));
            return None;
        }
        let image = home.path("image.tar");
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(home.path("image")).arg("-cf");
        finish(tar.arg(&image).arg("server")).ends(0);
        let service = serve(home, kind)?;
        let machine = Machine {
            kind,
            home,
            service,
        };
        let image = image.display().to_string();
        let import = ["import", "-c", "ENTRYPOINT [\"/server\"]", &image, "made:1"];
        machine.command(&import).ends(0);
        // What a machine does not allow shows at the first container.
        let tried = machine.run("run --rm --network none made:1 end");
        if tried.code != 7 {
            skipped(&format!("{kind:?} runs no container here: {}", tried.err));
            return None;
        }
        Some(machine)
    }

    /// Runs a command of the engine; its words are separated by spaces.
    pub fn run(&self, line: &str) -> Ran {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        self.command(&words)
    }

    fn command(&self, words: &[&str]) -> Ran {
        let address = address(self.home);
        let mut command = match self.kind {
            Kind::Podman => {
                let mut command = Command::new("podman");
                command.args(["--remote", "--url", &address]);
                command
            }
            Kind::Docker => {
                let mut command = Command::new("docker");
                command.args(["--host", &address]);
                command
            }
        };
        finish(command.args(words))
    }

    /// Freeport in the network of the engine, which is that of the user.
    pub fn freeport(&self, line: &str) -> Command {
        let freeport = self.home.freeport(line.split_ascii_whitespace());
        let mut command = self.home.command("nsenter");
        command.args(["--net", "--target", &self.service.pid().to_string(), "--"]);
        command
            .arg(freeport.get_program())
            .args(freeport.get_args());
        let variable = match self.kind {
            Kind::Podman => "CONTAINER_HOST",
            Kind::Docker => "DOCKER_HOST",
        };
        command.env(variable, address(self.home));
        command
    }

    /// Whether a container runs.
    pub fn runs(&self, name: &str) -> bool {
        let shown = self.run(&format!("inspect --format {{{{.State.Running}}}} {name}"));
        shown.ends(0).out.trim() == "true"
    }

    /// Stops the service where it is, so that it answers nobody.
    pub fn freeze(&self) {
        self.service.signal(rustix::process::Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.service.signal(rustix::process::Signal::CONT);
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        self.thaw();
        if self.kind == Kind::Podman {
            let _ = self.run("pod rm --all --force --time 0");
        }
        let all = self.run("ps --all --quiet --no-trunc").out;
        for id in all.split_ascii_whitespace() {
            let _ = self.run(&format!("rm --force {id}"));
        }
        self.service.signal(rustix::process::Signal::TERM);
        self.service.status();
    }
}

fn address(home: &Home) -> String {
    format!("unix://{}", home.path("real.sock").display())
}

/// Starts the service of the engine; nothing where it does not come up.
fn serve(home: &Home, kind: Kind) -> Option<Process> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "sh", "-c", PREPARE, "sh"]);
    let below =
        |option: &str, below: &str| -> [OsString; 2] { [option.into(), home.path(below).into()] };
    match kind {
        Kind::Podman => {
            let limits = format!(
                "[containers]\ndefault_ulimits = [\"nofile={FILES}:{FILES}\", \"nproc={PROCESSES}:{PROCESSES}\"]\n"
            );
            command.env("CONTAINERS_CONF", home.write("containers.conf", &limits));
            command.arg("podman").args(below("--root", "storage"));
            command
                .args(below("--runroot", "state"))
                .args(below("--tmpdir", "temporary"));
            let options = "--storage-driver vfs --cgroup-manager cgroupfs --events-backend file system service --time=0";
            command.args(options.split(' ')).arg(address(home));
        }
        Kind::Docker => {
            command.arg("dockerd").args(below("--data-root", "storage"));
            command
                .args(below("--exec-root", "state"))
                .args(below("--pidfile", "pid"));
            command.args(["--host", &address(home)]);
            let options = "--storage-driver vfs --iptables=false --ip-masq=false --exec-opt native.cgroupdriver=cgroupfs";
            command.args(options.split(' '));
            command.arg(format!("--default-ulimit=nofile={FILES}:{FILES}"));
            command.arg(format!("--default-ulimit=nproc={PROCESSES}:{PROCESSES}"));
        }
    }
    let log = std::fs::File::create(home.path("engine.log")).unwrap();
    let service = Process::start(command.stderr(Stdio::from(log)));
    let socket = home.path("real.sock");
    let answers = || std::os::unix::net::UnixStream::connect(&socket).is_ok();
    let up = wait_for("the engine to listen", || match service.has_ended() {
        true => Some(false),
        false => answers().then_some(true),
    });
    if !up {
        let log = std::fs::read_to_string(home.path("engine.log")).unwrap_or_default();
        skipped(&format!("{kind:?} does not start here: {log}"));
    }
    up.then_some(service)
}
