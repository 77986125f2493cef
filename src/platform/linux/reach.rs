//! Folders on file systems that may not answer: a dead NFS or sshfs server lets whoever looks at them
//! wait forever. They are looked at on a thread of their own, and not for long.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::model::Project;
use crate::platform::project;

/// How long a file system that is not on this machine may take.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long one that did not answer is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// The mounts that did not answer, and when.
static SILENT: Mutex<Option<HashMap<PathBuf, Instant>>> = Mutex::new(None);

/// How long what was found is taken for true: programs that claim many ports ask as often.
const FRESH: Duration = Duration::from_secs(1);
/// How many folders are remembered for so long.
const REMEMBERED: usize = 64;

/// What was found, and when.
static FOUND: Mutex<Vec<(PathBuf, Instant, Option<Project>)>> = Mutex::new(Vec::new());

/// The project that a folder belongs to; `None` also where its file system does not answer.
pub fn project_of(folder: &Path) -> Option<Project> {
    let found = || FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let is_fresh = |since: &Instant| since.elapsed() < FRESH;
    if let Some((.., project)) = found()
        .iter()
        .find(|(known, since, _)| known == folder && is_fresh(since))
    {
        return project.clone();
    }
    let project = look(folder);
    let mut all = found();
    all.retain(|(known, since, _)| known != folder && is_fresh(since));
    if all.len() < REMEMBERED {
        all.push((folder.to_owned(), Instant::now(), project.clone()));
    }
    project
}

fn look(folder: &Path) -> Option<Project> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    match remote_mount(&mounts, folder) {
        None => project::of(folder),
        Some(mount) => {
            let folder = folder.to_owned();
            within(mount, PATIENCE, move || project::of(&folder)).flatten()
        }
    }
}

/// Does `work`, which looks at the file system mounted at `mount`; `None` when that took too long, or
/// did a short time ago.
fn within<T: Send + 'static>(
    mount: PathBuf,
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let silent = |change: &mut dyn FnMut(&mut HashMap<PathBuf, Instant>)| {
        let mut silent = SILENT.lock().unwrap_or_else(PoisonError::into_inner);
        change(silent.get_or_insert_default());
    };
    let mut is_silent = false;
    silent(&mut |mounts| {
        mounts.retain(|_, since| since.elapsed() < LEFT_ALONE);
        is_silent = mounts.contains_key(&mount);
    });
    if is_silent {
        return None;
    }
    let (sender, done) = mpsc::sync_channel(1);
    let started = std::thread::Builder::new()
        .name("folder".into())
        .stack_size(256 * 1024)
        .spawn(move || drop(sender.send(work())));
    let found = started.ok().and_then(|_| done.recv_timeout(patience).ok());
    if found.is_none() {
        log::info!(
            "{} does not answer: projects there are not told",
            mount.display()
        );
        silent(&mut |mounts| {
            mounts.insert(mount.clone(), Instant::now());
        });
    }
    found
}

/// The mount that a path is on, if that is one whose files are elsewhere, by the lines of
/// `/proc/self/mountinfo` (proc(5)).
fn remote_mount(mountinfo: &str, path: &Path) -> Option<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let place = PathBuf::from(unescaped(line.split(' ').nth(4)?));
        let kind = line.split_once(" - ")?.1.split(' ').next()?;
        path.starts_with(&place).then_some((place, kind))
    });
    // Of two at one place, the later one hides the other.
    let (place, kind) = mounts.max_by_key(|(place, _)| place.as_os_str().len())?;
    let remote = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "virtiofs",
        "ncpfs",
        "coda",
    ];
    (remote.contains(&kind) || kind == "fuse" || kind.starts_with("fuse.")).then_some(place)
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / /mnt/my\\040share rw shared:5 - nfs4 server:/x rw
31 30 0:27 / /mnt/my\\040share/local rw - tmpfs tmpfs rw
32 22 0:28 / /home/me/remote rw - fuse.sshfs me@host: rw
";

    #[test]
    fn remote_mounts_are_known() {
        let at = |path: &str| remote_mount(MOUNTS, Path::new(path));
        assert_eq!(at("/mnt/my share/shop"), Some("/mnt/my share".into()));
        assert_eq!(at("/mnt/my share/local/shop"), None);
        assert_eq!(at("/home/me/remote"), Some("/home/me/remote".into()));
        assert_eq!(at("/home/me/remotely"), None);
        assert_eq!(remote_mount("", Path::new("/")), None);
    }

    #[test]
    fn what_does_not_answer_is_left_alone_for_a_while() {
        let mount = || PathBuf::from("/mnt/of a test");
        assert_eq!(within(mount(), Duration::from_secs(60), || 1), Some(1));
        let (hold, held) = mpsc::channel::<()>();
        let stuck = within(mount(), Duration::from_millis(1), move || {
            held.recv().is_ok()
        });
        assert_eq!(stuck, None);
        assert_eq!(
            within(mount(), Duration::from_secs(60), || 2),
            None,
            "it is not asked again at once"
        );
        drop(hold);
    }
}
