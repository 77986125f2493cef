//! What stands in front of the lists: a question, a form, the keys.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{Effect, Purpose};
use crate::ipc::protocol::{Request, Reserve};
use crate::model::{Port, Protocol};

/// What a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing else.
    #[default]
    Plain,
    /// What matters more.
    Strong,
    /// What matters less.
    Dim,
    /// A port.
    Spot,
    /// What is as it should be.
    Good,
    /// What one should know.
    Warn,
    /// What went wrong.
    Bad,
}

/// What is in front.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    /// The keys; the first line that is shown.
    Help(usize),
    /// A question.
    Confirm(Confirm),
    /// A reservation to be made.
    Form(Form),
}

/// A question that is answered with yes or no.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirm {
    /// What is asked.
    pub title: String,
    /// What it means.
    pub lines: Vec<(Tone, String)>,
    /// The first of the lines that is shown.
    pub scroll: usize,
    /// What yes is called.
    pub yes: &'static str,
    /// Whether Enter means yes.
    pub agrees: bool,
    /// What is done then.
    pub then: Effect,
    /// What is told until that is done.
    pub meanwhile: String,
}

/// What a dialog wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To stay.
    Stay,
    /// To go away.
    Close,
    /// To go away, and this to be done, which is told.
    Done(Effect, String),
    /// To stay until this is done.
    Try(Effect),
}

impl Confirm {
    /// What follows from a key.
    pub fn key(&mut self, key: KeyEvent) -> Answer {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return Answer::Stay;
        }
        match key.code {
            KeyCode::Char('y' | 'Y') => self.agree(),
            KeyCode::Enter if self.agrees => self.agree(),
            KeyCode::Enter | KeyCode::Esc | KeyCode::Char('n' | 'N' | 'q') => Answer::Close,
            KeyCode::Left
            | KeyCode::Right
            | KeyCode::Tab
            | KeyCode::BackTab
            | KeyCode::Char('h' | 'l') => {
                self.agrees = !self.agrees;
                Answer::Stay
            }
            KeyCode::Down | KeyCode::Char('j') => self.scrolled(1),
            KeyCode::Up | KeyCode::Char('k') => self.scrolled(-1),
            _ => Answer::Stay,
        }
    }

    /// Yes.
    pub fn agree(&self) -> Answer {
        Answer::Done(self.then.clone(), self.meanwhile.clone())
    }

    /// Goes so many lines on.
    pub fn scrolled(&mut self, by: isize) -> Answer {
        let most = self.lines.len().saturating_sub(1);
        self.scroll = self.scroll.saturating_add_signed(by).min(most);
        Answer::Stay
    }
}

/// The longest text in a field, as `check_name` has it and some.
const LONGEST: usize = 128;

/// A reservation that is being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What is typed: port, project, service.
    pub fields: [String; 3],
    /// Which of them is being typed.
    pub at: usize,
    /// Whether it is for UDP.
    pub udp: bool,
    /// Why it was not done.
    pub problem: Option<String>,
}

impl Form {
    /// What the fields are called.
    pub const LABELS: [&str; 3] = ["port", "project", "service"];

    /// What follows from a key.
    pub fn key(&mut self, key: KeyEvent) -> Answer {
        let held = key
            .modifiers
            .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Esc => return Answer::Close,
            KeyCode::Enter
                if self.at + 1 < self.fields.len() && self.fields[self.at].is_empty() =>
            {
                self.at += 1;
            }
            KeyCode::Enter => return self.send(),
            KeyCode::Tab | KeyCode::Down => self.at = (self.at + 1) % self.fields.len(),
            KeyCode::BackTab | KeyCode::Up => {
                self.at = (self.at + self.fields.len() - 1) % self.fields.len();
            }
            KeyCode::Backspace => {
                self.fields[self.at].pop();
            }
            KeyCode::Char('u' | 'w') if held => self.fields[self.at].clear(),
            KeyCode::Char(c) if !held => self.push(&c.to_string()),
            _ => {}
        }
        Answer::Stay
    }

    /// Adds to the field that is being typed.
    pub fn push(&mut self, text: &str) {
        let field = &mut self.fields[self.at];
        let room = LONGEST.saturating_sub(field.chars().count());
        field.extend(text.chars().filter(|c| !c.is_control()).take(room));
        self.problem = None;
    }

    fn send(&mut self) -> Answer {
        let [port, project, service] = self.fields.each_ref().map(|field| field.trim());
        let port = match port.parse::<Port>() {
            Ok(port) => port,
            Err(error) => {
                self.problem = Some(error.to_string());
                self.at = 0;
                return Answer::Stay;
            }
        };
        if project.is_empty() {
            self.problem = Some("say which project the port is for".to_owned());
            self.at = 1;
            return Answer::Stay;
        }
        let reserve = Reserve {
            ports: vec![port],
            protocol: if self.udp {
                Protocol::Udp
            } else {
                Protocol::Tcp
            },
            project: project.to_owned(),
            service: (!service.is_empty()).then(|| service.to_owned()),
            ttl_s: None,
            metadata: None,
            hold: false,
        };
        Answer::Try(Effect::Ask(
            Purpose::Reserve,
            vec![Request::Reserve(reserve)],
        ))
    }
}
