//! The seccomp filter whose only trapped call is bind(2) (seccomp(2), seccomp_unotify(2)).

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use libc::{c_long, c_ulong, sock_filter, sock_fprog};

/// How one architecture asks for bind: the numbers of the call, and of socketcall(2) where there is
/// one. Of linux/audit.h and the kernel's tables of calls.
struct Calls {
    architecture: u32,
    bind: &'static [u32],
    socketcall: Option<u32>,
}

/// All of the other architectures too: a program may be of another one than this.
const CALLS: [Calls; 6] = [
    // x86_64, and x32, which says to be the same.
    calls(0xc000_003e, &[49, 49 | 0x4000_0000], None),
    calls(I386, &[361], Some(SOCKETCALL)),
    // aarch64, arm, riscv64, loongarch64.
    calls(0xc000_00b7, &[200], None),
    calls(0x4000_0028, &[282], None),
    calls(0xc000_00f3, &[200], None),
    calls(0xc000_0102, &[200], None),
];

/// The architectures of [`CALLS`], as this program calls its own.
const KNOWN: [&str; 6] = ["x86_64", "x86", "aarch64", "arm", "riscv64", "loongarch64"];

/// 32-bit programs of Intel processors.
const I386: u32 = 0x4000_0003;
/// socketcall(2) there.
const SOCKETCALL: u32 = 102;
/// What asks socketcall(2) for bind (linux/net.h).
const SYS_BIND: u32 = 2;

// struct seccomp_data; of an argument the low half, as all of them are little-endian.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

const fn calls(architecture: u32, bind: &'static [u32], socketcall: Option<u32>) -> Calls {
    Calls {
        architecture,
        bind,
        socketcall,
    }
}

/// Whether the kernel can tell of calls, and bind can be told from others on this architecture.
pub(super) fn is_supported() -> bool {
    let action = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: the kernel reads the four bytes of `action`, and changes nothing.
    let told = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    told == 0 && KNOWN.contains(&std::env::consts::ARCH)
}

/// Whether this is socketcall(2), whose arguments are in memory.
pub(super) fn is_socketcall(data: &libc::seccomp_data) -> bool {
    data.arch == I386 && u32::try_from(data.nr) == Ok(SOCKETCALL)
}

/// The filter.
pub(super) fn program() -> Vec<sock_filter> {
    let mut program = vec![load(ARCHITECTURE)];
    for calls in &CALLS {
        let mut block = vec![load(NUMBER)];
        for &number in calls.bind {
            block.extend([unless_skip(number, 1), give(libc::SECCOMP_RET_USER_NOTIF)]);
        }
        if let Some(number) = calls.socketcall {
            block.extend([
                unless_skip(number, 3),
                load(FIRST_ARGUMENT),
                unless_skip(SYS_BIND, 1),
                give(libc::SECCOMP_RET_USER_NOTIF),
            ]);
        }
        block.push(give(libc::SECCOMP_RET_ALLOW));
        // A block has less than ten instructions.
        program.push(unless_skip(calls.architecture, block.len() as u8));
        program.extend(block);
    }
    program.push(give(libc::SECCOMP_RET_ALLOW));
    program
}

/// What the filter is put on with in any case.
const ALWAYS: c_ulong =
    libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;

/// What it is put on with: the first of these that the kernel knows. Since Linux 5.19, signals do not
/// disturb who is being answered.
pub(super) const FLAGS: [c_ulong; 2] = [
    ALWAYS | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    ALWAYS,
];

/// Puts the filter upon this process; whoever has the descriptor is told of its binds, and of those
/// of all that it starts. Calls nothing that must not be called between fork and exec.
pub(super) fn install(program: &mut [sock_filter], flags: &[c_ulong]) -> io::Result<OwnedFd> {
    match install_as_is(program, flags) {
        // Only root may do this without.
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            rustix::thread::set_no_new_privs(true)?;
            install_as_is(program, flags)
        }
        done => done,
    }
}

fn install_as_is(program: &mut [sock_filter], flags: &[c_ulong]) -> io::Result<OwnedFd> {
    let mut done = Err(io::ErrorKind::InvalidInput.into());
    for &flags in flags {
        done = set(flags, program);
        let is_unknown = |error: &io::Error| error.raw_os_error() == Some(libc::EINVAL);
        if !done.as_ref().is_err_and(is_unknown) {
            break;
        }
    }
    done
}

fn set(flags: c_ulong, program: &mut [sock_filter]) -> io::Result<OwnedFd> {
    let whole = sock_fprog {
        // It has less than a hundred instructions.
        len: program.len() as libc::c_ushort,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the kernel reads the program, whose length is given, and keeps a copy.
    let done: c_long = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const whole,
        )
    };
    match i32::try_from(done) {
        // SAFETY: it was just opened, and belongs to nobody else.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

// linux/bpf_common.h.
fn load(offset: u32) -> sock_filter {
    instruction(0x20, 0, 0, offset)
}

fn unless_skip(value: u32, skipped: u8) -> sock_filter {
    instruction(0x15, 0, skipped, value)
}

fn give(action: u32) -> sock_filter {
    instruction(0x06, 0, 0, action)
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter says of a call.
    fn of(architecture: u32, number: u32, argument: u32) -> u32 {
        let program = program();
        let (mut at, mut value) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            match (code, k) {
                (0x20, NUMBER) => value = number,
                (0x20, ARCHITECTURE) => value = architecture,
                (0x20, FIRST_ARGUMENT) => value = argument,
                (0x15, _) => at += usize::from(if value == k { jt } else { jf }),
                (0x06, _) => return k,
                _ => panic!("instruction {code:#x} {k}"),
            }
        }
    }

    #[test]
    fn traps_bind_on_every_architecture_and_nothing_else() {
        let (told, allowed) = (libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_ALLOW);
        let cases = [
            (0xc000_003e, 49, 0, told),
            (0xc000_003e, 0x4000_0031, 0, told),
            (0xc000_003e, 50, 0, allowed),
            (0xc000_003e, 102, 2, allowed),
            (0xc000_003e, 361, 0, allowed),
            (I386, 361, 0, told),
            (I386, 49, 0, allowed),
            (I386, SOCKETCALL, 2, told),
            (I386, SOCKETCALL, 4, allowed),
            (0xc000_00b7, 200, 0, told),
            (0xc000_00b7, 49, 0, allowed),
            (0x4000_0028, 282, 0, told),
            (0xc000_00f3, 200, 0, told),
            (0xc000_0102, 200, 0, told),
            (0x8000_0016, 200, 0, allowed),
        ];
        for (architecture, number, argument, expected) in cases {
            let found = of(architecture, number, argument);
            assert_eq!(found, expected, "{architecture:#x} {number} {argument}");
        }
    }

    #[test]
    fn knows_the_number_of_bind_here() {
        let number = u32::try_from(libc::SYS_bind).unwrap();
        assert!(CALLS.iter().any(|calls| calls.bind.contains(&number)));
        assert!(KNOWN.contains(&std::env::consts::ARCH));
    }
}
