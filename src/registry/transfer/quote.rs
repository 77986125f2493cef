//! Texts as TOML writes them (toml.io, "Keys" and "String").

use std::fmt::Write as _;

use crate::model::text::escape;

/// A text as a value: between plain quotes where that can be read as it is, else with escapes.
pub(super) fn string(text: &str) -> String {
    let is_plain =
        |c: char| !c.is_control() && escape(c.encode_utf8(&mut [0; 4])).len() == c.len_utf8();
    let needs_escapes = text.contains(['"', '\\']);
    if needs_escapes && !text.contains('\'') && text.chars().all(is_plain) {
        return format!("'{text}'");
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if is_plain(c) => quoted.push(c),
            // Writing to a String cannot fail.
            c => drop(write!(quoted, "\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// A text as a key: bare where that is allowed.
pub(super) fn key(text: &str) -> String {
    let is_bare = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    if !text.is_empty() && text.bytes().all(is_bare) {
        text.to_owned()
    } else {
        string(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut texts: Vec<String> = [
            "",
            "web",
            "a b",
            "it's",
            "say \"hi\"",
            "both ' and \"",
            r"back\slash",
            "{\"a\":'b'}",
            "'''",
            "\"\"\"",
            "größe 端口 🙂",
            "[x]",
            "a.b",
            "a = 1",
            "# no",
            "\u{202e}x",
            "\u{feff}",
        ]
        .map(str::to_owned)
        .to_vec();
        texts.extend(
            (0..0x300)
                .filter_map(char::from_u32)
                .map(|c| format!("a{c}b\"")),
        );
        for text in texts {
            let document = format!("{} = {}\n", key(&text), string(&text));
            let read: std::collections::BTreeMap<String, String> =
                toml::from_str(&document).unwrap();
            assert_eq!(
                read.into_iter().collect::<Vec<_>>(),
                [(text.clone(), text)],
                "{document}"
            );
        }
    }

    #[test]
    fn the_form_that_reads_best_is_chosen() {
        assert_eq!(string("web"), r#""web""#);
        assert_eq!(string(r#"{"a":1}"#), r#"'{"a":1}'"#);
        assert_eq!(key("my-shop_2"), "my-shop_2");
        assert_eq!(key("@scope/pkg"), r#""@scope/pkg""#);
    }
}
