//! Who made a trapped call: its memory, and its sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::filter;

/// The arguments of a bind: which descriptor, and where the address is.
pub(super) struct Arguments {
    pub(super) descriptor: i32,
    at: u64,
    length: u64,
}

/// The thread that made a call.
pub(super) struct Caller(Pid);

impl Caller {
    /// The thread with this number; `None` where it has none here.
    pub(super) fn of(tid: u32) -> Option<Caller> {
        Pid::from_raw(i32::try_from(tid).ok()?).map(Caller)
    }

    /// The process that the thread belongs to.
    pub(super) fn pid(&self) -> u32 {
        let tid = self.0.as_raw_nonzero().get().cast_unsigned();
        let status = std::fs::read_to_string(format!("/proc/{tid}/status"));
        let told = status.ok().and_then(|status| {
            let mut lines = status.lines();
            lines.find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
        });
        told.unwrap_or(tid)
    }

    /// What it called bind with.
    pub(super) fn arguments(&self, data: &libc::seccomp_data) -> io::Result<Arguments> {
        if !filter::is_socketcall(data) {
            return Ok(Arguments {
                // The kernel looks at the low half of it, too.
                descriptor: data.args[0] as i32,
                at: data.args[1],
                length: u64::from(data.args[2] as u32),
            });
        }
        let mut bytes = [0; 12];
        self.read(data.args[1], &mut bytes)?;
        let [descriptor, at, length] = [0, 4, 8].map(|from| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|byte| bytes[from + byte]);
            u32::from_ne_bytes([a, b, c, d])
        });
        Ok(Arguments {
            descriptor: descriptor.cast_signed(),
            at: at.into(),
            length: length.into(),
        })
    }

    /// The address that it wants to bind; `None` when it is none of IPv4 or IPv6.
    pub(super) fn address(&self, arguments: &Arguments) -> io::Result<Option<SocketAddr>> {
        // What is longer or shorter than an address can be, the kernel refuses.
        let length = match arguments.length {
            length @ 16..=128 => length.min(28) as usize,
            _ => return Ok(None),
        };
        let mut bytes = [0; 28];
        self.read(arguments.at, &mut bytes[..length])?;
        Ok(address(&bytes[..length]))
    }

    /// Its descriptor, as one of our own.
    pub(super) fn descriptor(&self, number: i32) -> io::Result<OwnedFd> {
        // Linux 6.9 can open the thread itself, which may have descriptors of its own.
        let thread = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());
        let pidfd = match pidfd_open(self.0, thread) {
            Err(Errno::INVAL) => {
                let process = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
                pidfd_open(process.ok_or(Errno::SRCH)?, PidfdFlags::empty())
            }
            opened => opened,
        }?;
        Ok(pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty())?)
    }

    fn read(&self, from: u64, into: &mut [u8]) -> io::Result<()> {
        let local = libc::iovec {
            iov_base: into.as_mut_ptr().cast(),
            iov_len: into.len(),
        };
        let remote = libc::iovec {
            iov_base: std::ptr::without_provenance_mut(from as usize),
            iov_len: into.len(),
        };
        let pid = self.0.as_raw_nonzero().get();
        // SAFETY: the kernel writes to `into`, as much as it has room for at most. What is at the
        // other address is looked up in the other process only.
        let read =
            unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
        match usize::try_from(read) {
            Ok(read) if read == into.len() => Ok(()),
            Ok(_) => Err(Errno::FAULT.into()),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}

/// Reads a `sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)).
fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let two = |at: usize| Some([*bytes.get(at)?, *bytes.get(at + 1)?]);
    let four = |at: usize| bytes.get(at..at + 4)?.try_into().ok();
    let port = u16::from_be_bytes(two(2)?);
    match i32::from(u16::from_ne_bytes(two(0)?)) {
        libc::AF_INET => {
            let ip: [u8; 4] = four(4)?;
            Some(SocketAddrV4::new(Ipv4Addr::from(ip), port).into())
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            // Programs of long ago leave the scope out.
            let scope = four(24).map_or(0, u32::from_ne_bytes);
            let flow = u32::from_ne_bytes(four(4)?);
            Some(SocketAddrV6::new(Ipv6Addr::from(ip), port, flow, scope).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_with_all_that_is_in_them() {
        let family = |number: i32| (number as u16).to_ne_bytes();
        let mut v4 = family(libc::AF_INET).to_vec();
        v4.extend([0x0b, 0xb8, 127, 0, 0, 1]);
        assert_eq!(address(&v4), "127.0.0.1:3000".parse().ok());
        assert_eq!(address(&v4[..7]), None);
        let mut v6 = family(libc::AF_INET6).to_vec();
        v6.extend([0x0b, 0xb8, 1, 2, 3, 4]);
        v6.extend(Ipv6Addr::LOCALHOST.octets());
        let flow = u32::from_ne_bytes([1, 2, 3, 4]);
        let without = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 3000, flow, 0);
        assert_eq!(address(&v6), Some(without.into()));
        v6.extend(7_u32.to_ne_bytes());
        let with = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 3000, flow, 7);
        assert_eq!(address(&v6), Some(with.into()));
        assert_eq!(address(&v6[..20]), None);
        assert_eq!(address(&family(libc::AF_UNIX)), None);
        assert_eq!(address(&[]), None);
    }

    #[test]
    fn reads_the_memory_of_a_process() {
        let this = Caller::of(std::process::id()).unwrap();
        let text = *b"memory";
        let mut read = [0; 6];
        this.read(text.as_ptr() as u64, &mut read).unwrap();
        assert_eq!(read, text);
        assert!(this.read(8, &mut read).is_err());
        assert_eq!(this.pid(), std::process::id());
        assert!(Caller::of(0).is_none());
    }
}
