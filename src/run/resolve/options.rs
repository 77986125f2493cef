//! Options of launchers: how far they go, and which of them have values.

use super::layers::Word;

/// Where the first word is that is neither an option nor the value of one, from a word on; and
/// whether a `--` stands before it.
pub fn operand(words: &[Word], from: usize, valued: &[&str]) -> (usize, bool) {
    let mut at = from;
    while let Some(word) = words.get(at) {
        match word.text.as_str() {
            "--" => return (at + 1, true),
            "-" => break,
            option if !option.starts_with('-') => break,
            option if valued.contains(&option) => at += 2,
            _ => at += 1,
        }
    }
    (at.min(words.len()), false)
}

/// The value of the last one of these options before a word: `--dir x`, `--dir=x`.
pub fn value<'a>(words: &'a [Word], until: usize, names: &[&str]) -> Option<&'a Word> {
    let words = &words[..until.min(words.len())];
    let at = words
        .iter()
        .rposition(|word| names.contains(&word.text.as_str()))?;
    words.get(at + 1)
}

/// The same where it is written in one word, as text.
pub fn joined(words: &[Word], until: usize, names: &[&str]) -> Option<String> {
    let words = &words[..until.min(words.len())];
    words.iter().rev().find_map(|word| {
        let (name, value) = word.text.split_once('=')?;
        names.contains(&name).then(|| value.to_owned())
    })
}

/// The first one of these options before a word.
pub fn any<'a>(words: &'a [Word], until: usize, names: &[&str]) -> Option<&'a str> {
    let words = &words[..until.min(words.len())];
    let name = |word: &'a Word| word.text.split('=').next().unwrap_or_default();
    words.iter().map(name).find(|name| names.contains(name))
}
