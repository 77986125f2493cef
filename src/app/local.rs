//! The engine without the app: a command that looks and acts by itself.

use std::sync::{Arc, Mutex};

use crate::engine::{Answer, Caller, Engine, Ring};
use crate::ipc::protocol::{Reply, Request};
use crate::ipc::{Ask, ClientError};
use crate::platform::{self, Focus, Scanner};

/// Answers requests in this process, with one look at the system for each that needs it.
pub struct Local {
    engine: Engine,
    scanner: Option<Scanner>,
}

impl Local {
    /// An engine that has not looked yet.
    pub fn new() -> Local {
        Local {
            engine: Engine::new(Arc::new(Mutex::new(Ring::default()))),
            scanner: None,
        }
    }

    /// Looks at all ports; cheap from the second time on.
    fn look_at_all(&mut self) {
        let snapshot = match &mut self.scanner {
            Some(scanner) => scanner.scan(Focus::default()),
            none => Some(none.insert(Scanner::new()).first()),
        };
        if let Some(snapshot) = snapshot {
            self.engine.ingest(snapshot);
        }
    }
}

impl Default for Local {
    fn default() -> Local {
        Local::new()
    }
}

impl Ask for Local {
    fn ask(&mut self, request: Request) -> Result<Reply, ClientError> {
        match Engine::look_for(&request) {
            Some(look) if look.ports.is_empty() => self.look_at_all(),
            Some(look) => drop(self.engine.ingest(platform::look(&look.ports))),
            None => {}
        }
        Ok(
            match self.engine.handle(
                request,
                Caller {
                    pid: std::process::id(),
                },
            ) {
                Answer::Now(reply) => reply,
                Answer::Later(work) => work(),
            },
        )
    }
}
