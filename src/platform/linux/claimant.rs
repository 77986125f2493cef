//! What is told of a process that asks for something: who it is and where it runs, read quickly.

use super::facts::name_of;
use super::proc_pid::ProcPid;
use crate::model::ProcessKey;
use crate::platform::Claimant;

/// The process that has `pid` now; `None` when there is none, or it has ended.
pub fn claimant(pid: u32) -> Option<Claimant> {
    let folder = ProcPid::open(pid)?;
    // A thread can be looked at like a process, and is none.
    if !leads_its_group(&folder, pid)? {
        return None;
    }
    let stat = folder.stat().filter(|stat| !stat.has_ended())?;
    let start = stat.starttime;
    let exe = folder.link("exe").map(|(path, _)| path);
    let cwd = folder.link("cwd");
    Some(Claimant {
        key: ProcessKey { pid, start },
        uid: folder.effective_uid()?,
        name: name_of(&stat.comm, exe.as_deref()),
        cwd: cwd.and_then(|(path, deleted)| (!deleted).then_some(path)),
    })
}

/// Whether `pid` is the number of a process, and not that of one of its other threads.
fn leads_its_group(folder: &ProcPid, pid: u32) -> Option<bool> {
    let mut buffer = [0; 512];
    let text = folder.read("status", &mut buffer)?;
    let mut lines = text.split(|&byte| byte == b'\n');
    let group = lines.find_map(|line| line.strip_prefix(b"Tgid:"))?;
    Some(group.trim_ascii() == pid.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{is_alive, limits, project};

    #[test]
    fn a_thread_is_no_process() {
        let tids = std::fs::read_dir("/proc/self/task").unwrap();
        let tids = tids.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let other = tids
            .filter_map(|tid| tid.parse().ok())
            .find(|&tid: &u32| tid != std::process::id());
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || held.recv().is_ok());
        assert!(claimant(other.unwrap()).is_none());
        drop(hold);
        thread.join().unwrap();
    }

    #[test]
    fn this_process_is_known_with_its_project() {
        let me = claimant(std::process::id()).unwrap();
        assert!(is_alive(me.key));
        assert_eq!(me.key.pid, std::process::id());
        assert_eq!(me.uid, limits::user_id());
        assert_eq!(me.cwd, std::env::current_dir().ok());
        let exe = std::env::current_exe().unwrap();
        assert_eq!(me.name, exe.file_name().unwrap().to_str().unwrap());
        let project = project::of(&me.cwd.unwrap());
        assert_eq!(project.unwrap().name, "freeport");
    }

    #[test]
    fn one_that_has_ended_asks_for_nothing() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let key = claimant(child.id()).unwrap().key;
        child.kill().unwrap();
        while is_alive(key) {
            std::thread::yield_now();
        }
        assert_eq!(claimant(child.id()), None, "not waited for");
        child.wait().unwrap();
        assert_eq!(claimant(0), None);
    }
}
