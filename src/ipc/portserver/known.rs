//! The processes that ports were asked for just now: a test suite asks for one after the other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::platform::{self, Claimant};

/// For how long what was read of a process is believed, while it runs.
const BELIEVED: Duration = Duration::from_secs(1);
/// For how long it is believed that it runs. No pid comes back as soon.
const RUNS: Duration = Duration::from_millis(2);
/// How many processes are remembered.
const LIMIT: usize = 256;

/// What is known of processes, by pid.
#[derive(Default)]
pub(super) struct Known(HashMap<u32, Seen>);

struct Seen {
    read: Instant,
    ran: Instant,
    process: Claimant,
}

impl Known {
    /// The process that has this pid now; `None` when there is none.
    pub(super) fn process(&mut self, pid: u32) -> Option<Claimant> {
        let now = Instant::now();
        if let Some(seen) = self.0.get_mut(&pid)
            && now - seen.read < BELIEVED
            && (now - seen.ran < RUNS || platform::is_alive(seen.process.key))
        {
            if now - seen.ran >= RUNS {
                seen.ran = now;
            }
            return Some(seen.process.clone());
        }
        if self.0.len() >= LIMIT {
            self.0.clear();
        }
        let found = platform::claimant(pid);
        match &found {
            Some(process) => {
                let process = process.clone();
                let (read, ran) = (now, now);
                self.0.insert(pid, Seen { read, ran, process });
            }
            None => drop(self.0.remove(&pid)),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut known = Known::default();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let first = known.process(child.id()).unwrap();
        assert_eq!(first.key.pid, child.id());
        assert_eq!(known.process(child.id()), Some(first));
        child.kill().unwrap();
        child.wait().unwrap();
        std::thread::sleep(RUNS);
        assert_eq!(known.process(child.id()), None);
        assert_eq!(known.process(0), None);
    }
}
