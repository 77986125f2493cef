//! Texts that come from other programs, made safe to show.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

/// `text` with everything that a terminal or a menu would act on, or that would reorder what is
/// shown, written as `\x1b` or `\u{202e}`: control characters, line and paragraph separators, and
/// the bidirectional and zero-width formatting characters.
pub fn escape(text: &str) -> Cow<'_, str> {
    // Nearly every text is plain, and a look at its bytes is many times as fast as one at its chars.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            c if acts(c) && u32::from(c) < 0x100 => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\x{:02x}", u32::from(c));
            }
            c if acts(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The first `most` characters of `text`, with an ellipsis in place of the last one when more
/// follow.
pub fn shorten(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().count() <= most {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    Cow::Owned(short)
}

/// A path with the home folder written as `~`, escaped.
pub fn tilde(path: &Path, home: Option<&Path>) -> String {
    let shown = match home
        .filter(|home| home.parent().is_some())
        .and_then(|home| path.strip_prefix(home).ok())
    {
        Some(rest) if rest.as_os_str().is_empty() => "~".into(),
        Some(rest) => format!("~/{}", rest.to_string_lossy()),
        None => path.to_string_lossy().into_owned(),
    };
    escape(&shown).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        let cases = [
            ("vite", "vite"),
            ("größe 端口", "größe 端口"),
            ("\u{1b}[31mred\u{7}", "\\x1b[31mred\\x07"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{9b}2J", "\\x9b2J"),
            ("x\u{202e}y\u{2066}", "x\\u{202e}y\\u{2066}"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text), expected);
            assert!(!escape(text).chars().any(acts));
        }
    }

    #[test]
    fn shortened_text_keeps_to_its_limit() {
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("abcd", 3), "ab…");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }

    #[test]
    fn home_is_a_tilde() {
        let home = Some(Path::new("/home/me"));
        assert_eq!(tilde(Path::new("/home/me/shop"), home), "~/shop");
        assert_eq!(tilde(Path::new("/home/me"), home), "~");
        assert_eq!(tilde(Path::new("/home/mei"), home), "/home/mei");
        assert_eq!(tilde(Path::new("/srv"), Some(Path::new("/"))), "/srv");
    }
}
