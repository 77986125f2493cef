//! One trapped bind: what it wants, and what becomes of it.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Uid, fstat};
use rustix::io::Errno;
use rustix::net::sockopt::{
    ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport, socket_cookie, socket_domain,
    socket_protocol, socket_reuseaddr, socket_reuseport, socket_type,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with};

use super::Inner;
use super::caller::Caller;
use super::notify::{self, Answer, Request};
use crate::model::{Address, Port, Protocol};
use crate::platform::bind_error::BindError;
use crate::platform::linux::bound;
use crate::platform::linux::hold::PortHold;

/// A trapped bind; who made it waits for the answer. Dropped unanswered, it is passed on, unless it
/// has been bound.
#[derive(Debug)]
pub struct BindCall {
    seam: Arc<Inner>,
    id: u64,
    pid: u32,
    wanted: Option<Wanted>,
    obstacle: Option<io::Error>,
    bound: Cell<bool>,
    answered: Cell<bool>,
}

#[derive(Debug)]
struct Wanted {
    address: SocketAddr,
    protocol: Protocol,
    /// The caller's own socket.
    socket: OwnedFd,
    uid: Uid,
    is_shared: bool,
}

impl BindCall {
    /// Reads what a request wants; `None` when there is nothing to decide about it.
    pub(super) fn read(seam: &Arc<Inner>, request: &Request) -> Option<BindCall> {
        let caller = Caller::of(request.tid);
        let wanted = caller.as_ref().map_or_else(
            || Err(io::Error::other("it is in a pid namespace of its own")),
            |caller| Wanted::read(caller, &request.data),
        );
        let pid = caller.as_ref().map_or(request.tid, Caller::pid);
        let (wanted, obstacle) = match wanted {
            Ok(wanted) => (wanted, None),
            Err(error) => (None, Some(error)),
        };
        let call = BindCall {
            seam: Arc::clone(seam),
            id: request.id,
            pid,
            wanted,
            obstacle,
            bound: Cell::new(false),
            answered: Cell::new(false),
        };
        // All of the above was read of the caller by its number, which was its own if it is so now.
        if !notify::is_waiting(seam.listener.as_fd(), call.id) {
            call.answered.set(true);
            return None;
        }
        if let Some(wanted) = &call.wanted
            && seam.recall(|| socket_cookie(&wanted.socket).ok())
        {
            call.bound.set(true);
            call.accept();
            return None;
        }
        Some(call)
    }

    /// The process that made it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where it wants to be bound, and with which protocol. `None` for what is no port of TCP or
    /// UDP in this network, for port 0, by which the system chooses one, and for what could not be
    /// read ([`BindCall::obstacle`]): that is for the system to do.
    pub fn wanted(&self) -> Option<(SocketAddr, Protocol)> {
        let wanted = self.wanted.as_ref()?;
        Some((wanted.address, wanted.protocol))
    }

    /// Why it could not be read what it wants, though it may be a port: the system lets nobody look
    /// into the caller. Only an open gate lets it bind a port that is held.
    pub fn obstacle(&self) -> Option<&io::Error> {
        self.obstacle.as_ref()
    }

    /// Whether the caller itself has set SO_REUSEPORT, to share the port among its own.
    pub fn is_shared(&self) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.is_shared)
    }

    /// Binds the caller's socket to this address, which may have another port than is wanted. Does
    /// not answer yet: after a failure another address may be tried, after a success
    /// [`BindCall::accept`] is due.
    ///
    /// With `beside`, the port is shared with that hold, which is lent; a UDP hold is opened, as it
    /// would get a part of what is sent to the port, and is to be shut when the port is free again.
    pub fn try_bind(
        &self,
        address: SocketAddr,
        beside: Option<&PortHold>,
    ) -> Result<(), BindError> {
        let Some(wanted) = &self.wanted else {
            return Err(BindError::Impossible(Errno::NOTSOCK.into()));
        };
        match beside {
            None => bind(&wanted.socket, &address).map_err(refused)?,
            Some(hold) => wanted.bind_beside(address, hold)?,
        }
        self.bound.set(true);
        Ok(())
    }

    /// Tells the caller that its socket is bound.
    pub fn accept(self) {
        self.answer(Answer::Done);
    }

    /// Tells the caller that its bind failed with this errno.
    pub fn refuse(self, errno: i32) {
        self.answer(Answer::Failed(errno));
    }

    /// Lets the system do what the caller asked for.
    pub fn pass_on(self) {
        self.answer(Answer::PassOn);
    }

    fn answer(&self, answer: Answer) {
        self.answered.set(true);
        if !notify::answer(self.seam.listener.as_fd(), self.id, answer)
            && self.bound.get()
            && let Some(wanted) = &self.wanted
            && let Ok(cookie) = socket_cookie(&wanted.socket)
        {
            self.seam.remember(cookie);
        }
    }
}

impl Drop for BindCall {
    fn drop(&mut self) {
        if !self.answered.get() {
            self.answer(if self.bound.get() {
                Answer::Done
            } else {
                Answer::PassOn
            });
        }
    }
}

impl Wanted {
    fn read(caller: &Caller, data: &libc::seccomp_data) -> io::Result<Option<Wanted>> {
        let arguments = match caller.arguments(data) {
            Err(error) if is_callers_own(&error) => return Ok(None),
            arguments => arguments?,
        };
        let address = match caller.address(&arguments) {
            Err(error) if is_callers_own(&error) => return Ok(None),
            address => address?,
        };
        let Some(address) = address.filter(|address| address.port() != 0) else {
            return Ok(None);
        };
        let socket = match caller.descriptor(arguments.descriptor) {
            // There is no such descriptor.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Ok(None),
            socket => socket?,
        };
        let Some(protocol) = protocol(&socket) else {
            return Ok(None);
        };
        // An address of the other family is refused by the system.
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        if socket_domain(&socket)? != family || !is_in_this_network(&socket) {
            return Ok(None);
        }
        Ok(Some(Wanted {
            address,
            protocol,
            uid: Uid::from_raw(fstat(&socket)?.st_uid),
            is_shared: socket_reuseport(&socket)?,
            socket,
        }))
    }

    fn bind_beside(&self, address: SocketAddr, hold: &PortHold) -> Result<(), BindError> {
        // That both share the port with the hold would let them share it with each other.
        if !self.is_shared && self.protocol == Protocol::Tcp && self.is_listened_on(address)? {
            return Err(refused(Errno::ADDRINUSE));
        }
        hold.lend_to(self.uid).map_err(BindError::Impossible)?;
        let share = |shared| set_socket_reuseport(&self.socket, shared);
        share(true).map_err(|errno| BindError::Impossible(errno.into()))?;
        // Without SO_REUSEADDR, connections of a server that has ended keep the next one from the
        // port for a minute; and those of one that had it not, everybody.
        let before = socket_reuseaddr(&self.socket).unwrap_or(true);
        if self.protocol == Protocol::Tcp && !before {
            let _ = set_socket_reuseaddr(&self.socket, true);
        }
        if let Err(errno) = bind(&self.socket, &address) {
            let _ = set_socket_reuseaddr(&self.socket, before);
            let _ = share(self.is_shared);
            return Err(refused(errno));
        }
        if self.protocol == Protocol::Udp {
            // Bound as it is, it needs nobody's leave any more: listen is for TCP, which is why
            // there the hold has to stay as it is.
            let _ = hold.open();
            let _ = share(self.is_shared);
        }
        Ok(())
    }

    fn is_listened_on(&self, address: SocketAddr) -> Result<bool, BindError> {
        let Some(port) = Port::new(address.port()) else {
            return Ok(false);
        };
        let address = match address {
            SocketAddr::V4(address) => Address::v4(*address.ip()),
            SocketAddr::V6(address) => {
                Address::v6(*address.ip(), ipv6_v6only(&self.socket).unwrap_or(true))
            }
        };
        bound::is_listened_on(port, address).map_err(BindError::Impossible)
    }
}

fn refused(errno: Errno) -> BindError {
    BindError::Refused(errno.into())
}

/// Whether an error is the caller's own: the system will tell it.
fn is_callers_own(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EFAULT)
}

/// The protocol of a socket; `None` for what has no ports of TCP or UDP.
fn protocol(socket: &OwnedFd) -> Option<Protocol> {
    let protocol = socket_protocol(socket).ok()??;
    let kind = socket_type(socket).ok()?;
    match kind {
        // An MPTCP socket listens on a TCP port.
        SocketType::STREAM if [ipproto::TCP, ipproto::MPTCP].contains(&protocol) => {
            Some(Protocol::Tcp)
        }
        SocketType::DGRAM if protocol == ipproto::UDP => Some(Protocol::Udp),
        _ => None,
    }
}

/// Whether a socket is in the network of this process, and not in one that a container has for
/// itself. Kernels before 5.14 do not tell.
fn is_in_this_network(socket: &OwnedFd) -> bool {
    let own = || {
        let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
        network(&socket_with(family, kind, SocketFlags::CLOEXEC, None).ok()?)
    };
    let theirs = network(socket);
    theirs.is_none() || theirs == own()
}

/// A number that the kernel gives to each network.
fn network(socket: &OwnedFd) -> Option<u64> {
    /// asm-generic/socket.h.
    const SO_NETNS_COOKIE: i32 = 71;
    let mut cookie = 0_u64;
    let mut length = 8;
    // SAFETY: the kernel writes the eight bytes that there is room for, or nothing.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    (done == 0 && length == 8).then_some(cookie)
}
