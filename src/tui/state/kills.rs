//! Kills: whom the selected row means, who would be ended, and what came of it. Each is asked first,
//! with the names of those it would end, and means exactly those.

use super::dialog::{Confirm, Dialog, Tone};
use super::{Effect, Problem, Purpose, State};
use crate::ipc::protocol::{Kill, Reply, Request};
use crate::ipc::view::{ListenerView, OwnerView, words};
use crate::model::Container;
use crate::model::kill::{KillResult, Outcome};
use crate::model::text::{escape, shorten};

impl State {
    /// Asks whom a kill of the selected row would end: exactly the process that is shown.
    pub(super) fn plan_kill(&mut self, tree: bool) -> Option<Effect> {
        let listener = match self.selected_listener() {
            Ok(listener) => listener,
            Err(why) => {
                self.say(Tone::Warn, why);
                return None;
            }
        };
        let port = listener.port;
        let of = |container: Option<&Container>, owner: Option<&OwnerView>| match container {
            // The process in front of it is its engine's.
            Some(container) => Some(Kill {
                container: Some(container.id.clone()),
                ..Kill::of(vec![port])
            }),
            None => owner.map(|owner| Kill {
                pid: Some(owner.key.to_string()),
                ..Kill::of(vec![port])
            }),
        };
        let Some(meant) = of(listener.published(), listener.owner.as_ref()) else {
            let gaps = self.looked.iter().flat_map(|looked| &looked.gaps);
            let gap = gaps.into_iter().find(|gap| gap.kind.is_about_owners());
            let gap = gap.map(|gap| format!(": {}", escape(&gap.detail)));
            let why = format!(
                "whose port {port} is cannot be seen{}",
                gap.unwrap_or_default()
            );
            self.say(Tone::Warn, why);
            return None;
        };
        let kill = Kill {
            tree,
            dry_run: true,
            ..meant
        };
        Some(Effect::Ask(
            Purpose::Plan(kill.clone()),
            vec![Request::Kill(kill)],
        ))
    }

    /// Asks the user whether those are to be ended that a dry run has named.
    pub(super) fn planned(&mut self, kill: &Kill, told: Result<Vec<Reply>, Problem>) {
        let outcome = match outcome(told) {
            Ok(outcome) => outcome,
            Err(problem) => return self.say_problem(&problem),
        };
        if outcome.result != KillResult::DryRun {
            return self.say_outcome(&outcome);
        }
        // Something else was opened meanwhile.
        if self.dialog.is_some() {
            return;
        }
        let kill = Kill {
            dry_run: false,
            ..kill.clone()
        };
        let who = who(&outcome);
        let (verb, yes) = match (&outcome.container, kill.tree) {
            (Some(_), _) => ("Stop", "Stop"),
            (None, true) => ("Kill", "Kill all"),
            (None, false) => ("Kill", "Kill"),
        };
        let (title, lines) = (format!("{verb} {who}?"), self.victims(&outcome, kill.tree));
        self.dialog = Some(Dialog::Confirm(Confirm {
            title,
            lines,
            scroll: 0,
            yes,
            agrees: false,
            meanwhile: format!("ending {who} on port {} …", outcome.port),
            then: Effect::Ask(Purpose::Kill(kill.clone()), vec![Request::Kill(kill)]),
        }));
        self.changed = true;
    }

    /// Who would be ended, and what else would end with it.
    fn victims(&self, outcome: &Outcome, tree: bool) -> Vec<(Tone, String)> {
        let mut lines = Vec::new();
        let key = outcome.owner.as_ref().map(|owner| owner.key);
        let owner = |l: &&ListenerView| key.is_some() && l.owner.as_ref().map(|o| o.key) == key;
        let own: Vec<&ListenerView> = self.listeners().iter().filter(owner).collect();
        let project = own
            .iter()
            .find_map(|l| l.owner.as_ref()?.project.as_deref());
        let of = project.map(|project| format!(" of {}", escape(project)));
        lines.push((
            Tone::Plain,
            format!("To free port {}{}:", outcome.port, of.unwrap_or_default()),
        ));
        if outcome.signals.is_empty() {
            lines.push((Tone::Plain, escape(&outcome.message).into_owned()));
        }
        for sent in &outcome.signals {
            lines.push((Tone::Strong, format!("  {} to {}", sent.signal, sent.to)));
            let command = shorten(&sent.to.command, 200);
            lines.push((Tone::Dim, format!("    {}", escape(&command))));
        }
        for worker in &outcome.workers {
            lines.push((
                Tone::Plain,
                format!("  {worker}, only if it keeps the port"),
            ));
        }
        if tree {
            lines.push((
                Tone::Plain,
                "All below it that there is then is ended too.".to_owned(),
            ));
        }
        let mut others: Vec<String> = own
            .iter()
            .filter(|l| l.port != outcome.port)
            .map(|l| words::spot(l.port, l.protocol))
            .collect();
        others.dedup();
        if !others.is_empty() {
            let more = others.len().saturating_sub(8);
            others.truncate(8);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            lines.push((
                Tone::Warn,
                format!("It listens on {}{more} too.", others.join(", ")),
            ));
        }
        if let Some(user) = &outcome.other_user {
            lines.push((Tone::Warn, format!("It belongs to {}.", escape(user))));
        }
        if let Some(hint) = &outcome.hint {
            lines.push((Tone::Warn, escape(hint).into_owned()));
        }
        lines
    }

    /// Tells what came of a kill; asks whether SIGKILL is to follow where SIGTERM was not enough.
    pub(super) fn killed(&mut self, kill: &Kill, told: Result<Vec<Reply>, Problem>) {
        let outcome = match outcome(told) {
            Ok(outcome) => outcome,
            Err(problem) => return self.say_problem(&problem),
        };
        let is_known = outcome.owner.is_some() || outcome.container.is_some();
        let survives = outcome.result == KillResult::StillHeld && is_known && !kill.force;
        if !survives || self.dialog.is_some() {
            return self.say_outcome(&outcome);
        }
        let owner = who(&outcome);
        let container = outcome.container.as_ref().map(|found| found.id.clone());
        let key = outcome.owner.as_ref().map(|owner| owner.key.to_string());
        let again = Kill {
            pid: key.filter(|_| container.is_none()),
            container,
            force: true,
            grace_ms: 0,
            ..kill.clone()
        };
        self.message = None;
        self.dialog = Some(Dialog::Confirm(Confirm {
            title: format!("Send SIGKILL to {owner}?"),
            lines: vec![
                (Tone::Warn, escape(&outcome.message).into_owned()),
                (
                    Tone::Plain,
                    "SIGKILL ends it at once: it can save nothing.".to_owned(),
                ),
            ],
            scroll: 0,
            yes: "SIGKILL",
            agrees: false,
            meanwhile: format!("killing {owner} …"),
            then: Effect::Ask(Purpose::Kill(again.clone()), vec![Request::Kill(again)]),
        }));
        self.changed = true;
    }

    fn say_outcome(&mut self, outcome: &Outcome) {
        let tone = match outcome.result {
            KillResult::Freed => Tone::Good,
            KillResult::NothingThere | KillResult::StillShared => Tone::Warn,
            _ => Tone::Bad,
        };
        let hint = outcome.hint.as_ref().map(|hint| format!("; {hint}"));
        let text = format!("{}{}", outcome.message, hint.unwrap_or_default());
        self.say(tone, escape(&text).into_owned());
    }
}

/// Whom a kill is about.
fn who(outcome: &Outcome) -> String {
    match (&outcome.container, &outcome.owner) {
        (Some(container), _) => container.to_string(),
        (None, Some(owner)) => owner.to_string(),
        (None, None) => format!("what is on port {}", outcome.port),
    }
}

/// What came of the kill of one port.
fn outcome(told: Result<Vec<Reply>, Problem>) -> Result<Outcome, Problem> {
    let mut outcomes = told?.into_iter().flat_map(|reply| match reply {
        Reply::Kill(kill) => kill.outcomes,
        _ => Vec::new(),
    });
    outcomes.next().ok_or_else(|| Problem {
        message: "the app gave another answer than was asked for".to_owned(),
        hint: Some("restart it, so that it has the version of this program".to_owned()),
    })
}
