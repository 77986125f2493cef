//! What stands in front of the lists.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::theme::Theme;
use super::wrap::{Line, put, put_line, width, wrap};
use crate::model::text::escape;
use crate::tui::state::{Confirm, Dialog, Form, HELP, Tone};

/// The widest dialog.
const WIDEST: u16 = 76;
/// How wide the keys are in the help.
const KEYS: u16 = 18;
const CANCEL: &str = "Cancel";
const RESERVE: &str = "Reserve";

/// What is in a dialog: its title, its lines, and how many of them there is room for.
struct Shown<'a> {
    title: &'a str,
    lines: Vec<Line>,
    /// Whether buttons are below the lines.
    buttons: bool,
    area: Rect,
}

/// Draws a dialog; gives where the cursor is.
pub fn draw(dialog: &Dialog, theme: Theme, buffer: &mut Buffer, all: Rect) -> Option<(u16, u16)> {
    let shown = lay_out(dialog, theme, all);
    let area = shown.area;
    frame(&shown, theme, buffer);
    let rows = usize::from(
        area.height
            .saturating_sub(if shown.buttons { 4 } else { 2 }),
    );
    let most = shown.lines.len().saturating_sub(rows);
    let skipped = match dialog {
        Dialog::Help(scroll) => *scroll,
        Dialog::Confirm(confirm) => confirm.scroll,
        Dialog::Form(_) => 0,
    };
    let skipped = skipped.min(most);
    let lines = shown.lines.iter().skip(skipped).take(rows);
    for (line, y) in lines.zip(area.y + 1..) {
        put_line(buffer, (area.x + 2, y), area.width.saturating_sub(4), line);
    }
    if most > skipped {
        put(
            buffer,
            (area.x + 2, area.bottom() - 1),
            area.width,
            " ↓ more ",
            theme.tone(Tone::Dim),
        );
    }
    let (yes, agrees) = match dialog {
        Dialog::Help(_) => return None,
        Dialog::Confirm(confirm) => (confirm.yes, confirm.agrees),
        Dialog::Form(_) => (RESERVE, true),
    };
    let [yes_at, no_at] = places(area, yes);
    let button = |is_it: bool| {
        if is_it {
            theme.selected().add_modifier(Modifier::BOLD)
        } else {
            theme.tone(Tone::Plain)
        }
    };
    let text = format!("[ {yes} ]");
    put(
        buffer,
        (yes_at.x, yes_at.y),
        yes_at.width,
        &text,
        button(agrees),
    );
    let text = format!("[ {CANCEL} ]");
    put(
        buffer,
        (no_at.x, no_at.y),
        no_at.width,
        &text,
        button(!agrees),
    );
    let hint = match dialog {
        Dialog::Confirm(_) => "y yes  n no",
        _ => "Enter  Tab next  Esc cancel",
    };
    let x = no_at.right() + 3;
    let room = area.right().saturating_sub(x + 2);
    put(buffer, (x, no_at.y), room, hint, theme.tone(Tone::Dim));
    match dialog {
        Dialog::Form(form) => Some(cursor(form, area)),
        _ => None,
    }
}

/// Where the buttons are.
pub fn buttons(dialog: &Dialog, all: Rect) -> Option<[Rect; 2]> {
    let yes = match dialog {
        Dialog::Help(_) => return None,
        Dialog::Confirm(confirm) => confirm.yes,
        Dialog::Form(_) => RESERVE,
    };
    let shown = lay_out(dialog, Theme { colours: false }, all);
    Some(places(shown.area, yes))
}

fn places(area: Rect, yes: &str) -> [Rect; 2] {
    let y = area.bottom().saturating_sub(2);
    let yes = Rect::new(area.x + 2, y, width(yes) + 4, 1);
    let no = Rect::new(yes.right() + 2, y, width(CANCEL) + 4, 1);
    [yes, no]
}

fn lay_out<'a>(dialog: &'a Dialog, theme: Theme, all: Rect) -> Shown<'a> {
    let wide = WIDEST.min(all.width.saturating_sub(2));
    let inner = wide.saturating_sub(4);
    let (title, lines, buttons) = match dialog {
        Dialog::Help(_) => ("Keys", help(theme, inner), false),
        Dialog::Confirm(confirm) => (&*confirm.title, question(confirm, theme, inner), true),
        Dialog::Form(form) => {
            let title = if form.udp {
                "Reserve a UDP port"
            } else {
                "Reserve a port"
            };
            (title, fields(form, theme, inner), true)
        }
    };
    let more = if buttons { 4 } else { 2 };
    let high = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let high = high.saturating_add(more).min(all.height);
    Shown {
        title,
        lines,
        buttons,
        area: Rect::new(
            all.x + (all.width - wide) / 2,
            all.y + (all.height - high) / 2,
            wide,
            high,
        ),
    }
}

fn frame(shown: &Shown<'_>, theme: Theme, buffer: &mut Buffer) {
    let area = shown.area;
    let (right, bottom) = (
        area.right().saturating_sub(1),
        area.bottom().saturating_sub(1),
    );
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            let symbol = match (x == area.x, x == right, y == area.y, y == bottom) {
                (true, _, true, _) => "╭",
                (_, true, true, _) => "╮",
                (true, _, _, true) => "╰",
                (_, true, _, true) => "╯",
                (false, false, false, false) => " ",
                (false, false, _, _) => "─",
                _ => "│",
            };
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
                cell.set_symbol(symbol);
            }
        }
    }
    let title = format!(" {} ", shown.title);
    let most = area.width.saturating_sub(4);
    put(buffer, (area.x + 2, area.y), most, &title, theme.heading());
}

fn question(confirm: &Confirm, theme: Theme, most: u16) -> Vec<Line> {
    let lines = confirm.lines.iter();
    let wrapped = lines.flat_map(|(tone, text)| {
        let indent = text.len() - text.trim_start().len();
        let indent = u16::try_from(indent).unwrap_or(0) + 2;
        wrap(&[(theme.tone(*tone), text.clone())], most, indent)
    });
    wrapped.collect()
}

fn fields(form: &Form, theme: Theme, most: u16) -> Vec<Line> {
    let labels = Form::LABELS.iter().zip(&form.fields).enumerate();
    let mut lines: Vec<Line> = labels
        .map(|(index, (label, text))| {
            let tone = if index == form.at {
                Tone::Strong
            } else {
                Tone::Plain
            };
            let optional = index == 2 && text.is_empty() && form.at != 2;
            let shown = if optional {
                (theme.tone(Tone::Dim), "(none)".to_owned())
            } else {
                (theme.tone(tone), ending(text, most))
            };
            vec![(theme.tone(Tone::Dim), format!("{label:<8} ")), shown]
        })
        .collect();
    lines.push(Vec::new());
    match &form.problem {
        Some(problem) => {
            let problem = escape(problem).into_owned();
            lines.extend(wrap(&[(theme.tone(Tone::Bad), problem)], most, 2));
        }
        None => {
            let text = "Freeport gives it to nobody else, and warns when somebody else is on it.";
            lines.extend(wrap(&[(theme.tone(Tone::Dim), text.to_owned())], most, 0));
        }
    }
    lines
}

/// The end of what is typed, as much as there is room for.
fn ending(text: &str, most: u16) -> String {
    let text = escape(text);
    let mut shown = &*text;
    while width(shown) > most.saturating_sub(10) {
        let mut chars = shown.chars();
        chars.next();
        shown = chars.as_str();
    }
    shown.to_owned()
}

fn cursor(form: &Form, area: Rect) -> (u16, u16) {
    let text = ending(&form.fields[form.at], area.width.saturating_sub(4));
    let at = u16::try_from(form.at).unwrap_or(0);
    (area.x + 2 + 9 + width(&text), area.y + 1 + at)
}

fn help(theme: Theme, most: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for (keys, meaning) in HELP {
        if keys.is_empty() {
            lines.push(vec![(theme.heading(), (*meaning).to_owned())]);
            continue;
        }
        let pad = usize::from(KEYS.saturating_sub(width(keys)));
        let line = [
            (
                theme.tone(Tone::Spot),
                format!("  {keys}{}", " ".repeat(pad)),
            ),
            (theme.tone(Tone::Plain), (*meaning).to_owned()),
        ];
        lines.extend(wrap(&line, most, KEYS + 2));
    }
    lines
}
