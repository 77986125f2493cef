//! Starting a program: under the seam, with descriptors handed over, and never outliving who
//! started it.

#![allow(
    unsafe_code,
    reason = "what happens between fork and exec has no safe wrapper; each block says why it holds"
)]

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, getpid};

use super::caught::{Action, act};
use crate::platform::imp::{child, seam};
use crate::platform::started::{Child, Spawn, SpawnError, Started};

pub use std::os::fd::OwnedFd as Descriptor;

/// The first descriptor that is handed over (sd_listen_fds(3)).
const FIRST: i32 = 3;
/// No system has as many signals.
const SIGNALS: i32 = 64;
/// The variables by which descriptors are handed over.
const LISTEN: [&str; 3] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];
/// Room for the digits of a pid, and the zero behind them.
const PID_DIGITS: usize = 11;

impl Spawn {
    /// Starts it. On Linux it is killed when the thread that called this ends.
    pub fn start(self) -> Result<Started, SpawnError> {
        // All that the child opens or is given lies above what is handed over, so that nothing is
        // overwritten by that.
        let count = i32::try_from(self.descriptors.len()).unwrap_or(i32::MAX);
        let lowest = FIRST.saturating_add(count);
        let (given, _low) =
            out_of_the_way(&self.descriptors, lowest).map_err(SpawnError::Failed)?;
        let (giver, taker, mut refused) = match self.under_seam.then(|| seam::pair(lowest)) {
            Some(Ok((giver, taker))) => (Some(giver), Some(taker), None),
            Some(Err(error)) => (None, None, Some(error.to_string())),
            None => (None, None, None),
        };
        let image = Image::new(&self).map_err(SpawnError::NotExecutable)?;
        let mut start = Start {
            image,
            giver,
            given,
            ignored: self.ignored,
            parent: getpid(),
        };
        let mut command = Command::new(&self.program);
        // SAFETY: `become_program` only calls what may be called between fork and exec, and
        // allocates nothing.
        unsafe { command.pre_exec(move || Err(start.become_program())) };
        let spawned = command.spawn();
        // With it go the child's ends of all.
        drop(command);
        let pid = match spawned {
            Ok(child) => child.id(),
            Err(error) => return Err(SpawnError::of(error, &self.program)),
        };
        let seam = taker.and_then(|taker| taker.take().map_err(|why| refused = Some(why)).ok());
        Ok(Started {
            child: Child { pid },
            seam,
            seam_refused: refused,
        })
    }
}

impl SpawnError {
    fn of(error: io::Error, program: &std::path::Path) -> SpawnError {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::EINTR) => {
                SpawnError::Failed(error)
            }
            // What is not there may be the interpreter that the file names.
            Some(libc::ENOENT | libc::ENOTDIR) if !program.exists() => SpawnError::NotFound(error),
            _ => SpawnError::NotExecutable(error),
        }
    }
}

/// Duplicates of the descriptors that are all `lowest` or above, and, to be kept until the child
/// was made, ones that keep everybody else out of the numbers below.
fn out_of_the_way(
    descriptors: &[OwnedFd],
    lowest: i32,
) -> io::Result<(Vec<OwnedFd>, Vec<OwnedFd>)> {
    let mut low = Vec::new();
    if let Some(first) = descriptors.first() {
        loop {
            let next = fcntl_dupfd_cloexec(first, FIRST)?;
            if next.as_raw_fd() >= lowest {
                break;
            }
            low.push(next);
        }
    }
    let duplicates = descriptors
        .iter()
        .map(|descriptor| fcntl_dupfd_cloexec(descriptor, lowest));
    Ok((duplicates.collect::<Result<_, _>>()?, low))
}

/// What the child needs to become the program.
struct Start {
    image: Image,
    giver: Option<seam::Giver>,
    given: Vec<OwnedFd>,
    ignored: Vec<i32>,
    parent: Pid,
}

impl Start {
    /// Becomes the program, unless that fails.
    fn become_program(&mut self) -> io::Error {
        if let Err(error) = child::die_with_parent(self.parent) {
            return error;
        }
        for signal in 1..=SIGNALS {
            let action = if self.ignored.contains(&signal) {
                Action::Ignore
            } else {
                Action::Default
            };
            // What cannot be changed is as it is by itself.
            let _ = act(signal, action);
        }
        unblock_all();
        for (descriptor, number) in self.given.iter().zip(FIRST..) {
            // SAFETY: both are numbers of descriptors; nothing of this process, which is about to
            // be another program, is known by the second one.
            if unsafe { libc::dup2(descriptor.as_raw_fd(), number) } < 0 {
                return io::Error::last_os_error();
            }
        }
        if let Some(giver) = &mut self.giver {
            giver.give();
        }
        self.image.exec()
    }
}

fn unblock_all() {
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is made empty before it is used, and lives for as long as it is.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// What execve(2) is called with, made before the fork.
struct Image {
    program: CString,
    shell: CString,
    arguments: Pointers,
    /// For a script that does not say what runs it: the shell does, as everywhere.
    shell_arguments: Pointers,
    variables: Pointers,
    /// Which of the variables is the pid of the child, and where in it.
    pid_at: Option<(usize, usize)>,
}

impl Image {
    fn new(spawn: &Spawn) -> io::Result<Image> {
        let program = zero_ended(spawn.program.as_os_str().as_bytes())?;
        let shell = c"/bin/sh".to_owned();
        let arg0 = spawn.arg0.as_deref().unwrap_or(spawn.program.as_os_str());
        let rest = || spawn.args.iter().map(OsString::as_os_str);
        let arguments = Pointers::new([arg0].into_iter().chain(rest()).map(OsStr::as_bytes))?;
        let by_shell = [OsStr::new("/bin/sh"), spawn.program.as_os_str()];
        let by_shell = by_shell.into_iter().chain(rest()).map(OsStr::as_bytes);
        let mut variables = environment(spawn);
        let pid_at = (!spawn.descriptors.is_empty()).then(|| {
            variables.push(format!("LISTEN_FDS={}", spawn.descriptors.len()).into_bytes());
            let name = b"LISTEN_PID=";
            let mut variable = name.to_vec();
            variable.extend([b'0'; PID_DIGITS]);
            variables.push(variable);
            (variables.len() - 1, name.len())
        });
        Ok(Image {
            shell_arguments: Pointers::new(by_shell)?,
            arguments,
            variables: Pointers::new(variables.iter().map(Vec::as_slice))?,
            program,
            shell,
            pid_at,
        })
    }

    /// Executes it, unless that fails.
    fn exec(&mut self) -> io::Error {
        if let Some((variable, at)) = self.pid_at
            && let Some(text) = self.variables.texts.get_mut(variable)
        {
            write_digits(
                getpid().as_raw_nonzero().get().cast_unsigned(),
                &mut text[at..],
            );
        }
        let error = execute(&self.program, &self.arguments, &self.variables);
        if error.raw_os_error() != Some(libc::ENOEXEC) {
            return error;
        }
        execute(&self.shell, &self.shell_arguments, &self.variables)
    }
}

/// The environment of this process with the changes, as `NAME=value` each.
fn environment(spawn: &Spawn) -> Vec<Vec<u8>> {
    let is_changed = |name: &OsStr| spawn.env.iter().any(|(other, _)| other == name);
    let listens = |name: &OsStr| LISTEN.iter().any(|other| *other == name);
    let kept = std::env::vars_os().filter(|(name, _)| !is_changed(name) && !listens(name));
    let mut set: Vec<(OsString, OsString)> = kept.collect();
    for (name, value) in &spawn.env {
        set.retain(|(other, _)| other != name);
        if let Some(value) = value {
            set.push((name.clone(), value.clone()));
        }
    }
    let joined =
        |(name, value): (OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
    set.into_iter().map(joined).collect()
}

fn execute(program: &CString, arguments: &Pointers, variables: &Pointers) -> io::Error {
    // SAFETY: all are texts that end with a zero, and lists of such that end with null, and live
    // for as long as this process is the same program.
    unsafe {
        libc::execve(
            program.as_ptr(),
            arguments.list.as_ptr(),
            variables.list.as_ptr(),
        )
    };
    io::Error::last_os_error()
}

/// Writes a number in decimal, with a zero byte behind it.
fn write_digits(number: u32, into: &mut [u8]) {
    let count = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let mut left = number;
    for place in (0..count).rev() {
        if let Some(byte) = into.get_mut(place) {
            *byte = b'0' + (left % 10) as u8;
        }
        left /= 10;
    }
    if let Some(byte) = into.get_mut(count) {
        *byte = 0;
    }
}

/// Texts that end with a zero, and the list of pointers to them that ends with null.
struct Pointers {
    /// Never moved nor resized, as they are pointed to.
    texts: Vec<Box<[u8]>>,
    list: Vec<*const libc::c_char>,
}

// SAFETY: the pointers are to what it owns.
unsafe impl Send for Pointers {}
// SAFETY: nothing is changed through a shared reference.
unsafe impl Sync for Pointers {}

impl Pointers {
    fn new<'a>(texts: impl Iterator<Item = &'a [u8]>) -> io::Result<Pointers> {
        let ended =
            texts.map(|text| Ok(zero_ended(text)?.into_bytes_with_nul().into_boxed_slice()));
        let texts: Vec<Box<[u8]>> = ended.collect::<io::Result<_>>()?;
        let list = texts.iter().map(|text| text.as_ptr().cast());
        let list = list.chain([ptr::null()]).collect();
        Ok(Pointers { texts, list })
    }
}

fn zero_ended(text: &[u8]) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::ErrorKind::InvalidInput.into())
}
