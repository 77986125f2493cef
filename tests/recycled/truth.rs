//! What really happened, by the log of the breeder, and whether each signal was asked for.
//!
//! A process is known by its generation, which is given once. That a signal was meant for it takes an
//! ask with its pid, its start time and its port, and that it was there already when the list showed it:
//! so a process that got all three of another one is told from that, too.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// For how long the dead and the kills that are over are remembered: a signal is told of later than that
/// it was sent, by as much as the machine is busy.
const MEMORY: u64 = 30_000_000_000;

/// A process, from its birth to its end.
#[derive(Clone, Debug)]
pub struct Life {
    /// Its number among all.
    pub generation: u64,
    /// Its pid.
    pub pid: u32,
    /// When it was started, in clock ticks.
    pub start: u64,
    /// Where it listens; 0 when it does not.
    pub port: u16,
    /// The generation of who started it, where that is one of these.
    pub parent: u64,
    /// When it began.
    pub born: u64,
    /// When it was waited for.
    pub died: Option<u64>,
}

impl Life {
    fn is_alive_at(&self, time: u64) -> bool {
        self.born <= time && self.died.is_none_or(|died| died > time)
    }
}

/// A kill that was asked for, of a listener as it was shown.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The pid that was shown.
    pub pid: u32,
    /// The start time that was shown.
    pub start: u64,
    /// The port at which it was shown.
    pub port: u16,
    /// When it was shown.
    pub shown: u64,
    /// When the kill was sent.
    pub sent: u64,
    /// Whether SIGKILL may follow.
    pub force: bool,
    /// Whether all below it is meant, too.
    pub tree: bool,
}

/// An ask that is over.
pub struct Done {
    ask: Ask,
    answered: u64,
    result: String,
}

/// What a kill met when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// The process that is meant.
    Itself,
    /// Nobody with its pid.
    Nobody,
    /// One with its pid, which does not listen.
    Idle,
    /// One with its pid, which listens at another port.
    Elsewhere,
    /// One with its pid and its port.
    Successor,
    /// One that has the identity which was shown, and is another. There must be none.
    Twin,
}

/// The judge.
#[derive(Default)]
pub struct Truth {
    lives: HashMap<u64, Life>,
    /// The generations that had a pid, oldest first.
    by_pid: HashMap<u32, VecDeque<u64>>,
    /// The generations that had a port.
    by_port: HashMap<u16, VecDeque<u64>>,
    dead: VecDeque<(u64, u64)>,
    asks: HashMap<(u32, u64), Vec<Ask>>,
    unjudged: VecDeque<Done>,
    over: VecDeque<(u64, u32, u64)>,
    /// Up to when the log was read.
    pub until: u64,
    /// The pid of the app.
    pub app: u32,
    /// What kills met, and what came of it.
    pub met: BTreeMap<(Met, String), u64>,
    /// How often the port was another process's when the kill was sent.
    pub taken_over: u64,
    /// The signals: as they were judged, and how many.
    pub signals: BTreeMap<String, u64>,
    /// How many processes there were.
    pub births: u64,
    /// The signals that nobody had asked for, each with its story.
    pub wrong: Vec<String>,
}

impl Truth {
    /// Notes what is about to be sent.
    pub fn ask(&mut self, ask: Ask) {
        let key = (ask.pid, ask.start);
        self.asks.entry(key).or_default().push(ask);
    }

    /// Notes the answer to it.
    pub fn answered(&mut self, ask: Ask, answered: u64, result: String) {
        self.unjudged.push_back(Done {
            ask,
            answered,
            result,
        });
    }

    /// How many kills met this.
    pub fn count(&self, wanted: Met) -> u64 {
        let met = self.met.iter().filter(|((met, _), _)| *met == wanted);
        met.map(|(_, count)| count).sum()
    }

    /// How many kills were judged.
    pub fn pairs(&self) -> u64 {
        self.met.values().sum()
    }

    /// Whether there was everything that a kill can meet, and who was meant was signalled.
    pub fn has_met_all(&self) -> bool {
        use Met::{Elsewhere, Idle, Itself, Nobody, Successor};
        let mut all = [Itself, Nobody, Idle, Elsewhere, Successor].into_iter();
        all.all(|met| self.count(met) > 0) && self.taken_over > 0 && !self.signals.is_empty()
    }

    /// Whether all answers have been looked at.
    pub fn is_settled(&self) -> bool {
        self.unjudged.is_empty()
    }

    /// Takes a line of the log.
    pub fn read(&mut self, line: &str) {
        let mut words = line.split(' ');
        let what = words.next().unwrap_or_default();
        let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        match (what, numbers.as_slice()) {
            ("B", &[generation, pid, start, port, parent, born]) => self.begin(Life {
                generation,
                pid: pid as u32,
                start,
                port: port as u16,
                parent,
                born,
                died: None,
            }),
            ("S", &[generation, _, signal, sender, at]) => {
                self.signalled(generation, signal, Some(sender as u32), at);
            }
            ("D", &[generation, _, signal, at]) => {
                if signal != 0 {
                    self.signalled(generation, signal, None, at);
                }
                self.end(generation, at);
            }
            _ => self.wrong.push(format!("a line of the log: {line:?}")),
        }
    }

    fn begin(&mut self, life: Life) {
        self.births += 1;
        self.until = self.until.max(life.born);
        self.by_pid
            .entry(life.pid)
            .or_default()
            .push_back(life.generation);
        if life.port != 0 {
            let here = self.by_port.entry(life.port).or_default();
            here.push_back(life.generation);
        }
        self.lives.insert(life.generation, life);
    }

    fn end(&mut self, generation: u64, at: u64) {
        self.until = self.until.max(at);
        if let Some(life) = self.lives.get_mut(&generation) {
            life.died = Some(at);
        }
        self.dead.push_back((at, generation));
        self.judge_answers();
        self.forget();
    }

    /// Judges a signal; `sender` is not known of one that cannot be blocked.
    fn signalled(&mut self, generation: u64, signal: u64, sender: Option<u32>, at: u64) {
        self.until = self.until.max(at);
        let name = match signal {
            15 => "SIGTERM",
            9 => "SIGKILL",
            _ => "another signal",
        };
        let of_app = sender.is_none_or(|sender| sender == self.app);
        match self.reason(generation, signal, at) {
            Some(reason) if of_app => {
                *self.signals.entry(format!("{name} {reason}")).or_default() += 1;
            }
            _ => {
                let story = self.story(generation, at);
                self.wrong.push(format!(
                    "{name} ({signal}) from {sender:?} at {at}\n{story}"
                ));
            }
        }
    }

    /// Why a process may be signalled.
    fn reason(&self, generation: u64, signal: u64, at: u64) -> Option<&'static str> {
        let life = self.lives.get(&generation)?;
        let fits = |ask: &Ask, of: &Life| {
            ask.port == of.port
                && ask.shown > of.born
                && ask.sent <= at
                && (signal == 15 || signal == 9 && ask.force)
        };
        let asks = |of: &Life| self.asks.get(&(of.pid, of.start)).into_iter().flatten();
        if asks(life).any(|ask| fits(ask, life)) {
            return Some("to who was meant");
        }
        let mut above = self.lives.get(&life.parent);
        while let Some(one) = above {
            for ask in asks(one).filter(|ask| fits(ask, one)) {
                if life.port == ask.port {
                    return Some("to one that shared the port");
                }
                if ask.tree {
                    return Some("to one below who was meant");
                }
            }
            above = self.lives.get(&one.parent);
        }
        None
    }

    fn judge_answers(&mut self) {
        let until = self.until;
        while let Some(done) = pop_if(&mut self.unjudged, |done| done.answered < until) {
            let met = self.met_by(&done.ask);
            *self.met.entry((met, done.result)).or_default() += 1;
            if met != Met::Itself && self.is_taken_over(&done.ask) {
                self.taken_over += 1;
            }
            self.over
                .push_back((done.answered, done.ask.pid, done.ask.start));
        }
    }

    fn met_by(&self, ask: &Ask) -> Met {
        let had = self.by_pid.get(&ask.pid).into_iter().flatten();
        let mut had = had.filter_map(|generation| self.lives.get(generation));
        let Some(now) = had.find(|life| life.is_alive_at(ask.sent)) else {
            return Met::Nobody;
        };
        match now {
            now if now.start == ask.start && now.born < ask.shown => Met::Itself,
            now if now.start == ask.start => Met::Twin,
            now if now.port == 0 => Met::Idle,
            now if now.port != ask.port => Met::Elsewhere,
            _ => Met::Successor,
        }
    }

    fn is_taken_over(&self, ask: &Ask) -> bool {
        let had = self.by_port.get(&ask.port).into_iter().flatten();
        let mut had = had.filter_map(|generation| self.lives.get(generation));
        had.any(|life| life.is_alive_at(ask.sent) && life.pid != ask.pid)
    }

    fn forget(&mut self) {
        let before = self.until.saturating_sub(MEMORY);
        while let Some((_, generation)) = pop_if(&mut self.dead, |(at, _)| *at < before) {
            let Some(life) = self.lives.remove(&generation) else {
                continue;
            };
            let of_pid = self.by_pid.get_mut(&life.pid);
            let of_port = self.by_port.get_mut(&life.port);
            for generations in [of_pid, of_port].into_iter().flatten() {
                generations.retain(|one| *one != generation);
            }
        }
        while let Some((_, pid, start)) = pop_if(&mut self.over, |(at, ..)| *at < before) {
            if let Entry::Occupied(mut asks) = self.asks.entry((pid, start)) {
                asks.get_mut().retain(|ask| ask.sent >= before);
                if asks.get().is_empty() {
                    asks.remove();
                }
            }
        }
    }

    fn story(&self, generation: u64, at: u64) -> String {
        let Some(life) = self.lives.get(&generation) else {
            return format!("to generation {generation}, of which nothing is known");
        };
        let mut lines = vec![format!("to {life:?}")];
        let mut above = self.lives.get(&life.parent);
        while let Some(one) = above {
            lines.push(format!("below {one:?}"));
            above = self.lives.get(&one.parent);
        }
        let near = |time: u64| time.abs_diff(at) < 1_000_000_000;
        let had = self.by_pid.get(&life.pid).into_iter().flatten();
        let had = had.filter_map(|generation| self.lives.get(generation));
        let had = had.filter(|life| near(life.born) || life.died.is_some_and(near));
        lines.extend(had.map(|life| format!("the pid was had by {life:?}")));
        let asks = self.asks.values().flatten();
        let asks = asks.filter(|ask| near(ask.sent));
        let asks = asks.filter(|ask| ask.pid == life.pid || ask.tree || ask.port == life.port);
        lines.extend(asks.map(|ask| format!("asked for: {ask:?}")));
        lines.join("\n  ")
    }
}

fn pop_if<T>(from: &mut VecDeque<T>, is: impl Fn(&T) -> bool) -> Option<T> {
    from.front().is_some_and(is).then(|| from.pop_front())?
}
