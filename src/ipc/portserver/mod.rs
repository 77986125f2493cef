//! The portserver: the wire of python_portpicker's, which test suites ask for ports.
//!
//! A client connects, writes a pid, and reads a port and the end of the stream; who is refused reads
//! the end alone. One thread serves all of them, and waits for none: what has been asked is handed
//! over to the [`Picker`], which answers when it likes.

mod known;
mod request;

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::model::Port;
use crate::platform::{Claimant, peer};
use known::Known;

/// The most clients at one time, with those that wait for their port; the others wait in the
/// kernel's queue.
pub const CLIENTS: usize = 512;
/// How long a client may take to say what it wants.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing is accepted after that failed, as there are no descriptors left, say.
const REST: Duration = Duration::from_millis(100);
/// How soon it is looked again whether one of too many clients has its port.
const SOON: Duration = Duration::from_millis(2);
/// The most that is read of what a client says beyond a request.
const DRAINED: usize = 64 * 1024;

/// Chooses ports for processes, and answers each, now or later.
pub type Picker = Box<dyn Fn(Vec<Asked>) + Send>;

/// Somebody who wants a port. Dropped without an answer, it is refused.
pub struct Asked {
    /// The process that the port is for.
    pub process: Claimant,
    stream: UnixStream,
    _open: Arc<()>,
}

impl Asked {
    /// Gives it a port.
    pub fn give(self, port: Port) {
        // Who does not take so few bytes has gone.
        let _ = send(
            &self.stream,
            format!("{port}\n").as_bytes(),
            SendFlags::DONTWAIT,
        );
    }
}

/// Changes where a portserver listens while it serves.
pub struct Control {
    orders: Sender<Option<UnixListener>>,
    wake: UnixStream,
}

impl Control {
    /// Listens here, too, and no longer where it was told to before.
    pub fn listen_also(&self, listener: Option<UnixListener>) {
        if self.orders.send(listener).is_ok() {
            let _ = send(&self.wake, &[1], SendFlags::DONTWAIT);
        }
    }
}

/// Serves on a thread of its own, for as long as the process lives, who belongs to this user.
pub fn start(listener: UnixListener, uid: u32, picker: Picker) -> io::Result<Control> {
    let (orders, ordered) = mpsc::channel();
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    listener.set_nonblocking(true)?;
    let mut server = Server {
        listener,
        also: None,
        ordered,
        woken,
        clients: Vec::new(),
        open: Arc::new(()),
        known: Known::default(),
        uid,
        picker,
        rests_until: None,
    };
    std::thread::Builder::new()
        .name("portserver".into())
        .stack_size(256 * 1024)
        .spawn(move || {
            loop {
                server.turn();
            }
        })?;
    Ok(Control { orders, wake })
}

struct Server {
    listener: UnixListener,
    also: Option<UnixListener>,
    ordered: Receiver<Option<UnixListener>>,
    woken: UnixStream,
    /// Those that have not said what they want.
    clients: Vec<Client>,
    /// Shared with all who wait for their port.
    open: Arc<()>,
    known: Known,
    uid: u32,
    picker: Picker,
    /// Until when nothing is accepted.
    rests_until: Option<Instant>,
}

struct Client {
    stream: UnixStream,
    until: Instant,
}

impl Server {
    /// Waits until something happens, and hands over all that is asked then.
    fn turn(&mut self) {
        let has_room = self.has_room();
        let accepts = has_room && self.rests_until.is_none();
        let (said, woken) = self.wait(accepts, has_room);
        let now = Instant::now();
        self.rests_until = self.rests_until.filter(|until| *until > now);
        if woken {
            self.obey();
        }
        let mut asked = Vec::new();
        for (client, said) in std::mem::take(&mut self.clients).into_iter().zip(said) {
            let until = client.until;
            match said {
                true => self.hear(client, &mut asked),
                false if until > now => self.clients.push(client),
                false => {}
            }
        }
        if accepts {
            self.accept(now, &mut asked);
        }
        if !asked.is_empty() {
            (self.picker)(asked);
        }
    }

    /// Whether there is room for one more client.
    fn has_room(&self) -> bool {
        let waiting = Arc::strong_count(&self.open) - 1;
        self.clients.len() + waiting < CLIENTS
    }

    /// Waits; for each client, whether it has said something, and whether there are orders.
    fn wait(&self, accepts: bool, has_room: bool) -> (Vec<bool>, bool) {
        let first = self.clients.iter().map(|client| client.until).min();
        let until = [first, self.rests_until].into_iter().flatten().min();
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = match (left, has_room) {
            (left, true) => left,
            (left, false) => Some(left.map_or(SOON, |left| left.min(SOON))),
        };
        let left = left.map(|left| Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        });
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut watched: Vec<PollFd<'_>> = self
            .clients
            .iter()
            .map(|client| readable(client.stream.as_fd()))
            .collect();
        watched.push(readable(self.woken.as_fd()));
        if accepts {
            watched.push(readable(self.listener.as_fd()));
            watched.extend(self.also.as_ref().map(|also| readable(also.as_fd())));
        }
        match poll(&mut watched, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                log::warn!("the portserver cannot wait: {error}");
                std::thread::sleep(REST);
            }
        }
        let mut ready = watched.iter().map(|fd| !fd.revents().is_empty());
        let said = ready.by_ref().take(self.clients.len()).collect();
        (said, ready.next().unwrap_or_default())
    }

    /// Does what it was told to.
    fn obey(&mut self) {
        let mut bytes = [0; 64];
        while matches!(self.woken.read(&mut bytes), Ok(n) if n > 0) {}
        while let Ok(listener) = self.ordered.try_recv() {
            self.also = listener.filter(|listener| listener.set_nonblocking(true).is_ok());
        }
    }

    /// Takes those that have connected; most have said already what they want.
    fn accept(&mut self, now: Instant, asked: &mut Vec<Asked>) {
        for second in [false, true] {
            while self.has_room() {
                let listener = match (second, &self.also) {
                    (false, _) => &self.listener,
                    (true, Some(also)) => also,
                    (true, None) => break,
                };
                match listener.accept() {
                    Ok((stream, _)) => {
                        let until = now + PATIENCE;
                        self.hear(Client { stream, until }, asked);
                    }
                    Err(error) => {
                        let passes = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted]
                            .contains(&error.kind());
                        if !passes && error.kind() != io::ErrorKind::ConnectionAborted {
                            log::warn!("the portserver cannot accept a client: {error}");
                            self.rests_until = Some(now + REST);
                        }
                        break;
                    }
                }
            }
        }
    }

    /// Reads what a client wants, once. Who says nothing yet is heard later; who is refused is
    /// dropped.
    fn hear(&mut self, client: Client, asked: &mut Vec<Asked>) {
        let mut request = [0; 512];
        let length = match recv(&client.stream, &mut request[..], RecvFlags::DONTWAIT) {
            Ok((length, _)) => length,
            Err(Errno::AGAIN | Errno::INTR) => return self.clients.push(client),
            Err(_) => return,
        };
        if length == request.len() {
            // What is left unread would make an error of the end that it is to read.
            return client.drain();
        }
        let wanted = request::pid(&request[..length]).filter(|pid| *pid > 1);
        let of_user = || peer::of(&client.stream).is_ok_and(|peer| peer.uid == self.uid);
        let Some(pid) = wanted.filter(|_| of_user()) else {
            return;
        };
        let process = self.known.process(pid);
        if let Some(process) = process.filter(|process| process.uid == self.uid) {
            asked.push(Asked {
                process,
                stream: client.stream,
                _open: Arc::clone(&self.open),
            });
        }
    }
}

impl Client {
    fn drain(&self) {
        let mut bytes = [0; 4096];
        for _ in 0..DRAINED / bytes.len() {
            match recv(&self.stream, &mut bytes[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) if length > 0 => {}
                _ => return,
            }
        }
    }
}
