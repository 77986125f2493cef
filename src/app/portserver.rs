//! The portserver of the app: its socket beside the app's own, the address that is set, and the
//! engine, which chooses the ports.

use super::engine_thread::EngineHandle;
use crate::ipc::portserver::{self, Control};
use crate::ipc::socket::{Bound, SocketError, Taken};
use crate::platform::{abstract_socket, limits};

/// The name of its socket.
const SOCKET: &str = "portserver.sock";

/// The portserver, as the engine's thread knows it.
pub struct Portserver {
    control: Control,
    /// Where it listens beside its file.
    address: String,
}

/// Its socket, which is removed when this is dropped.
pub struct Beside {
    bound: Bound,
    control: Control,
}

impl Beside {
    /// Makes the socket again where its file is gone.
    pub fn keep(&mut self, taken: &Taken) -> Result<(), SocketError> {
        if !self.bound.is_there() {
            let bound = taken.beside(SOCKET)?;
            if let Ok(listener) = bound.listener.try_clone() {
                self.control.listen_instead(listener);
            }
            self.bound = bound;
        }
        Ok(())
    }
}

/// Starts it. Where that cannot be, the app goes on without. The socket's file is removed when the
/// second one is dropped.
pub fn start(taken: &Taken, engine: &EngineHandle) -> (Option<Portserver>, Option<Beside>) {
    let bound = match taken.beside(SOCKET) {
        Ok(bound) => bound,
        Err(error) => {
            log::warn!("there is no portserver: {error}; {}", error.hint());
            return (None, None);
        }
    };
    let engine = engine.clone();
    let picker = move |asked| engine.serve_ports(asked);
    let started = bound
        .listener
        .try_clone()
        .and_then(|listener| portserver::start(listener, limits::user_id(), Box::new(picker)));
    match started {
        Ok(control) => {
            let beside = Beside {
                bound,
                control: control.clone(),
            };
            let portserver = Portserver {
                control,
                address: String::new(),
            };
            (Some(portserver), Some(beside))
        }
        Err(error) => {
            log::warn!("there is no portserver: {error}");
            (None, None)
        }
    }
}

impl Portserver {
    /// Listens at this address, too: `@name`, or nowhere. Nothing, where it is the same as before.
    pub fn listen_at(&mut self, address: &str) {
        if self.address == address {
            return;
        }
        address.clone_into(&mut self.address);
        // The name before is free then, should it be wanted again.
        self.control.listen_also(None);
        let Some(name) = address.strip_prefix('@') else {
            return;
        };
        match abstract_socket::listen(name) {
            Ok(listener) => self.control.listen_also(Some(listener)),
            Err(error) => log::warn!(
                "the portserver cannot listen at {address}: {error}; choose another name with 'freeport config set portserver_address'"
            ),
        }
    }
}
