//! The answering end: connections, their limits, and who is behind them.
//!
//! One thread a connection, up to a cap; a connection is idle nearly always, and its thread then
//! costs a stack page or two. The server itself answers nothing but mistakes: requests go to the
//! engine through a [`Handler`].

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::protocol::{ErrorCode, ErrorReply, REQUEST_LIMIT, Reply, Request};
use crate::platform::local_socket::{Listener, Stream, has_gone};
use crate::platform::peer::{self, Peer};
use crate::platform::waiting::Waiting;

/// The most connections at one time.
pub const CONNECTIONS: usize = 128;
/// How long a connection may be silent.
pub const IDLE: Duration = Duration::from_secs(5 * 60);
/// How long a client may take to read its reply.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a subscriber to whom nothing was told is looked at: whether it is still there.
const CHECK: Duration = Duration::from_secs(30);
/// The most requests of one connection in one [`RATE_PERIOD`].
const RATE: u32 = 50_000;
const RATE_PERIOD: Duration = Duration::from_secs(1);
/// The stack of a connection's thread. Nested fields of a request are read by recursion, up to 128
/// deep; what is not used of it costs no memory.
const STACK: usize = 2 * 1024 * 1024;

/// How a request is answered.
pub enum Served {
    /// By one reply.
    Reply(Reply),
    /// By a reply, and lines from then on until either end has enough.
    Feed(Reply, Receiver<Arc<[u8]>>),
}

/// Answers requests, on the connection's thread.
pub type Handler = Arc<dyn Fn(Peer, Request) -> Served + Send + Sync>;

/// Accepts connections until the other end of `until` is closed. Those that are open then go on.
pub fn serve(listener: &Listener, uid: u32, handler: &Handler, until: &Stream) {
    let open = Arc::new(AtomicUsize::new(0));
    while let Some(accepted) = accept(listener, until) {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                ) =>
            {
                continue;
            }
            Err(error) => {
                // Out of descriptors, or the like: others may be closed meanwhile.
                log::warn!("cannot accept a connection: {error}");
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let Some(slot) = Slot::take(&open) else {
            refuse(
                stream,
                &busy(format!("{CONNECTIONS} connections are open already")),
            );
            continue;
        };
        let handler = Arc::clone(handler);
        let connection = move || {
            let _slot = slot;
            if let Err(error) = converse(stream, uid, &handler) {
                log::debug!("a connection ended: {error}");
            }
        };
        if let Err(error) = std::thread::Builder::new()
            .name("connection".into())
            .stack_size(STACK)
            .spawn(connection)
        {
            log::warn!("cannot start a thread for a connection: {error}");
        }
    }
}

/// The next connection; `None` when there is to be no other.
fn accept(listener: &Listener, until: &Stream) -> Option<io::Result<Stream>> {
    let mut waiting = Waiting::with_room(2);
    let (ended, ready) = (waiting.add(until), waiting.add(listener));
    loop {
        if let Err(error) = waiting.wait(None) {
            return Some(Err(error));
        }
        if waiting.is_ready(ended) {
            return None;
        }
        if waiting.is_ready(ready) {
            // Nobody else takes it: a connection that was broken off waits here, too.
            return Some(listener.accept().map(|(stream, _)| stream));
        }
    }
}

fn busy(message: String) -> ErrorReply {
    ErrorReply::new(ErrorCode::Busy, message).hint("try again in a moment")
}

/// One of the [`CONNECTIONS`], given back when dropped.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(open: &Arc<AtomicUsize>) -> Option<Slot> {
        let taken = open.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
            (n < CONNECTIONS).then_some(n + 1)
        });
        taken.is_ok().then(|| Slot(Arc::clone(open)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn refuse(mut stream: Stream, error: &ErrorReply) {
    let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
    if let Ok(line) = Reply::Error(error.clone()).to_line() {
        let _ = stream.write_all(&line);
    }
}

/// Answers the requests of one connection until it ends.
fn converse(stream: Stream, uid: u32, handler: &Handler) -> io::Result<()> {
    let peer = peer::of(&stream)?;
    if peer.uid != uid {
        refuse(
            stream,
            &ErrorReply::new(ErrorCode::Failed, "this freeport belongs to another user"),
        );
        return Ok(());
    }
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    let mut rate = Rate {
        since: Instant::now(),
        requests: 0,
    };
    loop {
        line.clear();
        let limit = REQUEST_LIMIT as u64;
        (&mut reader).take(limit).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            if line.len() >= REQUEST_LIMIT {
                let error = ErrorReply::new(
                    ErrorCode::TooLarge,
                    format!("a request is at most {REQUEST_LIMIT} bytes long"),
                );
                refuse(reader.into_inner(), &error);
            }
            return Ok(());
        }
        let served = if rate.exceeded() {
            Served::Reply(Reply::Error(busy(format!(
                "more than {RATE} requests in a second"
            ))))
        } else {
            match Request::parse(line.trim_ascii()) {
                Ok(request) => handler(peer, request),
                Err(error) => Served::Reply(Reply::Error(error)),
            }
        };
        match served {
            Served::Reply(reply) => reader.get_mut().write_all(&reply.to_line()?)?,
            Served::Feed(reply, lines) => {
                reader.get_mut().write_all(&reply.to_line()?)?;
                if let Reply::State(_) = reply {
                    return feed(reader.into_inner(), &lines);
                }
            }
        }
    }
}

/// Writes lines until the subscriber is gone, or was too slow for them.
fn feed(mut stream: Stream, lines: &Receiver<Arc<[u8]>>) -> io::Result<()> {
    loop {
        match lines.recv_timeout(CHECK) {
            Ok(line) => stream.write_all(&line)?,
            Err(RecvTimeoutError::Timeout) if has_gone(&stream) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let error =
                    ErrorReply::new(ErrorCode::Busy, "you were too slow for what has changed");
                refuse(
                    stream,
                    &error.hint("subscribe again: everything is told anew"),
                );
                return Ok(());
            }
        }
    }
}

struct Rate {
    since: Instant,
    requests: u32,
}

impl Rate {
    fn exceeded(&mut self) -> bool {
        if self.since.elapsed() >= RATE_PERIOD {
            *self = Rate {
                since: Instant::now(),
                requests: 0,
            };
        }
        self.requests += 1;
        self.requests > RATE
    }
}
