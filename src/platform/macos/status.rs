//! What this process itself uses.

use libproc::proc_pid::pidinfo;
use libproc::task_info::TaskInfo;

/// Resident memory in bytes.
pub fn resident_bytes() -> Option<u64> {
    let pid = i32::try_from(std::process::id()).ok()?;
    Some(pidinfo::<TaskInfo>(pid, 0).ok()?.pti_resident_size)
}
