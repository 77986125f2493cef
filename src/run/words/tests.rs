//! Shell lines that are read, and words that are written for them.

use super::*;
use proptest::prelude::*;

/// The commands of a line, a word in brackets where the shell fills something in, and whether
/// words can be added at its end.
fn read(text: &str) -> String {
    let Some(line) = parse(text) else {
        return "?".to_owned();
    };
    let command = |simple: &Simple| {
        let words = simple.words.iter().map(|word| match word.expands {
            true => format!("[{}]", word.text),
            false => word.text.clone(),
        });
        words.collect::<Vec<_>>().join("·")
    };
    let commands: Vec<String> = line.commands.iter().map(command).collect();
    let end = if line.open_end { " +" } else { "" };
    commands.join(" / ") + end
}

#[test]
fn lines_are_read_as_shells_read_them() {
    for (text, expected) in [
        ("", ""),
        ("  vite  ", "vite +"),
        ("vite --port 5000", "vite·--port·5000 +"),
        ("a 'b c' \"d e\" f\\ g", "a·b c·d e·f g +"),
        (r#"a "x\"y\n$z" 'it'\''s'"#, r#"a·[x"y\n$z]·it's +"#),
        ("a '' b", "a··b +"),
        (
            "a $X ${Y:-1 2} $(b c) `d` *.js x?",
            "a·[$X]·[${Y:-1 2}]·[$(b c)]·[`d`]·[*.js]·[x?] +",
        ),
        ("a && b || c; d & e | f |& g", "a / b / c / d / e / f / g +"),
        ("a &", "a"),
        ("a;", "a"),
        ("a\nb", "a / b +"),
        ("a \\\n b", "a·b +"),
        ("a # b", "a"),
        ("a # b\nc", "a / c +"),
        ("a#b", "a#b +"),
        ("a > x 2>&1 < y", "a +"),
        ("a &> x b", "a·b +"),
        ("a 2> x 3", "a·3 +"),
        ("a >> 'x y' b", "a·b +"),
        ("(a; b)", "a / b"),
        ("(a) && b", "a / b +"),
        ("if a; then b; fi", "a / b"),
        ("{ a; }", "a"),
        ("! a", "a +"),
        ("A=B c=d e", "A=B·c=d·e +"),
        ("a 'b", "?"),
        ("a \"b", "?"),
        ("a $(b", "?"),
        ("a \\", "?"),
        ("größe 'ü ü' \\ä", "größe·ü ü·ä +"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn places_are_where_the_words_are() {
    let text = "a 'b c' && d\"e\"";
    let line = parse(text).unwrap();
    let words = line.commands.iter().flat_map(|command| &command.words);
    let written: Vec<&str> = words.map(|word| &text[word.span.clone()]).collect();
    assert_eq!(written, ["a", "'b c'", "d\"e\""]);
}

#[test]
fn assignments() {
    for (word, expected) in [
        ("A=B", Some(("A", "B"))),
        ("_a1=", Some(("_a1", ""))),
        ("A=B=C", Some(("A", "B=C"))),
        ("1A=B", None),
        ("--a=b", None),
        ("=b", None),
        ("a", None),
    ] {
        assert_eq!(assignment(word), expected, "{word}");
    }
}

#[test]
fn a_real_shell_reads_quoted_words_back() {
    let words = [
        "",
        "a b",
        "it's",
        "$HOME `x` \\ \" * ~ #",
        "a\nb",
        "ä",
        "-n",
        "A=B",
    ];
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    let line = format!("printf '%s\\0' {}", quoted.join(" "));
    let output = std::process::Command::new("sh")
        .args(["-c", &line])
        .output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(printed, words.map(|word| format!("{word}\0")).concat());
}

proptest! {
    #[test]
    fn quoted_words_are_read_back(words in prop::collection::vec("\\PC{0,10}", 1..5)) {
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let line = parse(&format!("x {}", quoted.join(" "))).unwrap();
        let read = line.commands[0].words.iter().skip(1).map(|word| word.text.clone());
        prop_assert_eq!(read.collect::<Vec<_>>(), words);
        prop_assert!(line.open_end);
    }

    #[test]
    fn any_text_can_be_read(text in "[a-c'\"\\\\$`(){}<>|&;# \n0-9ü]{0,30}") {
        if let Some(line) = parse(&text) {
            for word in line.commands.iter().flat_map(|command| &command.words) {
                prop_assert!(text.get(word.span.clone()).is_some_and(|text| !text.is_empty()));
            }
        }
    }
}
