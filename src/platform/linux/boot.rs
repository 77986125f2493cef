//! Which boot this is, and for how long the machine has been awake in it.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The identity of this boot: what was noted under another one is of processes that are gone.
///
/// It is `/proc/sys/kernel/random/boot_id` (random(4)). Where that cannot be read, it is the second
/// of the boot (`btime` in `/proc/stat`), which is another one when the clock is set: an identity
/// that is too new at worst. Where nothing can be read, all boots are `unknown`.
pub fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        of(&read("/proc/sys/kernel/random/boot_id"), || {
            read("/proc/stat")
        })
    })
}

/// For how long the machine has been awake since it booted. It stands still while the machine
/// sleeps, and setting the clock does not change it (clock_gettime(2), `CLOCK_MONOTONIC`).
pub fn awake() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(now.tv_sec.unsigned_abs(), nanoseconds)
}

fn of(boot_id: &str, stat: impl Fn() -> String) -> String {
    match boot_id.trim() {
        "" => {
            let stat = stat();
            let second = stat.lines().find_map(|line| line.strip_prefix("btime "));
            second.map_or("unknown".to_owned(), |second| {
                format!("btime-{}", second.trim())
            })
        }
        id => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_the_kernels_or_made_of_the_time_of_the_boot() {
        let stat = || "cpu 1 2\nintr 5\nbtime 1700000000\nprocesses 3\n".to_owned();
        assert_eq!(of("0f3c-11\n", stat), "0f3c-11");
        assert_eq!(of("\n", stat), "btime-1700000000");
        assert_eq!(of("", String::new), "unknown");
        let now = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(boot_id(), now.trim());
        assert_eq!(boot_id(), boot_id());
    }

    #[test]
    fn time_awake_passes_and_is_no_more_than_the_time_since_the_boot() {
        let before = awake();
        std::thread::sleep(Duration::from_millis(2));
        let passed = awake() - before;
        assert!(passed >= Duration::from_millis(2), "{passed:?}");
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!(before.as_secs_f64() <= uptime + 0.1);
    }
}
