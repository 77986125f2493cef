//! The kernel's side of the seam: trapped calls are received, and answered (seccomp_unotify(2)).

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use libc::{seccomp_data, seccomp_notif, seccomp_notif_resp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A trapped call.
pub(super) struct Request {
    /// Its number, by which it is answered.
    pub(super) id: u64,
    /// The thread that made it; 0 where that has no number here.
    pub(super) tid: u32,
    /// What it called.
    pub(super) data: seccomp_data,
}

/// How a call is answered.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// It did what it was asked.
    Done,
    /// It failed with this errno.
    Failed(i32),
    /// The kernel is to do it.
    PassOn,
}

/// Room for what the kernel writes, aligned for it. Later kernels may write more than is known here.
const ROOM: usize = 32;

/// An answer, and zeros for what later kernels may read.
#[repr(C)]
struct Padded {
    answer: seccomp_notif_resp,
    _rest: [u64; ROOM],
}

/// The next call, if one waits.
pub(super) fn receive(listener: &OwnedFd) -> io::Result<Option<Request>> {
    let mut ready = [PollFd::new(listener, PollFlags::IN)];
    if poll(&mut ready, Some(&Timespec::default()))? == 0
        || !ready[0].revents().contains(PollFlags::IN)
    {
        return Ok(None);
    }
    const { assert!(size_of::<seccomp_notif>() <= ROOM * size_of::<u64>()) };
    // The kernel wants it to be zero.
    let mut room = [0_u64; ROOM];
    let to = room.as_mut_ptr();
    // SAFETY: the kernel writes one struct, and there is room for more than that.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, to) };
    if done != 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            // Who called is gone, or the wait for it was disturbed.
            Some(libc::ENOENT | libc::EINTR) => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: the kernel has written the struct there, and it consists of numbers only.
    let request = unsafe { to.cast::<seccomp_notif>().read() };
    Ok(Some(Request {
        id: request.id,
        tid: request.pid,
        data: request.data,
    }))
}

/// Whether who called still waits for the answer: what is known by its number is its own then.
pub(super) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads the eight bytes of `id`.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
            &raw const id,
        ) == 0
    }
}

/// Answers a call; false when who called does not wait any more.
pub(super) fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> bool {
    let answer = Padded {
        answer: seccomp_notif_resp {
            id,
            val: 0,
            error: match answer {
                Answer::Failed(errno) => -errno,
                Answer::Done | Answer::PassOn => 0,
            },
            flags: match answer {
                Answer::PassOn => libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
                Answer::Done | Answer::Failed(_) => 0,
            },
        },
        _rest: [0; ROOM],
    };
    // SAFETY: the kernel reads one struct, and there are zeros behind it should its own be longer.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw const answer,
        ) == 0
    }
}
