//! The requests as methods with the reply that fits each.

use super::{Ask as _, Client, ClientError};
use crate::ipc::protocol::{
    Allocate, Claim, Cleanup, CleanupReply, Config, Free, Heartbeat, Kill, LeaseReply, List,
    ListReply, Log, Pool, PoolCreate, PoolDelete, PoolDraw, PoolView, Query, Release, Reply,
    Request, Reserve, Setting, StatusReply, Suggest,
};
use crate::ipc::view::ReservationView;
use crate::model::Port;
use crate::model::kill::Outcome;
use crate::model::log::Entry;

/// The error of a reply that does not fit its request. The connection reads none that does not.
pub(super) fn unfit() -> ClientError {
    ClientError::Reply(serde::de::Error::custom("not a reply to this request"))
}

impl Client {
    /// Asks, and takes out of the reply what fits.
    fn typed<T>(
        &mut self,
        request: Request,
        fit: impl FnOnce(Reply) -> Option<T>,
    ) -> Result<T, ClientError> {
        match self.ask(request)? {
            Reply::Error(error) => Err(ClientError::Refused(error)),
            reply => fit(reply).ok_or_else(unfit),
        }
    }

    fn lease(&mut self, request: Request) -> Result<LeaseReply, ClientError> {
        self.typed(request, |reply| match reply {
            Reply::Lease(lease) => Some(*lease),
            _ => None,
        })
    }

    fn reservations(&mut self, request: Request) -> Result<Vec<ReservationView>, ClientError> {
        self.typed(request, |reply| match reply {
            Reply::Reservations(told) => Some(told.reservations),
            _ => None,
        })
    }

    /// Who listens, by a look made now.
    pub fn list(&mut self, list: List) -> Result<ListReply, ClientError> {
        self.typed(Request::List(list), |reply| match reply {
            Reply::List(list) => Some(list),
            _ => None,
        })
    }

    /// How the app is.
    pub fn status(&mut self) -> Result<StatusReply, ClientError> {
        self.typed(Request::Status, |reply| match reply {
            Reply::Status(status) => Some(*status),
            _ => None,
        })
    }

    /// Frees ports by ending who listens on them. What came of it stands in the outcomes.
    pub fn kill(&mut self, kill: Kill) -> Result<Vec<Outcome>, ClientError> {
        self.typed(Request::Kill(kill), |reply| match reply {
            Reply::Kill(kill) => Some(kill.outcomes),
            _ => None,
        })
    }

    /// Claims a port for a process; this one, unless another is named.
    pub fn claim(&mut self, claim: Claim) -> Result<LeaseReply, ClientError> {
        self.lease(Request::Claim(claim))
    }

    /// Claims a port for a service of a process.
    pub fn register(&mut self, claim: Claim) -> Result<LeaseReply, ClientError> {
        self.lease(Request::Register(claim))
    }

    /// Renews a claim.
    pub fn heartbeat(&mut self, heartbeat: Heartbeat) -> Result<LeaseReply, ClientError> {
        self.lease(Request::Heartbeat(heartbeat))
    }

    /// The port of a service: the one that it has, or else a free one.
    pub fn allocate(&mut self, allocate: Allocate) -> Result<LeaseReply, ClientError> {
        self.lease(Request::Allocate(allocate))
    }

    /// Sets ports aside for a project: all of them, or none.
    pub fn reserve(&mut self, reserve: Reserve) -> Result<Vec<ReservationView>, ClientError> {
        self.reservations(Request::Reserve(reserve))
    }

    /// Gives reservations and claims back; tells what they were.
    pub fn release(&mut self, release: Release) -> Result<Vec<ReservationView>, ClientError> {
        self.reservations(Request::Release(release))
    }

    /// Gives the ports of a project back; tells what they were.
    pub fn free(&mut self, free: Free) -> Result<Vec<ReservationView>, ClientError> {
        self.reservations(Request::Free(free))
    }

    fn pool(&mut self, pool: Pool) -> Result<Vec<PoolView>, ClientError> {
        self.typed(Request::Pool(pool), |reply| match reply {
            Reply::Pools(told) => Some(told.pools),
            _ => None,
        })
    }

    /// Makes a pool.
    pub fn create_pool(&mut self, create: PoolCreate) -> Result<Vec<PoolView>, ClientError> {
        self.pool(Pool::Create(create))
    }

    /// Which pools there are, and who has what of them.
    pub fn pools(&mut self) -> Result<Vec<PoolView>, ClientError> {
        self.pool(Pool::List)
    }

    /// Removes a pool; tells what it was.
    pub fn delete_pool(&mut self, delete: PoolDelete) -> Result<Vec<PoolView>, ClientError> {
        self.pool(Pool::Delete(delete))
    }

    /// Draws ports of a pool for a job: all of them, or none. Where there are not enough, that is
    /// [`ErrorCode::Exhausted`](crate::ipc::protocol::ErrorCode::Exhausted) at once: who waits asks
    /// again, at least every two seconds.
    pub fn draw(&mut self, draw: PoolDraw) -> Result<Vec<ReservationView>, ClientError> {
        self.reservations(Request::Pool(Pool::Draw(draw)))
    }

    /// What is reserved.
    pub fn query(&mut self, query: Query) -> Result<Vec<ReservationView>, ClientError> {
        self.reservations(Request::Query(query))
    }

    /// Ports that are free now.
    pub fn suggest(&mut self, suggest: Suggest) -> Result<Vec<Port>, ClientError> {
        self.typed(Request::Suggest(suggest), |reply| match reply {
            Reply::Suggest(told) => Some(told.ports),
            _ => None,
        })
    }

    /// Removes what is over.
    pub fn clean_up(&mut self, cleanup: Cleanup) -> Result<CleanupReply, ClientError> {
        self.typed(Request::Cleanup(cleanup), |reply| match reply {
            Reply::Cleanup(told) => Some(told),
            _ => None,
        })
    }

    /// What happened, oldest first.
    pub fn log(&mut self, log: Log) -> Result<Vec<Entry>, ClientError> {
        self.typed(Request::Log(log), |reply| match reply {
            Reply::Log(told) => Some(told.entries),
            _ => None,
        })
    }

    /// The settings, or one that was changed.
    pub fn config(&mut self, config: Config) -> Result<Vec<Setting>, ClientError> {
        self.typed(Request::Config(config), |reply| match reply {
            Reply::Config(told) => Some(told.settings),
            _ => None,
        })
    }
}
