//! Which container a process is in, by its control groups and its parents.

use super::EngineKind;
use crate::model::Ancestor;

/// How long an id is.
const ID: usize = 64;

/// Whether one of these parents keeps a container: only then is a control group worth reading.
pub fn may_be(parents: &[Ancestor]) -> bool {
    parents.iter().any(|parent| keeper(parent).is_some())
}

/// The container of a process with these control groups (`/proc/PID/cgroup`, cgroups(7)) and parents:
/// by the control group, else by what the process that keeps the container was told.
pub fn container(cgroup: &str, parents: &[Ancestor]) -> Option<(EngineKind, String)> {
    let (engine, keeper) = parents
        .iter()
        .find_map(|parent| Some((keeper(parent)?, parent)))?;
    let by_group = cgroup.lines().find_map(of_group);
    let id = by_group.or_else(|| of_command(&keeper.command))?;
    Some((engine, id.to_owned()))
}

/// What keeps containers: Docker a `containerd-shim` each, Podman a `conmon`.
fn keeper(parent: &Ancestor) -> Option<EngineKind> {
    match parent.name.as_str() {
        "conmon" => Some(EngineKind::Podman),
        name if name.starts_with("containerd-shim") => Some(EngineKind::Docker),
        _ => None,
    }
}

/// `0::/system.slice/docker-ID.scope`, `9:pids:/docker/ID`, `0::/machine.slice/libpod-ID.scope/container`,
/// `9:pids:/libpod_parent/libpod-ID`.
fn of_group(line: &str) -> Option<&str> {
    let path = line.splitn(3, ':').nth(2)?;
    path.rsplit('/').find_map(|part| {
        let part = part.strip_suffix(".scope").unwrap_or(part);
        let id = ["docker-", "libpod-", "cri-containerd-"]
            .iter()
            .find_map(|start| part.strip_prefix(start));
        id.or(Some(part)).filter(|id| is_id(id))
    })
}

/// `conmon … -c ID …`, `containerd-shim-runc-v2 -namespace moby -id ID …`.
fn of_command(command: &str) -> Option<&str> {
    let mut words = command.split(' ');
    words.find(|word| ["-c", "-id"].contains(word))?;
    words.next().filter(|id| is_id(id))
}

fn is_id(text: &str) -> bool {
    text.len() == ID
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(name: &str, command: &str) -> Ancestor {
        Ancestor {
            pid: 9,
            name: name.to_owned(),
            command: command.to_owned(),
        }
    }

    fn id() -> String {
        "0b8a637ac44171bb".repeat(4)
    }

    #[test]
    fn the_control_group_names_the_container() {
        let shim = [parent("containerd-shim-runc-v2", "")];
        let conmon = [parent("bash", ""), parent("conmon", "")];
        for (group, parents, engine) in [
            (
                "0::/system.slice/docker-ID.scope\n",
                &shim[..],
                EngineKind::Docker,
            ),
            ("9:pids:/docker/ID\n0::/\n", &shim, EngineKind::Docker),
            (
                "0::/machine.slice/libpod-ID.scope/container\n",
                &conmon,
                EngineKind::Podman,
            ),
            (
                "1:cpu:/libpod_parent/libpod-ID\n0::/\n",
                &conmon,
                EngineKind::Podman,
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope\n",
                &conmon,
                EngineKind::Podman,
            ),
        ] {
            let group = group.replace("ID", &id());
            assert_eq!(container(&group, parents), Some((engine, id())), "{group}");
        }
    }

    #[test]
    fn without_control_groups_the_parent_does() {
        let told = format!("/usr/bin/conmon --api-version 1 -c {} -u x", id());
        let conmon = [parent("conmon", &told)];
        assert!(may_be(&conmon));
        assert_eq!(
            container("0::/\n", &conmon),
            Some((EngineKind::Podman, id()))
        );
        let told = format!(
            "/usr/bin/containerd-shim-runc-v2 -namespace moby -id {} -address /x",
            id()
        );
        let shim = [parent("containerd-shim-runc-v2", &told)];
        assert_eq!(container("", &shim), Some((EngineKind::Docker, id())));
    }

    #[test]
    fn everything_else_is_in_none() {
        let group = format!("0::/system.slice/docker-{}.scope\n", id());
        assert_eq!(container(&group, &[parent("bash", "")]), None);
        for group in [
            "",
            "0::/",
            "x",
            "0::/system.slice/docker-short.scope",
            "::::",
        ] {
            assert_eq!(container(group, &[parent("conmon", "conmon -c")]), None);
        }
    }
}
