//! The folder of one process, `/proc/PID`, held open: what is read through it is of that process,
//! even when its pid has gone to another one meanwhile. One system call a file, as a rule.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, fstat, open, openat, readlinkat};
use rustix::time::{ClockId, clock_gettime};

/// An open `/proc/PID`.
pub(super) struct ProcPid(OwnedFd);

/// What Freeport reads of `/proc/PID/stat` (proc(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// What the process calls itself, cut off after 15 bytes by the kernel.
    pub(super) comm: String,
    /// One letter: `Z` when it has ended and nobody has waited for it.
    state: u8,
    /// The pid of its parent; 0 for none.
    pub(super) ppid: u32,
    /// The pid of the process that made the session that it is in; 0 for one outside of the pid
    /// namespace.
    pub(super) session: u32,
    /// The device number of its terminal; 0 for none.
    pub(super) tty_nr: i32,
    /// How many threads it has.
    threads: i64,
    /// When it started, in clock ticks since boot.
    pub(super) starttime: u64,
}

impl ProcPid {
    /// Opens the folder of the process that has `pid` now; `None` when there is none.
    pub(super) fn open(pid: u32) -> Option<ProcPid> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(format!("/proc/{pid}"), flags, Mode::empty())
            .ok()
            .map(ProcPid)
    }

    /// The start of a file, as much as fits. The kernel gives these files out in one piece.
    pub(super) fn read<'a>(&self, file: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        read_at(&self.0, file, buffer)
    }

    /// The target of a link, and whether the kernel says that it was deleted.
    pub(super) fn link(&self, name: &str) -> Option<(PathBuf, bool)> {
        let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
        let target = readlinkat(&self.0, name, Vec::new()).ok()?;
        let target = target.as_bytes();
        match target.strip_suffix(b" (deleted)") {
            Some(before) if !path(target).exists() => Some((path(before), true)),
            _ => Some((path(target), false)),
        }
    }

    /// What `stat` says.
    pub(super) fn stat(&self) -> Option<Stat> {
        let mut buffer = [0; 1024];
        Stat::parse(self.read("stat", &mut buffer)?)
    }

    /// What `stat` says, read when no other process can have the same pid and start time any more.
    ///
    /// A start time is a whole clock tick, 10 ms, and where pids are few, one can be given out twice
    /// within it. What has started in a tick that is over is alone with its pid and that tick for good:
    /// this waits for as long.
    pub(super) fn settled_stat(&self) -> Option<Stat> {
        loop {
            // In this order: it is there when the tick is over.
            let (now, rest) = tick();
            let stat = self.stat()?;
            if stat.starttime < now {
                return Some(stat);
            }
            std::thread::sleep(rest);
        }
    }

    /// The user that the process acts as. It is who owns the folder itself, unlike the files in
    /// it, which are root's when the process may not be dumped (`task_dump_owner` in
    /// fs/proc/base.c).
    pub(super) fn effective_uid(&self) -> Option<u32> {
        fstat(&self.0).ok().map(|stat| stat.st_uid)
    }
}

impl Stat {
    /// What `/proc/PID/stat` says of the process that has `pid` now.
    pub(super) fn of(pid: u32) -> Option<Stat> {
        let mut buffer = [0; 1024];
        Stat::parse(read_at(CWD, &format!("/proc/{pid}/stat"), &mut buffer)?)
    }

    /// What it says of the process that one of its folders, such as `fd`, is of; `None` when that is
    /// gone, whoever has its pid now.
    pub(super) fn beside(folder: impl AsFd) -> Option<Stat> {
        let mut buffer = [0; 1024];
        Stat::parse(read_at(folder, "../stat", &mut buffer)?)
    }

    /// Whether it has ended and is only kept for its parent to ask about. A process whose first
    /// thread alone has ended has the same letter, and goes on with the others.
    pub(super) fn has_ended(&self) -> bool {
        match self.state {
            b'X' | b'x' => true,
            b'Z' => self.threads <= 1,
            _ => false,
        }
    }

    fn parse(bytes: &[u8]) -> Option<Stat> {
        // What the process calls itself may have spaces, brackets and newlines in it.
        let start = bytes.iter().position(|&byte| byte == b'(')? + 1;
        let end = bytes.iter().rposition(|&byte| byte == b')')?;
        let comm = String::from_utf8_lossy(bytes.get(start..end)?).into_owned();
        let rest = std::str::from_utf8(bytes.get(end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Stat {
            comm,
            state: *fields.next()?.as_bytes().first()?,
            ppid: fields.next()?.parse().ok()?,
            session: fields.nth(1)?.parse().ok()?,
            tty_nr: fields.next()?.parse().ok()?,
            threads: fields.nth(12)?.parse().ok()?,
            starttime: fields.nth(1)?.parse().ok()?,
        })
    }
}

/// The clock tick of now, counted as [`Stat::starttime`] is, and how long it goes on.
fn tick() -> (u64, Duration) {
    let since = clock_gettime(ClockId::Boottime);
    let nanoseconds = since.tv_sec.unsigned_abs() * 1_000_000_000 + since.tv_nsec.unsigned_abs();
    let length = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    let gone = nanoseconds % length;
    (nanoseconds / length, Duration::from_nanos(length - gone))
}

fn read_at<'a>(folder: impl AsFd, file: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let file = openat(
        folder,
        file,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .ok()?;
    let length = rustix::io::read(&file, &mut *buffer).ok()?;
    buffer.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let line =
            b"42 (a) S 1 (b\xff) R 7 42 41 34816 42 4194304 1 2 3 4 5 6 7 8 20 0 3 0 9000 1 2\n";
        let expected = Stat {
            comm: "a) S 1 (b\u{fffd}".to_owned(),
            state: b'R',
            ppid: 7,
            session: 41,
            tty_nr: 34816,
            threads: 3,
            starttime: 9000,
        };
        assert_eq!(Stat::parse(line), Some(expected));
        for cut in 0..line.len() - 8 {
            assert_eq!(Stat::parse(&line[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn an_end_is_told_from_the_end_of_the_first_thread() {
        for (state, threads, ended) in [
            ('S', 1, false),
            ('T', 1, false),
            ('Z', 1, true),
            ('Z', 0, true),
            ('Z', 2, false),
            ('X', 1, true),
        ] {
            let line = format!(
                "42 (a) {state} 7 42 42 0 -1 0 1 2 3 4 5 6 7 8 20 0 {threads} 0 9000 1 2\n"
            );
            let stat = Stat::parse(line.as_bytes()).unwrap();
            assert_eq!(stat.has_ended(), ended, "{state} {threads}");
            assert_eq!(stat.starttime, 9000);
        }
    }

    #[test]
    fn a_process_is_settled_when_its_tick_is_over() {
        for _ in 0..20 {
            let mut child = std::process::Command::new("sleep")
                .arg("60")
                .spawn()
                .unwrap();
            let folder = ProcPid::open(child.id()).unwrap();
            let at_once = folder.stat().unwrap().starttime;
            let settled = folder.settled_stat().unwrap().starttime;
            assert_eq!(at_once, settled);
            assert!(settled < tick().0);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(folder.settled_stat(), None, "it is gone");
        }
    }

    #[test]
    fn a_folder_of_a_process_stays_its_own() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let path = format!("/proc/{}/fd", child.id());
        let folder = open(&path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let beside = Stat::beside(&folder).unwrap();
        assert_eq!(beside.starttime, Stat::of(child.id()).unwrap().starttime);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(Stat::beside(&folder), None);
    }

    #[test]
    fn this_process_is_read_the_same_by_folder_and_by_pid() {
        let me = std::process::id();
        let folder = ProcPid::open(me).unwrap();
        let stat = folder.stat().unwrap();
        assert_eq!(Stat::of(me).as_ref(), Some(&stat));
        assert_eq!(stat.ppid, std::os::unix::process::parent_id());
        assert_eq!(
            folder.effective_uid(),
            Some(rustix::process::geteuid().as_raw())
        );
    }
}
