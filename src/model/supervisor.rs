//! Who starts a process again when it ends.

use super::Process;

/// What brought a listener back after a kill, and how to stop it instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervisor {
    /// Its name: `pm2`, `nodemon`, `nginx.service`, `bash`.
    pub name: String,
    /// Its pid, when it is a process.
    pub pid: Option<u32>,
    /// What to do instead of killing the process.
    pub advice: String,
}

/// Supervisors known by name or command line, and the command that stops what they supervise.
const KNOWN: &[(&str, &str)] = &[
    ("pm2", "pm2 stop"),
    ("nodemon", "stop nodemon"),
    ("supervisord", "supervisorctl stop"),
    ("foreman", "stop foreman"),
    ("overmind", "overmind stop"),
    ("watchexec", "stop watchexec"),
    ("entr", "stop entr"),
    ("runsv", "sv down"),
    ("s6-supervise", "s6-svc -d"),
    ("containerd-shim", "docker stop"),
    ("conmon", "podman stop"),
];

/// The supervisor that started `next` in the place of `previous`: a systemd service that both
/// belong to, a known supervisor above `next`, or else the parent that both have.
pub fn of(previous: &Process, next: &Process) -> Option<Supervisor> {
    if let Some(unit) = next
        .unit
        .as_ref()
        .filter(|unit| previous.unit.as_ref() == Some(unit))
    {
        let user = if next.uid == 0 { "" } else { "--user " };
        return Some(Supervisor {
            name: unit.clone(),
            pid: None,
            advice: format!("systemctl {user}stop {unit}"),
        });
    }
    let known = next.parents.iter().find_map(|parent| {
        let (name, advice) = KNOWN
            .iter()
            .find(|(name, _)| names(&parent.name, &parent.command, name))?;
        Some(Supervisor {
            name: (*name).to_owned(),
            pid: Some(parent.pid),
            advice: (*advice).to_owned(),
        })
    });
    known.or_else(|| {
        let parent = next.parents.first()?;
        let shared =
            parent.pid != 1 && previous.parents.iter().any(|other| other.pid == parent.pid);
        shared.then(|| Supervisor {
            name: parent.name.clone(),
            pid: Some(parent.pid),
            advice: format!("stop {} (pid {})", parent.name, parent.pid),
        })
    })
}

fn names(name: &str, command: &str, wanted: &str) -> bool {
    let is_wanted = |word: &str| {
        word.rsplit('/')
            .next()
            .is_some_and(|base| base.split('.').next() == Some(wanted))
    };
    // `PM2 v5.3.0: God` and `containerd-shim-runc-v2` are meant, `entrypoint.sh` is not `entr`.
    let lower = name.to_ascii_lowercase();
    let rest = lower.strip_prefix(wanted);
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        || command
            .split(' ')
            .take(3)
            .any(|word| is_wanted(&word.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Ancestor;
    use crate::model::attribute::tests::process;

    fn below(pid: u32, parents: &[(u32, &str, &str)], unit: Option<&str>) -> Process {
        let mut p = Arc::unwrap_or_clone(process(pid, "server", &[]));
        p.parents = parents
            .iter()
            .map(|&(pid, name, command)| Ancestor {
                pid,
                name: name.into(),
                command: command.into(),
            })
            .collect();
        p.unit = unit.map(str::to_owned);
        p
    }

    #[test]
    fn the_supervisor_is_named() {
        let nodemon: &[_] = &[
            (9, "node", "node /x/node_modules/.bin/nodemon app.js"),
            (8, "bash", "bash"),
            (1, "init", "init"),
        ];
        assert_eq!(
            of(&below(5, nodemon, None), &below(6, nodemon, None))
                .unwrap()
                .name,
            "nodemon"
        );
        let pm2: &[_] = &[
            (
                9,
                "PM2 v5.3.0: God",
                "PM2 v5.3.0: God Daemon (/home/me/.pm2)",
            ),
            (1, "init", "init"),
        ];
        assert_eq!(
            of(&below(5, pm2, None), &below(6, pm2, None)).unwrap().pid,
            Some(9)
        );
        let systemd: &[_] = &[(1, "systemd", "/sbin/init")];
        let found = of(
            &below(5, systemd, Some("web.service")),
            &below(6, systemd, Some("web.service")),
        )
        .unwrap();
        assert_eq!(found.advice, "systemctl --user stop web.service");
        let shell: &[_] = &[(9, "bash", "bash loop.sh"), (1, "init", "init")];
        assert_eq!(
            of(&below(5, shell, None), &below(6, shell, None))
                .unwrap()
                .name,
            "bash"
        );
    }

    #[test]
    fn a_name_is_known_as_a_whole() {
        assert!(names("containerd-shim-runc-v2", "", "containerd-shim"));
        assert!(names("entr", "", "entr"));
        assert!(!names("entrypoint.sh", "sh /entrypoint.sh", "entr"));
    }

    #[test]
    fn a_stranger_has_no_supervisor_in_common() {
        assert_eq!(
            of(
                &below(5, &[(9, "bash", "bash"), (1, "init", "")], None),
                &below(6, &[(7, "zsh", "zsh"), (1, "init", "")], None)
            ),
            None
        );
        assert_eq!(
            of(
                &below(5, &[(1, "init", "")], None),
                &below(6, &[(1, "init", "")], None)
            ),
            None
        );
    }
}
