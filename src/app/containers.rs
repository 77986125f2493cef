//! Asking the container engines for the engine: on a thread of its own, which ends with the answer.

use std::time::Duration;

use super::engine_thread::EngineHandle;
use crate::engine::Engine;
use crate::ipc::protocol::Request;
use crate::model::container::Seen;
use crate::platform::containers;

/// How long they have for their answer; who lists meanwhile waits as long.
pub const PATIENCE: Duration = Duration::from_millis(1500);

/// Asks where there is something to be asked; the answer comes as a message.
pub fn ask(engine: &mut Engine, handle: &EngineHandle) {
    if !engine.asks_engines() {
        return;
    }
    let to = handle.clone();
    let work = move || to.engines_said(containers::ask(PATIENCE));
    let thread = std::thread::Builder::new()
        .name("containers".into())
        .stack_size(256 * 1024)
        .spawn(work);
    if let Err(error) = thread {
        log::debug!("no thread to ask container engines: {error}");
        engine.engines_said(Seen::default());
    }
}

/// Whether a request, for which the system was looked at just now, has to wait for the engines' answer.
/// Whoever asks for the whole story of a port has them asked anew.
pub fn concern(request: &Request, engine: &mut Engine, handle: &EngineHandle) -> bool {
    let Request::List(list) = request else {
        return false;
    };
    let whole = list.details && !list.ports.is_empty();
    if whole {
        engine.ask_engines_again(&list.ports);
    }
    ask(engine, handle);
    engine.awaits_engines(whole)
}
