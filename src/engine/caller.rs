//! Who asks, and for which process: read from the system before a request reaches the engine, on
//! the thread of the connection, as it may take time.

use crate::ipc::protocol::{Claim, ErrorCode, ErrorReply, Pool, Request};
use crate::model::ProcessKey;
use crate::model::log::Asker;
use crate::model::reservation::check_name;
use crate::platform;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user behind the request, as the kernel gave it.
    pub uid: u32,
    /// The pid behind the request, as the kernel gave it.
    pub pid: u32,
    /// The name of that process, where the request is one that is logged.
    pub name: Option<String>,
    /// The process that the request is about: the one that claims, or the caller.
    pub subject: Option<Subject>,
}

/// A process that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its identity.
    pub key: ProcessKey,
    /// Its name.
    pub name: String,
    /// The project that its folder belongs to, where that matters.
    pub project: Option<String>,
}

impl Caller {
    /// A caller of whom no more needs to be known.
    pub fn plain(pid: u32, uid: u32) -> Caller {
        Caller {
            uid,
            pid,
            name: None,
            subject: None,
        }
    }

    /// Reads what the request needs to be known of who asks.
    pub fn of(pid: u32, uid: u32, request: &Request) -> Result<Caller, ErrorReply> {
        let caller = Caller::plain(pid, uid);
        match request {
            Request::Register(claim) | Request::Claim(claim) => caller.claims(claim),
            Request::Pool(Pool::Draw(draw)) => caller.of_process(draw.pid, Some(&draw.name)),
            Request::Pool(Pool::List) => Ok(caller),
            Request::Release(_)
            | Request::Pool(_)
            | Request::Heartbeat(_)
            | Request::Reserve(_)
            | Request::Allocate(_)
            | Request::Free(_)
            | Request::Config(_)
            | Request::Kill(_)
            | Request::Cleanup(_) => Ok(caller.known()),
            _ => Ok(caller),
        }
    }

    /// The caller with its name and identity.
    fn known(self) -> Caller {
        let found = platform::claimant(self.pid);
        Caller {
            name: found.as_ref().map(|found| self.asker_name(&found.name)),
            subject: found.map(|found| Subject {
                key: found.key,
                name: found.name,
                project: None,
            }),
            ..self
        }
    }

    /// Who is behind a process of this name: for a command of Freeport, whoever ran it.
    fn asker_name(&self, name: &str) -> String {
        const COMMAND: &str = env!("CARGO_PKG_NAME");
        // One that stays with what it has started is two processes.
        let runner = || {
            let above = platform::lineage(self.pid).into_iter().skip(1);
            let mut names = above.map_while(|pid| Some(platform::claimant(pid)?.name));
            names.find(|name| name != COMMAND)
        };
        match (name == COMMAND).then(runner).flatten() {
            Some(parent) => format!("{name} by {parent}"),
            None => name.to_owned(),
        }
    }

    fn claims(self, claim: &Claim) -> Result<Caller, ErrorReply> {
        if claim.detached {
            let known = self.known();
            return Ok(Caller {
                subject: None,
                ..known
            });
        }
        self.of_process(claim.pid, claim.project.as_ref())
    }

    /// The caller, for a process: its own, where none is named.
    fn of_process(self, pid: Option<u32>, project: Option<&String>) -> Result<Caller, ErrorReply> {
        let pid = pid.unwrap_or(self.pid);
        let refuse = |code, message: String| Err(ErrorReply::new(code, message));
        if pid <= 1 {
            return refuse(
                ErrorCode::NotPermitted,
                format!("pid {pid} cannot claim a port: it is not yours"),
            );
        }
        let Some(found) = platform::claimant(pid) else {
            return refuse(
                ErrorCode::BadRequest,
                format!("there is no process with pid {pid}"),
            );
        };
        if found.uid != self.uid {
            let message = format!(
                "{} (pid {pid}) belongs to uid {}, not to you",
                crate::model::text::escape(&found.name),
                found.uid
            );
            return refuse(ErrorCode::NotPermitted, message);
        }
        let of_folder = || {
            let name = platform::project_of(found.cwd.as_deref()?)?.name;
            check_name(&name).is_ok().then_some(name)
        };
        let subject = Subject {
            project: project.cloned().or_else(of_folder),
            key: found.key,
            name: found.name.clone(),
        };
        let name = if pid == self.pid {
            Some(self.asker_name(&found.name))
        } else {
            platform::claimant(self.pid).map(|caller| self.asker_name(&caller.name))
        };
        Ok(Caller {
            name,
            subject: Some(subject),
            ..self
        })
    }

    /// The caller, for the log.
    pub fn asker(&self) -> Asker {
        Asker {
            uid: self.uid,
            pid: Some(self.pid),
            name: self.name.clone(),
        }
    }
}
