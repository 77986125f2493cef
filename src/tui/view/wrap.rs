//! Text in lines of a width, broken between words.

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Pieces of text, each with its look.
pub type Line = Vec<(Style, String)>;

/// Breaks a line where it is longer than `width`; what goes on is indented.
pub fn wrap(line: &[(Style, String)], width: u16, indent: u16) -> Vec<Line> {
    let most = usize::from(width.max(1));
    let indent = usize::from(indent).min(most / 2);
    let mut lines: Vec<Line> = Vec::new();
    let mut now: Line = Vec::new();
    let mut used = 0;
    for (style, text) in line {
        for word in words(text) {
            let mut word = word;
            // A word that does not fit goes to the next line; the space before it is not needed there.
            if used + word.trim_end().width() > most && used > indent {
                lines.push(ended(&mut now));
                now.push((Style::new(), " ".repeat(indent)));
                used = indent;
            }
            // One that fits no line is broken.
            while used + word.trim_end().width() > most {
                let end = prefix(word, most - used);
                if end == 0 {
                    break;
                }
                let (head, tail) = word.split_at(end);
                now.push((*style, head.to_owned()));
                lines.push(ended(&mut now));
                now.push((Style::new(), " ".repeat(indent)));
                used = indent;
                word = tail;
            }
            used += word.width();
            now.push((*style, word.to_owned()));
        }
    }
    lines.push(ended(&mut now));
    lines
}

/// The line, without the spaces at its end; an empty one is in its place.
fn ended(line: &mut Line) -> Line {
    let mut line = std::mem::take(line);
    while let Some((_, text)) = line.last_mut() {
        text.truncate(text.trim_end().len());
        if !text.is_empty() {
            break;
        }
        line.pop();
    }
    line
}

/// The words of a text, each with the spaces after it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let word = rest.find(' ').unwrap_or(rest.len());
        let spaces = rest[word..].find(|c| c != ' ').unwrap_or(rest.len() - word);
        let (head, tail) = rest.split_at(word + spaces);
        rest = tail;
        Some(head)
    })
}

/// How many bytes of a text are at most so wide.
fn prefix(text: &str, most: usize) -> usize {
    let mut width = 0;
    for (at, c) in text.char_indices() {
        width += c.width().unwrap_or(0);
        if width > most {
            return at;
        }
    }
    text.len()
}

/// Writes a text, cut with an ellipsis where it is too wide; gives its width.
pub fn put(buffer: &mut Buffer, at: (u16, u16), most: u16, text: &str, style: Style) -> u16 {
    let width = text.width();
    if width <= usize::from(most) {
        let (end, _) = buffer.set_stringn(at.0, at.1, text, usize::from(most), style);
        return end - at.0;
    }
    let Some(room) = most.checked_sub(1) else {
        return 0;
    };
    let end = prefix(text, usize::from(room));
    let (end, _) = buffer.set_stringn(at.0, at.1, &text[..end], usize::from(room), style);
    let (end, _) = buffer.set_stringn(end, at.1, "…", 1, style);
    end - at.0
}

/// Writes a line.
pub fn put_line(buffer: &mut Buffer, at: (u16, u16), most: u16, line: &Line) {
    let mut x = at.0;
    for (style, text) in line {
        let left = most.saturating_sub(x - at.0);
        x += put(buffer, (x, at.1), left, text, *style);
    }
}

/// How wide a text is.
pub fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: u16) -> Vec<String> {
        let lines = wrap(&[(Style::new(), text.to_owned())], width, 2);
        let text = |line: &Line| {
            line.iter()
                .map(|(_, text)| text.as_str())
                .collect::<String>()
        };
        lines
            .iter()
            .map(|line| text(line).trim_end().to_owned())
            .collect()
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 8), ["one two", "  three"]);
        assert_eq!(wrapped("one", 3), ["one"]);
        assert_eq!(wrapped("", 3), [""]);
        assert_eq!(wrapped("aaaaaaaaaa b", 6), ["aaaaaa", "  aaaa", "  b"]);
        assert_eq!(wrapped("端口端口", 5), ["端口", "  端", "  口"]);
        assert_eq!(wrapped("x", 0), ["x"]);
    }
}
