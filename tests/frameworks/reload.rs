//! Servers that let go of their port when a file of theirs changes, and bind it again: nobody else
//! gets it meanwhile, however hard he tries.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use freeport::platform::seam::Seam;

use crate::serve::{Site, project};
use crate::support::{Home, skipped};

/// A change that nothing has come of after so long was not seen.
const MISSED: Duration = Duration::from_secs(15);

/// A server, and the file that it watches.
struct Reload {
    /// The command, as it is typed.
    line: &'static str,
    /// The port that it is on.
    port: u16,
    /// The file.
    file: &'static str,
    /// What is in it, with `-one` for what is changed, and answered.
    text: String,
}

/// A file as it was, which it is again at the end.
struct Kept {
    path: PathBuf,
    text: Option<String>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = match &self.text {
            Some(text) => fs::write(&self.path, text),
            None => fs::remove_file(&self.path),
        };
    }
}

/// A server goes on where it was when a file in its project changes.
pub fn reloads(name: &str, line: &'static str, port: u16, file: &'static str, text: &str) {
    if let Some(folder) = project(name) {
        let text = text.to_owned();
        survives(
            &folder,
            &Reload {
                line,
                port,
                file,
                text,
            },
        );
    }
}

/// The same in a copy of the one file that it needs.
pub fn copy_reloads(folder: &Path, line: &'static str, port: u16, file: &'static str) {
    let home = Home::new();
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let text = text.replace("-shop\\n", "-one\\n");
    home.write(&format!("shop/{file}"), &text);
    let reload = Reload {
        line,
        port,
        file,
        text,
    };
    survives(&home.path("shop"), &reload);
}

/// Changes the file of a server that runs, twice.
fn survives(folder: &Path, reload: &Reload) {
    let site = Site::new(folder);
    if !site.has(&[reload.port]) {
        return;
    }
    let path = folder.join(reload.file);
    let kept = Kept {
        text: fs::read_to_string(&path).ok(),
        path,
    };
    assert!(reload.text.contains("-one"));
    fs::write(&kept.path, &reload.text).unwrap();
    let run = site.run(reload.line);
    run.answers(reload.port, "-one");
    run.has(reload.port);
    let thief = Seam::is_supported().then(|| site.thief(reload.port));
    for word in ["-two", "-three"] {
        let mut written = None;
        run.answers_after(reload.port, word, || {
            // A change is missed by some that are not done with the one before.
            if written.is_none_or(|at: Instant| at.elapsed() > MISSED) {
                fs::write(&kept.path, reload.text.replace("-one", word)).unwrap();
                written = Some(Instant::now());
            }
        });
        run.has(reload.port);
    }
    match thief.map(|thief| thief.stop()) {
        Some((tries, won)) => assert_eq!(won, 0, "{}: of {tries}", reload.line),
        None => skipped(&format!(
            "'{}' can lose its port without a seam",
            reload.line
        )),
    }
    assert_eq!(run.notes(), [""; 0], "{}", reload.line);
    run.ends(reload.port);
}
