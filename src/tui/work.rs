//! Requests, each on a thread of its own: a kill takes as long as its grace, and the screen goes on.

use std::error::Error as _;
use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use super::Connect;
use super::state::{Event, Problem, Purpose};
use crate::ipc::protocol::{Reply, Request};
use crate::ipc::{Ask, ClientError};
use crate::model::text::escape;

/// Asks for these, one after the other, and tells what was answered.
pub fn start(
    connect: Connect,
    purpose: Purpose,
    requests: Vec<Request>,
    tell: Sender<Event>,
) -> io::Result<()> {
    let work = move || {
        let replies = connect()
            .map_err(|error| problem(&error))
            .and_then(|mut asked| {
                let replies = requests
                    .into_iter()
                    .map(|request| ask(&mut *asked, request));
                replies.collect()
            });
        // Where the program has ended, nobody waits for it.
        let _ = tell.send(Event::Told(purpose, replies));
    };
    thread::Builder::new()
        .name("request".into())
        .stack_size(1024 * 1024)
        .spawn(work)?;
    Ok(())
}

/// The reply; one that is an error is a problem.
pub fn ask(asked: &mut dyn Ask, request: Request) -> Result<Reply, Problem> {
    match asked.ask(request) {
        Ok(Reply::Error(error)) => Err(Problem {
            message: escape(&error.message).into_owned(),
            hint: error.hint.as_deref().map(|hint| escape(hint).into_owned()),
        }),
        Ok(reply) => Ok(reply),
        Err(error) => Err(problem(&error)),
    }
}

/// An error with its causes.
pub fn problem(error: &ClientError) -> Problem {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    Problem {
        message: escape(&message).into_owned(),
        hint: error.hint().map(|hint| escape(&hint).into_owned()),
    }
}
