//! How things are printed: tables that fit the terminal, JSON, errors with their next step.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::exit::{Exit, Failure};
use crate::model::{Gap, GapKind, Timestamp};

/// Prints one JSON object.
pub fn json(value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// Prints text.
pub fn print(text: &str) -> io::Result<()> {
    // The styles are taken out where they are not wanted, which is slow; most text has none.
    let (plain, styled) = text.split_at(text.find('\x1b').unwrap_or(text.len()));
    print_raw(plain)?;
    let mut out = anstream::stdout().lock();
    out.write_all(styled.as_bytes())?;
    out.flush()
}

/// Prints control sequences as they are.
pub fn print_raw(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something beside the output.
pub fn note(text: &str) -> io::Result<()> {
    let mut err = anstream::stderr().lock();
    writeln!(err, "{}", dim(text))
}

/// Warns of something beside the output.
pub fn warn(text: &str) -> io::Result<()> {
    let mut err = anstream::stderr().lock();
    let word = styled("warning:", AnsiColor::Yellow.on_default().bold());
    writeln!(err, "{word} {text}")
}

/// Says what went wrong, and what to do next.
pub fn report(failure: &Failure) {
    let mut err = anstream::stderr().lock();
    // Where stderr is closed, the exit status tells.
    let _ = writeln!(
        err,
        "{} {}",
        styled("error:", AnsiColor::Red.on_default().bold()),
        failure.message
    );
    if let Some(hint) = &failure.hint {
        let _ = writeln!(
            err,
            " {} {hint}",
            styled("hint:", AnsiColor::Cyan.on_default().bold())
        );
    }
}

/// A failure to find a port, with the reason why it may be there all the same.
pub fn unseen(nothing: Failure, gaps: &[Gap]) -> Failure {
    match gaps
        .iter()
        .find(|gap| gap.kind == GapKind::SocketsUnreadable)
    {
        Some(gap) => {
            let message = format!("{}, as far as can be seen: {}", nothing.message, gap.detail);
            Failure::text(Exit::Failed, &message)
        }
        None => nothing,
    }
}

/// Text in a style, where the terminal shows styles.
pub fn styled(text: impl Display, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// Text that matters less.
pub fn dim(text: impl Display) -> String {
    styled(text, Style::new().dimmed())
}

/// Text that matters more.
pub fn bold(text: impl Display) -> String {
    styled(text, Style::new().bold())
}

/// Text that warns.
pub fn warning(text: impl Display) -> String {
    styled(text, AnsiColor::Yellow.on_default())
}

/// Whether a person reads the output.
pub fn on_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a person can be asked.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that is answered with yes or no; no unless yes was said.
pub fn agrees(question: &str) -> io::Result<bool> {
    let mut err = anstream::stderr().lock();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The width of the terminal; `None` where the output is no terminal, and may be as wide as it is.
pub fn width() -> Option<u16> {
    on_terminal().then(|| terminal_size::terminal_size().map_or(80, |(width, _)| width.0))
}

/// The time now.
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now())
}

/// Whether colours are wanted: on a terminal, and not where NO_COLOR says no.
pub fn colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}
