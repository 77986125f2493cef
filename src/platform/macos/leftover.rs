//! What makes a process look left over, as it is now.

use rustix::process::{Pid, getsid};

use super::facts::{self, is_gone};
use super::{holders, kernel};
use crate::model::ProcessKey;
use crate::model::leftover::Signs;
use crate::platform::macos_formats::terminal;

/// The signs of the process with this identity; `None` when it has ended, or belongs to another
/// user and may not be read.
pub fn leftover_signs(key: ProcessKey) -> Option<Signs> {
    let info = holders::bsd_info(key.pid).filter(|info| facts::key(info) == key)?;
    Some(Signs {
        folder_deleted: kernel::folder(key.pid).is_some_and(|folder| is_gone(&folder)),
        orphaned: terminal::name(info.e_tdev).is_none()
            && info.pbi_ppid == LAUNCHD
            && leader(key.pid).is_some_and(|leader| leader != key.pid && has_ended(leader)),
    })
}

/// The process that adopts what others leave.
const LAUNCHD: u32 = 1;

/// The pid of the process that made the session that `pid` is in.
fn leader(pid: u32) -> Option<u32> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    u32::try_from(getsid(Some(pid)).ok()?.as_raw_pid()).ok()
}

/// Whether the leader of a session has ended. The kernel gives its pid to no other process for as
/// long as the session is there.
fn has_ended(leader: u32) -> bool {
    kernel::short_info(leader).is_none_or(|info| info.pbsi_status == libc::SZOMB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::claimant;

    #[test]
    fn a_test_is_not_left_over() {
        let me = claimant(std::process::id()).unwrap().key;
        assert_eq!(leftover_signs(me), Some(Signs::default()));
        assert!(leader(me.pid).is_some());
        let other = ProcessKey {
            start: me.start + 1,
            ..me
        };
        assert_eq!(leftover_signs(other), None);
    }

    #[test]
    fn a_deleted_folder_is_seen() {
        let folder = std::env::temp_dir().join(format!("freeport-left-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .current_dir(&folder)
            .spawn()
            .unwrap();
        let key = facts::identity(child.id()).unwrap();
        assert_eq!(leftover_signs(key), Some(Signs::default()));
        std::fs::remove_dir(&folder).unwrap();
        assert!(leftover_signs(key).unwrap().folder_deleted);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(leftover_signs(key), None);
    }
}
