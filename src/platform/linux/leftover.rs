//! What makes a process look left over, as it is now.

use rustix::process::{Pid, test_kill_process};

use super::proc_pid::{ProcPid, Stat};
use crate::model::ProcessKey;
use crate::model::leftover::Signs;

/// The signs of the process with this identity; `None` when it has ended.
pub fn leftover_signs(key: ProcessKey) -> Option<Signs> {
    let folder = ProcPid::open(key.pid)?;
    let stat = folder
        .stat()
        .filter(|stat| stat.starttime == key.start && !stat.has_ended())?;
    Some(Signs {
        folder_deleted: folder.link("cwd").is_some_and(|(_, deleted)| deleted),
        orphaned: is_orphaned(key.pid, &stat),
    })
}

fn is_orphaned(pid: u32, stat: &Stat) -> bool {
    stat.tty_nr == 0
        // A leader outside of the pid namespace cannot be seen.
        && stat.session != 0
        && stat.session != pid
        && is_of_the_system(stat.ppid)
        && is_gone(stat.session)
}

/// Whether the process adopts what others leave: init, or the user's service manager.
fn is_of_the_system(pid: u32) -> bool {
    pid == 1 || Stat::of(pid).is_some_and(|stat| stat.comm == "systemd")
}

/// Whether the leader of a session has ended. The kernel gives its pid to no other process for as
/// long as the session has members.
fn is_gone(leader: u32) -> bool {
    match Stat::of(leader) {
        Some(stat) => stat.has_ended(),
        // It may be there and be hidden (`hidepid`).
        None => i32::try_from(leader)
            .ok()
            .and_then(Pid::from_raw)
            .is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::platform::linux::facts::identity;
    use crate::platform::{ProcessHandle, Signal};

    /// A process that is killed at the end, whoever's child it is.
    struct Server(ProcessKey);
    impl Drop for Server {
        fn drop(&mut self) {
            let _ = ProcessHandle::open(self.0).map(|handle| handle.signal(Signal::Kill));
        }
    }

    /// Runs a line of the shell as a session of its own. The line says the pid of what it started.
    fn session(line: &str) -> (Child, Server) {
        let mut shell = Command::new("setsid")
            .args(["sh", "-c", line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(shell.stdout.take().unwrap())
            .read_line(&mut pid)
            .unwrap();
        let key = identity(pid.trim().parse().unwrap()).unwrap().0;
        (shell, Server(key))
    }

    fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !holds() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    }

    fn parent(server: &Server) -> u32 {
        identity(server.0.pid).unwrap().1
    }

    #[test]
    fn what_outlives_its_session_is_orphaned() {
        let (mut shell, server) = session("sleep 60 >/dev/null & echo $!; read line");
        let signs = || leftover_signs(server.0).unwrap();
        assert_eq!(signs(), Signs::default(), "its shell is there");
        drop(shell.stdin.take());
        let shell_pid = shell.id();
        wait_for("it has another parent", || parent(&server) != shell_pid);
        // Its shell has ended, whether that was waited for or not.
        let adopted = is_of_the_system(parent(&server));
        assert_eq!(signs().orphaned, adopted);
        shell.wait().unwrap();
        assert_eq!(signs().orphaned, adopted);
        assert_eq!(
            leftover_signs(ProcessKey {
                start: server.0.start + 1,
                ..server.0
            }),
            None
        );
    }

    #[test]
    fn what_lost_its_parent_but_not_its_session_is_not() {
        let (mut shell, server) = session("(sleep 60 >/dev/null & echo $!); read line");
        let shell_pid = shell.id();
        wait_for("it has another parent", || {
            let parent = parent(&server);
            parent != shell_pid && identity(parent).is_some_and(|(_, above)| above != shell_pid)
        });
        assert_eq!(leftover_signs(server.0), Some(Signs::default()));
        drop(shell.stdin.take());
        shell.wait().unwrap();
        let adopted = is_of_the_system(parent(&server));
        assert_eq!(leftover_signs(server.0).unwrap().orphaned, adopted);
    }

    #[test]
    fn a_daemon_with_a_session_of_its_own_is_not() {
        let (mut shell, server) = session("setsid sleep 60 >/dev/null & echo $!");
        shell.wait().unwrap();
        wait_for("it leads its session", || {
            Stat::of(server.0.pid).is_some_and(|stat| stat.session == server.0.pid)
        });
        assert_eq!(leftover_signs(server.0), Some(Signs::default()));
    }

    #[test]
    fn a_deleted_folder_is_seen_and_an_ended_process_has_no_signs() {
        let folder = std::env::temp_dir().join(format!("freeport-left-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .current_dir(&folder)
            .spawn()
            .unwrap();
        let key = identity(child.id()).unwrap().0;
        assert_eq!(leftover_signs(key), Some(Signs::default()));
        std::fs::remove_dir(&folder).unwrap();
        assert!(leftover_signs(key).unwrap().folder_deleted);
        child.kill().unwrap();
        wait_for("it has ended", || leftover_signs(key).is_none());
        child.wait().unwrap();
        assert_eq!(leftover_signs(key), None);
    }
}
