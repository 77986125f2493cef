//! What follows from an event.

use super::details::may_need;
use super::dialog::{Dialog, Tone};
use super::{Effect, Event, Fetched, Problem, Purpose, Source, State, Tab};
use crate::ipc::protocol::Reply;
use crate::model::Timestamp;

impl State {
    /// Takes an event in, which happened now; gives what is to be done.
    pub fn update(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        self.now = now;
        self.forget_message(now);
        let needs_details = may_need(&event);
        let mut effects = self.take(event);
        if needs_details {
            effects.extend(self.ask_for_details());
        }
        effects
    }

    fn take(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Key(key) => self.key(key),
            Event::Mouse(mouse) => self.pressed(mouse),
            Event::Pasted(text) => {
                self.pasted(&text);
                Vec::new()
            }
            Event::Resized(size) => {
                self.size = size;
                self.refresh();
                // What is on the screen now is the terminal's own doing.
                vec![Effect::Redraw]
            }
            Event::Looked(looked) => {
                self.looked = Some(*looked);
                self.refresh();
                self.outdate_details();
                self.fetch().into_iter().collect()
            }
            Event::Source(source) => {
                self.told_by(source);
                Vec::new()
            }
            Event::Told(purpose, told) => self.told(purpose, told),
            Event::Time => {
                self.refresh();
                self.fetch().into_iter().collect()
            }
            Event::End(status) => vec![Effect::End(status)],
        }
    }

    /// What is pasted is text where text is typed, and nothing anywhere else: no key of it acts.
    fn pasted(&mut self, text: &str) {
        match &mut self.dialog {
            Some(Dialog::Form(form)) => form.push(text),
            Some(_) => {}
            None if self.filter.typing => {
                self.filter.push(text);
                self.refresh();
            }
            None => self.say(Tone::Plain, "pasted text is no key: / starts a filter"),
        }
        self.changed = true;
    }

    fn told_by(&mut self, source: Source) {
        let before = std::mem::replace(&mut self.source, source);
        self.changed = true;
        // What is tried again and again is told once.
        if before == self.source {
            return;
        }
        match (&before, &self.source) {
            (Source::App { .. }, Source::Alone(None)) => self.say(
                Tone::Warn,
                "the app has ended; this goes on looking by itself, and follows the app again when it is back",
            ),
            (_, Source::Alone(Some(problem))) => {
                let problem = problem.clone();
                self.say_problem(&Problem {
                    message: format!("going on without the app: {}", problem.message),
                    hint: problem.hint,
                });
            }
            (Source::Alone(_), Source::App { .. }) => {
                self.say(Tone::Good, "the app runs now, and tells what changes");
            }
            (Source::App { pid: before, .. }, Source::App { pid, .. }) if before != pid => {
                self.say(Tone::Good, "the app was started again, and tells what changes");
            }
            _ => {}
        }
    }

    fn told(&mut self, purpose: Purpose, told: Result<Vec<Reply>, Problem>) -> Vec<Effect> {
        match purpose {
            Purpose::Details(port) => {
                self.told_details(port, told);
                return Vec::new();
            }
            Purpose::Plan(kill) => {
                self.planned(&kill, told);
                return Vec::new();
            }
            Purpose::Pools | Purpose::Log => {
                self.fetched(&purpose, told);
                // Another tab may have been opened meanwhile.
                let waits = match self.tab {
                    Tab::Pools => purpose != Purpose::Pools,
                    Tab::Log => purpose != Purpose::Log,
                    _ => false,
                };
                let next = if waits { self.fetch() } else { None };
                return next.into_iter().collect();
            }
            Purpose::Kill(kill) => self.killed(&kill, told),
            Purpose::Reserve => self.reserved(told),
            Purpose::Release => self.released(told),
        }
        vec![Effect::Look]
    }

    fn fetched(&mut self, purpose: &Purpose, told: Result<Vec<Reply>, Problem>) {
        self.fetching = false;
        let reply = told.map(|replies| replies.into_iter().next());
        match (purpose, reply) {
            (Purpose::Pools, Ok(Some(Reply::Pools(reply)))) => {
                self.pools = Fetched::Is(reply.pools);
            }
            (Purpose::Log, Ok(Some(Reply::Log(reply)))) => self.log = Fetched::Is(reply.entries),
            (Purpose::Pools, Err(problem)) => self.pools = Fetched::Failed(problem),
            (Purpose::Log, Err(problem)) => self.log = Fetched::Failed(problem),
            _ => return,
        }
        if matches!(self.tab, Tab::Pools | Tab::Log) {
            self.refresh();
        }
    }
}
