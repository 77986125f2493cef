//! A program under the seam, with somebody who decides where its binds go.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use freeport::model::{Port, Protocol};
use freeport::platform::seam::{BindCall, BindError, Seam};
use freeport::platform::started::{Spawn, Started};
use freeport::platform::{PortHold, Vacancy, vacancy};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::support::{PATIENCE, ports, skipped, wait_for};

/// Whether there is a seam here; says so when there is none.
pub fn has_seam() -> bool {
    if !Seam::is_supported() {
        skipped("this system has no seam");
    }
    Seam::is_supported()
}

pub fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

/// So many ports in a row that nobody uses, the first of them; where no connections linger from a
/// test before, either.
pub fn vacant(count: u16) -> u16 {
    loop {
        let first = ports::block(count);
        let all = first..first + count;
        if all.map(port).all(|port| vacancy(port) == Vacancy::Free) {
            return first;
        }
    }
}

/// Holds a port that is free. Tests of other processes look whether it is, and have it for a moment.
pub fn held(number: u16, protocol: Protocol) -> PortHold {
    wait_for("a free port", || PortHold::new(port(number), protocol).ok())
}

/// What to start for these words.
pub fn spawn(words: &[String]) -> Spawn {
    Spawn {
        program: words[0].clone().into(),
        args: words[1..].iter().map(Into::into).collect(),
        under_seam: true,
        ..Spawn::default()
    }
}

/// A bind that was decided about.
#[derive(Debug)]
pub struct Seen {
    pub pid: u32,
    pub wanted: Option<(SocketAddr, Protocol)>,
    pub obstacle: Option<String>,
    pub result: Option<Result<(), i32>>,
}

/// A program under the seam and all that it starts, ended with the test.
pub struct Tree {
    pub pid: u32,
    pub seam: Seam,
    pub seen: Vec<Seen>,
    /// The hold whose port is given to who asks for one of `asked`.
    pub hold: PortHold,
    pub asked: Vec<u16>,
    /// How long each answer takes.
    pub pause: Duration,
    status: Option<i32>,
}

impl Tree {
    /// Starts it; who asks for the port of the hold or for `asked` gets that of the hold.
    pub fn start(words: &[String], hold: PortHold, asked: &[u16]) -> Tree {
        Tree::of(spawn(words).start().unwrap(), hold, asked)
    }

    pub fn of(started: Started, hold: PortHold, asked: &[u16]) -> Tree {
        assert_eq!(started.seam_refused, None);
        let mut asked = asked.to_vec();
        asked.push(hold.port().get());
        Tree {
            pid: started.child.pid,
            seam: started.seam.expect("there is a seam"),
            seen: Vec::new(),
            hold,
            asked,
            pause: Duration::ZERO,
            status: None,
        }
    }

    /// Answers binds until there is something; `what` is told when there never is.
    #[track_caller]
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Tree) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.turn();
            if let Some(found) = look(self) {
                return found;
            }
            let (status, seen) = (self.status, &self.seen);
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}: status {status:?}, {seen:#?}"
            );
        }
    }

    /// Answers binds until the program has ended; its exit status.
    pub fn end(&mut self) -> i32 {
        self.until("the end of the program", |tree| tree.status)
    }

    /// Ends the program, and what it has started and has bound something.
    pub fn kill(&mut self) -> i32 {
        self.signal_all();
        self.end()
    }

    fn signal_all(&self) {
        if !self.is_over() {
            let others = self.seen.iter().map(|seen| seen.pid);
            for pid in others.chain(self.status.is_none().then_some(self.pid)) {
                let _ = kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL);
            }
        }
    }

    /// Whether nobody is left whose binds are trapped.
    pub fn is_over(&self) -> bool {
        self.poll(Duration::ZERO).contains(PollFlags::HUP)
    }

    /// Whether a bind waits.
    pub fn poll_input(&self) -> bool {
        self.poll(Duration::ZERO).contains(PollFlags::IN)
    }

    fn poll(&self, time: Duration) -> PollFlags {
        let mut ready = [PollFd::new(&self.seam, PollFlags::IN)];
        let _ = poll(&mut ready, Some(&Timespec::try_from(time).unwrap()));
        ready[0].revents()
    }

    fn turn(&mut self) {
        if self.poll(Duration::from_millis(5)).contains(PollFlags::IN) {
            while let Some(call) = self.seam.receive().unwrap() {
                std::thread::sleep(self.pause);
                self.decide(call);
            }
        }
        if self.status.is_none() {
            let pid = Pid::from_raw(self.pid as i32).unwrap();
            if let Ok(Some((_, status))) = waitpid(Some(pid), WaitOptions::NOHANG) {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                self.status = status.exit_status().or(signal);
            }
        }
    }

    fn decide(&mut self, call: BindCall) {
        let mut seen = Seen {
            pid: call.pid(),
            wanted: call.wanted(),
            obstacle: call.obstacle().map(ToString::to_string),
            result: None,
        };
        match seen.wanted {
            Some((mut address, protocol))
                if protocol == self.hold.protocol() && self.asked.contains(&address.port()) =>
            {
                address.set_port(self.hold.port().get());
                match call.try_bind(address, Some(&self.hold)) {
                    Ok(()) => {
                        seen.result = Some(Ok(()));
                        call.accept();
                    }
                    Err(BindError::Impossible(error)) => panic!("{error}: {seen:?}"),
                    Err(error) => {
                        seen.result = Some(Err(error.errno()));
                        call.refuse(error.errno());
                    }
                }
            }
            _ => {
                if seen.obstacle.is_some() {
                    self.hold.open().unwrap();
                }
                call.pass_on();
            }
        }
        self.seen.push(seen);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.signal_all();
        if self.status.is_none() {
            let pid = Pid::from_raw(self.pid as i32).unwrap();
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}
