//! The keys: what each does, and how that is told.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::dialog::{Answer, Dialog};
use super::{Effect, Fetched, Message, Purpose, Sort, State, Tab, Tone};
use crate::ipc::protocol::{Log, Pool, Request};

/// All keys, and what they do; a line without keys is a heading. All of it fits on 24 rows.
pub const HELP: &[(&str, &str)] = &[
    ("", "Moving"),
    ("↑ ↓  j k", "up and down; PgUp PgDn a page, g G to the ends"),
    ("Tab  ← →  1-5", "the next tab, the one before, one of them"),
    ("", "Looking"),
    ("Enter", "the whole story of the port, and away with it"),
    ("J K", "down and up in the story"),
    ("/", "only a port, 3000-3999, or part of a name"),
    ("a", "also the system's, other users', and UDP clients"),
    ("p", "in groups, by project"),
    ("s  S", "sorted by another column; the other way round"),
    ("", "Doing: each is asked first"),
    ("x  Del", "kill: SIGTERM, and SIGKILL if you agree"),
    ("X", "kill it and everything below it"),
    ("r", "reserve a port for a project"),
    ("u", "give a reservation back"),
    ("", "And"),
    ("m", "leave the mouse to the terminal, to select text"),
    ("Ctrl-L  Ctrl-Z", "draw it again; to the shell until 'fg'"),
    ("Esc", "away with what is in front, story, filter"),
    ("?  q  Ctrl-C", "these keys; quit"),
];

/// A key at the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The key, as it is told.
    pub key: &'static str,
    /// What it does.
    pub label: &'static str,
    /// The key.
    pub code: KeyCode,
}

const fn hint(key: &'static str, label: &'static str, code: KeyCode) -> Hint {
    Hint { key, label, code }
}

const DETAILS: Hint = hint("Enter", "story", KeyCode::Enter);
const KILL: Hint = hint("x", "kill", KeyCode::Char('x'));
const TREE: Hint = hint("X", "kill tree", KeyCode::Char('X'));
const RESERVE: Hint = hint("r", "reserve", KeyCode::Char('r'));
const RELEASE: Hint = hint("u", "give back", KeyCode::Char('u'));
const FILTER: Hint = hint("/", "filter", KeyCode::Char('/'));
const SORT: Hint = hint("s", "sort", KeyCode::Char('s'));
const GROUP: Hint = hint("p", "group", KeyCode::Char('p'));
const ALL: Hint = hint("a", "all", KeyCode::Char('a'));
const HELPS: Hint = hint("?", "keys", KeyCode::Char('?'));
const QUIT: Hint = hint("q", "end", KeyCode::Char('q'));
const QUITS: Hint = Hint {
    label: "quit",
    ..QUIT
};

/// What is told at the bottom, the most useful first.
pub fn hints(state: &State) -> &'static [Hint] {
    if state.filter.typing {
        return const {
            &[
                hint("Enter", "keep", KeyCode::Enter),
                hint("Esc", "no filter", KeyCode::Esc),
                hint("↑↓", "move", KeyCode::Down),
            ]
        };
    }
    match state.tab {
        Tab::Ports => {
            const {
                &[
                    HELPS, QUITS, DETAILS, KILL, RESERVE, FILTER, SORT, GROUP, ALL, TREE,
                ]
            }
        }
        Tab::Reserved => const { &[HELPS, QUITS, DETAILS, RELEASE, RESERVE, KILL, FILTER] },
        Tab::Conflicts => const { &[HELPS, QUITS, DETAILS, KILL, TREE, RELEASE, FILTER] },
        Tab::Pools => const { &[HELPS, QUITS, DETAILS, RELEASE, FILTER] },
        Tab::Log => const { &[HELPS, QUITS, DETAILS, FILTER] },
    }
}

impl State {
    /// What follows from a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.changed = true;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return vec![Effect::End(0)],
                KeyCode::Char('l') => return vec![Effect::Redraw, Effect::Look],
                KeyCode::Char('z') => return vec![Effect::Pause, Effect::Look],
                _ => {}
            }
        }
        if self.dialog.is_some() {
            return self.key_in_dialog(key).into_iter().collect();
        }
        if self.filter.typing {
            return self.key_in_filter(key).into_iter().collect();
        }
        self.key_in_list(key).into_iter().collect()
    }

    fn key_in_dialog(&mut self, key: KeyEvent) -> Option<Effect> {
        let answer = match self.dialog.as_mut()? {
            Dialog::Confirm(confirm) => confirm.key(key),
            Dialog::Form(form) => form.key(key),
            Dialog::Help(scroll) => {
                let by = match key.code {
                    KeyCode::Down | KeyCode::Char('j') => 1,
                    KeyCode::Up | KeyCode::Char('k') => -1,
                    KeyCode::PageDown | KeyCode::Char(' ') => 10,
                    KeyCode::PageUp => -10,
                    _ => {
                        self.dialog = None;
                        return None;
                    }
                };
                *scroll = scroll.saturating_add_signed(by).min(HELP.len());
                Answer::Stay
            }
        };
        self.answered(answer)
    }

    /// Does what a dialog wants.
    pub(super) fn answered(&mut self, answer: Answer) -> Option<Effect> {
        match answer {
            Answer::Stay => None,
            Answer::Close => {
                self.dialog = None;
                None
            }
            Answer::Done(effect, meanwhile) => {
                self.dialog = None;
                self.message = Some(Message {
                    tone: Tone::Plain,
                    text: meanwhile,
                    until: None,
                });
                Some(effect)
            }
            Answer::Try(effect) => Some(effect),
        }
    }

    fn key_in_filter(&mut self, key: KeyEvent) -> Option<Effect> {
        let held = key
            .modifiers
            .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Enter | KeyCode::Tab => self.filter.typing = false,
            KeyCode::Backspace if self.filter.text.is_empty() => self.filter.clear(),
            KeyCode::Backspace if held => self.filter.pop_word(),
            KeyCode::Backspace => self.filter.pop(),
            KeyCode::Char('w') if held => self.filter.pop_word(),
            KeyCode::Char('u') if held => {
                self.filter.clear();
                self.filter.typing = true;
            }
            KeyCode::Char(c) if !held => self.filter.push(c.encode_utf8(&mut [0; 4])),
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
                return self.key_in_list(key);
            }
            _ => {}
        }
        self.refresh();
        None
    }

    fn key_in_list(&mut self, key: KeyEvent) -> Option<Effect> {
        let page = super::super::view::areas(self).rows().max(1);
        let page = isize::try_from(page).unwrap_or(isize::MAX);
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('d' | 'f') => self.go(page),
                KeyCode::Char('u' | 'b') => self.go(-page),
                KeyCode::Home => self.go(isize::MIN),
                KeyCode::End => self.go(isize::MAX),
                _ => {}
            }
            return None;
        }
        let shifted = key.modifiers.contains(KeyModifiers::SHIFT);
        match key.code {
            KeyCode::Down if shifted => self.scroll_details(1),
            KeyCode::Up if shifted => self.scroll_details(-1),
            KeyCode::Char('J') => self.scroll_details(1),
            KeyCode::Char('K') => self.scroll_details(-1),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.go(page),
            KeyCode::PageUp => self.go(-page),
            KeyCode::Home | KeyCode::Char('g') => self.go(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.go(isize::MAX),
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => return self.turn(1),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => return self.turn(4),
            KeyCode::Char(digit @ '1'..='5') => {
                let index = digit as usize - '1' as usize;
                return self.open(Tab::ALL[index]);
            }
            KeyCode::Enter => self.toggle_details(),
            KeyCode::Char('/') => {
                self.filter.typing = true;
                self.message = None;
            }
            KeyCode::Esc => self.back(),
            KeyCode::Char('a') => {
                self.all = !self.all;
                self.refresh();
            }
            KeyCode::Char('p') if self.tab == Tab::Ports => {
                self.grouped = !self.grouped;
                self.refresh();
            }
            KeyCode::Char('s') if self.tab == Tab::Ports => self.sort_by(self.sort.0.next()),
            KeyCode::Char('S') if self.tab == Tab::Ports => self.sort_by(self.sort.0),
            KeyCode::Char('x') | KeyCode::Delete => return self.plan_kill(false),
            KeyCode::Char('X') => return self.plan_kill(true),
            KeyCode::Char('r') => self.start_reserve(),
            KeyCode::Char('u') => self.start_release(),
            KeyCode::Char('m') => {
                self.mouse = !self.mouse;
                let told = if self.mouse {
                    "the mouse selects rows and tabs"
                } else {
                    "the mouse is the terminal's: it selects text"
                };
                self.say(Tone::Plain, told);
                return Some(Effect::Mouse(self.mouse));
            }
            KeyCode::Char('?') | KeyCode::F(1) => self.dialog = Some(Dialog::Help(0)),
            KeyCode::Char('q') | KeyCode::F(10) => return Some(Effect::End(0)),
            _ => {}
        }
        None
    }

    /// Goes so many rows on.
    pub(super) fn go(&mut self, by: isize) {
        self.move_list(|list, table, height| list.go(table, by, height));
    }

    /// Does something to where the tab stands.
    pub(super) fn move_list(
        &mut self,
        act: impl FnOnce(&mut super::List, &crate::tui::tables::Table, usize),
    ) {
        let height = super::super::view::areas(self).rows();
        let table = std::mem::take(&mut self.table);
        act(self.list_mut(), &table, height);
        self.table = table;
        self.changed = true;
    }

    /// The tab so many after this one.
    fn turn(&mut self, by: usize) -> Option<Effect> {
        let index = (self.tab.index() + by) % Tab::ALL.len();
        self.open(Tab::ALL[index])
    }

    /// Shows a tab.
    pub(super) fn open(&mut self, tab: Tab) -> Option<Effect> {
        self.tab = tab;
        self.refresh();
        self.fetch()
    }

    /// What has to be asked for the tab that is shown.
    pub(super) fn fetch(&mut self) -> Option<Effect> {
        let (purpose, request) = match self.tab {
            Tab::Pools => (Purpose::Pools, Request::Pool(Pool::List)),
            Tab::Log => {
                let log = Log {
                    limit: Some(LOGGED),
                    ..Log::default()
                };
                (Purpose::Log, Request::Log(log))
            }
            _ => return None,
        };
        if std::mem::replace(&mut self.fetching, true) {
            return None;
        }
        Some(Effect::Ask(purpose, vec![request]))
    }

    /// Takes away what was opened last.
    fn back(&mut self) {
        if self.details.is_some() {
            self.toggle_details();
        } else if !self.filter.text.is_empty() {
            self.filter.clear();
            self.refresh();
        } else {
            self.message = None;
        }
    }

    /// Sorts by a column; the other way round where it is sorted by that.
    pub(super) fn sort_by(&mut self, by: Sort) {
        self.sort = match self.sort {
            (now, reversed) if now == by => (now, !reversed),
            _ => (by, false),
        };
        self.refresh();
    }
}

/// How many entries of the log are shown.
const LOGGED: usize = 1000;

impl Sort {
    /// All, in the order of their columns.
    pub const ALL: [Sort; 5] = [
        Sort::Port,
        Sort::Service,
        Sort::Project,
        Sort::Pid,
        Sort::Age,
    ];

    fn next(self) -> Sort {
        let index = Sort::ALL.iter().position(|sort| *sort == self);
        Sort::ALL[(index.unwrap_or(0) + 1) % Sort::ALL.len()]
    }
}

impl<T> Fetched<T> {
    /// What it is, where that is known.
    pub fn get(&self) -> Option<&T> {
        match self {
            Fetched::Is(known) => Some(known),
            _ => None,
        }
    }
}
