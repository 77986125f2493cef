//! The portserver: the wire of python_portpicker's, which test suites ask for ports.
//!
//! A client connects, writes a pid, and reads a port and the end of the stream; who is refused reads
//! the end alone. One thread serves all of them, and waits for none: what has been asked is handed
//! over to the [`Picker`], which answers when it likes.

mod known;
mod request;

use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use crate::model::Port;
use crate::platform::local_socket::{Listener, Stream, receive_at_once, send_at_once};
use crate::platform::waiting::Waiting;
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
/// For how long after a request the next one is looked for without sleep: test suites ask for one
/// port after the other, and to wake up takes longer than to serve.
pub const AWAKE: Duration = Duration::from_micros(100);
/// The most that is read of what a client says beyond a request.
const DRAINED: usize = 64 * 1024;

/// Chooses ports for processes, and answers each, now or later.
pub type Picker = Box<dyn Fn(Vec<Asked>) + Send>;

/// Somebody who wants a port. Dropped without an answer, it is refused.
pub struct Asked {
    /// The process that the port is for.
    pub process: Claimant,
    stream: Stream,
    _open: Arc<()>,
}

impl Asked {
    /// Gives it a port.
    pub fn give(self, port: Port) {
        // Who does not take so few bytes has gone.
        let _ = send_at_once(&self.stream, format!("{port}\n").as_bytes());
    }
}

/// Changes where a portserver listens while it serves.
#[derive(Clone)]
pub struct Control {
    orders: Sender<Order>,
    wake: Arc<Stream>,
}

/// Where it is to listen.
enum Order {
    /// Here, in the place of where it listened from the start.
    Instead(Listener),
    /// Here, too, or nowhere else.
    Also(Option<Listener>),
}

impl Control {
    /// Listens here, too, and no longer where it was told to before.
    pub fn listen_also(&self, listener: Option<Listener>) {
        self.order(Order::Also(listener));
    }

    /// Listens here, and no longer where it did from the start.
    pub fn listen_instead(&self, listener: Listener) {
        self.order(Order::Instead(listener));
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            let _ = send_at_once(&self.wake, &[1]);
        }
    }
}

/// Serves on a thread of its own, for as long as the process lives, who belongs to this user.
pub fn start(listener: Listener, uid: u32, picker: Picker) -> io::Result<Control> {
    let (orders, ordered) = mpsc::channel();
    let (wake, woken) = Stream::pair()?;
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
        awake_until: None,
    };
    std::thread::Builder::new()
        .name("portserver".into())
        .stack_size(256 * 1024)
        .spawn(move || {
            loop {
                server.turn();
            }
        })?;
    let wake = Arc::new(wake);
    Ok(Control { orders, wake })
}

struct Server {
    listener: Listener,
    also: Option<Listener>,
    ordered: Receiver<Order>,
    woken: Stream,
    /// Those that have not said what they want.
    clients: Vec<Client>,
    /// Shared with all who wait for their port.
    open: Arc<()>,
    known: Known,
    uid: u32,
    picker: Picker,
    /// Until when nothing is accepted.
    rests_until: Option<Instant>,
    /// Until when it does not sleep.
    awake_until: Option<Instant>,
}

struct Client {
    stream: Stream,
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
            self.awake_until = Some(Instant::now() + AWAKE);
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
        let mut waiting = Waiting::with_room(self.clients.len() + 3);
        for client in &self.clients {
            waiting.add(&client.stream);
        }
        let woken = waiting.add(&self.woken);
        if accepts {
            waiting.add(&self.listener);
            if let Some(also) = &self.also {
                waiting.add(also);
            }
        }
        let is_awake = || self.awake_until.is_some_and(|until| until > Instant::now());
        let mut waited = Ok(());
        while waited.is_ok() && !waiting.is_any_ready() && is_awake() {
            std::thread::yield_now();
            waited = waiting.wait(Some(Duration::ZERO));
        }
        if waited.is_ok() && !waiting.is_any_ready() {
            waited = waiting.wait(left);
        }
        if let Err(error) = waited {
            log::warn!("the portserver cannot wait: {error}");
            std::thread::sleep(REST);
        }
        // The clients came first, in their order.
        let said = (0..woken).map(|client| waiting.is_ready(client)).collect();
        (said, waiting.is_ready(woken))
    }

    /// Does what it was told to.
    fn obey(&mut self) {
        let mut bytes = [0; 64];
        while matches!(self.woken.read(&mut bytes), Ok(n) if n > 0) {}
        let waits_for_nobody = |listener: &Listener| listener.set_nonblocking(true).is_ok();
        while let Ok(order) = self.ordered.try_recv() {
            match order {
                Order::Also(listener) => self.also = listener.filter(waits_for_nobody),
                Order::Instead(listener) if waits_for_nobody(&listener) => {
                    self.listener = listener;
                }
                Order::Instead(_) => {}
            }
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
                        if !is_passing(&error) && error.kind() != io::ErrorKind::ConnectionAborted {
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
        let length = match receive_at_once(&client.stream, &mut request) {
            Ok(length) => length,
            Err(error) if is_passing(&error) => return self.clients.push(client),
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

/// Whether it only means that there is nothing yet.
fn is_passing(error: &io::Error) -> bool {
    [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind())
}

impl Client {
    fn drain(&self) {
        let mut bytes = [0; 4096];
        for _ in 0..DRAINED / bytes.len() {
            match receive_at_once(&self.stream, &mut bytes) {
                Ok(length) if length > 0 => {}
                _ => return,
            }
        }
    }
}
