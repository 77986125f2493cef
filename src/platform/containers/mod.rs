//! Asking the container engines of this machine: which containers run and what they publish, and to
//! stop one. Over their sockets, never by running their commands.
//!
//! Every question has a deadline that holds whatever the other end does, and is made on threads of its
//! own. What an engine answers is read by [`crate::model::container`].

mod connection;
mod http;
mod places;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use connection::AskError;
use http::{HttpError, Response};
use places::Place;

use crate::model::container::{Container, Running, Seen, Trouble, decode};
use crate::model::text::shorten;

/// How many engines are asked at one time, those included that never answered and are waited for
/// no more.
const THREADS: usize = 16;
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// What came of asking at one place; nothing where there is no engine.
type Found = Result<Vec<Running>, AskError>;

/// Asks all engines of this machine which containers run. Takes `patience` at most.
pub fn ask(patience: Duration) -> Seen {
    let deadline = Instant::now() + patience;
    let (places, troubles) = match on_thread(places::all, patience) {
        Some(found) => found,
        None => return Seen::default(),
    };
    let mut seen = Seen {
        troubles,
        ..Seen::default()
    };
    let (tell, told) = mpsc::channel::<(usize, Found)>();
    let mut waited_for = Vec::new();
    for place in places {
        let Some(address) = place.address() else {
            continue;
        };
        let index = seen.places.len();
        seen.places.push(address);
        let tell = tell.clone();
        let work = move || {
            let _ = tell.send((index, containers(&place, index, deadline)));
        };
        if start(work) {
            waited_for.push(index);
        }
    }
    while !waited_for.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        // The threads have the same deadline, and a moment to say so.
        match told.recv_timeout(left + Duration::from_millis(50)) {
            Ok((index, found)) => {
                waited_for.retain(|one| *one != index);
                take(&mut seen, index, found);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    for index in waited_for {
        let late = HttpError::Io(std::io::ErrorKind::TimedOut.into());
        take(&mut seen, index, Err(late.into()));
    }
    // Whoever answers first is not always the same one.
    seen.running
        .sort_by(|a, b| (a.place, &a.container.id).cmp(&(b.place, &b.container.id)));
    seen.troubles.sort_by(|a, b| a.place.cmp(&b.place));
    seen
}

fn take(seen: &mut Seen, index: usize, found: Found) {
    let place = seen.places.get(index).map_or("", String::as_str);
    let place = place.strip_prefix("unix://").unwrap_or(place).to_owned();
    match found {
        Ok(running) => seen.running.extend(running),
        Err(AskError::Absent) => {}
        Err(error) => {
            let remedy = match error {
                AskError::NotPermitted if place.ends_with("/docker.sock") => {
                    "; who is in the group docker may ask it: 'sudo usermod -aG docker NAME', and log in again"
                }
                AskError::NotPermitted => "; whom it belongs to may ask it",
                _ => "",
            };
            let why = format!("{error}{remedy}");
            seen.troubles.push(Trouble { place, why });
        }
    }
}

/// Does `work` on a thread of its own; gives up on it after `patience`.
fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    patience: Duration,
) -> Option<T> {
    let (tell, told) = mpsc::channel();
    let work = move || {
        let _ = tell.send(work());
    };
    start(work).then(|| told.recv_timeout(patience).ok())?
}

/// Starts a thread, unless too many hang already.
fn start(work: impl FnOnce() + Send + 'static) -> bool {
    if ASKED.fetch_add(1, Ordering::AcqRel) >= THREADS {
        ASKED.fetch_sub(1, Ordering::AcqRel);
        return false;
    }
    let work = move || {
        work();
        ASKED.fetch_sub(1, Ordering::AcqRel);
    };
    let thread = std::thread::Builder::new()
        .name("containers".into())
        .stack_size(256 * 1024)
        .spawn(work);
    if thread.is_err() {
        ASKED.fetch_sub(1, Ordering::AcqRel);
    }
    thread.is_ok()
}

/// The containers that run at one place.
fn containers(place: &Place, index: usize, deadline: Instant) -> Found {
    let version = connection::ask(place, "GET", "/_ping", deadline)?.libpod;
    let is_version =
        |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let version = version.filter(is_version);
    let path = match &version {
        // Podman's own form tells of all ports of a range, and of pods.
        Some(version) => format!("/v{version}/libpod/containers/json"),
        None => "/containers/json".to_owned(),
    };
    let answer = connection::ask(place, "GET", &path, deadline)?;
    if answer.status != 200 {
        return Err(HttpError::Io(std::io::Error::other(complaint(&answer))).into());
    }
    let list = match version {
        Some(_) => decode::podman(&answer.body, index),
        None => decode::docker(&answer.body, index),
    };
    list.map_err(|error| HttpError::Io(std::io::Error::other(error)).into())
}

/// How a container is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// As `docker stop` does it: its own signal, so many seconds, SIGKILL. Without a number, the
    /// seconds are the container's own (10, as a rule).
    Gracefully(Option<u64>),
    /// With SIGKILL.
    Kill,
}

/// Why a container was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// It does not run any more.
    #[error("it does not run any more")]
    Gone,
    /// The engine did not say that it has ended.
    #[error("its engine has not ended it in time")]
    Late,
    /// The engine could not be asked, or refused.
    #[error("{0}")]
    Refused(String),
}

/// Ends `container` by asking the engine at `address`. Takes `patience` at most.
pub fn stop(
    address: &str,
    container: &Container,
    how: Stop,
    patience: Duration,
) -> Result<(), StopError> {
    let refused = |why: String| StopError::Refused(why);
    let place = Place::parse(address, false).map_err(|_| refused("no engine has it".into()))?;
    let id = &container.id;
    if !decode::is_id(id) {
        return Err(refused("its id is none".into()));
    }
    let path = match how {
        Stop::Gracefully(Some(seconds)) => format!("/containers/{id}/stop?t={seconds}"),
        Stop::Gracefully(None) => format!("/containers/{id}/stop"),
        Stop::Kill => format!("/containers/{id}/kill"),
    };
    match connection::ask(&place, "POST", &path, Instant::now() + patience) {
        Ok(answer) => match answer.status {
            200..300 => Ok(()),
            // 409 is what `kill` answers of what does not run.
            304 | 404 | 409 => Err(StopError::Gone),
            _ => Err(refused(complaint(&answer))),
        },
        Err(AskError::Http(HttpError::Io(error)))
            if matches!(
                error.kind(),
                std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock
            ) =>
        {
            Err(StopError::Late)
        }
        Err(error) => Err(refused(error.to_string())),
    }
}

/// What an engine says went wrong.
fn complaint(answer: &Response) -> String {
    let told = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
    let message = told.and_then(|told| Some(told.get("message")?.as_str()?.to_owned()));
    message.map_or_else(
        || format!("its engine answers with status {}", answer.status),
        |message| format!("its engine says: {}", shorten(&message, 200)),
    )
}

#[cfg(test)]
mod tests;
