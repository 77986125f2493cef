//! Which process a CI job is: what is drawn for a job ends with it. A table of facts, and a choice
//! among the processes above a command.

use super::Ancestor;

/// Which process of a CI system lives as long as a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lives {
    /// The program of this name itself: there is one for each job, or for each of its steps.
    Itself,
    /// Whatever the program of this name has started: it is there for all jobs.
    Started,
}

/// Programs of CI systems. A name that ends with `_` is the start of one.
const RUNNERS: [(&str, Lives); 4] = [
    // GitHub Actions: the listener starts a worker for each job (actions/runner, JobDispatcher).
    ("Runner.Worker", Lives::Itself),
    // Buildkite: the agent runs `buildkite-agent bootstrap` for each job.
    ("buildkite-agent", Lives::Itself),
    // Jenkins: a monitor for each `sh` step (the durable-task plugin with its binary).
    ("durable_task_monitor_", Lives::Itself),
    // GitLab: the shell executor starts a shell for each section of a job's script.
    ("gitlab-runner", Lives::Started),
];

/// The process that a command's job is, where `above` are the processes above the command, nearest
/// first, and `may_own` says of which one a port may be: that of a CI system, or else the shell that
/// called the command.
///
/// A part of a script in brackets is a process of its own, with the command line of the script, and
/// ends at once: then the script is meant.
pub fn process_of_job(above: &[Ancestor], may_own: impl Fn(u32) -> bool) -> Option<u32> {
    let runner = above.iter().enumerate().find_map(|(index, process)| {
        let (_, lives) = RUNNERS.iter().find(|(name, _)| is_called(process, name))?;
        match lives {
            Lives::Itself => may_own(process.pid).then_some(process.pid),
            // With `su` in between, the first ones are another user's.
            Lives::Started => above[..index]
                .iter()
                .rev()
                .map(|process| process.pid)
                .find(|pid| may_own(*pid)),
        }
    });
    runner.or_else(|| {
        let same = |one: &Ancestor, other: &Ancestor| {
            one.name == other.name && one.command == other.command && may_own(other.pid)
        };
        let steps = above.windows(2).take_while(|two| same(&two[0], &two[1]));
        above.get(steps.count()).map(|process| process.pid)
    })
}

fn is_called(process: &Ancestor, name: &str) -> bool {
    match name.ends_with('_') {
        true => process.name.starts_with(name),
        false => process.name == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes with the pids 100, 99, … from the nearest one on: `name command`.
    fn above(lines: &[&str]) -> Vec<Ancestor> {
        let one = |(line, pid): (&&str, u32)| Ancestor {
            pid,
            name: line.split(' ').next().unwrap().to_owned(),
            command: (*line).to_owned(),
        };
        lines.iter().zip((0..=100).rev()).map(one).collect()
    }

    #[test]
    fn a_job_is_found_whoever_runs_it() {
        for (lines, expected) in [
            (
                &[
                    "bash -e /tmp/step.sh",
                    "Runner.Worker spawnclient",
                    "Runner.Listener run",
                ][..],
                99,
            ),
            (
                &["sh x", "buildkite-agent bootstrap", "buildkite-agent start"],
                99,
            ),
            (
                &["sh x", "durable_task_monitor_577_unix_64 -daemon", "java"],
                99,
            ),
            (
                &["make", "bash -l", "bash -l", "gitlab-runner run", "systemd"],
                98,
            ),
            (&["bash ci.sh", "bash", "sshd"], 100),
            // $(freeport … | head -1), and the same in brackets once more.
            (
                &["bash ci.sh", "bash ci.sh", "bash ci.sh", "bash", "sshd"],
                98,
            ),
            (&["zsh"], 100),
        ] {
            assert_eq!(
                process_of_job(&above(lines), |_| true),
                Some(expected),
                "{lines:?}"
            );
        }
        assert_eq!(process_of_job(&[], |_| true), None);
    }

    #[test]
    fn what_is_another_users_is_no_owner() {
        let lines = above(&["bash -l", "su ci", "gitlab-runner run", "systemd"]);
        assert_eq!(process_of_job(&lines, |pid| pid == 100), Some(100));
        let lines = above(&["bash x", "bash x", "Runner.Worker"]);
        assert_eq!(process_of_job(&lines, |pid| pid == 100), Some(100));
    }
}
