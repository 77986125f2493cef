//! What is known of a process, read from libproc and sysctl.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use libproc::bsd_info::BSDInfo;
use libproc::proc_pid::pidpath;

use super::{holders, kernel};
use crate::model::service::{self, Kind};
use crate::model::{Ancestor, Process, ProcessKey, Project, Timestamp};
use crate::platform::macos_formats::{arguments::arguments, program, terminal};
use crate::platform::project;

/// How much of a command line is read: they can be a megabyte.
const COMMAND_LIMIT: usize = 4096;
/// How much of a parent's command line is kept.
const PARENT_COMMAND_LIMIT: usize = 256;
/// How many parents are followed.
const DEPTH_LIMIT: usize = 64;

/// Reads facts of processes, each once for as long as it is asked for by [`Facts::keep`].
#[derive(Default)]
pub(super) struct Facts {
    processes: HashMap<ProcessKey, Arc<Process>>,
    lineages: HashMap<u32, Arc<[Ancestor]>>,
    projects: HashMap<PathBuf, Option<Arc<Project>>>,
}

/// The identity of the process that has `pid` now. `None` when it has ended, or may not be read:
/// who may not read it may not signal it either.
pub(super) fn identity(pid: u32) -> Option<ProcessKey> {
    holders::bsd_info(pid).map(|info| key(&info))
}

/// The pid of the parent of the process that has `pid` now, whoever it belongs to.
pub(super) fn parent(pid: u32) -> Option<u32> {
    kernel::short_info(pid).map(|info| info.pbsi_ppid)
}

/// The start time is in microseconds since 1970.
pub(super) fn key(info: &BSDInfo) -> ProcessKey {
    let seconds = info.pbi_start_tvsec.saturating_mul(1_000_000);
    ProcessKey {
        pid: info.pbi_pid,
        start: seconds.saturating_add(info.pbi_start_tvusec),
    }
}

impl Facts {
    /// The facts of the process that has `pid` now; `None` when it is gone.
    pub(super) fn of(&mut self, pid: u32) -> Option<Arc<Process>> {
        let info = holders::bsd_info(pid)?;
        let key = key(&info);
        if let Some(known) = self.processes.get(&key) {
            return Some(Arc::clone(known));
        }
        let process = Arc::new(self.read(key, &info));
        self.processes.insert(key, Arc::clone(&process));
        Some(process)
    }

    /// Forgets everything but the processes for which `keep` holds, and what hangs on them.
    pub(super) fn keep(&mut self, keep: impl Fn(&ProcessKey) -> bool) {
        self.processes.retain(|key, _| keep(key));
        self.lineages.clear();
        self.projects.clear();
    }

    /// Forgets the processes for which `forget` holds, so that they are read again.
    pub(super) fn forget(&mut self, forget: impl Fn(&ProcessKey) -> bool) {
        self.keep(|key| !forget(key));
    }

    fn read(&mut self, key: ProcessKey, info: &BSDInfo) -> Process {
        let args = arguments_of(key.pid);
        let exe = exe(key.pid);
        let name = program::name(&kernel_name(info), exe.as_deref());
        let service = service::identify(&name, &args);
        let kind = match (service.kind, &exe) {
            (Kind::Unknown, Some(exe)) => program::kind_by_place(exe),
            (kind, _) => kind,
        };
        let cwd = kernel::folder(key.pid);
        let cwd_deleted = cwd.as_deref().is_some_and(is_gone);
        Process {
            key,
            command: command_of(&args, &name),
            project: cwd
                .as_deref()
                .filter(|_| !cwd_deleted)
                .and_then(|cwd| self.project(cwd)),
            exe,
            cwd,
            cwd_deleted,
            uid: info.pbi_uid,
            started_at: Timestamp(SystemTime::UNIX_EPOCH + Duration::from_micros(key.start)),
            terminal: terminal::name(info.e_tdev),
            unit: None,
            container: None,
            parents: self.lineage(info.pbi_ppid),
            name,
            service: service.name,
            kind,
        }
    }

    fn project(&mut self, cwd: &Path) -> Option<Arc<Project>> {
        if let Some(known) = self.projects.get(cwd) {
            return known.clone();
        }
        let found = project::of(cwd).map(Arc::new);
        self.projects.insert(cwd.to_owned(), found.clone());
        found
    }

    /// The process `pid` and its parents, nearest first, up to launchd.
    pub(super) fn lineage(&mut self, pid: u32) -> Arc<[Ancestor]> {
        let mut chain = Vec::new();
        let mut next = pid;
        while next != 0 && chain.len() < DEPTH_LIMIT {
            if let Some(known) = self.lineages.get(&next) {
                chain.extend(known.iter().cloned());
                break;
            }
            let Some(info) = kernel::short_info(next) else {
                break;
            };
            let comm = kernel::text(&info.pbsi_comm);
            let name = program::name(&String::from_utf8_lossy(&comm), exe(next).as_deref());
            let mut command = command_of(&arguments_of(next), &name);
            command.truncate(command.floor_char_boundary(PARENT_COMMAND_LIMIT));
            chain.push(Ancestor {
                pid: next,
                name,
                command,
            });
            next = info.pbsi_ppid;
        }
        let chain: Arc<[Ancestor]> = chain.into();
        self.lineages.insert(pid, Arc::clone(&chain));
        chain
    }
}

/// Its arguments. None of processes of other users.
fn arguments_of(pid: u32) -> Vec<String> {
    kernel::process_arguments(pid)
        .map(|bytes| arguments(&bytes, COMMAND_LIMIT))
        .unwrap_or_default()
}

/// Its file; of processes of other users, too.
fn exe(pid: u32) -> Option<PathBuf> {
    pidpath(i32::try_from(pid).ok()?).ok().map(PathBuf::from)
}

/// The name of its program.
pub(super) fn name_of(info: &BSDInfo) -> String {
    program::name(&kernel_name(info), exe(info.pbi_pid).as_deref())
}

/// The longer of the names that the kernel keeps.
fn kernel_name(info: &BSDInfo) -> String {
    let long = kernel::text(&info.pbi_name);
    let name = if long.is_empty() {
        kernel::text(&info.pbi_comm)
    } else {
        long
    };
    String::from_utf8_lossy(&name).into_owned()
}

fn command_of(args: &[String], name: &str) -> String {
    if args.is_empty() {
        format!("[{name}]")
    } else {
        args.join(" ")
    }
}

/// Whether there is no such folder any more.
pub(super) fn is_gone(folder: &Path) -> bool {
    matches!(
        std::fs::symlink_metadata(folder),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_this_process() {
        let mut facts = Facts::default();
        let me = facts.of(std::process::id()).unwrap();
        assert_eq!(Some(me.key), identity(std::process::id()));
        assert_eq!(me.cwd, std::env::current_dir().ok());
        assert_eq!(me.exe, std::env::current_exe().ok());
        assert_eq!(me.uid, crate::platform::limits::user_id());
        assert_eq!(
            me.project.as_ref().map(|p| p.name.as_str()),
            Some("freeport")
        );
        let parent_id = std::os::unix::process::parent_id();
        assert_eq!(me.parents.first().map(|p| p.pid), Some(parent_id));
        assert_eq!(me.parents.last().map(|p| p.pid), Some(1));
        assert_eq!(parent(std::process::id()), Some(parent_id));
        let args: Vec<String> = std::env::args().collect();
        assert_eq!(me.command, args.join(" "));
        assert!(me.started_at.age(Timestamp(SystemTime::now())) < Duration::from_secs(3600));
        assert!(
            Arc::ptr_eq(&me, &facts.of(std::process::id()).unwrap()),
            "read once"
        );
    }
}
