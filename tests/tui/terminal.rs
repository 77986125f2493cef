//! A terminal in which the program runs as for a person: what is on its screen, and what is typed.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::support::{Home, PATIENCE, finish, wait_for};

/// A terminal of tmux, with a server of its own, which is ended at the end.
pub struct Terminal<'a> {
    home: &'a Home,
    name: String,
}

impl<'a> Terminal<'a> {
    /// Starts a shell command in one of this size.
    pub fn start(home: &'a Home, (width, height): (u16, u16), command: &str) -> Terminal<'a> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let terminal = Terminal {
            home,
            name: format!("t{number}"),
        };
        let (width, height) = (width.to_string(), height.to_string());
        let size = ["-x", &width, "-y", &height];
        let ran = finish(
            terminal
                .tmux(&["new-session", "-d"])
                .args(size)
                .arg(command),
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        terminal
    }

    /// Freeport's screens, and then a line with the status; what `stty` says is kept from before and
    /// from after.
    pub fn of_freeport(home: &'a Home, size: (u16, u16), before: &str) -> Terminal<'a> {
        let program = env!("CARGO_BIN_EXE_freeport");
        let terminal = Terminal::around(home, size, &format!("{before} '{program}' tui"));
        terminal.sees("? keys");
        terminal
    }

    /// A command between two looks at the terminal's settings.
    pub fn around(home: &'a Home, size: (u16, u16), command: &str) -> Terminal<'a> {
        let script = format!(
            "stty -a > before; {command}; s=$?; echo $s > status; echo ended=$s; stty -a > after; echo told; exec sleep 1000"
        );
        Terminal::start(home, size, &script)
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut command = self.home.command("tmux");
        // The socket is below this folder; the configuration is nobody's.
        command
            .env("TMUX_TMPDIR", self.home.path(""))
            .env("SHELL", "/bin/sh")
            .args(["-L", &self.name, "-f", "/dev/null"])
            .args(args);
        command
    }

    fn asked(&self, args: &[&str]) -> String {
        finish(&mut self.tmux(args)).ends(0).out
    }

    /// Types keys, by the names that tmux has for them.
    pub fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.asked(&["send-keys", key]);
        }
    }

    /// Types text.
    pub fn types(&self, text: &str) {
        self.asked(&["send-keys", "-l", text]);
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.asked(&["capture-pane", "-p"])
    }

    /// What is on the screen, with its colours.
    pub fn coloured(&self) -> String {
        self.asked(&["capture-pane", "-p", "-e"])
    }

    /// Waits until it is so on the screen; gives it.
    #[track_caller]
    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            let late = std::time::Instant::now() > deadline;
            assert!(!late, "waited in vain for {what}:\n{screen}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Waits until this is on the screen; gives all of it.
    #[track_caller]
    pub fn sees(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits until this is not on the screen any more.
    #[track_caller]
    pub fn sees_no_more(&self, text: &str) -> String {
        self.until(text, |screen| !screen.contains(text))
    }

    /// Has another size from now on.
    pub fn resize(&self, (width, height): (u16, u16)) {
        let (width, height) = (width.to_string(), height.to_string());
        self.asked(&["resize-window", "-x", &width, "-y", &height]);
    }

    /// Whether it shows the other screen, which programs that fill it use.
    pub fn is_filled(&self) -> bool {
        self.asked(&["display-message", "-p", "#{alternate_on}"])
            .trim()
            == "1"
    }

    /// Whether presses of the mouse are told to the program.
    pub fn has_mouse(&self) -> bool {
        self.asked(&["display-message", "-p", "#{mouse_any_flag}"])
            .trim()
            == "1"
    }

    /// The pid of Freeport in it.
    pub fn freeport(&self) -> u32 {
        let pane = self.asked(&["display-message", "-p", "#{pane_pid}"]);
        let pane = pane.trim().to_owned();
        wait_for("freeport to be started", || below(&pane))
    }

    /// Takes the terminal away from whoever is in it.
    pub fn vanish(&self) {
        self.asked(&["kill-session"]);
    }

    /// Checks that everything is as it was before, after an end with this status.
    #[track_caller]
    pub fn is_as_before(&self, status: i32) -> String {
        let screen = self.sees("told");
        assert!(screen.contains(&format!("ended={status}\n")), "{screen}");
        let read = |name: &str| std::fs::read_to_string(self.home.path(name)).unwrap();
        assert_eq!(read("before"), read("after"), "the settings are as before");
        assert!(!self.is_filled() && !self.has_mouse(), "{screen}");
        let cursor = self.asked(&["display-message", "-p", "#{cursor_flag}"]);
        assert_eq!(cursor.trim(), "1", "the cursor is shown");
        screen
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // It ends with its last session, too.
        let _ = self.tmux(&["kill-server"]).output();
    }
}

/// A process below this one that is Freeport.
fn below(pid: &str) -> Option<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(path).ok()?;
    children.split_ascii_whitespace().find_map(|child| {
        let name = std::fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        match name.trim() {
            "freeport" => child.parse().ok(),
            _ => below(child),
        }
    })
}
