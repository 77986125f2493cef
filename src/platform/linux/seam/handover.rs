//! How the filter gets upon a program that is started, and its listener to who starts it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};

use libc::{c_ulong, sock_filter};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::{Seam, filter};

/// In the child: puts the filter upon itself and gives the listener away.
pub(in crate::platform) struct Giver {
    program: Vec<sock_filter>,
    flags: &'static [c_ulong],
    socket: OwnedFd,
}

/// In the parent: takes the listener.
pub(in crate::platform) struct Taker {
    socket: OwnedFd,
}

/// Both ends; that of the child has a descriptor of at least this number.
pub(in crate::platform) fn pair(lowest: i32) -> io::Result<(Giver, Taker)> {
    if !Seam::is_supported() {
        return Err(io::Error::other("this system cannot tell of calls"));
    }
    let (taken, given) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let giver = Giver {
        program: filter::program(),
        flags: &filter::FLAGS,
        socket: fcntl_dupfd_cloexec(given, lowest)?,
    };
    Ok((giver, Taker { socket: taken }))
}

impl Giver {
    /// Puts the filter upon this process, or tells why not. Calls nothing that must not be called
    /// between fork and exec.
    pub(in crate::platform) fn give(&mut self) {
        let installed = filter::install(&mut self.program, self.flags);
        let errno = match &installed {
            Ok(_) => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EINVAL),
        };
        let bytes = errno.to_ne_bytes();
        let descriptors = installed.as_ref().map(|listener| [listener.as_fd()]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if let Ok(descriptors) = &descriptors {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let slices = [IoSlice::new(&bytes)];
        // Where nobody takes it, the parent is gone, and this process is about to be.
        let _ = sendmsg(&self.socket, &slices, &mut control, SendFlags::NOSIGNAL);
    }
}

impl Taker {
    /// What the child gave, after it has become the program; else why there is nothing, for a
    /// person to read.
    pub(in crate::platform) fn take(self) -> Result<Seam, String> {
        let mut bytes = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = recvmsg(&self.socket, &mut slices, &mut control, flags);
        let length = received.map_err(|errno| errno.to_string())?.bytes;
        let mut listener = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        match (listener.take(), i32::from_ne_bytes(bytes)) {
            (Some(listener), _) => Ok(Seam::new(listener)),
            (None, errno) if length == bytes.len() && errno != 0 => Err(why(errno)),
            (None, _) => Err("nothing was heard of it".to_owned()),
        }
    }
}

fn why(errno: i32) -> String {
    match errno {
        libc::EBUSY => "another program watches what this one calls already".to_owned(),
        libc::EINVAL | libc::ENOSYS => "this kernel cannot tell of calls".to_owned(),
        errno => format!(
            "the system refuses it: {}",
            io::Error::from_raw_os_error(errno)
        ),
    }
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "a test that cannot run here says so")]
mod tests {
    use std::net::SocketAddr;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::model::{Port, Protocol};
    use crate::platform::linux::hold::PortHold;

    #[test]
    fn who_is_disturbed_by_signals_while_it_is_answered_asks_again_and_is_told() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/holds/storm.c");
        let name = format!("freeport-storm-{}", std::process::id());
        let program = std::env::temp_dir().join(name);
        let mut compiler = Command::new("cc");
        let made = compiler.arg("-o").arg(&program).arg(source).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: cc cannot make a program here");
            return;
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port::new(free.local_addr().unwrap().port()).unwrap();
        drop(free);
        let hold = PortHold::new(port, Protocol::Tcp).unwrap();
        let (mut giver, taker) = pair(3).unwrap();
        // As kernels before 5.19 do it.
        giver.flags = &filter::FLAGS[1..];
        let mut command = Command::new(&program);
        command.args([port.to_string(), "100".to_owned()]);
        command.stdout(std::process::Stdio::null());
        // SAFETY: nothing is allocated between fork and exec.
        unsafe {
            command.pre_exec(move || {
                giver.give();
                Ok(())
            })
        };
        let mut child = command.spawn().unwrap();
        drop(command);
        let seam = match taker.take() {
            Ok(seam) => seam,
            Err(why) => {
                eprintln!("SKIPPED: no seam here: {why}");
                child.wait().unwrap();
                return;
            }
        };
        let deadline = Instant::now() + Duration::from_secs(90);
        let status = loop {
            while let Some(call) = seam.receive().unwrap() {
                let (address, _): (SocketAddr, Protocol) = call.wanted().unwrap();
                // Long enough for some signals.
                std::thread::sleep(Duration::from_millis(1));
                match call.try_bind(address, Some(&hold)) {
                    Ok(()) => call.accept(),
                    Err(error) => call.refuse(error.errno()),
                }
            }
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
            }
        };
        std::fs::remove_file(program).unwrap();
        assert_eq!(status.code(), Some(0));
    }
}
