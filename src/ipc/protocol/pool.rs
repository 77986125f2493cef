//! Requests and replies about pools: named sets of ports that jobs draw from.

use serde::{Deserialize, Serialize};

use super::PORTS_LIMIT;
use super::lease::{Checked, bad, is_tcp, names, no, one, tcp, ttl};
use crate::ipc::view::ReservationView;
use crate::model::{PortList, Protocol, Timestamp};

/// Named sets of ports, and ports drawn from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Pool {
    /// Make a pool.
    Create(PoolCreate),
    /// Tell which there are, and who has what of them.
    List,
    /// Remove a pool; what was drawn from it stays with its jobs.
    Delete(PoolDelete),
    /// Draw ports for a job: all of them, or none.
    Draw(PoolDraw),
}

/// A pool to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolCreate {
    /// Its name.
    pub name: String,
    /// Its ports: `15000-15999,20000`.
    pub ports: PortList,
}

/// A pool to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolDelete {
    /// Its name.
    pub name: String,
}

/// Ports to be drawn for a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolDraw {
    /// The pool.
    pub name: String,
    /// What the job calls itself.
    pub job_id: String,
    /// How many.
    #[serde(default = "one")]
    pub count: usize,
    /// They have to follow each other.
    #[serde(default, skip_serializing_if = "no")]
    pub block: bool,
    /// The protocol; `tcp` when absent.
    #[serde(default = "tcp", skip_serializing_if = "is_tcp")]
    pub protocol: Protocol,
    /// The process that they belong to; the caller's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How long they last without a heartbeat, in seconds; `default_lease_duration` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// Where there are not enough, the job gets a place in the queue, which it keeps for as long as
    /// it asks again at least every two seconds.
    #[serde(default, skip_serializing_if = "no")]
    pub wait: bool,
    /// The app binds them, so that nobody else can.
    #[serde(default, skip_serializing_if = "no")]
    pub hold: bool,
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolView {
    /// Its name.
    pub name: String,
    /// Its ports.
    pub ports: PortList,
    /// How many ports it has.
    pub size: usize,
    /// How many of them are free.
    pub free: usize,
    /// When it was made.
    pub created_at: Timestamp,
    /// What was drawn from it.
    pub drawn: Vec<ReservationView>,
    /// How many jobs wait for ports of it.
    pub waiting: usize,
    /// What is wrong with its ports: some are given out by the system, or refused by browsers.
    pub warnings: Vec<String>,
}

/// Pools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolsReply {
    /// They, by name. Of what was deleted: as it was before.
    pub pools: Vec<PoolView>,
}

impl Pool {
    pub(super) fn check(&self) -> Checked {
        match self {
            Pool::Create(create) => names([Some(&create.name)]),
            Pool::List => Ok(()),
            Pool::Delete(delete) => names([Some(&delete.name)]),
            Pool::Draw(draw) => {
                names([Some(&draw.name), Some(&draw.job_id)])?;
                ttl(draw.ttl_s)?;
                match draw.count {
                    0 => Err(bad("0 ports are none: ask for at least one")),
                    n if n > PORTS_LIMIT => Err(bad(format!(
                        "{n} ports are too many: ask for at most {PORTS_LIMIT}"
                    ))),
                    _ => Ok(()),
                }
            }
        }
    }
}
