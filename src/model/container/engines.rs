//! Processes that listen for containers and virtual machines: what they are, why they are never
//! signalled, and what to do instead. A table; a new one is a new row.

use crate::model::Process;

/// A kind of process that listens for something that runs elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct EngineProcess {
    /// The names of its program.
    names: &'static [&'static str],
    /// What has to be in its command line, too, where its name alone says nothing.
    command: &'static [&'static str],
    /// Why it is not signalled, as what follows its name.
    pub reason: &'static str,
    /// What to do instead.
    pub way: &'static str,
}

const DOCKER: &str = "stop the container: 'docker ps' shows it, 'docker stop NAME' stops it ('docker context ls' shows where docker looks)";
const PODMAN: &str = "stop the container: 'podman ps' shows it, 'podman stop NAME' stops it; 'systemctl --user start podman.socket' lets Freeport do it";
const EITHER: &str = "stop the container: 'docker ps' or 'podman ps' shows it, 'docker stop NAME' or 'podman stop NAME' stops it";
const KUBERNETES: &str =
    "stop the container with what started it: docker, podman, nerdctl or kubectl";
const VM: &str = "end what listens inside the virtual machine, or shut the machine down with the program that runs it";

const fn row(
    names: &'static [&'static str],
    reason: &'static str,
    way: &'static str,
) -> EngineProcess {
    EngineProcess {
        names,
        command: &[],
        reason,
        way,
    }
}

const TABLE: &[EngineProcess] = &[
    row(
        &["docker-proxy"],
        "only passes the port on to a container, which would go on without it",
        DOCKER,
    ),
    row(
        &["dockerd"],
        "is Docker itself, with all its containers",
        DOCKER,
    ),
    row(
        &["containerd"],
        "runs all containers of this machine",
        KUBERNETES,
    ),
    row(
        &["containerd-shim", "containerd-shim-runc-v2"],
        "keeps a container, which would be lost to its engine without it",
        KUBERNETES,
    ),
    row(
        &["rootlessport", "rootlessport-child"],
        "only passes ports on to a container, which would go on without them",
        PODMAN,
    ),
    row(
        &["conmon"],
        "keeps a container, which would be lost to Podman without it",
        PODMAN,
    ),
    row(&["podman"], "is Podman itself", PODMAN),
    row(
        &["aardvark-dns"],
        "answers names for all containers of Podman",
        PODMAN,
    ),
    row(
        &["slirp4netns", "pasta", "pasta.avx2", "passt", "passt.avx2"],
        "is the network of a container, which would go on without one",
        EITHER,
    ),
    row(
        &["rootlesskit", "rootlesskit-docker-proxy"],
        "passes the ports of all containers of a rootless engine on",
        EITHER,
    ),
    row(
        &["gvproxy"],
        "passes the ports of all containers in a virtual machine on",
        EITHER,
    ),
    row(
        &[
            "com.docker.backend",
            "com.docker.vpnkit",
            "com.docker.virtualization",
            "com.docker.driver.amd64-linux",
            "com.docker.hyperkit",
            "com.docker.vmnetd",
            "vpnkit",
            "vpnkit-bridge",
        ],
        "is Docker Desktop, with all its containers",
        DOCKER,
    ),
    row(
        &["OrbStack Helper", "OrbStack Helper (VM)", "OrbStack"],
        "is OrbStack, with all its containers and machines",
        DOCKER,
    ),
    row(
        &["limactl", "lima-guestagent", "colima"],
        "passes the ports of a whole virtual machine on",
        "stop the container in it: 'docker stop NAME', 'nerdctl stop NAME'; or the machine: 'limactl stop', 'colima stop'",
    ),
    EngineProcess {
        names: &["ssh"],
        command: &["lima/", "ssh.sock"],
        reason: "passes the ports of a whole virtual machine of Lima on",
        way: "stop the container in it: 'docker stop NAME', 'nerdctl stop NAME'; or the machine: 'limactl stop', 'colima stop'",
    },
    row(
        &[
            "vfkit",
            "krunkit",
            "hyperkit",
            "com.apple.Virtualization.VirtualMachine",
        ],
        "is a whole virtual machine",
        VM,
    ),
    row(
        &[
            "VBoxHeadless",
            "VirtualBoxVM",
            "VBoxNetNAT",
            "vmware-vmx",
            "vmnet-natd",
            "firecracker",
            "cloud-hypervisor",
        ],
        "is a whole virtual machine, or the network of some",
        VM,
    ),
];

/// QEMU has a program for each kind of processor.
const QEMU: EngineProcess = row(
    &["qemu-system-", "qemu-kvm"],
    "is a whole virtual machine",
    VM,
);

/// How much of a name the kernel of Linux keeps (`TASK_COMM_LEN`, without its zero).
const KEPT: usize = 15;

/// What kind of process of an engine or a virtual machine this is, if it is one.
pub fn of(process: &Process) -> Option<&'static EngineProcess> {
    let name = process.name.as_str();
    if QEMU.names.iter().any(|qemu| name.starts_with(qemu)) {
        return Some(&QEMU);
    }
    TABLE.iter().find(|row| {
        let mut names = row.names.iter();
        // The file of another user's process cannot be read, so that its name stays cut off.
        names.any(|full| *full == name || (name.len() == KEPT && full.starts_with(name)))
            && row
                .command
                .iter()
                .all(|part| process.command.contains(part))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::attribute::tests::process;

    fn reason(name: &str, command: &str) -> Option<&'static str> {
        let mut one = Arc::unwrap_or_clone(process(7, name, &[1]));
        one.command = command.to_owned();
        of(&one).map(|row| row.reason)
    }

    #[test]
    fn what_listens_for_others_is_known() {
        for name in [
            "docker-proxy",
            "dockerd",
            "containerd",
            "containerd-shim",
            "containerd-shim-runc-v2",
            "rootlessport",
            "conmon",
            "com.docker.backend",
            "com.docker.back",
            "OrbStack Helper",
            "limactl",
            "qemu-system-x86_64",
            "qemu-system-x86",
            "VBoxHeadless",
        ] {
            assert!(reason(name, "").is_some(), "{name}");
        }
    }

    #[test]
    fn what_does_not_is_not() {
        for name in [
            "node",
            "docker",
            "containers",
            "qemu",
            "conmonitor",
            "nginx",
            "",
        ] {
            assert_eq!(reason(name, ""), None, "{name}");
        }
        assert_eq!(reason("ssh", "ssh -L 3000:localhost:3000 host"), None);
        assert!(reason("ssh", "ssh: /Users/me/.colima/_lima/colima/ssh.sock [mux]").is_some());
    }
}
