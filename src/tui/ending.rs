//! What ends the program from outside: a signal, and a terminal that is gone.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::state::Event;
use super::terminal;
use crate::platform::{Endings, console};

/// How long the terminal may take to be left: a program that it has stopped cannot write to it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The exit status where the terminal is gone, as of SIGHUP.
const GONE: i32 = 129;

/// Tells of the end when it comes. Where that is not heard, the process ends by itself.
pub fn start(tell: Sender<Event>) -> io::Result<()> {
    let endings = Endings::catch()?;
    let told = tell.clone();
    let small = |name: &str| {
        thread::Builder::new()
            .name(name.to_owned())
            .stack_size(64 * 1024)
    };
    small("signals").spawn(move || endings.each(|ending| end(&told, ending.status)))?;
    small("terminal").spawn(move || {
        if console::wait_until_gone() {
            end(&tell, GONE);
        }
    })?;
    Ok(())
}

fn end(tell: &Sender<Event>, status: i32) {
    let heard = tell.send(Event::End(u8::try_from(status).unwrap_or(1)));
    let last = move || {
        if heard.is_ok() {
            thread::sleep(PATIENCE);
        }
        terminal::leave_at_once();
        std::process::exit(status);
    };
    // Another signal may come meanwhile.
    let thread = thread::Builder::new().stack_size(64 * 1024);
    if thread.spawn(last).is_err() {
        terminal::leave_at_once();
        std::process::exit(status);
    }
}
