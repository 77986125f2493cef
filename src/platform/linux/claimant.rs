//! What is told of a process that asks for something: who it is and where it runs, read quickly.

use super::facts::name_of;
use super::proc_pid::ProcPid;
use crate::model::ProcessKey;
use crate::platform::Claimant;

/// The process that has `pid` now; `None` when there is none, or it has ended.
pub fn claimant(pid: u32) -> Option<Claimant> {
    let folder = ProcPid::open(pid)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{is_alive, limits, project};

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
