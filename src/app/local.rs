//! The engine without the app: a command that looks and acts by itself.

use std::sync::{Arc, Mutex};

use super::containers;
use crate::engine::{Answer, Caller, Engine, Ring, Use};
use crate::ipc::protocol::{Reply, Request};
use crate::ipc::{Ask, ClientError};
use crate::model::Port;
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

    /// Looks at what the request is about, and at no more: to find out whose a socket is, all
    /// processes have to be looked at.
    fn look_for(&mut self, request: &Request, caller: &Caller) {
        let Some(look) = Engine::look_for(request) else {
            return;
        };
        match request {
            Request::Register(claim) | Request::Claim(claim) => {
                let ports = self.engine.concerned(claim, caller);
                self.look_at(&ports);
            }
            _ if look.ports.is_empty() => self.look_at_all(),
            _ => self.look_at(&look.ports),
        }
    }

    fn look_at(&mut self, ports: &[Port]) {
        self.engine.ingest(platform::look(ports));
        // What is the same as before for it is not what the engine knows now.
        self.scanner = None;
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
        if let Err(error) = request.check() {
            return Ok(Reply::Error(error));
        }
        let caller = match Caller::of(std::process::id(), limits::user_id(), &request) {
            Ok(caller) => caller,
            Err(error) => return Ok(Reply::Error(error)),
        };
        self.look_for(&request, &caller);
        if matches!(request, Request::List(_)) && self.engine.asks_engines() {
            let seen = platform::containers::ask(containers::PATIENCE);
            self.engine.engines_said(seen);
        }
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
