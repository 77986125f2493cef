//! A listener in the story of a port: the process, where it comes from, and what it works for.

use std::path::Path;

use super::{Block, Piece, Role};
use crate::ipc::view::{ListenerView, OwnerView};
use crate::model::container::{self, EngineKind};
use crate::model::text::{escape, tilde};
use crate::model::time::long_age;
use crate::model::{Container, Timestamp};

/// What is known of a listener. Paths below `home` are told as below `~`.
pub fn tell(listener: &ListenerView, home: Option<&Path>, now: Timestamp) -> Block {
    let at: Vec<String> = listener
        .addresses
        .iter()
        .map(|address| {
            if address.contains(':') {
                format!("[{address}]:{}", listener.port)
            } else {
                format!("{address}:{}", listener.port)
            }
        })
        .collect();
    let families = if listener.dual_stack {
        " (IPv4 and IPv6)"
    } else {
        ""
    };
    let title = match (listener.published(), &listener.owner) {
        (Some(container), _) => container.to_string(),
        (None, Some(owner)) => format!("{} (pid {})", escape(&owner.service), owner.pid),
        (None, None) => "an unknown process".to_owned(),
    };
    let mut block = Block::of([
        Piece::new(
            Role::Spot,
            format!("{} {}", listener.protocol, at.join(" ")),
        ),
        Piece::plain(format!("{families}  ")),
        Piece::new(Role::Title, title),
    ]);
    if let Some(container) = &listener.container {
        tell_container(&mut block, container, listener.owner.as_ref());
    }
    let user = escape(&listener.user_name()).into_owned();
    match &listener.owner {
        // What is known of a process that only passes the port on is nobody's question.
        Some(_) if listener.published().is_some() => block.fact("user", user),
        Some(owner) => tell_owner(&mut block, owner, listener, &user, home, now),
        None => block.fact("user", user),
    }
    if !listener.workers.is_empty() {
        let pids: Vec<String> = listener.workers.iter().map(ToString::to_string).collect();
        block.fact("shared by", format!("pid {}", pids.join(", ")));
    }
    if let Some(why) = listener.leftover {
        block.pieces("left over", [Piece::new(Role::Warning, why.reason())]);
    }
    block
}

/// The container that the port leads into, or that the process is in all the same.
fn tell_container(block: &mut Block, container: &Container, owner: Option<&OwnerView>) {
    let engine = match container.engine {
        EngineKind::Docker => "Docker",
        EngineKind::Podman => "Podman",
    };
    let id = container::short(&container.id);
    match container.port {
        Some(port) => {
            block.fact("container", format!("{engine} {id}, its port {port}"));
            if let Some(owner) = owner {
                let name = escape(&owner.name);
                block.fact("passed by", format!("{name} (pid {})", owner.pid));
            }
        }
        None => {
            let what = match container.image {
                Some(_) => container.to_string(),
                None => "a container of which its engine does not tell".to_owned(),
            };
            let told = format!("{what}, {engine} {id}, on the network of this machine");
            block.fact("inside", told);
        }
    }
    if let Some(pod) = &container.pod {
        block.fact("pod", escape(pod));
    }
    let compose = [&container.project, &container.service];
    let compose: Vec<_> = compose
        .into_iter()
        .flatten()
        .map(|text| escape(text))
        .collect();
    if !compose.is_empty() {
        block.fact("compose", compose.join(" · "));
    }
}

fn tell_owner(
    block: &mut Block,
    owner: &OwnerView,
    listener: &ListenerView,
    user: &str,
    home: Option<&Path>,
    now: Timestamp,
) {
    let folder = |path: &str| tilde(Path::new(path), home);
    block.fact("command", escape(&owner.command));
    if let Some(exe) = &owner.exe {
        block.fact("program", folder(exe));
    }
    let details = owner.details.as_ref();
    if let (Some(project), Some(root)) = (&owner.project, &owner.project_root) {
        let branch = owner
            .branch
            .as_deref()
            .map(|branch| format!(", branch {}", escape(branch)))
            .unwrap_or_default();
        let worktree = if details.is_some_and(|d| d.worktree) {
            ", a linked worktree"
        } else {
            ""
        };
        block.fact(
            "project",
            format!("{} ({}{branch}{worktree})", escape(project), folder(root)),
        );
    }
    if let Some(cwd) = &owner.cwd {
        let deleted = if details.is_some_and(|d| d.cwd_deleted) {
            " (deleted)"
        } else {
            ""
        };
        block.fact("folder", folder(cwd) + deleted);
    }
    let acts_as = details
        .filter(|d| d.uid != listener.uid)
        .map(|d| format!(" (acts as uid {})", d.uid))
        .unwrap_or_default();
    block.fact("user", format!("{user}{acts_as}"));
    block.fact(
        "since",
        format!(
            "{} ago ({})",
            long_age(owner.started_at.age(now)),
            owner.started_at
        ),
    );
    let Some(details) = details else { return };
    if let Some(terminal) = &details.terminal {
        block.fact("terminal", escape(terminal));
    }
    if let Some(unit) = &details.unit {
        block.fact("service", escape(unit));
    }
    for (index, parent) in details.parents.iter().enumerate() {
        let command = crate::model::text::shorten(&parent.command, 80);
        let indent = "  ".repeat(index.min(12));
        let name = escape(&parent.name);
        block.pieces(
            if index == 0 { "started by" } else { "" },
            [
                Piece::plain(format!("{indent}{name} (pid {})  ", parent.pid)),
                Piece::new(Role::Dim, escape(&command)),
            ],
        );
    }
}
