//! The calls of macOS that have no safe wrapper.

use std::ffi::{CStr, OsString, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::ptr::null_mut;
use std::time::Duration;

use crate::platform::macos_formats::socket_info;

/// Reads a value of the kernel into `buffer`, which is reused and holds exactly the value then.
pub(super) fn sysctl(name: &CStr, buffer: &mut Vec<u8>) -> io::Result<()> {
    fill(buffer, usize::MAX, |to, length| {
        // SAFETY: `name` ends with a zero, `to` is null or has room for `length` bytes, and
        // nothing is set.
        unsafe { libc::sysctlbyname(name.as_ptr(), to, length, null_mut(), 0) }
    })
}

/// Reads what `KERN_PROCARGS2` gives for a process.
pub(super) fn process_arguments(pid: u32) -> io::Result<Vec<u8>> {
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid.cast_signed()];
    // Into a buffer that is too small the kernel writes the end: it is empty, and the size asked.
    let mut bytes = Vec::new();
    fill(&mut bytes, ARGUMENTS_LIMIT, |to, length| {
        // SAFETY: `name` has three numbers, `to` is null or has room for `length` bytes, and
        // nothing is set.
        unsafe { libc::sysctl(name.as_mut_ptr(), 3, to, length, null_mut(), 0) }
    })?;
    Ok(bytes)
}

/// More than `ARG_MAX` and the number in front is refused by `KERN_PROCARGS2`.
const ARGUMENTS_LIMIT: usize = 1024 * 1024;

/// Fills `buffer` by `call`, which gets where to write and how much, says how much it wrote, and
/// returns 0 unless it failed. What fits into the buffer is read at once; otherwise its size is
/// asked, with a null pointer. More room than `limit` is never told.
fn fill(
    buffer: &mut Vec<u8>,
    limit: usize,
    mut call: impl FnMut(*mut c_void, &mut usize) -> c_int,
) -> io::Result<()> {
    const ATTEMPTS: usize = 5;
    for _ in 0..ATTEMPTS {
        buffer.clear();
        if buffer.capacity() > 0 {
            let mut length = buffer.capacity().min(limit);
            if call(buffer.as_mut_ptr().cast(), &mut length) == 0 {
                debug_assert!(length <= buffer.capacity());
                // SAFETY: the kernel wrote `length` bytes, which is at most what it was given.
                unsafe { buffer.set_len(length.min(buffer.capacity())) };
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::ENOMEM) {
                return Err(error);
            }
        }
        let mut needed = 0;
        if call(null_mut(), &mut needed) != 0 {
            return Err(io::Error::last_os_error());
        }
        // It can grow until it is read.
        buffer.reserve(needed + needed / 4 + 64);
    }
    Err(io::ErrorKind::OutOfMemory.into())
}

/// What everybody may know of a process, whoever it belongs to.
pub(super) fn short_info(pid: u32) -> Option<libc::proc_bsdshortinfo> {
    // SAFETY: the flavor writes this structure.
    unsafe { info(pid, libc::PROC_PIDT_SHORTBSDINFO) }
}

/// The working folder of a process.
pub(super) fn folder(pid: u32) -> Option<PathBuf> {
    // SAFETY: the flavor writes this structure.
    let folders: libc::proc_vnodepathinfo = unsafe { info(pid, libc::PROC_PIDVNODEPATHINFO)? };
    let path = text(folders.pvi_cdir.vip_path.as_flattened());
    (!path.is_empty()).then(|| PathBuf::from(OsString::from_vec(path)))
}

/// Asks libproc for a structure.
///
/// # Safety
///
/// `flavor` must be the one that writes a `T`, and `T` must be made of numbers only.
unsafe fn info<T>(pid: u32, flavor: c_int) -> Option<T> {
    let mut info = MaybeUninit::<T>::zeroed();
    let size = c_int::try_from(size_of::<T>()).ok()?;
    // SAFETY: there is room for `size` bytes.
    let written =
        unsafe { libc::proc_pidinfo(pid.cast_signed(), flavor, 0, info.as_mut_ptr().cast(), size) };
    // A failure is 0, and never less than the whole is written.
    // SAFETY: all of it was written, and any bytes are numbers.
    (written == size).then(|| unsafe { info.assume_init() })
}

/// What a process has open as a descriptor that is a socket; `None` when it was closed meanwhile, or
/// may not be read.
pub(super) fn socket(pid: u32, descriptor: i32) -> Option<[u8; socket_info::LENGTH]> {
    /// `PROC_PIDFDSOCKETINFO` of <sys/proc_info.h>.
    const SOCKET_INFO: c_int = 3;
    let mut bytes = [0u8; socket_info::LENGTH];
    let size = c_int::try_from(bytes.len()).ok()?;
    // SAFETY: there is room for `size` bytes, and the kernel copies bytes, wherever they are.
    let written = unsafe {
        libc::proc_pidfdinfo(
            pid.cast_signed(),
            descriptor,
            SOCKET_INFO,
            bytes.as_mut_ptr().cast(),
            size,
        )
    };
    // A failure is 0.
    (written == size).then_some(bytes)
}

/// Whether this login session has a screen: programs of others, as over SSH or of launchd's
/// daemons, cannot reach the menu bar (<Security/AuthSession.h>). None when that cannot be told.
pub(super) fn has_graphics() -> Option<bool> {
    #[link(name = "Security", kind = "framework")]
    unsafe extern "C" {
        fn SessionGetInfo(session: u32, id: *mut u32, attributes: *mut u32) -> i32;
    }
    /// `callerSecuritySession`.
    const MINE: u32 = u32::MAX;
    /// `sessionHasGraphicAccess`.
    const GRAPHICS: u32 = 0x10;
    let (mut id, mut attributes) = (0u32, 0u32);
    // SAFETY: both point to one number each, for the length of the call.
    let failed = unsafe { SessionGetInfo(MINE, &mut id, &mut attributes) };
    (failed == 0).then_some(attributes & GRAPHICS != 0)
}

/// The time since the boot, without the time asleep (clock_gettime(3), `CLOCK_UPTIME_RAW`).
pub(super) fn uptime() -> Duration {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the kernel writes one `timespec`, for which there is room.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_UPTIME_RAW, now.as_mut_ptr()) };
    debug_assert_eq!(failed, 0, "the clock has been there since macOS 10.12");
    // SAFETY: it was zeroed, and any bytes are numbers.
    let now = unsafe { now.assume_init() };
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(now.tv_sec.unsigned_abs(), nanoseconds)
}

/// The bytes of a C string in a fixed array.
pub(super) fn text(chars: &[std::ffi::c_char]) -> Vec<u8> {
    let until_zero = chars.iter().take_while(|&&c| c != 0);
    until_zero.map(|&c| c.cast_unsigned()).collect()
}

/// The folder that macOS makes for each user, on the local disk and closed to others, and does not
/// clean by itself (confstr(3), `_CS_DARWIN_USER_CACHE_DIR`).
pub(super) fn user_folder() -> Option<PathBuf> {
    let mut path = vec![0u8; 1024];
    // SAFETY: there is room for as many bytes as it is told.
    let length = unsafe {
        libc::confstr(
            libc::_CS_DARWIN_USER_CACHE_DIR,
            path.as_mut_ptr().cast(),
            path.len(),
        )
    };
    // The length counts the closing zero; 0 is a failure.
    if length < 2 || length > path.len() {
        return None;
    }
    path.truncate(length - 1);
    Some(PathBuf::from(OsString::from_vec(path)))
}
