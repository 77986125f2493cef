//! Which processes have a socket open: the search through `/proc/PID/fd`.
//!
//! The kernel keeps no index from socket to process. Reading the links of every descriptor of
//! every process is the most expensive thing that Freeport does, so it looks only for sockets that
//! it does not know, at the likeliest processes first, and at all of them only as a last resort.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{CWD, Mode, OFlags, RawDir, open, openat, readlinkat_raw};

use super::proc_pid::Stat;
use crate::model::{ProcessKey, SocketId};

/// For each socket that was looked for and found, the processes that have it, in the order found.
pub(super) type Found = HashMap<SocketId, Vec<ProcessKey>>;

/// The pids of all processes that are visible, newest first as far as pids tell.
pub(super) fn pids() -> Vec<u32> {
    let Ok(proc) = open(
        "/proc",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    ) else {
        return Vec::new();
    };
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(proc, &mut buffer);
    let mut pids = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        pids.extend(number(entry.file_name().to_bytes()).and_then(|pid| u32::try_from(pid).ok()));
    }
    pids.sort_unstable_by(|a, b| b.cmp(a));
    pids
}

/// Adds the process that has `pid` to `found` for each of the `wanted` sockets (sorted) that it has open.
/// A process that may not be read, or is gone, has none.
pub(super) fn search(pid: u32, wanted: &[SocketId], found: &mut Found) {
    let mut path = [0; 24];
    let path = fd_folder(pid, &mut path);
    let Ok(folder) = openat(
        CWD,
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    ) else {
        return;
    };
    let mut owner = None;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let mut target = [MaybeUninit::<u8>::uninit(); 40];
        let Ok((target, _)) = readlinkat_raw(&folder, entry.file_name(), &mut target) else {
            continue;
        };
        let Some(id) = socket_of(target) else {
            continue;
        };
        if wanted.binary_search(&id).is_ok() {
            // By the folder, which stays this process's: its pid may be another's by now.
            let read = || Stat::beside(&folder).map(|stat| stat.starttime);
            let Some(start) = owner.or_else(read) else {
                return;
            };
            owner = Some(start);
            let key = ProcessKey { pid, start };
            let holders = found.entry(id).or_default();
            if holders.last() != Some(&key) {
                holders.push(key);
            }
        }
    }
}

/// Searches all of `pids`, on as many threads as help.
pub(super) fn search_all(pids: &[u32], wanted: &[SocketId]) -> Found {
    const BATCH: usize = 16;
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(4)
        .min(pids.len().div_ceil(4 * BATCH).max(1));
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Found::new());
    let work = || {
        let mut found = Found::new();
        loop {
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(batch) = pids
                .get(start..pids.len().min(start + BATCH))
                .filter(|batch| !batch.is_empty())
            else {
                break;
            };
            batch
                .iter()
                .for_each(|&pid| search(pid, wanted, &mut found));
        }
        let mut all = all
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (id, holders) in found {
            all.entry(id).or_default().extend(holders);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where no thread can be started, this one does all the work.
            if std::thread::Builder::new()
                .stack_size(64 * 1024)
                .spawn_scoped(scope, work)
                .is_err()
            {
                break;
            }
        }
        work();
    });
    all.into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Whether the process has any of these sockets (sorted) open now.
pub(super) fn has_any(pid: u32, sockets: &[SocketId]) -> bool {
    let mut found = Found::new();
    search(pid, sockets, &mut found);
    !found.is_empty()
}

/// The children of `pid`, of all its threads.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        if let Ok(text) = std::fs::read_to_string(task.path().join("children")) {
            children.extend(
                text.split_ascii_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    children
}

/// `/proc/PID/fd`, without an allocation.
fn fd_folder(pid: u32, buffer: &mut [u8; 24]) -> &[u8] {
    use std::io::Write as _;
    let size = buffer.len();
    let mut rest = &mut buffer[..];
    // The longest pid has ten digits, so that it fits.
    let _ = write!(rest, "/proc/{pid}/fd");
    let written = size - rest.len();
    &buffer[..written]
}

/// The number in `socket:[12345]`.
fn socket_of(target: &[u8]) -> Option<SocketId> {
    number(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?).map(SocketId)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    fn inode(socket: &impl AsRawFd) -> SocketId {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        socket_of(link.to_str().unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn finds_its_own_socket_by_both_searches() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let id = inode(&listener);
        let me = std::process::id();
        assert!(has_any(me, &[id]));
        let start = Stat::of(me).unwrap().starttime;
        let key = ProcessKey { pid: me, start };
        assert!(search_all(&pids(), &[id])[&id].contains(&key));
        drop(listener);
        assert!(!has_any(me, &[id]));
    }

    #[test]
    fn pids_are_newest_first_and_include_this_one() {
        let pids = pids();
        assert!(pids.is_sorted_by(|a, b| a > b) && pids.contains(&std::process::id()));
    }

    #[test]
    fn links_that_are_no_sockets_are_passed_over() {
        for link in [
            "pipe:[1]",
            "socket:[]",
            "socket:[x]",
            "socket:[1",
            "/tmp/socket:[1]",
            "socket:[99999999999999999999]",
        ] {
            assert_eq!(socket_of(link.as_bytes()), None, "{link}");
        }
    }
}
