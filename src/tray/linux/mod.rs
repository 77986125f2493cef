//! The tray on Linux: a StatusNotifierItem with its menu, by ksni.
//!
//! What the panel and the bus are asked for may take forever, so whoever asks has a thread of its
//! own, and none of them is the one that waits for the end of the app. All of them tell one thread,
//! the desk, which owns what is known and decides what is done. This file starts and ends them.

mod absence;
mod desk;
mod item;
mod presence;
mod session;

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, SystemTime};

use ksni::blocking::Handle;

use super::actions::Done;
use super::menu::Action;
use super::{Links, Quit, States};
use crate::model::Timestamp;
use desk::Desk;
use item::Icon;

/// How long the icon may take to go when the app ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// What reaches the desk.
enum Message {
    /// A state waits to be taken.
    State,
    Clicked(Action),
    /// The menu was opened.
    Opened,
    Done(Done),
    /// A panel has come.
    PanelCame,
    /// The panel has gone, or does not take the icon.
    PanelLeft(ksni::OfflineReason),
    /// What came of making the icon.
    Spawned(Result<Handle<Icon>, ksni::Error>),
    End,
}

/// Shows the tray until the app is to end.
pub fn run(links: Links, states: States, rings: Receiver<()>, ended: Receiver<Quit>) {
    let (messages, inbox) = mpsc::channel();
    forward(rings, messages.clone());
    session::follow(links.quit.clone());
    item::spawn(messages.clone());
    let (gone, farewell) = mpsc::channel::<()>();
    let desk = Desk::new(links, states, messages.clone());
    let work = move || {
        desk.work(&inbox);
        drop(gone);
    };
    if let Err(error) = std::thread::Builder::new()
        .name("desk".into())
        .stack_size(512 * 1024)
        .spawn(work)
    {
        log::warn!("cannot start a thread for the tray: {error}");
    }
    if let Ok(reason) = ended.recv() {
        log::info!("ending: {reason:?}");
    }
    // The icon goes at once, not when the bus notices; but a bus that hangs holds nobody up.
    let _ = messages.send(Message::End);
    let _: Result<(), _> = farewell.recv_timeout(FAREWELL);
}

/// Tells the desk of every state.
fn forward(rings: Receiver<()>, to: Sender<Message>) {
    let work = move || {
        for () in rings {
            if to.send(Message::State).is_err() {
                return;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("forward".into())
        .stack_size(64 * 1024)
        .spawn(work)
    {
        log::warn!("cannot start a thread for the tray: {error}");
    }
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now())
}
