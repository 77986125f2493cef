//! What is told of a process that asks for something: who it is and where it runs, read quickly.

use super::facts::{self, is_gone};
use super::{holders, kernel};
use crate::platform::Claimant;

/// The process that has `pid` now; `None` when there is none, it has ended, or it belongs to
/// another user and may not be read.
pub fn claimant(pid: u32) -> Option<Claimant> {
    let info = holders::bsd_info(pid)?;
    Some(Claimant {
        key: facts::key(&info),
        uid: info.pbi_uid,
        name: facts::name_of(&info),
        cwd: kernel::folder(pid).filter(|folder| !is_gone(folder)),
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
        assert_eq!(claimant(0), None);
    }
}
