//! Sockets that are let go of at the very moment in which a child becomes another program.
//!
//! A port is free when nobody has its socket any more. A child has a copy of it from its fork until
//! it executes (close-on-exec); so where its parent closes its own between the two, the port is held
//! until there is no instruction left between the kernel closing it and the program that is to bind
//! it. The child says when it is there, and waits until the parent has done so.
//!
//! For systems on which nobody can be let in beside a socket.
#![allow(
    unsafe_code,
    reason = "a child may only make system calls before it executes; each block says why it holds"
)]

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd, write};
use rustix::pipe::pipe;

/// How long a child may take to come, and the answer to it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where the next child says that it is there, and where it is answered; below zero while nothing is
/// to be let go of.
static CALL: AtomicI32 = AtomicI32::new(-1);
static ANSWER: AtomicI32 = AtomicI32::new(-1);

/// What is let go of next.
static LEAVING: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Lets go of sockets, which have to be close-on-exec, when the next child executes; without a child
/// after half a second. They are let go of at once where that cannot be done.
pub(in crate::platform) fn let_go(sockets: Vec<OwnedFd>) -> io::Result<()> {
    let mut leaving = LEAVING.lock().unwrap_or_else(PoisonError::into_inner);
    if CALL.load(Ordering::SeqCst) >= 0 {
        leaving.extend(sockets);
        return Ok(());
    }
    let (called, call) = pipe()?;
    let (answer, answered) = pipe()?;
    for end in [&called, &call, &answer, &answered] {
        fcntl_setfd(end, FdFlags::CLOEXEC)?;
    }
    let numbers = (call.as_raw_fd(), answer.as_raw_fd());
    let wait = move || {
        wait_for_call(&called);
        finish();
        // There is room for a byte.
        let _ = write(&answered, &[0]);
        drop((call, answer));
    };
    let thread = std::thread::Builder::new().name("hand-over".into());
    leaving.extend(sockets);
    match thread.stack_size(64 * 1024).spawn(wait) {
        Ok(_) => {
            ANSWER.store(numbers.1, Ordering::SeqCst);
            CALL.store(numbers.0, Ordering::SeqCst);
            Ok(())
        }
        Err(error) => {
            leaving.clear();
            Err(error)
        }
    }
}

fn wait_for_call(called: &OwnedFd) {
    let mut ready = [PollFd::new(called, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: 0,
        tv_nsec: PATIENCE.subsec_nanos().into(),
    };
    // Whatever it tells, they are let go of.
    let _ = rustix::io::retry_on_intr(|| poll(&mut ready, Some(&patience)));
}

/// Closes them all. A child that comes later finds nothing to wait for.
fn finish() {
    let mut leaving = LEAVING.lock().unwrap_or_else(PoisonError::into_inner);
    CALL.store(-1, Ordering::SeqCst);
    leaving.clear();
}

/// What a child calls right before it executes: returns when nobody but the child has the sockets.
/// Makes system calls only.
pub(in crate::platform) fn ask() {
    let (call, answer) = (CALL.load(Ordering::SeqCst), ANSWER.load(Ordering::SeqCst));
    if call < 0 {
        return;
    }
    let mut ready = libc::pollfd {
        fd: answer,
        events: libc::POLLIN,
        revents: 0,
    };
    let patience = PATIENCE.subsec_millis().cast_signed();
    // SAFETY: the byte and the struct are there for as long as the calls take. Both descriptors were
    // open when this process was forked, and nothing has closed its copies.
    unsafe {
        libc::write(call, [0u8].as_ptr().cast(), 1);
        libc::poll(&raw mut ready, 1, patience);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

    use super::*;

    fn bound(port: u16) -> rustix::io::Result<(OwnedFd, u16)> {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let at = SocketAddr::try_from(getsockname(&socket)?).unwrap();
        Ok((socket, at.port()))
    }

    fn is_free(port: u16) -> bool {
        bound(port).is_ok()
    }

    /// Tells the program that this test starts, which is itself, what to bind.
    const PORTS: &str = "FREEPORT_TEST_PORTS";
    const TEST: &str = "a_port_is_free_when_the_child_executes_and_not_before";

    /// Whether a program that is started binds these ports. That they are held right before it is
    /// executed is looked at in the child.
    fn binds(ports: &[u16]) -> bool {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let name = format!("platform::at_exec::tests::{TEST}");
        let told: Vec<String> = ports.iter().map(u16::to_string).collect();
        command.args(["--exact", &name]).env(PORTS, told.join(","));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let first = ports[0];
        let check = move || {
            ask();
            match bound(first) {
                Ok(_) => Err(io::Error::other("the port was free before the program ran")),
                Err(_) => Ok(()),
            }
        };
        // SAFETY: it makes system calls only, but where the test fails.
        unsafe { command.pre_exec(check) };
        command.status().unwrap().success()
    }

    /// One test, as there is one hand-over in a process.
    #[test]
    fn a_port_is_free_when_the_child_executes_and_not_before() {
        if let Ok(ports) = std::env::var(PORTS) {
            let taken = ports
                .split(',')
                .find(|port| !is_free(port.parse().unwrap()));
            assert_eq!(taken, None);
            return;
        }
        for _ in 0..20 {
            let ((one, first), (other, second)) = (bound(0).unwrap(), bound(0).unwrap());
            let_go(vec![one]).unwrap();
            let_go(vec![other]).unwrap();
            assert!(!is_free(first) && !is_free(second));
            assert!(binds(&[first, second]));
        }

        let (socket, port) = bound(0).unwrap();
        let_go(vec![socket]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_free(port) {
            assert!(Instant::now() < deadline, "no child came, and it is held");
            std::thread::yield_now();
        }
        // Nothing is to be let go of: a child does not wait.
        let (socket, port) = bound(0).unwrap();
        assert!(!binds(&[port]), "it is this process's");
        drop(socket);
    }
}
