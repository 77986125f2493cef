//! Reservations made and given back, what the selected row means, and what is told at the bottom.

use std::time::Duration;

use super::dialog::{Confirm, Dialog, Form, Tone};
use super::{Effect, Message, Problem, Purpose, State, Tab};
use crate::ipc::protocol::{Release, Reply, Request};
use crate::ipc::view::{ListenerView, ReservationView, words};
use crate::model::{Port, Protocol, Timestamp};
use crate::tui::tables::RowId;

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
    pub(super) fn selected_listener(&self) -> Result<&ListenerView, String> {
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
            udp: protocol == Some(Protocol::Udp),
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
