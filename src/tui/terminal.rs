//! The terminal: taken over and given back as it was, whatever happens.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::time::Duration;

use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};

use super::TuiError;
use crate::platform::console;

/// The other screen, no cursor, and what is pasted marked as such.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[2J";
/// All of it back, in the other order.
const LEAVE: &str = "\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";
/// Presses and the wheel. Not where the pointer moves to, which would wake this up for nothing.
const MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
const NO_MOUSE: &str = "\x1b[?1006l\x1b[?1000l";

/// The exit status after a panic, as the standard library has it.
const PANICKED: i32 = 101;

/// Held by whoever writes to the terminal, and for ever by who gives it back: what is drawn after
/// that would stand in the shell.
static WRITING: Mutex<()> = Mutex::new(());
/// How long a panic waits for who is writing; it may be the same thread.
const A_MOMENT: Duration = Duration::from_millis(5);
const MOMENTS: usize = 20;

/// Whether the terminal is taken over.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether there is a terminal to be used.
pub fn check() -> Result<(), TuiError> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        Ok(())
    } else {
        Err(TuiError::NoTerminal)
    }
}

/// Whether colours are wanted (no-color.org).
pub fn has_colours() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// The terminal while it is taken over; given back at the end.
pub struct Screen {
    /// Not dropped: it would show the cursor once more, and panic where the terminal is gone.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
    mouse: bool,
}

impl Screen {
    /// Takes it over.
    pub fn enter() -> io::Result<Screen> {
        give_back_on_panic();
        let backend = CrosstermBackend::new(BufWriter::new(io::stdout()));
        let mut screen = Screen {
            terminal: ManuallyDrop::new(Terminal::new(backend)?),
            mouse: true,
        };
        screen.take()?;
        Ok(screen)
    }

    fn take(&mut self) -> io::Result<()> {
        TAKEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        let mouse = if self.mouse { MOUSE } else { "" };
        write!(io::stdout(), "{ENTER}{mouse}")?;
        io::stdout().flush()
    }

    /// Its columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.backend().size()?;
        Ok((size.width, size.height))
    }

    /// Draws; only what differs from before is written.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let _writing = writing();
        self.terminal.draw(view).map(drop)
    }

    /// Forgets what was drawn, so that all of it is drawn again.
    pub fn clear(&mut self) -> io::Result<()> {
        let (width, height) = self.size()?;
        // Not by what is called clear there: that asks the terminal where the cursor is, and the
        // answer would be read as if it had been typed.
        let _writing = writing();
        self.terminal.resize(Rect::new(0, 0, width, height))
    }

    /// Whether presses of the mouse are told; else they are the terminal's own, to select text.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        let _writing = writing();
        write!(io::stdout(), "{}", if on { MOUSE } else { NO_MOUSE })?;
        io::stdout().flush()
    }

    /// Gives the terminal to the shell until the shell gives it back.
    pub fn pause(&mut self) -> io::Result<()> {
        leave();
        console::pause();
        self.take()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets nobody else write from now on, as far as that can be had.
fn write_alone() {
    for _ in 0..MOMENTS {
        match WRITING.try_lock() {
            Ok(guard) => return std::mem::forget(guard),
            Err(TryLockError::Poisoned(guard)) => return std::mem::forget(guard.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(A_MOMENT),
        }
    }
}

/// Gives the terminal back, if it is taken over. Where it cannot be written to any more, there is
/// nothing to be given back.
fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ = out.write_all(LEAVE.as_bytes());
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

/// Gives back what can be given back of a terminal that takes no text now.
pub fn leave_at_once() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
    }
}

/// A panic, of whatever thread, is told on the terminal as it was before, and ends the process.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            write_alone();
            leave();
            before(info);
            std::process::exit(PANICKED);
        }));
    });
}
