//! Leftovers: servers that outlived the terminal, the parent or the folder that they were started
//! from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::container::engines;
use super::visibility::{Rank, Viewer, rank};
use super::{Listener, Timestamp};

/// Why a listener is called a leftover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftover {
    /// Its working folder has been deleted.
    FolderDeleted,
    /// The terminal and the process that it was started from are gone.
    Orphaned,
}

impl Leftover {
    /// What that means, for a person.
    pub fn reason(self) -> &'static str {
        match self {
            Leftover::FolderDeleted => "its folder has been deleted",
            Leftover::Orphaned => "its terminal and its parent are gone",
        }
    }
}

/// What the system says of a process now that makes it look left over. Both change while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Whether its working folder has been deleted.
    pub folder_deleted: bool,
    /// Whether it has no terminal, its parent is the system's, and the session that it was started
    /// in has no leader any more. A daemon that made a session of its own is no orphan.
    pub orphaned: bool,
}

/// Whether a listener is worth the look at its signs: the viewer's own server in development, of
/// some age, that no service manager runs.
pub fn may_be_left(listener: &Listener, viewer: &Viewer, now: Timestamp, age: Duration) -> bool {
    listener.owner.as_ref().is_some_and(|owner| {
        owner.uid == viewer.uid
            && owner.unit.is_none()
            // What passes a port on is left alone by everybody who has started it.
            && engines::of(owner).is_none()
            && owner.started_at.age(now) >= age
            && rank(&listener.traits(), viewer) == Rank::Development
    })
}

/// What the signs say of a listener for which [`may_be_left`] holds.
pub fn judge(listener: &Listener, signs: Signs) -> Option<Leftover> {
    use super::service::Kind;
    let kind = listener.owner.as_ref().map(|owner| owner.kind);
    // Databases are daemons on purpose: that one has no terminal says nothing.
    let serves = !matches!(kind, Some(Kind::Database | Kind::Server));
    match signs {
        Signs {
            folder_deleted: true,
            ..
        } => Some(Leftover::FolderDeleted),
        Signs { orphaned: true, .. } if serves => Some(Leftover::Orphaned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::model::attribute::tests::{process, socket};
    use crate::model::service::Kind;
    use crate::model::{Port, Process, attribute};

    fn listener(change: impl Fn(&mut Process)) -> Listener {
        let mut owner = Arc::unwrap_or_clone(process(7, "node", &[1]));
        owner.kind = Kind::Development;
        owner.uid = 1000;
        owner.started_at = Timestamp(SystemTime::UNIX_EPOCH);
        change(&mut owner);
        let holder = [Arc::new(owner)];
        attribute::listeners(&[socket(3000, 1)], |_| &holder, |_| None).remove(0)
    }

    fn worth(listener: &Listener) -> bool {
        let viewer = Viewer {
            uid: 1000,
            ephemeral: (Port::new(32768).unwrap(), Port::new(60999).unwrap()),
        };
        let now = Timestamp(SystemTime::UNIX_EPOCH).after(Duration::from_secs(100));
        may_be_left(listener, &viewer, now, Duration::from_secs(100))
    }

    #[test]
    fn only_old_servers_of_the_viewer_are_looked_at() {
        assert!(worth(&listener(|_| {})));
        let young = Timestamp(SystemTime::UNIX_EPOCH).after(Duration::from_secs(1));
        assert!(!worth(&listener(|p| p.started_at = young)));
        assert!(!worth(&listener(|p| p.uid = 0)));
        assert!(!worth(&listener(|p| p.unit = Some("web.service".into()))));
        assert!(!worth(&listener(|p| p.kind = Kind::System)));
        assert!(!worth(&listener(|p| p.name = "conmon".into())));
    }

    #[test]
    fn signs() {
        let dev = listener(|_| {});
        let orphaned = Signs {
            orphaned: true,
            ..Signs::default()
        };
        assert_eq!(judge(&dev, Signs::default()), None);
        assert_eq!(judge(&dev, orphaned), Some(Leftover::Orphaned));
        let database = listener(|p| p.kind = Kind::Database);
        assert_eq!(judge(&database, orphaned), None);
        let deleted = Signs {
            folder_deleted: true,
            ..orphaned
        };
        assert_eq!(judge(&database, deleted), Some(Leftover::FolderDeleted));
    }
}
