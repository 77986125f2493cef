//! The scanner's thread: a look at every tick, when a watched process ends, and whenever one is
//! asked for.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use super::engine_thread::EngineHandle;
use crate::engine::{Look, Ring};
use crate::model::{Port, ProcessKey, Snapshot, Timestamp};
use crate::platform::{Focus, Scanner, Waker, Watch, is_alive};

/// The time between two looks. A listener is shown within it and the time of one look.
const TICK: Duration = Duration::from_millis(800);

/// What a look found.
pub struct Scanned {
    /// How many requested looks it answers: all up to this number.
    pub ticket: u64,
    /// When it was.
    pub at: Timestamp,
    /// What it found; `None` when nothing had changed.
    pub snapshot: Option<Snapshot>,
    /// Watched processes that had ended before the look, each told once for as long as it is
    /// watched.
    pub dead: Vec<ProcessKey>,
}

/// What the thread is asked for.
enum Wish {
    /// A look, by its ticket; a thorough one at these ports.
    Look(u64, Vec<Port>),
    /// To watch these processes for their end, besides the owners of listeners.
    Watch(Vec<ProcessKey>),
}

/// Asks the scanner to look now.
#[derive(Clone)]
pub struct ScanHandle {
    wishes: mpsc::Sender<Wish>,
    waker: Waker,
    /// Whether the thread has been woken and has not looked at its wishes since.
    woken: Arc<AtomicBool>,
}

impl ScanHandle {
    /// Asks for a look that will be answered with this ticket or a later one.
    pub fn look(&self, ticket: u64, look: &Look) {
        let ports = if look.thorough {
            look.ports.clone()
        } else {
            Vec::new()
        };
        self.wish(Wish::Look(ticket, ports));
    }

    /// Watches exactly these processes for their end, besides the owners of listeners. The end of
    /// one is told in [`Scanned::dead`], also when it was before this call.
    pub fn watch_also(&self, keys: Vec<ProcessKey>) {
        self.wish(Wish::Watch(keys));
    }

    fn wish(&self, wish: Wish) {
        // Who has been woken takes all the wishes there are.
        if self.wishes.send(wish).is_ok() && !self.woken.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }
}

/// Starts the thread. It ends when the engine is gone.
pub fn start(engine: EngineHandle, timings: Arc<Mutex<Ring>>) -> io::Result<ScanHandle> {
    let mut vigil = Vigil::new(Watch::new()?);
    let waker = vigil.watch.waker();
    let (wishes, wished) = mpsc::channel::<Wish>();
    let woken = Arc::new(AtomicBool::new(false));
    let asleep = Arc::clone(&woken);
    let work = move || {
        let mut scanner = Scanner::new();
        let mut ticket = 0;
        let mut first = true;
        loop {
            let mut thorough = Vec::new();
            let before = ticket;
            asleep.store(false, Ordering::Release);
            for wish in wished.try_iter() {
                match wish {
                    Wish::Look(number, ports) => {
                        ticket = number;
                        thorough.extend(ports);
                    }
                    Wish::Watch(keys) => vigil.watch_also(keys),
                }
            }
            // The look is made after these ends: what they held belongs to others in it.
            let ended = vigil.ended(scanner.owners());
            let start = Instant::now();
            let snapshot = scanner.scan(Focus {
                dead: &ended,
                ports: &thorough,
            });
            let took = start.elapsed();
            // What `status` tells of are the steady looks.
            if snapshot.is_none() {
                timings
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .add(took);
            }
            let dead = vigil.news(ended);
            if snapshot.is_some() {
                vigil.follow(scanner.owners());
            }
            if snapshot.is_some() || first || ticket != before || !dead.is_empty() {
                first = false;
                let scanned = Scanned {
                    ticket,
                    at: Timestamp(SystemTime::now()),
                    snapshot,
                    dead,
                };
                if !engine.scanned(scanned) {
                    return;
                }
            }
            vigil.wait(TICK);
        }
    };
    std::thread::Builder::new()
        .name("scanner".into())
        .stack_size(512 * 1024)
        .spawn(work)?;
    Ok(ScanHandle {
        wishes,
        waker,
        woken,
    })
}

/// The processes whose end is waited for.
struct Vigil {
    watch: Watch,
    /// Those that are watched besides the owners of listeners.
    others: Vec<ProcessKey>,
    /// Whether `others` are new to the watch.
    changed: bool,
    /// Those of the others that the watch does not take, as it has no descriptor left for them:
    /// they are asked about at every tick.
    untaken: Vec<ProcessKey>,
    /// Those that have ended since the last look.
    ended: Vec<ProcessKey>,
    /// Those that are watched still, and whose end was told.
    told: Vec<ProcessKey>,
}

impl Vigil {
    fn new(watch: Watch) -> Vigil {
        Vigil {
            watch,
            others: Vec::new(),
            changed: false,
            untaken: Vec::new(),
            ended: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Replaces the others. Those that have ended are among [`Vigil::ended`] then.
    fn watch_also(&mut self, mut keys: Vec<ProcessKey>) {
        keys.sort_unstable();
        keys.dedup();
        self.changed |= keys != self.others;
        self.others = keys;
    }

    /// Watches the owners and the others from now on, and nothing else.
    fn follow(&mut self, owners: impl Iterator<Item = ProcessKey>) {
        self.changed = false;
        let mut wanted: Vec<ProcessKey> = owners.collect();
        // An owner is looked at again for as long as it is one; of the others, nothing more is
        // to be learnt.
        wanted.extend(self.others.iter().filter(|key| !self.told.contains(key)));
        self.ended.extend(self.watch.follow(wanted.iter().copied()));
        self.told
            .retain(|key| wanted.contains(key) || self.others.contains(key));
        self.untaken.clone_from(&self.others);
        self.untaken.retain(|key| {
            !self.watch.is_watching(*key) && !self.told.contains(key) && !self.ended.contains(key)
        });
    }

    /// Those that have ended since the last look.
    fn ended(&mut self, owners: impl Iterator<Item = ProcessKey>) -> Vec<ProcessKey> {
        if self.changed {
            self.follow(owners);
        }
        self.ended
            .extend(self.untaken.extract_if(.., |key| !is_alive(*key)));
        std::mem::take(&mut self.ended)
    }

    /// Those of `ended` whose end was not told before. It is told now.
    fn news(&mut self, mut ended: Vec<ProcessKey>) -> Vec<ProcessKey> {
        ended.sort_unstable();
        ended.dedup();
        ended.retain(|key| !self.told.contains(key));
        self.told.extend(&ended);
        ended
    }

    /// Waits until a watched process ends, a wish comes, or `tick` is over. When a watched process
    /// has ended during the look, the next look follows at once.
    fn wait(&mut self, tick: Duration) {
        let wait = if self.ended.is_empty() {
            tick
        } else {
            Duration::ZERO
        };
        self.ended.extend(self.watch.wait(wait).dead);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::sync::mpsc::{Receiver, RecvTimeoutError};

    use super::*;
    use crate::app::engine_thread::{Message, channel};
    use crate::platform::claimant;

    struct Sleeper(Child, ProcessKey);
    impl Sleeper {
        fn start() -> Sleeper {
            let child = Command::new("sleep").arg("60").spawn().unwrap();
            let key = claimant(child.id()).unwrap().key;
            Sleeper(child, key)
        }
        fn end(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.end();
        }
    }

    fn vigil() -> Vigil {
        Vigil::new(Watch::new().unwrap())
    }

    /// What a look would tell now, without owners of listeners.
    fn told(vigil: &mut Vigil) -> Vec<ProcessKey> {
        let ended = vigil.ended(std::iter::empty());
        vigil.news(ended)
    }

    #[test]
    fn an_end_is_told_once_for_as_long_as_it_is_watched() {
        let mut vigil = vigil();
        let (one, mut other) = (Sleeper::start(), Sleeper::start());
        let keys = vec![one.1, other.1];
        vigil.watch_also(keys.clone());
        assert_eq!(told(&mut vigil), []);
        other.end();
        vigil.wait(Duration::from_secs(20));
        assert_eq!(told(&mut vigil), [other.1]);
        for _ in 0..2 {
            vigil.watch_also(keys.clone());
            vigil.follow([one.1].into_iter());
            assert!(vigil.ended.is_empty(), "no look follows at once");
            assert_eq!(told(&mut vigil), []);
        }
        vigil.watch_also(vec![one.1]);
        assert_eq!(told(&mut vigil), []);
        vigil.watch_also(keys);
        assert_eq!(told(&mut vigil), [other.1], "asked for anew");
    }

    #[test]
    fn an_owner_that_the_watch_finds_dead_is_told_once_and_looked_at_again() {
        let mut vigil = vigil();
        let mut owner = Sleeper::start();
        owner.end();
        vigil.watch_also(vec![owner.1]);
        for expected in [&[owner.1][..], &[]] {
            vigil.follow([owner.1].into_iter());
            vigil.wait(Duration::from_secs(20));
            let ended = vigil.ended([owner.1].into_iter());
            assert_eq!(ended, [owner.1], "for the next look");
            assert_eq!(vigil.news(ended), expected);
        }
    }

    #[test]
    fn what_the_watch_does_not_take_is_asked_about() {
        let mut vigil = vigil();
        let mut process = Sleeper::start();
        vigil.watch_also(vec![process.1]);
        assert_eq!(told(&mut vigil), []);
        assert!(vigil.untaken.is_empty());
        vigil.watch = Watch::new().unwrap();
        vigil.untaken = vec![process.1];
        assert_eq!(told(&mut vigil), []);
        process.end();
        assert_eq!(told(&mut vigil), [process.1]);
        assert_eq!(told(&mut vigil), []);
    }

    fn scanned(inbox: &Receiver<Message>, within: Duration) -> Option<Scanned> {
        match inbox.recv_timeout(within) {
            Ok(Message::Scanned(scanned)) => Some(scanned),
            Ok(_) => panic!("only the scanner speaks"),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the scanner has ended"),
        }
    }

    /// The ends that are told until `key` is among them.
    fn until_dead(inbox: &Receiver<Message>, key: ProcessKey) -> usize {
        let mut count = 0;
        while count == 0 {
            let scanned = scanned(inbox, Duration::from_secs(20)).unwrap();
            count = scanned.dead.iter().filter(|&&dead| dead == key).count();
        }
        count
    }

    #[test]
    fn the_engine_hears_of_an_end_without_a_change_of_listeners() {
        let (engine, inbox) = channel();
        let looks = Arc::new(Mutex::new(Ring::default()));
        let scanner = start(engine, Arc::clone(&looks)).unwrap();
        let (mut alive, mut dead) = (Sleeper::start(), Sleeper::start());
        dead.end();
        scanner.watch_also(vec![alive.1, dead.1]);
        assert_eq!(until_dead(&inbox, dead.1), 1, "it had ended before");
        let start = Instant::now();
        alive.end();
        assert_eq!(until_dead(&inbox, alive.1), 1);
        assert!(start.elapsed() < Duration::from_secs(10));
        let before = looks.lock().unwrap().timings().count;
        scanner.watch_also(vec![dead.1, alive.1]);
        let quiet = Instant::now() + TICK * 2;
        while let Some(left) = quiet.checked_duration_since(Instant::now()) {
            let scanned = scanned(&inbox, left);
            let keys = [alive.1, dead.1];
            assert!(
                scanned.is_none_or(|s| s.dead.iter().all(|dead| !keys.contains(dead))),
                "told once"
            );
        }
        let count = looks.lock().unwrap().timings().count - before;
        assert!(count <= 6, "no look follows the other at once: {count}");
    }
}
