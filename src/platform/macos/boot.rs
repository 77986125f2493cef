//! Which boot this is, and for how long the machine has been awake in it.

use std::ffi::CStr;
use std::sync::OnceLock;
use std::time::Duration;

use super::kernel;

/// The identity of this boot: what was noted under another one is of processes that are gone.
///
/// It is `kern.bootsessionuuid`. Where that cannot be read, it is the second of the boot
/// (`kern.boottime`), which is another one when the clock is set: an identity that is too new at
/// worst. Where nothing can be read, all boots are `unknown`.
pub fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        uuid()
            .or_else(|| Some(format!("boottime-{}", second()?)))
            .unwrap_or_else(|| "unknown".to_owned())
    })
}

/// For how long the machine has been awake since it booted. It stands still while the machine
/// sleeps, and setting the clock does not change it (clock_gettime(3), `CLOCK_UPTIME_RAW`).
pub fn awake() -> Duration {
    kernel::uptime()
}

fn uuid() -> Option<String> {
    let bytes = read(c"kern.bootsessionuuid")?;
    let text = CStr::from_bytes_until_nul(&bytes).ok()?.to_str().ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// The first number of a `struct timeval`.
fn second() -> Option<i64> {
    let bytes = read(c"kern.boottime")?;
    bytes
        .first_chunk::<8>()
        .map(|second| i64::from_ne_bytes(*second))
}

fn read(name: &CStr) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    kernel::sysctl(name, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_an_identity() {
        assert_eq!(uuid().as_deref(), Some(boot_id()));
        assert_eq!(boot_id().len(), 36, "a UUID");
        assert!(second().is_some_and(|second| second > 1_500_000_000));
    }

    #[test]
    fn time_awake_passes() {
        let before = awake();
        std::thread::sleep(Duration::from_millis(2));
        let passed = awake() - before;
        assert!(passed >= Duration::from_millis(2), "{passed:?}");
    }
}
