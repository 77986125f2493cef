//! The pages of the documentation, and the JSON that they show.

use std::path::Path;

use serde_json::Value;

/// A file of the repository.
pub fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The texts of the fenced blocks of a kind: ```` ```json ````.
pub fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let mark = format!("```{kind}\n");
    let after = page
        .match_indices(&mark)
        .map(|(at, _)| &page[at + mark.len()..]);
    after
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// The JSON lines in the fenced blocks of a kind.
pub fn examples(page: &str, kind: &str) -> Vec<Value> {
    let lines = blocks(page, kind).into_iter().flat_map(str::lines);
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// Whether a reply has the form that a page shows: the same keys, and values of the same kind. A
/// list may be empty in either, and `"…":"…"` stands for more keys.
pub fn fits(real: &Value, shown: &Value) -> bool {
    match (real, shown) {
        (Value::Object(real), Value::Object(shown)) => {
            let some = shown.contains_key("…");
            let mut named = shown.iter().filter(|(key, _)| *key != "…");
            (some || real.len() == shown.len())
                && named.all(|(key, shown)| real.get(key).is_some_and(|real| fits(real, shown)))
        }
        (Value::Array(real), Value::Array(shown)) => real
            .iter()
            .zip(shown)
            .take(1)
            .all(|(real, shown)| fits(real, shown)),
        (Value::String(_), Value::String(_)) | (Value::Number(_), Value::Number(_)) => true,
        (real, shown) => real == shown,
    }
}
