//! The engine without the app: a command that looks and acts by itself.

use std::sync::{Arc, Mutex};

use crate::engine::{Answer, Caller, Engine, Ring, Use};
use crate::ipc::protocol::{Reply, Request};
use crate::ipc::{Ask, ClientError};
use crate::platform::{self, Focus, Scanner, limits};

/// Answers requests in this process, with one look at the system for each that needs it.
pub struct Local {
    engine: Engine,
    scanner: Option<Scanner>,
}

impl Local {
    /// An engine that has not looked yet.
    pub fn new() -> Local {
        Local {
            engine: Engine::new(Arc::new(Mutex::new(Ring::default())), Use::Command),
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
            // What is free instead of a port that is taken shows only among all of them.
            Some(look) if look.ports.is_empty() || !look.thorough && is_about_leases(&request) => {
                self.look_at_all();
            }
            Some(look) => self.engine.ingest(platform::look(&look.ports)),
            None => {}
        }
        if let Err(error) = request.check() {
            return Ok(Reply::Error(error));
        }
        let caller = match Caller::of(std::process::id(), limits::user_id(), &request) {
            Ok(caller) => caller,
            Err(error) => return Ok(Reply::Error(error)),
        };
        Ok(match self.engine.handle(request, &caller) {
            Answer::Now(reply) => reply,
            Answer::Later(work) => {
                let reply = work();
                if let Reply::Kill(kill) = &reply {
                    self.engine.killed(&kill.outcomes, &caller);
                }
                reply
            }
        })
    }
}

fn is_about_leases(request: &Request) -> bool {
    matches!(
        request,
        Request::Register(_) | Request::Claim(_) | Request::Reserve(_)
    )
}
