//! The guard of a running command: one loop over all that can happen to it.
//!
//! What the front passes on, signals of its own, binds of the command, ends and stops of what runs,
//! and looks at whether the right one listens. The port is held from before the command starts until
//! nothing of its tree is left.

mod signals;

use std::time::{Duration, Instant};

use super::asking::Asking;
use super::binds::Binds;
use super::claims::{self, Lease};
use super::options::HoldMode;
use super::passing::Passing;
use super::ready::Ready;
use super::restart::{BackOff, Restart};
use super::told::{RunError, Voice};
use super::verify::{Found, Verify};
use crate::platform::front::{Front, OF_BACKGROUND, OF_CHILDREN, PASSED_ON};
use crate::platform::seam::Seam;
use crate::platform::started::{ChildEnd, Spawn};
use crate::platform::waiting::Waiting;
use crate::platform::{Signals, ignore_signals, tree};

/// How long what is to end may take until it is ended.
const GRACE: Duration = Duration::from_secs(3);
/// How long what a launcher has left may take to end, when it was told to end.
const LEFT: Duration = Duration::from_secs(10);
/// How long to wait before the front is continued once more.
const AGAIN: Duration = Duration::from_millis(50);
/// How long a command has run when the registry is told that its ports are held: it is not kept from
/// starting by that, nor from ending at once.
const SETTLED: Duration = Duration::from_millis(5);

/// How a command is looked after.
#[derive(Clone, Copy, Debug)]
pub struct Care {
    /// When it is started again.
    pub restart: Restart,
    /// Whether the gate is open while it runs, from its start on.
    pub gate: bool,
    /// What says what there is to be said.
    pub voice: Voice,
}

/// A command, its ports, and who is in front of it.
pub struct Guard {
    front: Front,
    signals: Signals,
    asking: Asking,
    leases: Vec<Lease>,
    binds: Binds,
    verify: Verify,
    ready: Option<Ready>,
    care: Care,
    passing: Passing,
    /// When the registry is told that the ports are held.
    tell_at: Option<Instant>,
    child: Child,
    /// Where the command ends well, the ports stay claimed.
    keeps: bool,
}

/// The command as it is now.
#[derive(Debug, Default)]
struct Child {
    pid: u32,
    seam: Option<Seam>,
    end: Option<ChildEnd>,
    /// The front was told of the end, and has ended.
    told: bool,
    /// The front is to go on, and has not said that it does.
    going_on: Option<Instant>,
    /// Somebody asked for the end of it all.
    ending: bool,
    /// The command alone was told to end, by a signal that was passed on.
    told_to_end: bool,
    /// Nothing of it is left.
    gone: bool,
}

impl Guard {
    /// Guards a command that is about to be started.
    pub fn new(
        front: Front,
        asking: Asking,
        leases: Vec<Lease>,
        binds: Binds,
        verify: Verify,
        ready: Option<Ready>,
        care: Care,
    ) -> std::io::Result<Guard> {
        let caught: Vec<i32> = PASSED_ON.into_iter().chain([OF_CHILDREN]).collect();
        let signals = Signals::catch(&caught)?;
        front.part_names();
        // Caught, they would keep this process from writing to a terminal from the background.
        ignore_signals(&OF_BACKGROUND);
        Ok(Guard {
            front,
            signals,
            asking,
            leases,
            binds,
            verify,
            ready,
            care,
            passing: Passing::default(),
            tell_at: Some(Instant::now() + SETTLED),
            child: Child::default(),
            keeps: false,
        })
    }

    /// Leaves the ports claimed where the command ends well: what needs them goes on elsewhere.
    pub fn keeping(self) -> Guard {
        Guard {
            keeps: true,
            ..self
        }
    }

    /// Starts the command, again if that is wanted, and stays until nothing of it is left.
    pub fn run(mut self, spawn: &dyn Fn() -> Result<Spawn, RunError>) -> Result<(), RunError> {
        let mut waits = BackOff::default();
        loop {
            let started_at = Instant::now();
            if let Err(error) = self.start(spawn) {
                claims::release(self.leases, &mut self.asking);
                return Err(error);
            }
            self.watch();
            let Some(end) = self.child.end else { break };
            if self.child.ending || !self.care.restart.wants(end) {
                break;
            }
            tree::end_below(GRACE);
            let wait = waits.after(started_at.elapsed());
            let how = match end {
                ChildEnd::Exited(status) => format!("ended with status {status}"),
                ChildEnd::Signalled(signal) => format!("was ended by signal {signal}"),
            };
            self.care.voice.note(&format!(
                "the command {how}; it is started again in {} s",
                wait.as_secs_f32()
            ));
            self.pause(wait);
            if self.child.ending {
                break;
            }
            self.verify.again();
        }
        let leases = std::mem::take(&mut self.leases);
        if !(self.keeps && self.child.end.is_some_and(ChildEnd::is_success)) {
            claims::release(leases, &mut self.asking);
        }
        if let Some(end) = self.child.end.filter(|_| !self.child.told) {
            self.front.end_both(end);
        }
        Ok(())
    }

    fn start(&mut self, spawn: &dyn Fn() -> Result<Spawn, RunError>) -> Result<(), RunError> {
        let spawn = spawn()?;
        self.open_gates();
        let program = spawn.arg0.clone().unwrap_or_default();
        let started = spawn.start();
        let started = started.map_err(|error| super::command::failed(&program, &error))?;
        if self.care.restart == Restart::Never {
            // They are the command's alone: who is at their other ends sees when it lets go.
            tree::leave_streams(&[0, 1]);
        }
        self.child = Child {
            pid: started.child.pid,
            seam: started.seam,
            ..Child::default()
        };
        if let (None, Some(why)) = (&self.child.seam, started.seam_refused) {
            self.fall_back(&why);
        }
        if self.child.seam.is_none() {
            self.verify.begin(Instant::now());
        }
        Ok(())
    }

    /// Opens the gates of all ports that are not bound for the command.
    fn open_gates(&mut self) {
        for lease in &self.leases {
            if let Some(hold) = &lease.hold
                && (self.care.gate || lease.want.hold == HoldMode::Gate)
            {
                // Where it cannot be opened, the command finds the port in use, and says so.
                let _ = hold.open();
                self.binds.gates_are_open();
            }
        }
    }

    /// There is no seam although one was wanted: the gate has to do.
    fn fall_back(&mut self, why: &str) {
        self.care.gate = true;
        self.open_gates();
        self.care.voice.note(&format!(
            "the port is open to other programs while the command runs, as its binds cannot be guarded here: {why}"
        ));
    }

    /// Looks after the command until nothing of it is left, or until it is to be started again.
    fn watch(&mut self) {
        while !self.child.gone {
            self.wait();
            self.serve();
            if let Some(end) = self.child.end
                && !self.child.gone
            {
                if !self.child.ending && self.care.restart.wants(end) {
                    return;
                }
                if self.child.told_to_end {
                    // Launchers end without what they have launched.
                    tree::end_below(LEFT);
                    self.child.gone = true;
                    return;
                }
                self.leave(end);
            }
        }
    }

    /// The command has ended and others of its tree go on: so does this process, for them.
    fn leave(&mut self, end: ChildEnd) {
        if !std::mem::replace(&mut self.child.told, true) {
            tree::leave_streams(&[0, 1, 2]);
            self.front.end(end);
        }
    }

    /// Waits while the command is down and its ports are held.
    fn pause(&mut self, wait: Duration) {
        for hold in self.leases.iter().filter_map(|lease| lease.hold.as_ref()) {
            let _ = hold.shut();
        }
        self.child.seam = None;
        let until = Instant::now() + wait;
        while Instant::now() < until && !self.child.ending {
            self.poll(Some(until));
            self.serve();
        }
    }

    /// Waits for something to happen, or to be due.
    fn wait(&mut self) {
        let due = [
            self.passing.next(),
            self.verify.next(),
            self.tell_at,
            self.child.going_on.map(|at| at + AGAIN),
            self.binds.next(),
            self.ready.as_ref().and_then(Ready::next),
        ];
        self.poll(due.into_iter().flatten().min());
    }

    fn poll(&mut self, until: Option<Instant>) {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let mut waiting = Waiting::with_room(3);
        waiting.add(&self.signals);
        if !self.child.told {
            waiting.add(&self.front);
        }
        let seam = self.child.seam.as_ref().map(|seam| waiting.add(seam));
        // What cannot be waited for is looked at all the same.
        let _ = waiting.wait(left);
        // Nobody is left whose binds would be told.
        if seam.is_some_and(|seam| waiting.is_over(seam)) {
            self.child.seam = None;
        }
    }

    /// Does all that there is to do now.
    fn serve(&mut self) {
        self.serve_binds();
        self.serve_signals();
        if !self.child.told {
            self.serve_front();
        }
        let now = Instant::now();
        for signal in self.passing.due(now) {
            self.pass_on(signal);
        }
        if self.child.going_on.is_some_and(|at| now >= at + AGAIN) {
            self.front.go_on();
            self.child.going_on = Some(now);
        }
        self.serve_children();
        if !self.child.gone && self.tell_at.is_some_and(|at| now >= at) {
            self.tell_at = None;
            for lease in &self.leases {
                claims::tell_held(lease, &mut self.asking);
            }
        }
        self.binds.tend(&self.leases, now);
        self.serve_verify(now);
    }

    fn serve_binds(&mut self) {
        while let Some(seam) = &self.child.seam {
            match seam.receive() {
                Ok(Some(call)) => {
                    if self.binds.answer(call, &self.leases, &mut self.asking) {
                        self.verify.begin(Instant::now());
                    }
                }
                // An error is of the one that called, or told as a hang-up.
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn serve_verify(&mut self, now: Instant) {
        for found in self.verify.look(now) {
            match found {
                Found::Ours(lease) => {
                    if let Some(lease) = self.leases.get(lease) {
                        claims::tell_held(lease, &mut self.asking);
                    }
                }
                Found::Theirs(lease, who) => self.binds.stolen(lease, &who, &self.leases),
                Found::Elsewhere(lease, port) => {
                    let elsewhere = claims::elsewhere(
                        &mut self.leases,
                        lease,
                        port,
                        &mut self.asking,
                        self.binds.project(),
                        self.care.voice,
                    );
                    if elsewhere {
                        self.binds.replaced(lease, port);
                        self.verify.replaced(lease, port);
                    }
                }
            }
        }
        if self.verify.next().is_none() && self.verify.is_settled() {
            // Nothing is asked before the end, which may be days away.
            self.asking.pause();
        }
        let Some(ready) = &self.ready else { return };
        if ready.look(&self.verify, &self.leases, self.care.voice) {
            self.ready = None;
        } else if ready.is_late(&self.leases, self.care.voice, now) {
            self.ready = None;
            self.child.ending = true;
            tree::end_below(GRACE);
            self.child.end = Some(ChildEnd::Exited(1));
            self.child.gone = true;
        }
    }
}
