//! Registries for tests, in folders that are removed at the end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use super::content::{Content, Pool};
use super::{Change, Clock, Place, Registry, RegistryError};
use crate::model::log::Asker;
use crate::model::reservation::tests::reserved;
use crate::model::reservation::{Hold, Lease, LeaseOwner, Status};
use crate::model::{Port, ProcessKey, Protocol, Reservation, Timestamp};
use crate::platform::limits;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const ASKER: Asker = Asker {
    uid: 1000,
    pid: Some(7),
    name: None,
};

/// A folder that is removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("freeport-files-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn place(&self) -> Place {
        Place::new(self.0.join("data"), limits::user_id())
    }

    pub(crate) fn open(&self) -> Registry {
        Registry::open(&self.place(), PATIENCE).unwrap()
    }

    /// The names of what is in a folder below, sorted.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join(below)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// So many seconds after 1970.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp(SystemTime::UNIX_EPOCH).after(Duration::from_secs(seconds))
}

/// The clocks at that time.
pub(crate) fn clock(seconds: u64) -> Clock {
    Clock {
        now: at(seconds),
        awake: Duration::from_secs(seconds),
        boot: "boot",
    }
}

/// Changes a registry.
pub(crate) fn change<T>(
    registry: &mut Registry,
    decide: impl FnOnce(&mut Change<'_>) -> Result<T, RegistryError>,
) -> T {
    registry.change(&clock(1000), decide).unwrap()
}

/// A claim with all that there can be in one.
pub(crate) fn claimed(port: u16, project: &str) -> Reservation {
    Reservation {
        owner: Some(LeaseOwner {
            key: ProcessKey {
                pid: 4242,
                start: u64::MAX,
            },
            boot: "boot".into(),
            name: "no\u{1b}de's \"x\"".into(),
        }),
        lease: Some(Lease {
            ttl: Duration::from_millis(3_600_500),
            expires_at: at(5000),
        }),
        service: Some("wëb".into()),
        kept: false,
        status: Status::Active,
        hold: Hold::Held,
        metadata: Some(r#"{"branch":"it's","n":[1,2]}"#.into()),
        last_heartbeat: Some(at(1400)),
        token: Some("5d41402abc4b2a76b9719d911017c592".into()),
        ..reserved(port, project)
    }
}

/// Fills a registry with something of everything.
pub(crate) fn fill(registry: &mut Registry) {
    change(registry, |change| {
        change.put(reserved(3000, "shop"))?;
        change.put(claimed(3001, "'; DROP TABLE ports; --"))?;
        change.put(Reservation {
            protocol: Protocol::Udp,
            kept: true,
            reserved_service: Some("wëb".into()),
            ..claimed(3001, "größe \"端口\" [x]")
        })?;
        change.put(Reservation {
            project: None,
            lease: Some(Lease::from(at(1000), Duration::from_secs(90))),
            kept: false,
            ..reserved(3002, "")
        })?;
        for (port, now) in [(3000, 1), (3005, 9), (3001, 5)] {
            let port = Port::new(port).unwrap();
            change.remember("shop", "a.b", port, at(now))?;
            change.remember("my shop", "wëb", port, at(now))?;
        }
        change.set("stale_threshold", Some("90"))?;
        change.set("preferred_ports", Some("4000,4001"))?;
        change.set("port_range", Some("4000-5000"))?;
        change.set("notify_cleanup", Some("false"))?;
        change.write(|db| {
            Pool {
                name: "ci".into(),
                ports: "15000-15999,20000".into(),
                created_at: 7_000,
            }
            .add(db)
        })
    });
}

/// All that a registry holds, as it is in the file.
pub(crate) fn content(registry: &Registry) -> Content {
    Content::read(registry.database()).unwrap()
}
