//! Requests to the running app from some clients at a time: how long each takes, and how many a
//! second there are.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use freeport::ipc::protocol::{Claim, ErrorCode, Release};
use freeport::model::Port;
use freeport::{Ask as _, Client, Reply, Request};

use crate::measure::Times;

/// How many clients there are at a time.
pub const CLIENTS: [usize; 3] = [1, 8, 64];
/// How long each series is, and how many there are: the best one counts, as others use the machine.
const SERIES_TIME: Duration = Duration::from_secs(1);
const SERIES: usize = 3;
/// How many requests a second all clients together make where they do not go as fast as they can.
pub const PACE: u32 = 5_000;
/// How many bytes are echoed one after the other.
const ECHOES: usize = 10_000;

/// What came of many requests.
#[derive(Clone, Default)]
pub struct Requests {
    /// How long each took.
    pub times: Times,
    /// How many there were a second.
    pub rate: f64,
}

/// What was asked.
pub struct Asked {
    /// What it takes at least to ask and be answered.
    pub echo: Times,
    /// STATUS, by [`CLIENTS`].
    pub status: [Requests; 3],
    /// Claims, by [`CLIENTS`].
    pub claims: [Requests; 3],
    /// Claims of the most clients, [`PACE`] a second of them.
    pub paced_claims: Requests,
}

/// Asks the running app for all of it.
pub fn all() -> anyhow::Result<Asked> {
    Ok(Asked {
        echo: echo()?,
        status: status()?,
        claims: claims(None)?,
        paced_claims: claims(Some(PACE))?[2].clone(),
    })
}

/// STATUS, which is answered without a look.
fn status() -> anyhow::Result<[Requests; 3]> {
    best(None, |_, client| match client.ask(Request::Status)? {
        Reply::Status(_) => Ok(Some(Instant::now())),
        // One client alone may ask more often than it is allowed to.
        Reply::Error(error) if error.code == ErrorCode::Busy => Ok(None),
        other => bail!("not a status: {other:?}"),
    })
}

/// Claims of ports, each given back before the next one: of these, only the claim's time counts,
/// and both are written to the disk's files.
fn claims(pace: Option<u32>) -> anyhow::Result<[Requests; 3]> {
    let ports = free_ports(CLIENTS[2])?;
    best(pace, |number, client| {
        let port = ports[number];
        match client.ask(Request::Claim(Claim::of(port)))? {
            Reply::Lease(_) => {}
            other => bail!("not claimed: {other:?}"),
        }
        let answered = Instant::now();
        let release = Release {
            job_id: None,
            ports: vec![port],
            protocol: None,
            token: None,
            as_user: false,
            created_at: None,
        };
        match client.ask(Request::Release(release))? {
            Reply::Reservations(_) => Ok(Some(answered)),
            other => bail!("not released: {other:?}"),
        }
    })
}

/// What the client with this number does once; when it was answered, if it was.
type Work<'a> = &'a (dyn Fn(usize, &mut Client) -> anyhow::Result<Option<Instant>> + Sync);

/// Lets each number of clients work, some times in turn, and takes the series with the best rate;
/// that with the best times where the rate is given.
fn best(
    pace: Option<u32>,
    work: impl Fn(usize, &mut Client) -> anyhow::Result<Option<Instant>> + Sync,
) -> anyhow::Result<[Requests; 3]> {
    let mut found: [Requests; 3] = Default::default();
    for _ in 0..SERIES {
        for (best, clients) in found.iter_mut().zip(CLIENTS) {
            let series = series(clients, pace, &work)?;
            let times = |requests: &Requests| requests.times.percentile(99);
            let better = match pace {
                None => series.rate > best.rate,
                Some(_) => times(best).is_none_or(|best| times(&series) < Some(best)),
            };
            if better {
                *best = series;
            }
        }
    }
    Ok(found)
}

/// Lets so many clients work at a time: each as fast as it is answered, or all of them so many
/// times a second. Then the time counts from when it was to be asked.
fn series(clients: usize, pace: Option<u32>, work: Work<'_>) -> anyhow::Result<Requests> {
    let ready = Barrier::new(clients);
    let apart =
        pace.map(|pace| Duration::from_secs(1) * u32::try_from(clients).unwrap_or(u32::MAX) / pace);
    let one = |number: usize| -> anyhow::Result<(Times, Duration)> {
        let client = Client::connect();
        ready.wait();
        let mut client = client?;
        let mut times = Times::default();
        let start = Instant::now();
        // Not all at the same moment.
        let mut due =
            start + apart.unwrap_or_default() * u32::try_from(number)? / u32::try_from(clients)?;
        while start.elapsed() < SERIES_TIME {
            let asked = match apart {
                Some(_) => due,
                None => Instant::now(),
            };
            std::thread::sleep(asked.saturating_duration_since(Instant::now()));
            let answered = work(number, &mut client)?;
            times.extend(answered.map(|answered| answered - asked));
            due += apart.unwrap_or_default();
        }
        Ok((times, start.elapsed()))
    };
    let each: Vec<_> = std::thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = (0..clients)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .map_err(|_| anyhow::anyhow!("a thread panicked"))?
            })
            .collect::<anyhow::Result<_>>()
    })?;
    let longest = each.iter().map(|(_, took)| *took).max();
    let mut times = Times::default();
    for (some, _) in each {
        times.append(some);
    }
    Ok(Requests {
        rate: times.len() as f64 / longest.context("no client")?.as_secs_f64(),
        times,
    })
}

/// Ports on which nobody listens.
fn free_ports(count: usize) -> anyhow::Result<Vec<Port>> {
    let free = (30_000..32_000u16)
        .filter(|&port| TcpListener::bind(("0.0.0.0", port)).is_ok())
        .filter_map(Port::new);
    let ports: Vec<Port> = free.take(count).collect();
    anyhow::ensure!(ports.len() == count, "so many ports are not free");
    Ok(ports)
}

/// What it takes at least to ask and be answered: a thread that sends back a byte.
fn echo() -> anyhow::Result<Times> {
    let mut times = Times::default();
    let (mut here, mut there) = UnixStream::pair()?;
    let thread = std::thread::spawn(move || {
        let mut byte = [0];
        while there.read_exact(&mut byte).is_ok() && there.write_all(&byte).is_ok() {}
    });
    for _ in 0..ECHOES {
        times.take(|| {
            here.write_all(&[1])
                .and_then(|()| here.read_exact(&mut [0]))
        })?;
    }
    drop(here);
    let _ = thread.join();
    Ok(times)
}
