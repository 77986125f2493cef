//! A listener in the story of a port: the process, where it comes from, and what it works for.

use std::fmt::Write as _;
use std::path::Path;

use anstyle::AnsiColor;

use super::line;
use crate::cli::output;
use crate::ipc::view::{ListenerView, OwnerView};
use crate::model::Timestamp;
use crate::model::text::{escape, tilde};
use crate::model::time::long_age;
use crate::platform::paths;

/// Adds what is known of a listener.
pub fn tell(text: &mut String, listener: &ListenerView, now: Timestamp) {
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
    let title = match &listener.owner {
        Some(owner) => format!("{} (pid {})", escape(&owner.service), owner.pid),
        None => "an unknown process".to_owned(),
    };
    let port = output::styled(
        format!("{} {}", listener.protocol, at.join(" ")),
        AnsiColor::Cyan.on_default().bold(),
    );
    let _ = writeln!(text, "{port}{families}  {}", output::bold(title));
    let mut line = |label: &str, value: String| line(text, label, &value);
    let user = escape(&listener.user_name()).into_owned();
    match &listener.owner {
        Some(owner) => tell_owner(&mut line, owner, listener, &user, now),
        None => line("user", user),
    }
    if !listener.workers.is_empty() {
        let pids: Vec<String> = listener.workers.iter().map(ToString::to_string).collect();
        line("shared by", format!("pid {}", pids.join(", ")));
    }
    if let Some(why) = listener.leftover {
        line("left over", output::warning(why.reason()));
    }
}

fn tell_owner(
    line: &mut impl FnMut(&str, String),
    owner: &OwnerView,
    listener: &ListenerView,
    user: &str,
    now: Timestamp,
) {
    let home = paths::home();
    let folder = |path: &str| tilde(Path::new(path), home.as_deref());
    line("command", escape(&owner.command).into_owned());
    if let Some(exe) = &owner.exe {
        line("program", folder(exe));
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
        line(
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
        line("folder", folder(cwd) + deleted);
    }
    let acts_as = details
        .filter(|d| d.uid != listener.uid)
        .map(|d| format!(" (acts as uid {})", d.uid))
        .unwrap_or_default();
    line("user", format!("{user}{acts_as}"));
    line(
        "since",
        format!(
            "{} ago ({})",
            long_age(owner.started_at.age(now)),
            owner.started_at
        ),
    );
    let Some(details) = details else { return };
    if let Some(terminal) = &details.terminal {
        line("terminal", escape(terminal).into_owned());
    }
    if let Some(unit) = &details.unit {
        line("service", escape(unit).into_owned());
    }
    for (index, parent) in details.parents.iter().enumerate() {
        let command = crate::model::text::shorten(&parent.command, 80);
        let shown = format!(
            "{} (pid {})  {}",
            escape(&parent.name),
            parent.pid,
            output::dim(escape(&command))
        );
        line(
            if index == 0 { "started by" } else { "" },
            format!("{}{shown}", "  ".repeat(index.min(12))),
        );
    }
}
