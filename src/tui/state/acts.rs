//! What a key does to a port: each is asked first, with a name to what it is done to.

use super::dialog::{Confirm, Dialog, Form, Tone};
use super::{Effect, Message, Problem, Purpose, State, Tab};
use crate::ipc::protocol::{Kill, Release, Reply, Request};
use crate::ipc::view::{ListenerView, OwnerView, ReservationView, words};
use crate::model::kill::{KillResult, Outcome};
use crate::model::text::{escape, shorten};
use crate::model::{Container, Port, Timestamp};
use crate::tui::tables::RowId;
use std::time::Duration;

/// How long something that went well is told.
const SHORT: Duration = Duration::from_secs(5);
/// How long something else is.
const LONG: Duration = Duration::from_secs(12);

impl State {
    /// Tells something at the bottom for a while.
    pub(super) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        let time = match tone {
            Tone::Warn | Tone::Bad => LONG,
            _ => SHORT,
        };
        self.message = Some(Message {
            tone,
            text: text.into(),
            until: Some(self.now.after(time)),
        });
        self.changed = true;
    }

    pub(super) fn say_problem(&mut self, problem: &Problem) {
        let hint = problem.hint.as_deref().map(|hint| format!("; {hint}"));
        let text = format!("{}{}", problem.message, hint.unwrap_or_default());
        self.say(Tone::Bad, text);
    }

    /// The port of the selected row.
    pub(crate) fn selected_port(&self) -> Option<Port> {
        match self.list().selected.as_ref()? {
            RowId::Listener { port, .. } | RowId::Reserved(port, _) => Some(*port),
            RowId::Drawn { port, .. } => *port,
            RowId::Entry { port, .. } => *port,
            RowId::Pool(_) => None,
        }
    }

    /// The listener that the selected row means, or why it means none.
    fn selected_listener(&self) -> Result<&ListenerView, String> {
        let nothing = || match self.tab {
            Tab::Pools | Tab::Log => {
                "nothing is killed from here: choose a row of Ports".to_owned()
            }
            _ => "nothing is selected".to_owned(),
        };
        let (at, at_protocol) = match self.list().selected.as_ref().ok_or_else(nothing)? {
            RowId::Listener {
                port,
                protocol,
                key,
                uid,
            } => {
                let is_it = |l: &&ListenerView| {
                    let owner = l.owner.as_ref().map(|owner| owner.key);
                    (l.port, l.protocol, owner, l.uid) == (*port, *protocol, *key, *uid)
                };
                let found = self.listeners().iter().find(is_it);
                return found.ok_or_else(|| format!("nothing listens on port {port} any more"));
            }
            RowId::Reserved(port, protocol) => (*port, *protocol),
            _ => return Err(nothing()),
        };
        let here = |l: &&ListenerView| (l.port, l.protocol) == (at, at_protocol);
        let mut all = self.listeners().iter().filter(here);
        match (all.next(), all.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(format!(
                "several processes listen on port {at}: choose one of them among Ports"
            )),
            (None, _) => Err(format!(
                "nobody listens on port {at}; u gives the reservation back"
            )),
        }
    }

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

    /// Opens the form for a reservation, with what is known of the selected row.
    pub(super) fn start_reserve(&mut self) {
        let view = self.selected_reservation();
        let listener = self.selected_listener().ok();
        let owner = listener.and_then(|listener| listener.owner.as_ref());
        let project = owner
            .and_then(|owner| owner.project.clone())
            .or_else(|| view.and_then(|view| view.project.clone()));
        let protocol = listener
            .map(|listener| listener.protocol)
            .or(view.map(|view| view.protocol));
        let port = self.selected_port().map(|port| port.to_string());
        let at = match (&port, &project) {
            (None, _) => 0,
            (_, None) => 1,
            _ => 2,
        };
        self.dialog = Some(Dialog::Form(Form {
            fields: [
                port.unwrap_or_default(),
                project.unwrap_or_default(),
                String::new(),
            ],
            at,
            udp: protocol == Some(crate::model::Protocol::Udp),
            problem: None,
        }));
        self.changed = true;
    }

    /// The reservation that the selected row is, or is about.
    fn selected_reservation(&self) -> Option<&ReservationView> {
        let at = match self.list().selected.as_ref()? {
            RowId::Listener { port, protocol, .. } | RowId::Reserved(port, protocol) => {
                (*port, *protocol)
            }
            RowId::Drawn {
                port: Some(port),
                protocol,
                ..
            } => (*port, *protocol),
            _ => return None,
        };
        let mut all = self.reservations().iter();
        all.find(|view| (view.port, view.protocol) == at)
    }

    /// Asks the user whether exactly this reservation is to be given back.
    pub(super) fn start_release(&mut self) {
        let Some(view) = self.selected_reservation() else {
            let why = match self.selected_port() {
                Some(port) => format!("port {port} is not reserved"),
                None => "nothing that is reserved is selected".to_owned(),
            };
            return self.say(Tone::Warn, why);
        };
        let spot = words::spot(view.port, view.protocol);
        let release = Release {
            ports: vec![view.port],
            job_id: None,
            protocol: Some(view.protocol),
            token: None,
            as_user: true,
            created_at: Some(view.created_at),
        };
        let confirm = Confirm {
            title: format!("Give port {spot} back?"),
            lines: vec![
                (Tone::Strong, format!("It is {}.", words::standing(view))),
                (
                    Tone::Plain,
                    "Nothing is ended: who listens goes on listening.".to_owned(),
                ),
            ],
            scroll: 0,
            yes: "Give back",
            agrees: false,
            meanwhile: format!("giving port {spot} back …"),
            then: Effect::Ask(Purpose::Release, vec![Request::Release(release)]),
        };
        self.dialog = Some(Dialog::Confirm(confirm));
        self.changed = true;
    }

    /// Tells what was set aside.
    pub(super) fn reserved(&mut self, told: Result<Vec<Reply>, Problem>) {
        let form = match &mut self.dialog {
            Some(Dialog::Form(form)) => Some(form),
            _ => None,
        };
        match (told, form) {
            (Ok(replies), form) => {
                if form.is_some() {
                    self.dialog = None;
                }
                let text = of_reservations(replies, |view| {
                    let spot = words::spot(view.port, view.protocol);
                    format!("port {spot} is {}", words::standing(view))
                });
                self.say(Tone::Good, text);
            }
            (Err(problem), Some(form)) => {
                let hint = problem.hint.map(|hint| format!("; {hint}"));
                form.problem = Some(format!("{}{}", problem.message, hint.unwrap_or_default()));
                self.changed = true;
            }
            (Err(problem), None) => self.say_problem(&problem),
        }
    }

    /// Tells what was given back.
    pub(super) fn released(&mut self, told: Result<Vec<Reply>, Problem>) {
        match told {
            Ok(replies) => {
                let text = of_reservations(replies, |view| {
                    let spot = words::spot(view.port, view.protocol);
                    let was = words::for_whom(view).map(|was| format!("; it was {was}"));
                    format!("port {spot} is released{}", was.unwrap_or_default())
                });
                self.say(Tone::Good, text);
            }
            Err(problem) => self.say_problem(&problem),
        }
    }

    /// Takes a message away whose time is over.
    pub(super) fn forget_message(&mut self, now: Timestamp) {
        let over = |message: &Message| message.until.is_some_and(|until| until <= now);
        if self.message.as_ref().is_some_and(over) {
            self.message = None;
            self.changed = true;
        }
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

fn of_reservations(replies: Vec<Reply>, told: impl Fn(&ReservationView) -> String) -> String {
    let views = replies.into_iter().flat_map(|reply| match reply {
        Reply::Reservations(reply) => reply.reservations,
        _ => Vec::new(),
    });
    let told: Vec<String> = views.map(|view| told(&view)).collect();
    match told.as_slice() {
        [] => "it was not reserved any more".to_owned(),
        told => told.join("; "),
    }
}
