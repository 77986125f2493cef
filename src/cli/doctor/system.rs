//! The system: what can be seen of other processes, and what holding and killing need of the kernel.

use std::net::{Ipv6Addr, TcpListener};
use std::time::Duration;

use super::finding::Finding;
use crate::model::{Gap, GapKind};
use crate::platform::seam::Seam;
use crate::platform::{self, containers, health};

const OWNERS: &str = "owners";
const HOLDING: &str = "holding";
const KILLING: &str = "killing";
const IPV6: &str = "IPv6";
const CONTAINERS: &str = "containers";

/// How long container engines may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn check() -> Vec<Finding> {
    let mut findings = owners();
    findings.extend([holding(), killing(), ipv6()]);
    findings.extend(engines());
    findings
}

fn owners() -> Vec<Finding> {
    let gaps = platform::look(&[]).gaps;
    if gaps.is_empty() {
        return vec![Finding::ok(OWNERS, "of all ports can be seen")];
    }
    gaps.into_iter().map(unseen).collect()
}

fn unseen(gap: Gap) -> Finding {
    match gap.kind {
        // Whoever is not root does not see who listens for root.
        GapKind::OwnersUnreadable => Finding::note(OWNERS, gap.detail),
        _ => Finding::warning(OWNERS, gap.detail),
    }
}

fn holding() -> Finding {
    match Seam::is_supported() {
        true => Finding::ok(
            HOLDING,
            "'freeport run' binds for its programs (seam): nobody gets in between",
        ),
        false => Finding::warning(
            HOLDING,
            "'freeport run' opens the port for its programs (gate): somebody who is quick can take it",
        )
        .remedy(health::SEAM_REMEDY),
    }
}

fn killing() -> Finding {
    match health::signals_are_exact() {
        true => Finding::ok(
            KILLING,
            "a signal reaches the very process that was checked",
        ),
        false => Finding::warning(KILLING, "a process is checked right before its signal")
            .remedy(health::SIGNAL_REMEDY),
    }
}

fn ipv6() -> Finding {
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => Finding::ok(IPV6, "is there: ports are kept on IPv4 and IPv6"),
        Err(error) => Finding::note(
            IPV6,
            format!("is not there ({error}): ports are kept on IPv4"),
        ),
    }
}

fn engines() -> Vec<Finding> {
    let seen = containers::ask(PATIENCE);
    let reached = seen.places.iter().filter(|place| {
        let is_it = |trouble: &&crate::model::container::Trouble| trouble.place == **place;
        !seen.troubles.iter().any(|trouble| is_it(&trouble))
    });
    let reached = reached.map(|place| Finding::ok(CONTAINERS, format!("{place} answers")));
    let troubles = seen.troubles.iter();
    let troubles = troubles.map(|trouble| Finding::warning(CONTAINERS, trouble.to_string()));
    let found: Vec<Finding> = reached.chain(troubles).collect();
    match found.is_empty() {
        true => vec![Finding::note(CONTAINERS, "no engine runs here")],
        false => found,
    }
}
