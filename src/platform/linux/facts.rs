//! What is known of a process, read from `/proc/PID`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

use super::proc_pid::{ProcPid, Stat};
use crate::model::container::{EngineKind, inside};
use crate::model::service;
use crate::model::{Ancestor, Process, ProcessKey, Project, Timestamp};

/// How much of a command line is read: they can be megabytes.
const COMMAND_LIMIT: usize = 4096;
/// How much of a parent's command line is kept.
const PARENT_COMMAND_LIMIT: usize = 256;
/// How many parents are followed.
const DEPTH_LIMIT: usize = 64;

/// Reads facts of processes, each once for as long as it is asked for by [`Facts::keep`].
#[derive(Default)]
pub(super) struct Facts {
    processes: HashMap<ProcessKey, Arc<Process>>,
    // Of the look that is made now.
    lineages: HashMap<u32, Arc<[Ancestor]>>,
    projects: HashMap<PathBuf, Option<Arc<Project>>>,
}

/// The identity of the process that has `pid` now, and its parent's pid.
pub(super) fn identity(pid: u32) -> Option<(ProcessKey, u32)> {
    let stat = Stat::of(pid)?;
    let start = stat.starttime;
    Some((ProcessKey { pid, start }, stat.ppid))
}

impl Facts {
    /// The facts of the process that has `pid` now; `None` when it is gone. Waits for a moment where
    /// another one could still get the same identity: what is shown, and killed later, is this one.
    pub(super) fn of(&mut self, pid: u32) -> Option<Arc<Process>> {
        let folder = ProcPid::open(pid)?;
        let stat = folder.settled_stat()?;
        let start = stat.starttime;
        let key = ProcessKey { pid, start };
        if let Some(known) = self.processes.get(&key) {
            return Some(Arc::clone(known));
        }
        let process = Arc::new(self.read(key, &folder, &stat));
        self.processes.insert(key, Arc::clone(&process));
        Some(process)
    }

    /// Forgets everything but the processes for which `keep` holds.
    pub(super) fn keep(&mut self, keep: impl Fn(&ProcessKey) -> bool) {
        self.processes.retain(|key, _| keep(key));
    }

    /// Forgets the processes for which `forget` holds, so that they are read again.
    pub(super) fn forget(&mut self, forget: impl Fn(&ProcessKey) -> bool) {
        self.keep(|key| !forget(key));
    }

    /// Ends a look: parents and projects may be others at the next one.
    pub(super) fn end_look(&mut self) {
        self.lineages.clear();
        self.projects.clear();
    }

    fn read(&mut self, key: ProcessKey, folder: &ProcPid, stat: &Stat) -> Process {
        let args = arguments(folder);
        let exe = folder.link("exe").map(|(path, _)| path);
        let (cwd, cwd_deleted) = folder
            .link("cwd")
            .map_or((None, false), |(path, deleted)| (Some(path), deleted));
        let name = name_of(&stat.comm, exe.as_deref());
        let service = service::identify(&name, &args);
        let parents = self.lineage(stat.ppid);
        let direct = parents
            .first()
            .is_some_and(|parent| parent.pid == 1 || parent.name == "systemd");
        Process {
            key,
            command: command_of(&args, &stat.comm),
            project: cwd
                .as_deref()
                .filter(|_| !cwd_deleted)
                .and_then(|cwd| self.project(cwd)),
            exe,
            cwd,
            cwd_deleted,
            uid: folder.effective_uid().unwrap_or(u32::MAX),
            started_at: started_at(stat.starttime),
            terminal: terminal(stat.tty_nr),
            unit: if direct { unit(folder) } else { None },
            container: container(folder, &parents),
            parents,
            name,
            service: service.name,
            kind: service.kind,
        }
    }

    fn project(&mut self, cwd: &Path) -> Option<Arc<Project>> {
        if let Some(known) = self.projects.get(cwd) {
            return known.clone();
        }
        let found = super::reach::project_of(cwd).map(Arc::new);
        self.projects.insert(cwd.to_owned(), found.clone());
        found
    }

    /// The process `pid` and its parents, nearest first, up to init.
    pub(super) fn lineage(&mut self, pid: u32) -> Arc<[Ancestor]> {
        if let Some(known) = self.lineages.get(&pid) {
            return Arc::clone(known);
        }
        let mut chain = Vec::new();
        let mut next = pid;
        while next != 0 && chain.len() < DEPTH_LIMIT {
            if let Some(known) = self.lineages.get(&next) {
                chain.extend(known.iter().cloned());
                break;
            }
            let Some((folder, stat)) = ProcPid::open(next).and_then(|f| f.stat().map(|s| (f, s)))
            else {
                break;
            };
            let exe = folder.link("exe").map(|(path, _)| path);
            let mut command = command_of(&arguments(&folder), &stat.comm);
            command.truncate(command.floor_char_boundary(PARENT_COMMAND_LIMIT));
            chain.push(Ancestor {
                pid: next,
                name: name_of(&stat.comm, exe.as_deref()),
                command,
            });
            next = stat.ppid;
        }
        let chain: Arc<[Ancestor]> = chain.into();
        self.lineages.insert(pid, Arc::clone(&chain));
        chain
    }
}

/// The program's name: what it calls itself, unless that is cut off or is a thread's name.
pub(super) fn name_of(comm: &str, exe: Option<&Path>) -> String {
    let file = exe
        .and_then(|exe| exe.file_name())
        .map(|name| name.to_string_lossy());
    match file {
        // Node names its main thread so.
        Some(file) if matches!(comm, "MainThread" | "node-MainThread" | "") => file.into_owned(),
        // The kernel keeps 15 bytes.
        Some(file) if comm.len() >= 15 && file.starts_with(comm) => file.into_owned(),
        _ => comm.to_owned(),
    }
}

fn command_of(args: &[String], comm: &str) -> String {
    if args.is_empty() {
        format!("[{comm}]")
    } else {
        args.join(" ")
    }
}

fn arguments(folder: &ProcPid) -> Vec<String> {
    let mut buffer = [0; COMMAND_LIMIT];
    let mut bytes = folder.read("cmdline", &mut buffer).unwrap_or_default();
    while let Some(rest) = bytes.strip_suffix(&[0]) {
        bytes = rest;
    }
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes
        .split(|&byte| byte == 0)
        .map(|word| String::from_utf8_lossy(word).trim_end().to_owned())
        .collect()
}

fn started_at(ticks: u64) -> Timestamp {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let started = Duration::from_millis(ticks.saturating_mul(1000) / per_second);
    Timestamp(booted_at() + started)
}

/// When the system was booted, by the wall clock. Two clocks cannot be read at one time, so the
/// first result is kept for as long as the wall clock is not set: the same process has started at
/// the same time, however often it is read.
fn booted_at() -> SystemTime {
    static BOOTED: Mutex<Option<SystemTime>> = Mutex::new(None);
    const SET: Duration = Duration::from_millis(500);
    let since = clock_gettime(ClockId::Boottime);
    let nanoseconds = u32::try_from(since.tv_nsec).unwrap_or(0);
    let up = Duration::new(since.tv_sec.unsigned_abs(), nanoseconds);
    let now = SystemTime::now()
        .checked_sub(up)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let mut booted = BOOTED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_near = |kept: &SystemTime| {
        let apart = now
            .duration_since(*kept)
            .or_else(|_| kept.duration_since(now));
        apart.is_ok_and(|apart| apart < SET)
    };
    let kept = booted.filter(is_near).unwrap_or(now);
    *booted = Some(kept);
    kept
}

/// The name of a terminal by its device number (proc(5), `tty_nr`).
fn terminal(tty_nr: i32) -> Option<String> {
    let number = tty_nr.cast_unsigned();
    let major = number >> 8 & 0xfff;
    let minor = number & 0xff | number >> 12 & 0xfff00;
    match major {
        0 => None,
        4 if minor < 64 => Some(format!("tty{minor}")),
        4 => Some(format!("ttyS{}", minor - 64)),
        136..=143 => Some(format!("pts/{}", minor + (major - 136) * 256)),
        _ => Some(format!("{major}:{minor}")),
    }
}

/// The systemd service that the process is in.
fn unit(folder: &ProcPid) -> Option<String> {
    let mut buffer = [0; 4096];
    let text = std::str::from_utf8(folder.read("cgroup", &mut buffer)?).ok()?;
    let path = text.lines().find_map(|line| {
        line.strip_prefix("0::")
            .or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path))
    })?;
    let last = path.rsplit('/').next()?;
    (last.ends_with(".service") && !last.starts_with("user@")).then(|| last.to_owned())
}

/// The container that the process is in. Read only where a parent keeps one.
fn container(folder: &ProcPid, parents: &[Ancestor]) -> Option<(EngineKind, Arc<str>)> {
    if !inside::may_be(parents) {
        return None;
    }
    let mut buffer = [0; 4096];
    let bytes = folder.read("cgroup", &mut buffer).unwrap_or_default();
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let (engine, id) = inside::container(text, parents)?;
    Some((engine, id.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_named() {
        assert_eq!(terminal(0), None);
        assert_eq!(terminal(136 << 8 | 3).as_deref(), Some("pts/3"));
        assert_eq!(terminal(137 << 8 | 3).as_deref(), Some("pts/259"));
        assert_eq!(terminal(4 << 8 | 1).as_deref(), Some("tty1"));
        assert_eq!(terminal(4 << 8 | 64).as_deref(), Some("ttyS0"));
    }

    #[test]
    fn the_facts_of_this_process() {
        let mut facts = Facts::default();
        let me = facts.of(std::process::id()).unwrap();
        assert_eq!(me.cwd, std::env::current_dir().ok());
        assert_eq!(me.exe, std::env::current_exe().ok());
        assert_eq!(me.uid, rustix::process::geteuid().as_raw());
        assert_eq!(
            me.project.as_ref().map(|p| p.name.as_str()),
            Some("freeport")
        );
        assert_eq!(
            me.parents.first().map(|p| p.pid),
            Some(std::os::unix::process::parent_id())
        );
        assert!(me.started_at.age(Timestamp(SystemTime::now())) < Duration::from_secs(3600));
        assert!(
            Arc::ptr_eq(&me, &facts.of(std::process::id()).unwrap()),
            "read once"
        );
    }

    #[test]
    fn a_name_that_is_cut_off_is_taken_from_the_file() {
        let exe = Path::new("/usr/lib/gnome-remote-desktop-daemon");
        assert_eq!(
            name_of("gnome-remote-de", Some(exe)),
            "gnome-remote-desktop-daemon"
        );
        assert_eq!(
            name_of("MainThread", Some(Path::new("/usr/bin/node"))),
            "node"
        );
        assert_eq!(
            name_of("python3", Some(Path::new("/usr/bin/python3.11"))),
            "python3"
        );
        assert_eq!(name_of("MainThread", None), "MainThread");
    }
}
